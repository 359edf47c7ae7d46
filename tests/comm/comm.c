#include "comm/comm.h"

#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "tests/support/support_mpi.h"

enum { MANY = 300000 };

/* 0 + 1 + ... + (size - 1) */
static double sum_of_ranks(void)
{
    return 0.5 * (double)comm_size() * (double)(comm_size() - 1);
}

static void test_sums_are_over_all_ranks(void **state)
{
    (void)state;
    real reals[3] = {(real)comm_rank(), 1, -(real)comm_rank()};
    double doubles[2] = {(double)comm_rank(), 0.25};
    comm_sum_real(reals, 3);
    comm_sum_double(doubles, 2);
    assert_true(reals[0] == (real)sum_of_ranks());
    assert_true(reals[1] == (real)comm_size());
    assert_true(reals[2] == -(real)sum_of_ranks());
    assert_true(doubles[0] == sum_of_ranks());
    assert_true(doubles[1] == 0.25 * (double)comm_size());
}

static void test_sum_of_nothing_is_allowed(void **state)
{
    (void)state;
    comm_sum_real(NULL, 0);
    comm_sum_double(NULL, 0);
    comm_broadcast(NULL, 0);
}

static void test_maximum_is_over_all_ranks(void **state)
{
    (void)state;
    double rank = (double)comm_rank();
    double values[2] = {-rank - 1.0, rank};
    comm_max_double(values, 2);
    assert_true(values[0] == -1.0);
    assert_true(values[1] == (double)(comm_size() - 1));
}

/* Values whose sum depends on the order of additions. */
static void fill(real *values, size_t count, size_t rank)
{
    struct random random = random_stream(1, RANDOM_TEST, 0, rank);
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)(random_normal(&random) * exp(8.0 * random_normal(&random)));
    }
}

static void test_sums_have_the_same_bits_on_every_rank(void **state)
{
    (void)state;
    size_t counts[] = {1, 17, 5000, MANY};
    real *values = memory_take(MANY, sizeof *values);
    real *of_rank_zero = memory_take(MANY, sizeof *of_rank_zero);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t bytes = counts[i] * sizeof *values;
        fill(values, counts[i], comm_rank());
        comm_sum_real(values, counts[i]);
        memcpy(of_rank_zero, values, bytes);
        comm_broadcast(of_rank_zero, bytes);
        assert_memory_equal(values, of_rank_zero, bytes);
    }
    memory_free(of_rank_zero);
    memory_free(values);
}

static void test_sums_repeat_to_the_bit(void **state)
{
    (void)state;
    real *first = memory_take(MANY, sizeof *first);
    real *second = memory_take(MANY, sizeof *second);
    fill(first, MANY, comm_rank());
    comm_sum_real(first, MANY);
    for (int i = 0; i < 5; i++) {
        fill(second, MANY, comm_rank());
        comm_sum_real(second, MANY);
        assert_memory_equal(first, second, MANY * sizeof *first);
    }
    memory_free(second);
    memory_free(first);
}

static void test_large_sums_are_right(void **state)
{
    (void)state;
    real *values = memory_take(MANY, sizeof *values);
    double *wanted = memory_take(MANY, sizeof *wanted);
    double *size = memory_take(MANY, sizeof *size);
    for (size_t rank = 0; rank < comm_size(); rank++) {
        fill(values, MANY, rank);
        for (size_t i = 0; i < MANY; i++) {
            wanted[i] += (double)values[i];
            size[i] += fabs((double)values[i]);
        }
    }
    fill(values, MANY, comm_rank());
    comm_sum_real(values, MANY);
    double worst = 0.0;
    for (size_t i = 0; i < MANY; i++) {
        worst = fmax(worst, fabs((double)values[i] - wanted[i]) / size[i]);
    }
    assert_true(worst < 4e-7);
    memory_free(size);
    memory_free(wanted);
    memory_free(values);
}

static void test_broadcast_carries_rank_zeros_bytes(void **state)
{
    (void)state;
    size_t size = 3000001;
    unsigned char *bytes = memory_take(size, 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 + comm_rank() * 7);
    }
    comm_broadcast(bytes, size);
    size_t wrong = 0;
    for (size_t i = 0; i < size; i++) {
        wrong += bytes[i] != (unsigned char)(i * 31);
    }
    assert_int_equal(wrong, 0);
    memory_free(bytes);
}

static void test_gather_is_in_rank_order(void **state)
{
    (void)state;
    double rank = (double)comm_rank();
    double own[2] = {rank, -10.0 * rank};
    double *gathered = NULL;
    if (comm_rank() == 0) {
        gathered = memory_take(comm_size() * 2, sizeof *gathered);
    }
    comm_gather_double(gathered, own, 2);
    for (size_t i = 0; gathered && i < comm_size(); i++) {
        assert_true(gathered[2 * i] == (double)i);
        assert_true(gathered[2 * i + 1] == -10.0 * (double)i);
    }
    memory_free(gathered);
}

static void test_agreement_passes_when_nothing_failed(void **state)
{
    (void)state;
    struct failure failure = {.code = EXIT_CODE_DONE};
    comm_agree(&failure);
    comm_same(0xfedcba9876543210u, "seed");
    comm_barrier();
}

static void test_all_ranks_of_this_test_are_on_one_node(void **state)
{
    (void)state;
    assert_true(comm_rank() < comm_size());
    assert_int_equal(comm_ranks_on_this_node(), comm_size());
}

static void be_fatal(void *argument)
{
    fatal(EXIT_CODE_DATA, "last words %s", (const char *)argument);
}

static void test_fatal_in_a_forked_child_ends_only_the_child(void **state)
{
    (void)state;
    support_expect_exit(be_fatal, "of a child", EXIT_CODE_DATA, "last words of a child\n");
    comm_barrier();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_over_all_ranks),
        cmocka_unit_test(test_sum_of_nothing_is_allowed),
        cmocka_unit_test(test_maximum_is_over_all_ranks),
        cmocka_unit_test(test_sums_have_the_same_bits_on_every_rank),
        cmocka_unit_test(test_sums_repeat_to_the_bit),
        cmocka_unit_test(test_large_sums_are_right),
        cmocka_unit_test(test_broadcast_carries_rank_zeros_bytes),
        cmocka_unit_test(test_gather_is_in_rank_order),
        cmocka_unit_test(test_agreement_passes_when_nothing_failed),
        cmocka_unit_test(test_all_ranks_of_this_test_are_on_one_node),
        cmocka_unit_test(test_fatal_in_a_forked_child_ends_only_the_child),
    };
    return support_mpi_run(argc, argv, "comm", tests, sizeof tests / sizeof tests[0]);
}

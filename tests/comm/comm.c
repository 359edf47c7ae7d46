#include "comm/comm.h"

#include "tests/support/support.h"

#include "base/memory.h"
#include "tests/support/support_mpi.h"

/* 0 + 1 + ... + (size - 1) */
static double sum_of_ranks(void)
{
    return 0.5 * (double)comm_size() * (double)(comm_size() - 1);
}

static void test_sums_are_over_all_ranks(void **state)
{
    (void)state;
    double doubles[2] = {(double)comm_rank(), 0.25};
    comm_sum_double(doubles, 2);
    assert_true(doubles[0] == sum_of_ranks());
    assert_true(doubles[1] == 0.25 * (double)comm_size());
}

static void test_sum_of_nothing_is_allowed(void **state)
{
    (void)state;
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
        cmocka_unit_test(test_broadcast_carries_rank_zeros_bytes),
        cmocka_unit_test(test_gather_is_in_rank_order),
        cmocka_unit_test(test_agreement_passes_when_nothing_failed),
        cmocka_unit_test(test_all_ranks_of_this_test_are_on_one_node),
        cmocka_unit_test(test_fatal_in_a_forked_child_ends_only_the_child),
    };
    return support_mpi_run(argc, argv, "comm", tests, sizeof tests / sizeof tests[0]);
}

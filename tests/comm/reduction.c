#include "comm/reduction.h"

#include "tests/support/support.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "comm/progress.h"
#include "comm/ring.h"
#include "tests/support/support_mpi.h"

enum { MANY = 1500000 }; /* more than are on their way at once */

static struct ring *ring;
static struct reduction *reduction;

static int open_ring(void **state)
{
    (void)state;
    ring = ring_open(comm_size(), 0);
    reduction = reduction_open();
    return 0;
}

static int close_ring(void **state)
{
    (void)state;
    reduction_close(reduction);
    ring_close(ring);
    return 0;
}

static void sum(real *values, size_t count)
{
    reduction_begin(reduction, values, count);
    reduction_finish(reduction);
}

/* Values whose sum depends on the order of additions. */
static void fill(real *values, size_t first, size_t end, size_t rank)
{
    for (size_t i = first; i < end; i++) {
        uint32_t mixed = (uint32_t)(i + 1) * 2654435761u ^ (uint32_t)(rank + 1) * 2246822519u;
        mixed = (mixed ^ mixed >> 15) * 3266489917u;
        values[i] = (real)ldexp((double)(mixed >> 8) - 0x1p23, (int)(mixed % 24));
    }
}

static real *filled(size_t count, size_t rank)
{
    real *values = memory_take(count, sizeof *values);
    fill(values, 0, count, rank);
    return values;
}

static void test_sum_is_over_all_ranks(void **state)
{
    (void)state;
    real size = (real)comm_size();
    real sum_of_ranks = size * (size - 1) / 2;
    real values[3] = {(real)comm_rank(), 1, -(real)comm_rank()};
    sum(values, 3);
    assert_true(values[0] == sum_of_ranks && values[1] == size && values[2] == -sum_of_ranks);
}

static void test_sum_of_nothing_is_allowed(void **state)
{
    (void)state;
    sum(NULL, 0);
}

static void test_large_sums_are_right(void **state)
{
    (void)state;
    double *wanted = memory_take(MANY, sizeof *wanted);
    double *size = memory_take(MANY, sizeof *size);
    for (size_t rank = 0; rank < comm_size(); rank++) {
        real *share = filled(MANY, rank);
        for (size_t i = 0; i < MANY; i++) {
            wanted[i] += (double)share[i];
            size[i] += fabs((double)share[i]);
        }
        memory_free(share);
    }
    real *values = filled(MANY, comm_rank());
    sum(values, MANY);
    double worst = 0.0;
    for (size_t i = 0; i < MANY; i++) {
        worst = fmax(worst, fabs((double)values[i] - wanted[i]) / size[i]);
    }
    assert_true(worst < 4e-7);
    memory_free(values);
    memory_free(size);
    memory_free(wanted);
}

static void test_sums_have_the_same_bits_on_every_rank(void **state)
{
    (void)state;
    size_t counts[] = {1, 17, 5000, MANY};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t bytes = counts[i] * sizeof(real);
        real *of_rank_zero = memory_take(counts[i], sizeof *of_rank_zero);
        real *values = filled(counts[i], comm_rank());
        sum(values, counts[i]);
        memcpy(of_rank_zero, values, bytes);
        comm_broadcast(of_rank_zero, bytes);
        assert_memory_equal(values, of_rank_zero, bytes);
        memory_free(values);
        memory_free(of_rank_zero);
    }
}

/* A step of the ring and a sum of the job, as they come between gradients. */
static void do_other_work(size_t number)
{
    size_t size = ring_size(ring);
    real sent = (real)number;
    real received = -1;
    double ranks = 1.0;
    if (size > 1) {
        size_t place = ring_rank(ring);
        ring_send(ring, RING_GRADIENTS, (place + 1) % size, 1, &sent, 1 * sizeof(real));
        ring_receive(ring, RING_GRADIENTS, (place + size - 1) % size, 1, &received,
                     1 * sizeof(real));
        ring_wait(ring, RING_GRADIENTS);
        assert_true(received == sent);
    }
    if (number % 3 == 0) {
        comm_sum_double(&ranks, 1);
        assert_true(ranks == (double)comm_size());
    }
}

/* Shares are written only just before they are marked ready; ranks look after them at their own
 * pace.
 */
static void test_what_is_ready_bit_by_bit_has_the_sum_of_all_at_once(void **state)
{
    (void)state;
    real *at_once = filled(MANY, comm_rank());
    sum(at_once, MANY);
    for (size_t stretch = 400001; stretch > 100000; stretch /= 2) {
        real *values = memory_take(MANY, sizeof *values);
        reduction_begin(reduction, values, MANY);
        for (size_t end = MANY, number = 0; end > 0; number++) {
            size_t first = end > stretch ? end - stretch : 0;
            fill(values, first, end, comm_rank());
            reduction_mark_ready(reduction, first);
            for (size_t look = 0; look < comm_rank() * number; look++) {
                comm_progress();
            }
            do_other_work(number);
            end = first;
        }
        reduction_barrier(reduction);
        reduction_finish(reduction);
        assert_memory_equal(values, at_once, MANY * sizeof *values);
        memory_free(values);
    }
    memory_free(at_once);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sum_is_over_all_ranks, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(test_sum_of_nothing_is_allowed, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(test_large_sums_are_right, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(test_sums_have_the_same_bits_on_every_rank, open_ring,
                                        close_ring),
        cmocka_unit_test_setup_teardown(test_what_is_ready_bit_by_bit_has_the_sum_of_all_at_once,
                                        open_ring, close_ring),
    };
    return support_mpi_run(argc, argv, "reduction", tests, sizeof tests / sizeof tests[0]);
}

/* The folder built with real = double must also tell MPI so. */
#include "comm/ring.h"

#include "tests/support/support.h"

#include "comm/comm.h"
#include "comm/reduction.h"
#include "tests/support/support_mpi.h"

static const double fine = 0x1p-45; /* 1 + fine is no float */

static void test_double_build_sums_doubles(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    double size = (double)comm_size();
    real of_job[2] = {1.0 + fine, 2.0};
    real of_ring[2] = {1.0 + fine, 2.0};
    struct reduction *reduction = reduction_open();
    reduction_begin(reduction, of_job, 2);
    reduction_finish(reduction);
    reduction_close(reduction);
    ring_sum_real(ring, of_ring, 2);
    assert_true(of_job[0] == size * (1.0 + fine) && of_job[1] == size * 2.0);
    assert_true(of_ring[0] == size * (1.0 + fine) && of_ring[1] == size * 2.0);
    ring_close(ring);
}

static void test_double_build_sends_doubles(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    size_t size = ring_size(ring);
    real sent[2] = {1.0 + fine * (double)ring_rank(ring), 3.0};
    real received[2];
    if (size > 1) {
        size_t from = (ring_rank(ring) + size - 1) % size;
        ring_send(ring, RING_GRADIENTS, (ring_rank(ring) + 1) % size, 1, sent, 2 * sizeof(real));
        ring_receive(ring, RING_GRADIENTS, from, 1, received, 2 * sizeof(real));
        ring_wait(ring, RING_GRADIENTS);
        assert_true(received[0] == 1.0 + fine * (double)from && received[1] == 3.0);
    }
    ring_close(ring);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double_build_sums_doubles),
        cmocka_unit_test(test_double_build_sends_doubles),
    };
    return support_mpi_run(argc, argv, "precision", tests, sizeof tests / sizeof tests[0]);
}

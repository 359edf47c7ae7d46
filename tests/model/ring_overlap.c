#include "model/ring_overlap.h"

#include "tests/support/support.h"

#include <math.h>

#include "comm/comm.h"
#include "tests/support/support_mpi.h"

static const double operations = 1e11;

static void test_a_neighbourhood_sends_nothing(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct ring_overlap overlap = ring_overlap_predict(ring, PARTITION_ZIGZAG, operations);
    assert_true(overlap.bandwidth == 0.0);
    assert_true(overlap.tokens_needed == 0.0);
    ring_close(ring);
}

static void expect_needed(enum partition_rule rule, double factor)
{
    struct ring *ring = ring_open(comm_size(), 1);
    struct ring_overlap overlap = ring_overlap_predict(ring, rule, operations);
    double most = overlap.tokens_needed;
    comm_max_double(&most, 1);
    assert_true(most == overlap.tokens_needed);
    if (comm_size() > 1) {
        assert_true(overlap.bandwidth > 0.0);
        double product = overlap.tokens_needed * overlap.bandwidth;
        assert_true(fabs(product - factor * operations) < 1e-6 * operations);
    }
    ring_close(ring);
}

static void test_messages_ask_for_tokens_in_proportion(void **state)
{
    (void)state;
    expect_needed(PARTITION_ZIGZAG, 4.0);
    expect_needed(PARTITION_CONTIGUOUS, 2.0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_neighbourhood_sends_nothing),
        cmocka_unit_test(test_messages_ask_for_tokens_in_proportion),
    };
    return support_mpi_run(argc, argv, "ring_overlap", tests, sizeof tests / sizeof tests[0]);
}

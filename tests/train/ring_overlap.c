#include "train/ring_overlap.h"

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
    assert_true(overlap.tokens_forward == 0.0);
    assert_true(overlap.tokens_backward == 0.0);
    ring_close(ring);
}

static void expect_product(double tokens, double bandwidth, double factor)
{
    assert_true(fabs(tokens * bandwidth - factor * operations) < 1e-6 * operations);
}

static void expect_needed(enum partition_rule rule, double forward, double backward)
{
    struct ring *ring = ring_open(comm_size(), 1);
    struct ring_overlap overlap = ring_overlap_predict(ring, rule, operations);
    double most = overlap.tokens_forward;
    comm_max_double(&most, 1);
    assert_true(most == overlap.tokens_forward);
    if (comm_size() > 1) {
        assert_true(overlap.bandwidth > 0.0);
        expect_product(overlap.tokens_forward, overlap.bandwidth, forward);
        expect_product(overlap.tokens_backward, overlap.bandwidth, backward);
    }
    ring_close(ring);
}

static void test_messages_ask_for_tokens_in_proportion(void **state)
{
    (void)state;
    expect_needed(PARTITION_ZIGZAG, 4.0, 3.2);
    expect_needed(PARTITION_CONTIGUOUS, 2.0, 1.6);
}

static void test_fewer_tokens_hide_their_share(void **state)
{
    (void)state;
    assert_true(ring_overlap_share(100.0, 0.0) == 1.0);
    assert_true(ring_overlap_share(100.0, 100.0) == 1.0);
    assert_true(ring_overlap_share(25.0, 100.0) == 0.25);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_neighbourhood_sends_nothing),
        cmocka_unit_test(test_messages_ask_for_tokens_in_proportion),
        cmocka_unit_test(test_fewer_tokens_hide_their_share),
    };
    return support_mpi_run(argc, argv, "ring_overlap", tests, sizeof tests / sizeof tests[0]);
}

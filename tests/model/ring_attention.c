/* Ring attention against dense attention computed the plain way in double. */
#include "tests/support/support.h"

#include "comm/comm.h"
#include "tests/model/sharded.h"
#include "tests/support/support_mpi.h"

static void compare(size_t length, size_t heads, enum partition_rule rule, enum ring_wire wire,
                    struct ring *ring)
{
    struct dense dense;
    struct sharded sharded;
    struct sharded_options options = {.rule = rule, .wire = wire};
    double tolerance = wire == RING_WIRE_BF16 ? 3e-2 : 1e-5;
    double errors[SHARDED_RESULTS];
    dense_open(&dense, length, heads, 16);
    sharded_open(&sharded, &dense, &options, ring);
    sharded_compute(&sharded);
    sharded_errors(errors, &sharded);
    for (size_t i = 0; i < SHARDED_RESULTS; i++) {
        if (!(errors[i] <= tolerance)) {
            fail_msg("%s of length %zu, %zu heads: off by a share of %g", sharded_names[i], length,
                     heads, errors[i]);
        }
    }
    sharded_close(&sharded);
    dense_close(&dense);
}

static void compare_lengths(enum partition_rule rule, size_t neighbours_max, const size_t *lengths,
                            size_t count)
{
    struct ring *ring = ring_open(comm_size(), neighbours_max);
    for (size_t i = 0; i < count; i++) {
        compare(lengths[i], 1, rule, RING_WIRE_F32, ring);
        compare(lengths[i], 4, rule, RING_WIRE_F32, ring);
    }
    ring_close(ring);
}

/* What travels where depends on the neighbourhoods, not on the length. */
static void compare_few_lengths(size_t neighbours_max)
{
    static const size_t lengths[] = {1, 7, 301};
    compare_lengths(PARTITION_ZIGZAG, neighbours_max, lengths, sizeof lengths / sizeof lengths[0]);
    compare_lengths(PARTITION_CONTIGUOUS, neighbours_max, lengths,
                    sizeof lengths / sizeof lengths[0]);
}

static void test_ring_attention_equals_dense_in_one_neighbourhood(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 7, 64, 1000, 1001};
    size_t count = sizeof lengths / sizeof lengths[0];
    compare_lengths(PARTITION_ZIGZAG, 0, lengths, count);
    compare_lengths(PARTITION_CONTIGUOUS, 0, lengths, count);
}

static void test_ring_attention_equals_dense_by_messages(void **state)
{
    (void)state;
    compare_few_lengths(1);
}

/* As on two machines: in place inside each, by messages between them. */
static void test_ring_attention_equals_dense_across_neighbourhoods(void **state)
{
    (void)state;
    compare_few_lengths(2);
}

/* 8 bits of precision on the way, and nothing worse. */
static void test_wire_of_half_the_bytes_only_rounds(void **state)
{
    (void)state;
    for (size_t neighbours_max = 1; neighbours_max <= 2; neighbours_max++) {
        struct ring *ring = ring_open(comm_size(), neighbours_max);
        compare(7, 4, PARTITION_ZIGZAG, RING_WIRE_BF16, ring);
        compare(301, 4, PARTITION_ZIGZAG, RING_WIRE_BF16, ring);
        compare(301, 1, PARTITION_CONTIGUOUS, RING_WIRE_BF16, ring);
        ring_close(ring);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_attention_equals_dense_in_one_neighbourhood),
        cmocka_unit_test(test_ring_attention_equals_dense_by_messages),
        cmocka_unit_test(test_ring_attention_equals_dense_across_neighbourhoods),
        cmocka_unit_test(test_wire_of_half_the_bytes_only_rounds),
    };
    return support_mpi_run(argc, argv, "ring_attention", tests, sizeof tests / sizeof tests[0]);
}

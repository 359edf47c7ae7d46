/* Ring attention against dense attention computed the plain way in double. */
#include "tests/support/support.h"

#include "comm/comm.h"
#include "tests/model/sharded.h"
#include "tests/support/support_mpi.h"

static void compare(size_t length, size_t heads, enum partition_rule rule, bool is_bf16,
                    struct ring *ring)
{
    struct dense dense;
    struct sharded sharded;
    struct sharded_options options = {.rule = rule, .is_bf16 = is_bf16};
    double tolerance = is_bf16 ? 3e-2 : 1e-5;
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

static void compare_lengths(enum partition_rule rule, size_t node_ranks_max, const size_t *lengths,
                            size_t count)
{
    struct ring *ring = ring_open(comm_size(), node_ranks_max);
    for (size_t i = 0; i < count; i++) {
        compare(lengths[i], 1, rule, false, ring);
        compare(lengths[i], 4, rule, false, ring);
    }
    ring_close(ring);
}

/* What travels where depends on the node groups, not on the length. */
static void compare_few_lengths(size_t node_ranks_max)
{
    static const size_t lengths[] = {1, 7, 301};
    compare_lengths(PARTITION_ZIGZAG, node_ranks_max, lengths, sizeof lengths / sizeof lengths[0]);
    compare_lengths(PARTITION_CONTIGUOUS, node_ranks_max, lengths,
                    sizeof lengths / sizeof lengths[0]);
}

static void test_ring_attention_equals_dense_in_one_node_group(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 7, 64, 600, 601};
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
static void test_ring_attention_equals_dense_across_node_groups(void **state)
{
    (void)state;
    compare_few_lengths(2);
}

static void expect_same_bits(const struct sharded *found, const struct sharded *wanted)
{
    size_t width = dense_width(wanted->dense);
    size_t bytes = batch_shard(&wanted->batch)->row_count * width * sizeof(real);
    assert_memory_equal(found->output.data, wanted->output.data, bytes);
    assert_memory_equal(found->d_query, wanted->d_query, bytes);
    assert_memory_equal(found->attention.d_key_value, wanted->attention.d_key_value, 2 * bytes);
}

static void compare_threads(size_t length, size_t heads, enum partition_rule rule,
                            struct ring *ring)
{
    struct dense dense;
    struct sharded one;
    struct sharded many;
    dense_open(&dense, length, heads, 16);
    sharded_open(&one, &dense, &(struct sharded_options){.rule = rule, .threads = 1}, ring);
    sharded_compute(&one);
    for (size_t threads = 2; threads <= 3; threads++) {
        struct sharded_options options = {.rule = rule, .threads = threads};
        sharded_open(&many, &dense, &options, ring);
        sharded_compute(&many);
        expect_same_bits(&many, &one);
        sharded_close(&many);
    }
    sharded_close(&one);
    dense_close(&dense);
}

static void test_ring_attention_is_the_same_to_the_bit_for_any_number_of_threads(void **state)
{
    (void)state;
    for (size_t node_ranks_max = 0; node_ranks_max <= 2; node_ranks_max++) {
        struct ring *ring = ring_open(comm_size(), node_ranks_max);
        compare_threads(301, 1, PARTITION_ZIGZAG, ring);
        compare_threads(1000, 3, PARTITION_ZIGZAG, ring);
        compare_threads(301, 2, PARTITION_CONTIGUOUS, ring);
        ring_close(ring);
    }
}

/* 8 bits of precision on the way, and nothing worse. */
static void test_messages_of_half_the_bytes_only_round(void **state)
{
    (void)state;
    for (size_t node_ranks_max = 1; node_ranks_max <= 2; node_ranks_max++) {
        struct ring *ring = ring_open(comm_size(), node_ranks_max);
        compare(7, 4, PARTITION_ZIGZAG, true, ring);
        compare(301, 4, PARTITION_ZIGZAG, true, ring);
        compare(301, 1, PARTITION_CONTIGUOUS, true, ring);
        ring_close(ring);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_attention_equals_dense_in_one_node_group),
        cmocka_unit_test(test_ring_attention_equals_dense_by_messages),
        cmocka_unit_test(test_ring_attention_equals_dense_across_node_groups),
        cmocka_unit_test(test_ring_attention_is_the_same_to_the_bit_for_any_number_of_threads),
        cmocka_unit_test(test_messages_of_half_the_bytes_only_round),
    };
    return support_mpi_run(argc, argv, "ring_attention", tests, sizeof tests / sizeof tests[0]);
}

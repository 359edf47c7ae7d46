#include "tests/support/support.h"

#include "base/random.h"
#include "context/partition.h"

enum { CONTEXTS = 5, STEPS_MAX = 61, PLACES_MAX = 5 };

static const enum partition_rule rules[] = {PARTITION_ZIGZAG, PARTITION_CONTIGUOUS};

/* Contexts of 1 to steps_max steps, another set for each sample. */
static void draw_steps(size_t steps[CONTEXTS], size_t steps_max, uint64_t sample)
{
    struct random random = random_stream(3, RANDOM_TEST, 0, sample);
    for (size_t context = 0; context < CONTEXTS; context++) {
        steps[context] = 1 + random_below(&random, steps_max);
    }
}

/* What a rule must hold for: called on partitions of every rule and 1 to PLACES_MAX ranks, and
 * contexts from shorter than the number of ranks to much longer. */
static void for_all_partitions(void (*check)(const struct partition *partition,
                                             const size_t *steps))
{
    for (size_t rule = 0; rule < 2; rule++) {
        for (size_t ranks = 1; ranks <= PLACES_MAX; ranks++) {
            struct partition partition;
            partition_open(&partition, rules[rule], ranks, CONTEXTS);
            for (uint64_t sample = 0; sample < 40; sample++) {
                size_t steps[CONTEXTS];
                draw_steps(steps, sample % 2 ? STEPS_MAX : 6, sample);
                partition_cut(&partition, steps, CONTEXTS);
                check(&partition, steps);
            }
            partition_close(&partition);
        }
    }
}

static void check_held_once(const struct partition *partition, const size_t *steps)
{
    size_t held[CONTEXTS][STEPS_MAX] = {0};
    for (size_t rank = 0; rank < partition->ranks; rank++) {
        const struct shard *shard = &partition->shards[rank];
        for (size_t i = 0; i < shard->segment_count; i++) {
            const struct segment *segment = &shard->segments[i];
            assert_true(segment->context < CONTEXTS);
            for (size_t step = segment->first; step < segment->first + segment->count; step++) {
                assert_true(step < steps[segment->context]);
                held[segment->context][step]++;
            }
        }
    }
    for (size_t context = 0; context < CONTEXTS; context++) {
        for (size_t step = 0; step < steps[context]; step++) {
            assert_int_equal(held[context][step], 1);
        }
    }
}

static void test_partition_holds_every_step_exactly_once(void **state)
{
    (void)state;
    for_all_partitions(check_held_once);
}

static void check_rows(const struct partition *partition, const size_t *steps)
{
    (void)steps;
    for (size_t rank = 0; rank < partition->ranks; rank++) {
        const struct shard *shard = &partition->shards[rank];
        size_t row = 0;
        for (size_t i = 0; i < shard->segment_count; i++) {
            const struct segment *segment = &shard->segments[i];
            assert_int_equal(segment->row, row);
            assert_true(segment->count > 0);
            row += segment->count;
        }
        assert_int_equal(shard->row_count, row);
    }
}

static void test_partition_lays_segments_one_after_the_other(void **state)
{
    (void)state;
    for_all_partitions(check_rows);
}

static void check_order(const struct partition *partition, const size_t *steps)
{
    (void)steps;
    for (size_t rank = 0; rank < partition->ranks; rank++) {
        const struct shard *shard = &partition->shards[rank];
        for (size_t i = 1; i < shard->segment_count; i++) {
            const struct segment *before = &shard->segments[i - 1];
            const struct segment *after = &shard->segments[i];
            assert_true(before->context <= after->context);
            if (before->context == after->context) {
                /* A gap between them: neighbours would have been one segment. */
                assert_true(before->first + before->count < after->first);
            }
        }
    }
}

static void test_partition_segments_ascend_and_neighbours_are_merged(void **state)
{
    (void)state;
    for_all_partitions(check_order);
}

static void check_rows_even(const struct partition *partition, const size_t *steps)
{
    (void)steps;
    for (size_t context = 0; context < CONTEXTS; context++) {
        size_t least = SIZE_MAX;
        size_t most = 0;
        for (size_t rank = 0; rank < partition->ranks; rank++) {
            const struct shard *shard = &partition->shards[rank];
            size_t rows = 0;
            for (size_t i = 0; i < shard->segment_count; i++) {
                rows += shard->segments[i].context == context ? shard->segments[i].count : 0;
            }
            least = rows < least ? rows : least;
            most = rows > most ? rows : most;
        }
        assert_true(most - least <= 1);
    }
}

static void test_partition_rows_of_a_context_differ_by_one_at_most(void **state)
{
    (void)state;
    for_all_partitions(check_rows_even);
}

/* Pairs of a query and a key that it sees, all over one rank. */
static size_t causal_work(const struct shard *shard)
{
    size_t work = 0;
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        for (size_t step = segment->first; step < segment->first + segment->count; step++) {
            work += step + 1;
        }
    }
    return work;
}

/* Largest minus smallest work of any rank, for one context of `steps` steps. */
static size_t work_spread(enum partition_rule rule, size_t ranks, size_t steps)
{
    struct partition partition;
    partition_open(&partition, rule, ranks, 1);
    partition_cut(&partition, &steps, 1);
    size_t least = SIZE_MAX;
    size_t most = 0;
    for (size_t rank = 0; rank < ranks; rank++) {
        size_t work = causal_work(&partition.shards[rank]);
        least = work < least ? work : least;
        most = work > most ? work : most;
    }
    partition_close(&partition);
    return most - least;
}

static void test_partition_zigzag_gives_every_place_the_same_causal_work(void **state)
{
    (void)state;
    for (size_t ranks = 1; ranks <= PLACES_MAX; ranks++) {
        assert_int_equal(work_spread(PARTITION_ZIGZAG, ranks, 2 * ranks * 12), 0);
        for (size_t steps = 1; steps < 300; steps++) {
            /* Uneven chunks cost at most one more row and one more step of shift per chunk. */
            assert_true(work_spread(PARTITION_ZIGZAG, ranks, steps) <= 2 * steps);
        }
    }
    assert_true(work_spread(PARTITION_CONTIGUOUS, 4, 96) > 2 * 96);
}

static void test_partition_zigzag_pairs_a_chunk_with_its_mirror(void **state)
{
    (void)state;
    const size_t steps = 24;
    struct partition partition;
    partition_open(&partition, PARTITION_ZIGZAG, 3, 1);
    partition_cut(&partition, &steps, 1);
    for (size_t rank = 0; rank < 3; rank++) {
        size_t mirror = 5 - rank;
        const struct shard *shard = &partition.shards[rank];
        bool is_merged = mirror == rank + 1;
        assert_int_equal(shard->segment_count, is_merged ? 1 : 2);
        assert_int_equal(shard->segments[0].first, 4 * rank);
        assert_int_equal(shard->segments[0].count, is_merged ? 8 : 4);
        if (!is_merged) {
            assert_int_equal(shard->segments[1].first, 4 * mirror);
            assert_int_equal(shard->segments[1].count, 4);
        }
    }
    partition_close(&partition);
}

static void test_partition_contiguous_gives_pieces_in_order_of_places(void **state)
{
    (void)state;
    const size_t steps = 11;
    const size_t firsts[] = {0, 3, 6, 9};
    const size_t counts[] = {3, 3, 3, 2};
    struct partition partition;
    partition_open(&partition, PARTITION_CONTIGUOUS, 4, 1);
    partition_cut(&partition, &steps, 1);
    for (size_t rank = 0; rank < 4; rank++) {
        assert_int_equal(partition.shards[rank].segment_count, 1);
        assert_int_equal(partition.shards[rank].segments[0].first, firsts[rank]);
        assert_int_equal(partition.shards[rank].segments[0].count, counts[rank]);
    }
    partition_close(&partition);
}

static void test_partition_on_one_place_is_one_segment_per_context(void **state)
{
    (void)state;
    const size_t steps[CONTEXTS] = {1, 2, 30, 7, 61};
    for (size_t rule = 0; rule < 2; rule++) {
        struct partition partition;
        partition_open(&partition, rules[rule], 1, CONTEXTS);
        partition_cut(&partition, steps, CONTEXTS);
        assert_int_equal(partition.shards[0].segment_count, CONTEXTS);
        for (size_t context = 0; context < CONTEXTS; context++) {
            assert_int_equal(partition.shards[0].segments[context].first, 0);
            assert_int_equal(partition.shards[0].segments[context].count, steps[context]);
        }
        partition_close(&partition);
    }
}

static void test_partition_cut_replaces_what_was_cut_before(void **state)
{
    (void)state;
    const size_t many[CONTEXTS] = {50, 40, 30, 20, 10};
    const size_t few[2] = {9, 4};
    struct partition partition, fresh;
    partition_open(&partition, PARTITION_ZIGZAG, 3, CONTEXTS);
    partition_open(&fresh, PARTITION_ZIGZAG, 3, CONTEXTS);
    partition_cut(&partition, many, CONTEXTS);
    partition_cut(&partition, few, 2);
    partition_cut(&fresh, few, 2);
    assert_int_equal(partition.context_count, 2);
    for (size_t rank = 0; rank < 3; rank++) {
        const struct shard *found = &partition.shards[rank];
        const struct shard *wanted = &fresh.shards[rank];
        assert_int_equal(found->row_count, wanted->row_count);
        assert_int_equal(found->segment_count, wanted->segment_count);
        assert_memory_equal(found->segments, wanted->segments,
                            wanted->segment_count * sizeof(struct segment));
    }
    partition_close(&partition);
    partition_close(&fresh);
}

static void check_rows_max(const struct partition *partition, const size_t *steps)
{
    size_t longest = 0;
    for (size_t context = 0; context < CONTEXTS; context++) {
        longest = steps[context] > longest ? steps[context] : longest;
    }
    for (size_t limit = longest; limit < longest + 2 * PLACES_MAX + 2; limit++) {
        size_t rows_max = partition_rows_max(partition->rule, partition->ranks, CONTEXTS, limit);
        for (size_t rank = 0; rank < partition->ranks; rank++) {
            assert_true(partition->shards[rank].row_count <= rows_max);
        }
    }
}

static void test_partition_rows_max_is_never_exceeded(void **state)
{
    (void)state;
    for_all_partitions(check_rows_max);
}

static void test_partition_rows_max_is_close_to_an_even_share(void **state)
{
    (void)state;
    assert_int_equal(partition_rows_max(PARTITION_ZIGZAG, 1, 3, 41), 3 * 41);
    assert_int_equal(partition_rows_max(PARTITION_CONTIGUOUS, 1, 3, 41), 3 * 41);
    assert_int_equal(partition_rows_max(PARTITION_ZIGZAG, 4, 3, 80), 3 * 20);
    assert_int_equal(partition_rows_max(PARTITION_CONTIGUOUS, 4, 3, 80), 3 * 20);
    assert_true(partition_rows_max(PARTITION_ZIGZAG, 4, 3, 81) <= 3 * 22);
}

static bool sees(const struct shard *queries, const struct shard *keys)
{
    for (size_t q = 0; q < queries->segment_count; q++) {
        for (size_t k = 0; k < keys->segment_count; k++) {
            const struct segment *query = &queries->segments[q];
            const struct segment *key = &keys->segments[k];
            for (size_t i = 0; i < query->count && query->context == key->context; i++) {
                for (size_t j = 0; j < key->count; j++) {
                    if (key->first + j <= query->first + i) {
                        return true;
                    }
                }
            }
        }
    }
    return false;
}

static void check_needs(const struct partition *partition, const size_t *steps)
{
    (void)steps;
    for (size_t query = 0; query < partition->ranks; query++) {
        for (size_t key = 0; key < partition->ranks; key++) {
            assert_int_equal(partition_needs(partition, query, key),
                             sees(&partition->shards[query], &partition->shards[key]));
        }
    }
}

static void test_partition_needs_equals_looking_at_every_pair(void **state)
{
    (void)state;
    for_all_partitions(check_needs);
}

static void test_partition_contiguous_never_needs_later_places(void **state)
{
    (void)state;
    const size_t steps[CONTEXTS] = {12, 30, 8, 16, 44};
    struct partition partition;
    partition_open(&partition, PARTITION_CONTIGUOUS, 4, CONTEXTS);
    partition_cut(&partition, steps, CONTEXTS);
    for (size_t query = 0; query < 4; query++) {
        for (size_t key = 0; key < 4; key++) {
            assert_int_equal(partition_needs(&partition, query, key), key <= query);
        }
    }
    partition_close(&partition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition_holds_every_step_exactly_once),
        cmocka_unit_test(test_partition_lays_segments_one_after_the_other),
        cmocka_unit_test(test_partition_segments_ascend_and_neighbours_are_merged),
        cmocka_unit_test(test_partition_rows_of_a_context_differ_by_one_at_most),
        cmocka_unit_test(test_partition_zigzag_gives_every_place_the_same_causal_work),
        cmocka_unit_test(test_partition_zigzag_pairs_a_chunk_with_its_mirror),
        cmocka_unit_test(test_partition_contiguous_gives_pieces_in_order_of_places),
        cmocka_unit_test(test_partition_on_one_place_is_one_segment_per_context),
        cmocka_unit_test(test_partition_cut_replaces_what_was_cut_before),
        cmocka_unit_test(test_partition_rows_max_is_never_exceeded),
        cmocka_unit_test(test_partition_rows_max_is_close_to_an_even_share),
        cmocka_unit_test(test_partition_needs_equals_looking_at_every_pair),
        cmocka_unit_test(test_partition_contiguous_never_needs_later_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

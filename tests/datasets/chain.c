#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "tests/datasets/chain_fixture.h"

enum { EPISODES = 18, SEED = 5 };

/* Group 30 has ten episodes with two ties, group 4 six, group 9 two; they lie mixed in the store,
 * as relabelled data may. The second task's returns run the other way. */
static const int64_t groups[EPISODES] = {30, 4, 30, 30, 9, 4,  30, 30, 4,
                                         4,  4, 30, 30, 9, 30, 30, 30, 4};
static const float returns[EPISODES] = {5, 1, 3, 9, 2, 8,  3, 7, 2, //
                                        6, 4, 9, 0, 1, -2, 6, 1, 5};

static size_t length_of(size_t episode)
{
    return 1 + episode % 4;
}

static void write_store(const char *path)
{
    struct store_spec spec = {.domain = "test",
                              .simulator = "none",
                              .source = "test",
                              .tasks = {"up", "down"},
                              .reward_source = {"made up", "made up"},
                              .task_count = 2,
                              .observation_dim = 1,
                              .action_dim = 1,
                              .control_timestep = 1.0};
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(path, &spec, &failure);
    assert_non_null(writer);
    for (size_t episode = 0; episode < EPISODES; episode++) {
        const float numbers[5] = {0};
        const float up[4] = {returns[episode]};
        const float down[4] = {-returns[episode]};
        struct store_episode record = {.length = length_of(episode),
                                       .observation = numbers,
                                       .action = numbers,
                                       .reward = {up, down},
                                       .group = groups[episode],
                                       .end = STORE_END_TRUNCATED};
        assert_true(store_writer_add(writer, &record, &failure));
    }
    assert_true(store_writer_commit(writer, &failure));
}

static int set_up(void **state)
{
    return chain_fixture_open(state, write_store);
}

/* By sampling any 1 to `trials`. */
static void draw(struct chain *chain, const struct chain_fixture *fixture, size_t task,
                 size_t trials, uint64_t seed, uint64_t step, uint64_t sample)
{
    const struct chain_sampler sampler = {.trials_min = 1, .trials = trials};
    chain_draw(chain, &fixture->catalog, task, &sampler, seed, step, sample);
}

static void test_chain_catalog_holds_each_episode_once_in_its_group(void **state)
{
    const struct chain_fixture *fixture = *state;
    const struct chain_catalog *catalog = &fixture->catalog;
    assert_int_equal(catalog->group_count, 3);
    const int64_t numbers[3] = {4, 9, 30};
    const size_t sizes[3] = {6, 2, 10};
    for (size_t group = 0; group < 3; group++) {
        assert_int_equal(catalog->starts[group + 1] - catalog->starts[group], sizes[group]);
        for (size_t i = catalog->starts[group]; i < catalog->starts[group + 1]; i++) {
            assert_int_equal(groups[catalog->episodes[i]], numbers[group]);
            if (i > catalog->starts[group]) {
                assert_true(catalog->episodes[i] > catalog->episodes[i - 1]);
            }
        }
    }
}

static void test_chains_limited_to_the_largest_group_are_the_same(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t largest = chain_catalog_largest_group(&fixture->catalog);
    assert_int_equal(largest, 10);
    for (uint64_t sample = 0; sample < 200; sample++) {
        struct chain chain, limited;
        draw(&chain, fixture, 0, 3 * largest, SEED, 0, sample);
        draw(&limited, fixture, 0, largest, SEED, 0, sample);
        assert_int_equal(chain.count, limited.count);
        assert_memory_equal(chain.episodes, limited.episodes, chain.count * sizeof(size_t));
    }
}

static void test_chain_ascends_by_return_and_ties_by_episode(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t ties = 0;
    for (uint64_t sample = 0; sample < 500; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, 10, SEED, 0, sample);
        for (size_t i = 1; i < chain.count; i++) {
            float before = returns[chain.episodes[i - 1]];
            float after = returns[chain.episodes[i]];
            assert_true(before <= after);
            if (before == after) {
                ties++;
                assert_true(chain.episodes[i - 1] < chain.episodes[i]);
            }
        }
    }
    assert_true(ties > 0);
}

static int compare_numbers(const void *left, const void *right)
{
    const size_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void draw_in_order(struct chain *chain, const struct chain_fixture *fixture,
                          enum chain_order order, uint64_t sample)
{
    const struct chain_sampler sampler = {.trials_min = 1, .trials = 10, .order = order};
    chain_draw(chain, &fixture->catalog, 0, &sampler, SEED, 0, sample);
}

/* The order changes nothing but the order: not the episodes, nor which of them is the best. */
static void expect_same_set(const struct chain *found, const struct chain *ascending)
{
    size_t left[CHAIN_TRIALS_MAX], right[CHAIN_TRIALS_MAX];
    assert_int_equal(found->count, ascending->count);
    memcpy(left, found->episodes, sizeof left);
    memcpy(right, ascending->episodes, sizeof right);
    qsort(left, found->count, sizeof *left, compare_numbers);
    qsort(right, found->count, sizeof *right, compare_numbers);
    assert_memory_equal(left, right, found->count * sizeof *left);
    assert_true(found->target == ascending->target && found->steps == ascending->steps);
    assert_int_equal(ascending->best, ascending->count - 1);
    assert_int_equal(found->episodes[found->best], ascending->episodes[ascending->best]);
}

static void test_histories_stand_as_in_the_store(void **state)
{
    const struct chain_fixture *fixture = *state;
    for (uint64_t sample = 0; sample < 300; sample++) {
        struct chain chain, ascending;
        draw_in_order(&chain, fixture, CHAIN_ORDER_HISTORY, sample);
        draw_in_order(&ascending, fixture, CHAIN_ORDER_RETURN, sample);
        expect_same_set(&chain, &ascending);
        for (size_t i = 1; i < chain.count; i++) {
            assert_true(chain.episodes[i - 1] < chain.episodes[i]);
        }
    }
}

/* The best trajectory of a chain of two is the first one about every other time. */
static void test_random_orders_are_equally_likely(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t pairs = 0, turned = 0;
    for (uint64_t sample = 0; sample < 4000; sample++) {
        struct chain chain, ascending;
        draw_in_order(&chain, fixture, CHAIN_ORDER_RANDOM, sample);
        draw_in_order(&ascending, fixture, CHAIN_ORDER_RETURN, sample);
        expect_same_set(&chain, &ascending);
        pairs += chain.count == 2;
        turned += chain.count == 2 && chain.best == 0;
    }
    assert_true(pairs > 400);
    assert_in_range(100 * turned / pairs, 42, 58);
}

static void test_chain_is_of_different_episodes_of_one_group(void **state)
{
    const struct chain_fixture *fixture = *state;
    for (uint64_t sample = 0; sample < 500; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, 10, SEED, 1, sample);
        bool taken[EPISODES] = {false};
        for (size_t i = 0; i < chain.count; i++) {
            assert_int_equal(groups[chain.episodes[i]], groups[chain.episodes[0]]);
            assert_false(taken[chain.episodes[i]]);
            taken[chain.episodes[i]] = true;
        }
    }
}

static void test_chain_target_is_its_largest_return_of_the_task(void **state)
{
    const struct chain_fixture *fixture = *state;
    for (uint64_t sample = 0; sample < 200; sample++) {
        for (size_t task = 0; task < 2; task++) {
            struct chain chain;
            draw(&chain, fixture, task, 10, SEED, 0, sample);
            double sign = task == 0 ? 1.0 : -1.0;
            double largest = -100.0;
            size_t steps = 0;
            for (size_t i = 0; i < chain.count; i++) {
                double value = sign * (double)returns[chain.episodes[i]];
                largest = value > largest ? value : largest;
                steps += length_of(chain.episodes[i]);
            }
            assert_true(chain.target == largest);
            assert_true(sign * (double)returns[chain.episodes[chain.count - 1]] == largest);
            assert_int_equal(chain.steps, steps);
        }
    }
}

/* Fails unless each of `kinds` alike outcomes came about total / kinds times, within six standard
 * deviations of a chance that is right. */
static void expect_even(const size_t *counts, size_t kinds, size_t total)
{
    double wanted = (double)total / (double)kinds;
    for (size_t i = 0; i < kinds; i++) {
        double off = (double)counts[i] - wanted;
        if (off * off > 36.0 * wanted) {
            fail_msg("outcome %zu came %zu times, expected about %g", i, counts[i], wanted);
        }
    }
}

static void test_chain_numbers_of_trajectories_are_alike_from_1_to_trials(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t counts[6] = {0};
    size_t total = 0;
    for (uint64_t sample = 0; sample < 6000; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, 6, SEED, 2, sample);
        assert_in_range(chain.count, 1, 6);
        if (groups[chain.episodes[0]] != 9) {
            counts[chain.count - 1]++;
            total++;
        }
    }
    expect_even(counts, 6, total);
}

static void test_chain_is_no_longer_than_its_group(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t counts[2] = {0};
    size_t total = 0;
    for (uint64_t sample = 0; sample < 3000; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, CHAIN_TRIALS_MAX, SEED, 3, sample);
        if (groups[chain.episodes[0]] == 9) {
            assert_in_range(chain.count, 1, 2);
            counts[chain.count - 1]++;
            total++;
        }
    }
    expect_even(counts, 2, total);
}

static void test_chain_groups_are_alike_whatever_their_size(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t counts[3] = {0};
    for (uint64_t sample = 0; sample < 3000; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, 4, SEED, 4, sample);
        int64_t group = groups[chain.episodes[0]];
        counts[group == 4 ? 0 : group == 9 ? 1 : 2]++;
    }
    expect_even(counts, 3, 3000);
}

static void test_chain_sets_of_episodes_are_alike(void **state)
{
    const struct chain_fixture *fixture = *state;
    const size_t members[6] = {1, 5, 8, 9, 10, 17}; /* of group 4 */
    size_t pairs[15] = {0};
    size_t total = 0;
    for (uint64_t sample = 0; sample < 12000; sample++) {
        struct chain chain;
        draw(&chain, fixture, 0, 3, SEED, 5, sample);
        if (groups[chain.episodes[0]] != 4 || chain.count != 2) {
            continue;
        }
        size_t pair = 0;
        for (size_t i = 0; i < 6; i++) {
            for (size_t j = i + 1; j < 6; j++, pair++) {
                size_t a = chain.episodes[0];
                size_t b = chain.episodes[1];
                if ((a == members[i] && b == members[j]) || (a == members[j] && b == members[i])) {
                    pairs[pair]++;
                    total++;
                }
            }
        }
    }
    assert_true(total > 1000);
    expect_even(pairs, 15, total);
}

static bool is_same(const struct chain *a, const struct chain *b)
{
    return a->count == b->count && a->steps == b->steps && a->target == b->target &&
           memcmp(a->episodes, b->episodes, a->count * sizeof a->episodes[0]) == 0;
}

static void test_chain_depends_on_seed_step_and_sample_alone(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t differing[3] = {0};
    for (uint64_t i = 0; i < 50; i++) {
        struct chain chain, other;
        draw(&chain, fixture, 0, 10, SEED, 100 + i, i);
        memset(&other, 0xff, sizeof other);
        draw(&other, fixture, 0, 10, SEED, 100 + i, i);
        assert_true(is_same(&chain, &other));
        draw(&other, fixture, 0, 10, SEED + 1, 100 + i, i);
        differing[0] += !is_same(&chain, &other);
        draw(&other, fixture, 0, 10, SEED, 500 + i, i);
        differing[1] += !is_same(&chain, &other);
        draw(&other, fixture, 0, 10, SEED, 100 + i, 60 + i);
        differing[2] += !is_same(&chain, &other);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(differing[i] > 25);
    }
}

/* A run that goes on needs the chains that there were when it began. */
static void test_chains_are_those_of_earlier_versions(void **state)
{
    static const struct {
        enum chain_sampling sampling;
        size_t episodes[4], best, first;
    } wanted[] = {{CHAIN_UNIFORM, {2, 15, 11, 7}, 2, 8},
                  {CHAIN_RETURN, {11, 16, 14, 2}, 0, 4},
                  {CHAIN_HISTORY, {12, 14, 11, 15}, 2, 5},
                  {CHAIN_BEST, {2, 6, 15, 7}, 3, 0}};
    const struct chain_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct chain_sampler sampler = {.sampling = wanted[i].sampling,
                                              .order = CHAIN_ORDER_RANDOM,
                                              .trials_min = 4,
                                              .trials = 4,
                                              .draws = 6,
                                              .window = 5};
        struct chain chain;
        chain_draw(&chain, &fixture->catalog, 0, &sampler, SEED, 7, 9);
        assert_int_equal(chain.count, 4);
        assert_memory_equal(chain.episodes, wanted[i].episodes, sizeof wanted[i].episodes);
        assert_int_equal(chain.best, wanted[i].best);
        assert_int_equal(chain.first, wanted[i].first);
        assert_int_equal(chain.steps, 5);
    }
    struct chain_catalog held_out;
    chain_catalog_open(&held_out, fixture->store, 0.5, CHAIN_HELD_OUT);
    assert_int_equal(held_out.group_count, 2);
    assert_int_equal(groups[held_out.episodes[0]], 9);
    assert_int_equal(groups[held_out.episodes[held_out.starts[1]]], 30);
    chain_catalog_close(&held_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_catalog_holds_each_episode_once_in_its_group),
        cmocka_unit_test(test_chains_limited_to_the_largest_group_are_the_same),
        cmocka_unit_test(test_chain_ascends_by_return_and_ties_by_episode),
        cmocka_unit_test(test_histories_stand_as_in_the_store),
        cmocka_unit_test(test_random_orders_are_equally_likely),
        cmocka_unit_test(test_chain_is_of_different_episodes_of_one_group),
        cmocka_unit_test(test_chain_target_is_its_largest_return_of_the_task),
        cmocka_unit_test(test_chain_numbers_of_trajectories_are_alike_from_1_to_trials),
        cmocka_unit_test(test_chain_is_no_longer_than_its_group),
        cmocka_unit_test(test_chain_groups_are_alike_whatever_their_size),
        cmocka_unit_test(test_chain_sets_of_episodes_are_alike),
        cmocka_unit_test(test_chain_depends_on_seed_step_and_sample_alone),
        cmocka_unit_test(test_chains_are_those_of_earlier_versions),
    };
    return cmocka_run_group_tests(tests, set_up, chain_fixture_close);
}

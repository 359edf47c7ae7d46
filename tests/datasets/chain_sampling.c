/* How often each kind of sampling chooses what: counts against exact chances. */
#include "tests/support/support.h"

#include <math.h>

#include "tests/datasets/chain_fixture.h"

/* Even episodes are of group 7, odd ones of group 3; equals are the members 1 and 4. */
enum { MEMBERS = 8, EPISODES = 2 * MEMBERS, SEED = 23, DRAWS = 20000 };
static const float returns[MEMBERS] = {4, 2, 9, 1, 2, 7, 5, 3};

static void write_store(const char *path)
{
    struct store_spec spec = {.domain = "test",
                              .simulator = "none",
                              .source = "test",
                              .tasks = {"task"},
                              .reward_source = {"made up"},
                              .task_count = 1,
                              .observation_dim = 1,
                              .action_dim = 1,
                              .control_timestep = 1.0};
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(path, &spec, &failure);
    assert_non_null(writer);
    for (size_t episode = 0; episode < EPISODES; episode++) {
        const float zeros[2] = {0};
        struct store_episode record = {.length = 1,
                                       .observation = zeros,
                                       .action = zeros,
                                       .reward = {&returns[episode / 2]},
                                       .group = episode % 2 == 0 ? 7 : 3,
                                       .end = STORE_END_TRUNCATED};
        assert_true(store_writer_add(writer, &record, &failure));
    }
    assert_true(store_writer_commit(writer, &failure));
}

static int set_up(void **state)
{
    return chain_fixture_open(state, write_store);
}

/* Draws a chain and sees to what holds for every kind of sampling; its members as bits. */
static unsigned draw_set(const struct chain_fixture *fixture, const struct chain_sampler *sampler,
                         uint64_t sample)
{
    struct chain chain;
    unsigned set = 0;
    chain_draw(&chain, &fixture->catalog, 0, sampler, SEED, (uint64_t)sampler->sampling, sample);
    assert_in_range(chain.count, sampler->trials_min, sampler->trials);
    for (size_t i = 0; i < chain.count; i++) {
        size_t member = chain.episodes[i] / 2;
        assert_int_equal(chain.episodes[i] % 2, chain.episodes[0] % 2);
        assert_true(i == 0 || returns[chain.episodes[i - 1] / 2] <= returns[member]);
        assert_false(set & (1u << member));
        set |= 1u << member;
    }
    assert_true(chain.target == (double)returns[chain.episodes[chain.count - 1] / 2]);
    return set;
}

/* Pearson's test: the sum over outcomes of (found - wanted)^2 / wanted is below its mean, the
 * degrees of freedom, plus six of its deviations. Outcomes without a chance must not come. */
static void expect_chances(const size_t *counts, const double *chances, size_t kinds)
{
    double total = 0.0, sum = 0.0, statistic = 0.0, freedom = -1.0;
    for (size_t i = 0; i < kinds; i++) {
        total += (double)counts[i];
        sum += chances[i];
    }
    assert_true(fabs(sum - 1.0) < 1e-12);
    for (size_t i = 0; i < kinds; i++) {
        double wanted = total * chances[i];
        double off = (double)counts[i] - wanted;
        if (!(wanted > 0.0)) {
            assert_int_equal(counts[i], 0);
            continue;
        }
        statistic += off * off / wanted;
        freedom += 1.0;
    }
    if (statistic > freedom + 6.0 * sqrt(2.0 * freedom)) {
        fail_msg("found a statistic of %g with %g degrees of freedom", statistic, freedom);
    }
}

/* The chance that the better of two drawn alike is a member: 2 place - 1 of m^2, equals alike. */
static double better_chance(size_t member)
{
    size_t below = 0, equal = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        below += returns[i] < returns[member];
        equal += returns[i] == returns[member];
    }
    double place = (double)below + ((double)equal + 1.0) / 2.0;
    return (2.0 * place - 1.0) / (MEMBERS * MEMBERS);
}

static void test_chain_by_return_draws_one_by_its_place(void **state)
{
    const struct chain_sampler sampler = {.sampling = CHAIN_RETURN, .trials_min = 1, .trials = 1};
    size_t counts[1 << MEMBERS] = {0};
    double chances[1 << MEMBERS] = {0};
    for (uint64_t sample = 0; sample < DRAWS; sample++) {
        counts[draw_set(*state, &sampler, sample)]++;
    }
    for (size_t member = 0; member < MEMBERS; member++) {
        chances[1u << member] = better_chance(member);
    }
    expect_chances(counts, chances, 1 << MEMBERS);
}

/* Two, one after the other: the second among those left, in proportion to the same chances. */
static void test_chain_by_return_draws_further_ones_among_those_left(void **state)
{
    const struct chain_sampler sampler = {.sampling = CHAIN_RETURN, .trials_min = 2, .trials = 2};
    size_t counts[1 << MEMBERS] = {0};
    double chances[1 << MEMBERS] = {0};
    for (uint64_t sample = 0; sample < DRAWS; sample++) {
        counts[draw_set(*state, &sampler, sample)]++;
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        for (size_t j = 0; j < MEMBERS; j++) {
            if (i != j) {
                chances[1u << i | 1u << j] +=
                    better_chance(i) * better_chance(j) / (1.0 - better_chance(i));
            }
        }
    }
    expect_chances(counts, chances, 1 << MEMBERS);
}

static void test_chain_by_return_can_take_all(void **state)
{
    const struct chain_sampler sampler = {
        .sampling = CHAIN_RETURN, .trials_min = MEMBERS, .trials = MEMBERS};
    assert_int_equal(draw_set(*state, &sampler, 0), (1 << MEMBERS) - 1);
}

static void test_chain_of_a_history_is_any_window_of_the_group(void **state)
{
    const struct chain_sampler sampler = {.sampling = CHAIN_HISTORY, .trials_min = 3, .trials = 3};
    size_t counts[1 << MEMBERS] = {0};
    double chances[1 << MEMBERS] = {0};
    for (uint64_t sample = 0; sample < DRAWS; sample++) {
        counts[draw_set(*state, &sampler, sample)]++;
    }
    for (size_t first = 0; first + 3 <= MEMBERS; first++) {
        chances[7u << first] = 1.0 / (MEMBERS - 2);
    }
    expect_chances(counts, chances, 1 << MEMBERS);
}

/* Is member a better than b? Of equals, the later one. */
static bool is_better(size_t a, size_t b)
{
    return returns[a] > returns[b] || (returns[a] == returns[b] && a > b);
}

/* The best two of a set, as bits. */
static unsigned best_two(unsigned set)
{
    unsigned best = 0;
    for (size_t member = 0; member < MEMBERS; member++) {
        size_t better = 0;
        for (size_t other = 0; other < MEMBERS; other++) {
            better += (set & (1u << other)) && is_better(other, member);
        }
        best |= (set & (1u << member)) && better < 2 ? 1u << member : 0;
    }
    return best;
}

static size_t size_of(unsigned set)
{
    size_t size = 0;
    for (; set; set &= set - 1) {
        size++;
    }
    return size;
}

/* Against all 70 sets of four, each alike. */
static void test_chain_of_the_best_is_the_top_of_any_draws(void **state)
{
    const struct chain_sampler sampler = {
        .sampling = CHAIN_BEST, .trials_min = 2, .trials = 2, .draws = 4};
    size_t counts[1 << MEMBERS] = {0};
    double chances[1 << MEMBERS] = {0};
    for (uint64_t sample = 0; sample < DRAWS; sample++) {
        counts[draw_set(*state, &sampler, sample)]++;
    }
    for (unsigned set = 0; set < 1 << MEMBERS; set++) {
        if (size_of(set) == 4) {
            chances[best_two(set)] += 1.0 / 70.0;
        }
    }
    expect_chances(counts, chances, 1 << MEMBERS);
}

static void test_chain_of_the_best_of_too_few_draws_is_any(void **state)
{
    const struct chain_fixture *fixture = *state;
    const struct chain_sampler any = {.trials_min = 1, .trials = 5};
    const struct chain_sampler best = {
        .sampling = CHAIN_BEST, .trials_min = 1, .trials = 5, .draws = 1};
    for (uint64_t sample = 0; sample < 200; sample++) {
        struct chain left, right;
        chain_draw(&left, &fixture->catalog, 0, &any, SEED, 0, sample);
        chain_draw(&right, &fixture->catalog, 0, &best, SEED, 0, sample);
        assert_int_equal(left.count, right.count);
        assert_memory_equal(left.episodes, right.episodes, left.count * sizeof left.episodes[0]);
    }
}

static void test_chain_is_no_shorter_than_wanted_but_for_its_group(void **state)
{
    const struct chain_fixture *fixture = *state;
    size_t counts[3] = {0};
    for (uint64_t sample = 0; sample < 3000; sample++) {
        struct chain chain;
        const struct chain_sampler sampler = {.trials_min = 4, .trials = 6};
        chain_draw(&chain, &fixture->catalog, 0, &sampler, SEED, 1, sample);
        assert_in_range(chain.count, 4, 6);
        counts[chain.count - 4]++;
        const struct chain_sampler whole = {.trials_min = 2 * MEMBERS, .trials = 3 * MEMBERS};
        chain_draw(&chain, &fixture->catalog, 0, &whole, SEED, 1, sample);
        assert_int_equal(chain.count, MEMBERS);
    }
    expect_chances(counts, (const double[3]){1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_by_return_draws_one_by_its_place),
        cmocka_unit_test(test_chain_by_return_draws_further_ones_among_those_left),
        cmocka_unit_test(test_chain_by_return_can_take_all),
        cmocka_unit_test(test_chain_of_a_history_is_any_window_of_the_group),
        cmocka_unit_test(test_chain_of_the_best_is_the_top_of_any_draws),
        cmocka_unit_test(test_chain_of_the_best_of_too_few_draws_is_any),
        cmocka_unit_test(test_chain_is_no_shorter_than_wanted_but_for_its_group),
    };
    return cmocka_run_group_tests(tests, set_up, chain_fixture_close);
}

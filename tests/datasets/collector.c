#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "comm/comm.h"
#include "datasets/store.h"
#include "datasets/store_verify.h"
#include "envs/env.h"
#include "tests/datasets/collection.h"

enum { STEPS_MAX = 1000, WIDTH_MAX = 8, HIDDEN_MAX = 8 };

static const struct collection tiny = {.task = "point_mass_hidden",
                                       .policy = COLLECTION_SCRIPT,
                                       .groups = 3,
                                       .episodes = 4,
                                       .noise = 0.3,
                                       .seed = 7};

struct fixture {
    char folder[96];
    char path[128];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    snprintf(fixture.folder, sizeof fixture.folder, "%s", support_scratch_folder());
    snprintf(fixture.path, sizeof fixture.path, "%s/collected.h5", fixture.folder);
    log_set_quiet(true);
    *state = &fixture;
    return 0;
}

/* Removing the folder also says that nothing else was left in it. */
static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    return rmdir(fixture->folder);
}

static struct collector_summary collect(struct collection options, const char *path)
{
    struct collector_summary summary;
    struct failure failure = {0};
    options.path = path;
    if (!collection_run(&options, &summary, &failure)) {
        fail_msg("%s", failure.text);
    }
    return summary;
}

static struct store *open_store(const char *path)
{
    struct failure failure = {0};
    struct store *store = store_open(path, &failure);
    if (!store) {
        fail_msg("%s", failure.text);
    }
    for (size_t episode = 0; episode < store_episode_count(store); episode++) {
        assert_true(store_verify(store, episode, &failure));
    }
    return store;
}

/* One whole episode as it is stored. */
struct record {
    size_t length;
    float observation[STEPS_MAX * WIDTH_MAX];
    float action[STEPS_MAX * WIDTH_MAX];
    float reward[STEPS_MAX];
};

static void read_record(struct record *record, const struct store *store, size_t episode)
{
    struct failure failure = {0};
    memset(record, 0, sizeof *record);
    record->length = store_length(store, episode);
    assert_true(record->length <= STEPS_MAX);
    assert_true(
        store_read_observation(store, episode, 0, record->length, record->observation, &failure));
    assert_true(store_read_action(store, episode, 0, record->length, record->action, &failure));
    assert_true(store_read_reward(store, 0, episode, 0, record->length, record->reward, &failure));
}

static void test_collector_store_says_what_it_holds(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_summary summary = collect(tiny, fixture->path);
    assert_int_equal(summary.all.count, 12);
    struct store *store = open_store(fixture->path);
    const struct store_spec *spec = store_spec(store);
    assert_string_equal(spec->domain, "point_mass");
    assert_string_equal(spec->simulator, env_simulator());
    assert_string_equal(spec->source, "script, noise 0.3, coefficient 0.9, seed 7");
    assert_int_equal(spec->task_count, 1);
    assert_string_equal(spec->tasks[0], "point_mass_hidden");
    assert_string_equal(spec->reward_source[0], "simulated");
    assert_int_equal(spec->source_count, 4);
    assert_string_equal(spec->sources[0], "script, expertise 0.000");
    assert_string_equal(spec->sources[1], "script, expertise 0.333");
    assert_string_equal(spec->sources[3], "script, expertise 1.000");
    assert_true(spec->hidden_dim > 0 && spec->physics_dim > 0);
    assert_int_equal(store_episode_count(store), 12);
    assert_int_equal(store_step_count(store), summary.steps);
    for (size_t episode = 0; episode < 12; episode++) {
        assert_int_equal(store_group(store, episode), episode / 4);
        assert_int_equal(store_ending(store, episode), STORE_END_TRUNCATED);
        assert_int_equal(store_source(store, episode), episode % 4);
    }
    store_close(store);
}

static void test_collector_summary_is_that_of_the_store(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_summary summary = collect(tiny, fixture->path);
    struct store *store = open_store(fixture->path);
    double sum = 0.0;
    double squares = 0.0;
    double largest = 0.0;
    double level_means[4] = {0.0};
    for (size_t episode = 0; episode < 12; episode++) {
        double value = store_return(store, 0, episode);
        sum += value;
        squares += value * value;
        largest = fmax(largest, value);
        level_means[episode % 4] += value / 3.0;
    }
    assert_true(fabs(summary.all.mean - sum / 12.0) < 1e-9);
    double variance = (squares - sum * sum / 12.0) / 11.0;
    assert_true(fabs(summary.all.error - sqrt(variance / 12.0)) < 1e-9);
    assert_true(fabs(summary.all.maximum - largest) < 1e-9);
    assert_int_equal(summary.level_count, 4);
    for (size_t level = 0; level < 4; level++) {
        assert_true(fabs(summary.levels[level].returns.mean - level_means[level]) < 1e-9);
    }
    assert_int_equal(summary.redrawn, 0);
    store_close(store);
}

/* Else a policy would be collected on the hidden tasks that it was trained on. */
static void test_collector_draws_other_hidden_tasks_for_a_trained_policy(void **state)
{
    const struct fixture *fixture = *state;
    double hidden[2][3][2]; /* of a script and of a policy, group by group */
    for (size_t i = 0; i < 2; i++) {
        struct collection options = tiny;
        options.policy = i == 0 ? COLLECTION_SCRIPT : COLLECTION_TRIALS;
        unlink(fixture->path);
        collect(options, fixture->path);
        struct store *store = open_store(fixture->path);
        struct failure failure = {0};
        for (size_t group = 0; group < tiny.groups; group++) {
            for (size_t e = 0; e < tiny.episodes; e++) {
                double found[2];
                assert_true(store_read_hidden(store, group * tiny.episodes + e, found, &failure));
                if (e == 0) {
                    memcpy(hidden[i][group], found, sizeof found);
                }
                assert_memory_equal(found, hidden[i][group], sizeof found);
            }
        }
        store_close(store);
    }
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 3; b++) {
            assert_memory_not_equal(hidden[0][a], hidden[1][b], sizeof hidden[0][a]);
        }
    }
}

/* What a searcher has found is data to learn from, as a script's is. */
static void test_collector_gives_a_searcher_the_hidden_tasks_of_a_script(void **state)
{
    const struct fixture *fixture = *state;
    double hidden[2][3][2];
    for (size_t i = 0; i < 2; i++) {
        struct collection options = tiny;
        options.task = "point_mass_search";
        options.policy = i == 0 ? COLLECTION_SCRIPT : COLLECTION_SEARCHER;
        unlink(fixture->path);
        collect(options, fixture->path);
        struct store *store = open_store(fixture->path);
        struct failure failure = {0};
        for (size_t group = 0; group < tiny.groups; group++) {
            assert_true(
                store_read_hidden(store, group * tiny.episodes, hidden[i][group], &failure));
        }
        if (i == 1) {
            assert_string_equal(store_spec(store)->sources[3], "searcher, trial 4");
        }
        store_close(store);
    }
    assert_memory_equal(hidden[0], hidden[1], sizeof hidden[0]);
}

static void test_collector_knows_no_error_of_one_episode(void **state)
{
    const struct fixture *fixture = *state;
    struct collection options = tiny;
    options.groups = options.episodes = 1;
    struct collector_summary summary = collect(options, fixture->path);
    assert_true(isnan(summary.all.error));
    assert_true(summary.all.mean == summary.all.maximum);
}

/* Every step of an episode: its state and action, put into a fresh environment, give its reward. */
static void relabel_episode(struct env *env, const struct store *store, size_t episode)
{
    struct record *record = memory_take(1, sizeof *record);
    double physics[WIDTH_MAX];
    double hidden[HIDDEN_MAX];
    struct failure failure = {0};
    size_t action_dim = store_spec(store)->action_dim;
    read_record(record, store, episode);
    assert_true(store_read_hidden(store, episode, hidden, &failure));
    env_set_hidden(env, hidden);
    for (size_t step = 0; step < record->length; step++) {
        assert_true(store_read_physics(store, episode, step + 1, 1, physics, &failure));
        float reward = env_relabel(env, physics, record->action + step * action_dim);
        assert_true(fabsf(reward - record->reward[step]) < 1e-6f);
    }
    memory_free(record);
}

static void test_collector_physics_and_hidden_numbers_give_the_rewards_again(void **state)
{
    const struct fixture *fixture = *state;
    struct failure failure = {0};
    collect(tiny, fixture->path);
    struct store *store = open_store(fixture->path);
    struct env_task *task = env_task_open("point_mass_hidden", &failure);
    fatal_if_failed(&failure);
    struct env *env = env_open(task);
    for (size_t episode = 0; episode < store_episode_count(store); episode++) {
        relabel_episode(env, store, episode);
    }
    env_close(env);
    env_task_close(task);
    store_close(store);
}

static void test_collector_returns_rise_with_the_level(void **state)
{
    const struct fixture *fixture = *state;
    struct collection options = tiny;
    options.groups = 150;
    struct collector_summary summary = collect(options, fixture->path);
    for (size_t level = 1; level < summary.level_count; level++) {
        assert_true(summary.levels[level].returns.mean > summary.levels[level - 1].returns.mean);
    }
    assert_true(summary.levels[3].returns.mean > 1.5 * summary.levels[0].returns.mean);
}

static void test_collector_curriculum_of_many_episodes_has_eight_levels(void **state)
{
    const struct fixture *fixture = *state;
    struct collection options = tiny;
    options.episodes = 19;
    struct collector_summary summary = collect(options, fixture->path);
    assert_int_equal(summary.level_count, COLLECTOR_LEVELS_MAX);
    struct store *store = open_store(fixture->path);
    double first = 0.0;
    for (size_t group = 0; group < 3; group++) {
        for (size_t episode = 0; episode < 3; episode++) { /* 3 of 19 lie in the first eighth */
            first += store_return(store, 0, group * 19 + episode) / 9.0;
        }
    }
    assert_true(fabs(summary.levels[0].returns.mean - first) < 1e-9);
    store_close(store);
}

/* An environment as it was when an episode of the store began. */
struct replay {
    struct env_task *task;
    struct env *env;
    const struct env_spec *spec;
    struct random random;
};

static struct replay open_replay(const char *name)
{
    struct failure failure = {0};
    struct replay replay = {.task = env_task_open(name, &failure)};
    assert_non_null(replay.task);
    replay.spec = env_task_spec(replay.task);
    replay.env = env_open(replay.task);
    assert_true(replay.spec->observation_dim <= WIDTH_MAX && replay.spec->action_dim <= WIDTH_MAX &&
                replay.spec->hidden_dim <= HIDDEN_MAX);
    return replay;
}

static void close_replay(struct replay *replay)
{
    env_close(replay->env);
    env_task_close(replay->task);
}

static void begin_episode(struct replay *replay, uint64_t seed, size_t group, size_t episode)
{
    struct random hidden = random_stream(seed, RANDOM_COLLECT, group, 0);
    if (replay->spec->hidden_dim > 0) {
        env_draw_hidden(replay->env, ENV_SPLIT_TRAINING, &hidden);
    }
    replay->random = random_stream(seed, RANDOM_COLLECT, group, episode + 1);
    env_reset(replay->env, &replay->random);
}

static void test_collector_episodes_replay_in_the_hidden_task_of_their_group(void **state)
{
    const struct fixture *fixture = *state;
    static struct record record;
    (void)collect(tiny, fixture->path);
    struct store *store = open_store(fixture->path);
    struct replay replay = open_replay(tiny.task);
    const struct env_spec *spec = replay.spec;
    for (size_t episode = 0; episode < 12; episode++) {
        read_record(&record, store, episode);
        begin_episode(&replay, tiny.seed, episode / 4, episode % 4);
        for (size_t step = 0; step < record.length; step++) {
            float seen[WIDTH_MAX];
            env_observe(replay.env, seen);
            assert_memory_equal(seen, &record.observation[step * spec->observation_dim],
                                spec->observation_dim * sizeof(float));
            struct env_outcome outcome =
                env_step(replay.env, &record.action[step * spec->action_dim]);
            assert_true(outcome.reward == record.reward[step]);
            assert_int_equal(outcome.end, step + 1 < record.length ? ENV_RUNNING : ENV_TRUNCATED);
        }
    }
    close_replay(&replay);
    store_close(store);
}

/* The script's own action number 0 at each step of an episode, and what was added to it. */
static void find_noise(double *noise, double *bare, struct replay *replay,
                       const struct record *record, double expertise)
{
    env_script_draw(replay->env, expertise, &replay->random);
    for (size_t step = 0; step < record->length; step++) {
        const float *action = &record->action[step * replay->spec->action_dim];
        float script[WIDTH_MAX];
        env_script_act(replay->env, script);
        bare[step] = (double)script[0];
        noise[step] = (double)action[0] - bare[step];
        (void)env_step(replay->env, action);
    }
}

static void test_collector_noise_is_correlated_and_of_its_deviation(void **state)
{
    const struct fixture *fixture = *state;
    static struct record record;
    struct collection options = tiny;
    options.groups = 500;
    options.episodes = 2;
    options.noise = 0.02; /* far too little to be clipped on an action below 0.8 */
    (void)collect(options, fixture->path);
    struct store *store = open_store(fixture->path);
    struct replay replay = open_replay(options.task);
    double squares = 0.0, products = 0.0;
    size_t pairs = 0;
    for (size_t episode = 0; episode < 1000; episode++) {
        double noise[STEPS_MAX], bare[STEPS_MAX];
        read_record(&record, store, episode);
        begin_episode(&replay, options.seed, episode / 2, episode % 2);
        find_noise(noise, bare, &replay, &record, (double)(episode % 2));
        for (size_t step = 1; step < record.length; step++) {
            if (fabs(bare[step - 1]) < 0.8 && fabs(bare[step]) < 0.8) {
                squares += noise[step - 1] * noise[step - 1];
                products += noise[step - 1] * noise[step];
                pairs++;
            }
        }
    }
    assert_true(pairs > 5000);
    assert_true(fabs(sqrt(squares / (double)pairs) / options.noise - 1.0) < 0.1);
    assert_true(fabs(products / squares - 0.9) < 0.02);
    close_replay(&replay);
    store_close(store);
}

static void test_collector_without_noise_follows_the_script(void **state)
{
    const struct fixture *fixture = *state;
    static struct record record;
    struct collection options = tiny;
    options.noise = 0.0;
    (void)collect(options, fixture->path);
    struct store *store = open_store(fixture->path);
    struct replay replay = open_replay(options.task);
    for (size_t episode = 0; episode < 12; episode++) {
        double noise[STEPS_MAX], bare[STEPS_MAX];
        read_record(&record, store, episode);
        begin_episode(&replay, options.seed, episode / 4, episode % 4);
        find_noise(noise, bare, &replay, &record, (double)(episode % 4) / 3.0);
        for (size_t step = 0; step < record.length; step++) {
            assert_true(noise[step] == 0.0);
        }
    }
    close_replay(&replay);
    store_close(store);
}

static void test_collector_actions_lie_within_their_bounds(void **state)
{
    const struct fixture *fixture = *state;
    static struct record record;
    struct collection options = tiny;
    options.noise = 2.0;
    (void)collect(options, fixture->path);
    struct store *store = open_store(fixture->path);
    size_t at_bounds = 0;
    for (size_t episode = 0; episode < 12; episode++) {
        read_record(&record, store, episode);
        for (size_t i = 0; i < record.length * store_spec(store)->action_dim; i++) {
            assert_true(fabsf(record.action[i]) <= 1.0f);
            at_bounds += fabsf(record.action[i]) == 1.0f;
        }
    }
    assert_true(at_bounds > 0);
    store_close(store);
}

/* How many of the twelve episodes of two stores differ in any bit. */
static size_t count_differing(const char *left_path, const char *right_path)
{
    static struct record left_record, right_record;
    struct store *left = open_store(left_path);
    struct store *right = open_store(right_path);
    size_t differing = 0;
    for (size_t episode = 0; episode < 12; episode++) {
        read_record(&left_record, left, episode);
        read_record(&right_record, right, episode);
        differing += memcmp(&left_record, &right_record, sizeof left_record) != 0;
    }
    store_close(left);
    store_close(right);
    return differing;
}

static void test_collector_episodes_depend_on_their_seed_alone(void **state)
{
    const struct fixture *fixture = *state;
    char again[160];
    snprintf(again, sizeof again, "%s/again.h5", fixture->folder);
    (void)collect(tiny, fixture->path);
    struct collection options = tiny;
    options.groups = 5; /* more groups leave the first ones as they are */
    (void)collect(options, again);
    assert_int_equal(count_differing(fixture->path, again), 0);
    assert_int_equal(unlink(again), 0);
    options.seed++;
    (void)collect(options, again);
    assert_int_equal(count_differing(fixture->path, again), 12);
    assert_int_equal(unlink(again), 0);
}

static void test_collector_random_policy_is_uniform_in_one_group(void **state)
{
    const struct fixture *fixture = *state;
    static struct record record;
    struct collection options = {.task = "cartpole_swingup",
                                 .policy = COLLECTION_RANDOM,
                                 .groups = 2,
                                 .episodes = 2,
                                 .seed = 3};
    struct collector_summary summary = collect(options, fixture->path);
    struct store *store = open_store(fixture->path);
    assert_int_equal(summary.all.count, 4);
    assert_string_equal(store_spec(store)->source, "random, seed 3");
    assert_int_equal(store_spec(store)->hidden_dim, 0);
    assert_int_equal(store_spec(store)->source_count, 1);
    assert_string_equal(store_spec(store)->sources[0], "random");
    double sum = 0.0, squares = 0.0;
    for (size_t episode = 0; episode < 4; episode++) {
        assert_int_equal(store_group(store, episode), 0);
        read_record(&record, store, episode);
        for (size_t step = 0; step < record.length; step++) {
            assert_true(fabsf(record.action[step]) <= 1.0f);
            sum += (double)record.action[step];
            squares += (double)record.action[step] * (double)record.action[step];
        }
    }
    assert_true(fabs(sum / (double)summary.steps) < 0.06);
    assert_true(fabs(squares / (double)summary.steps - 1.0 / 3.0) < 0.03);
    store_close(store);
}

static void refuse(const struct fixture *fixture, struct collection options, enum exit_code code,
                   const char *words)
{
    struct collector_summary summary;
    struct failure failure = {0};
    options.path = fixture->path;
    assert_false(collection_run(&options, &summary, &failure));
    assert_int_equal(failure.code, code);
    if (!strstr(failure.text, words)) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
}

static void test_collector_refuses_the_script_of_a_task_without_one(void **state)
{
    struct collection options = tiny;
    options.task = "cartpole_swingup";
    refuse(*state, options, EXIT_CODE_CONFIG, "cartpole_swingup");
}

static void test_collector_refuses_a_task_that_does_not_exist(void **state)
{
    struct collection options = tiny;
    options.task = "point_mass_hiden";
    refuse(*state, options, EXIT_CODE_CONFIG, "point_mass_hidden");
}

static void test_collector_refuses_options_that_make_no_sense(void **state)
{
    struct collection options = tiny;
    options.groups = 0;
    refuse(*state, options, EXIT_CODE_CONFIG, "0 groups");
    options = tiny;
    options.episodes = 0;
    refuse(*state, options, EXIT_CODE_CONFIG, "groups of 0");
    options = tiny;
    options.noise = -0.1;
    refuse(*state, options, EXIT_CODE_CONFIG, "-0.1");
    options = tiny;
}

static void test_collector_leaves_a_file_that_exists_as_it_is(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_summary summary = collect(tiny, fixture->path);
    struct collection options = tiny;
    options.groups = 1;
    refuse(fixture, options, EXIT_CODE_USAGE, fixture->path);
    struct store *store = open_store(fixture->path);
    assert_int_equal(store_episode_count(store), summary.all.count);
    store_close(store);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
    comm_start(&argc, &argv);
    const struct CMUnitTest tests[] = {
        TEST(test_collector_store_says_what_it_holds),
        TEST(test_collector_summary_is_that_of_the_store),
        TEST(test_collector_draws_other_hidden_tasks_for_a_trained_policy),
        TEST(test_collector_gives_a_searcher_the_hidden_tasks_of_a_script),
        TEST(test_collector_knows_no_error_of_one_episode),
        TEST(test_collector_physics_and_hidden_numbers_give_the_rewards_again),
        TEST(test_collector_returns_rise_with_the_level),
        TEST(test_collector_curriculum_of_many_episodes_has_eight_levels),
        TEST(test_collector_episodes_replay_in_the_hidden_task_of_their_group),
        TEST(test_collector_noise_is_correlated_and_of_its_deviation),
        TEST(test_collector_without_noise_follows_the_script),
        TEST(test_collector_actions_lie_within_their_bounds),
        TEST(test_collector_episodes_depend_on_their_seed_alone),
        TEST(test_collector_random_policy_is_uniform_in_one_group),
        TEST(test_collector_refuses_the_script_of_a_task_without_one),
        TEST(test_collector_refuses_a_task_that_does_not_exist),
        TEST(test_collector_refuses_options_that_make_no_sense),
        TEST(test_collector_leaves_a_file_that_exists_as_it_is),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop();
    return failed;
}

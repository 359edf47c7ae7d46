/* The collector on simulations that become unstable: a made-up environment, linked in the place of
 * the real ones, fails as often as the test asks for. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "behaviours/random_actions.h"
#include "comm/comm.h"
#include "datasets/jobs/collector.h"
#include "datasets/store.h"
#include "envs/env.h"

enum { STEPS_MAX = 3 };

static const struct env_spec made_up = {.task = "made_up",
                                        .domain = "made_up",
                                        .observation_dim = 1,
                                        .action_dim = 1,
                                        .actions = {.dim = 1, .low = {-1.0}, .high = {1.0}},
                                        .simulator = "made up",
                                        .physics_dim = 1,
                                        .steps_max = STEPS_MAX,
                                        .control_timestep = 1.0,
                                        .return_max = STEPS_MAX};

struct env_task {
    struct env_spec spec;
};

struct env {
    size_t episodes, steps;
    size_t first_failure; /* episodes before it are stable */
    size_t failures_left; /* every one from then on fails as long as there are any */
    size_t failing_step;
};

static struct env_task only_task;
static struct env only_env;

const char *env_simulator(void)
{
    return "made up";
}

void env_task_close(struct env_task *task)
{
    (void)task;
}

const struct env_spec *env_task_spec(const struct env_task *task)
{
    return &task->spec;
}

struct env *env_open(const struct env_task *task)
{
    (void)task;
    return &only_env;
}

void env_close(struct env *env)
{
    (void)env;
}

void env_draw_hidden(struct env *env, enum env_split split, struct random *random)
{
    assert_int_equal(split, ENV_SPLIT_TRAINING);
    (void)env;
    (void)random;
}

void env_get_hidden(const struct env *env, double *hidden)
{
    (void)env;
    (void)hidden;
}

void env_reset(struct env *env, struct random *random)
{
    (void)random;
    env->episodes++;
    env->steps = 0;
}

struct env_outcome env_step(struct env *env, const float *action)
{
    (void)action;
    env->steps++;
    if (env->steps == env->failing_step && env->episodes > env->first_failure &&
        env->failures_left > 0) {
        env->failures_left--;
        return (struct env_outcome){.reward = 1000.0f, .end = ENV_FAILED};
    }
    enum env_end end = env->steps == STEPS_MAX ? ENV_TRUNCATED : ENV_RUNNING;
    return (struct env_outcome){.reward = 1.0f, .end = end};
}

void env_observe(const struct env *env, float *observation)
{
    observation[0] = (float)env->steps;
}

void env_get_physics(const struct env *env, double *physics)
{
    physics[0] = (double)env->steps;
}

void env_set_hidden(struct env *env, const double *hidden)
{
    (void)env;
    (void)hidden;
}

void env_set_physics(struct env *env, const double *physics)
{
    (void)env;
    (void)physics;
}

void env_set_record(struct env *env, const double *physics, const float *observation)
{
    (void)env;
    (void)physics;
    (void)observation;
}

void env_script_draw(struct env *env, double expertise, struct random *random)
{
    (void)env;
    (void)expertise;
    (void)random;
}

void env_script_act(const struct env *env, float *action)
{
    (void)env;
    action[0] = 0.0f;
}

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
    only_env = (struct env){.failing_step = 2};
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

static struct collector_options options_for(const struct fixture *fixture)
{
    static struct behaviour random;
    only_task.spec = made_up;
    random = random_actions_open(&made_up);
    return (struct collector_options){.task = &only_task,
                                      .behaviour = &random,
                                      .groups = 1,
                                      .episodes = 4,
                                      .path = fixture->path};
}

/* The same as trials of one context. */
static struct collector_options context_options(const struct fixture *fixture)
{
    static struct behaviour remembering;
    struct collector_options options = options_for(fixture);
    remembering = *options.behaviour;
    remembering.remembers_trials = true;
    options.behaviour = &remembering;
    return options;
}

/* Who labels, and counts how often. */
static void count_labels(const struct behaviour *behaviour, struct behaviour_row *rows,
                         size_t count)
{
    size_t *labels = behaviour->self;
    *labels += count;
    rows[0].action[0] = 0.5f;
}

static void expect_refusal(const struct collector_options *options)
{
    struct collector_summary summary;
    struct failure failure = {0};
    assert_false(collector_run(options, &summary, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "made_up"));
    assert_null(strchr(failure.text, '\n'));
}

static struct store *collect_store(const struct collector_options *options,
                                   struct collector_summary *summary)
{
    struct failure failure = {0};
    if (!collector_run(options, summary, &failure)) {
        fail_msg("%s", failure.text);
    }
    struct store *store = store_open(options->path, &failure);
    assert_non_null(store);
    assert_int_equal(store_episode_count(store), 4);
    return store;
}

static void test_collector_draws_unstable_episodes_again_and_counts_them(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_options options = options_for(fixture);
    struct collector_summary summary;
    only_env.failures_left = 3;
    store_close(collect_store(&options, &summary));
    assert_int_equal(summary.redrawn, 3);
    assert_int_equal(summary.cut, 0);
    assert_int_equal(summary.all.count, 4);
    assert_int_equal(summary.steps, 4 * STEPS_MAX);
    assert_true(summary.all.mean == STEPS_MAX && summary.all.maximum == STEPS_MAX);
    behaviour_close(options.behaviour);
}

/* Its context remembers what it has seen: it cannot be drawn again. */
static void test_collector_keeps_the_stable_steps_of_a_context(void **state)
{
    struct collector_options options = context_options(*state);
    struct collector_summary summary;
    only_env.first_failure = 1;
    only_env.failures_left = 1;
    struct store *store = collect_store(&options, &summary);
    assert_int_equal(summary.redrawn, 0);
    assert_int_equal(summary.cut, 1);
    for (size_t episode = 0; episode < 4; episode++) {
        size_t length = episode == 1 ? 1 : STEPS_MAX;
        assert_int_equal(store_length(store, episode), length);
        assert_int_equal(store_ending(store, episode), STORE_END_TRUNCATED);
        assert_true(store_return(store, 0, episode) == (double)length);
    }
    store_close(store);
    behaviour_close(options.behaviour);
}

/* A repetition goes on where it failed, and labels nothing twice. */
static void test_collector_keeps_finished_trials_of_a_context_that_fails_at_its_first_step(
    void **state)
{
    size_t labels = 0;
    const struct behaviour expert = {.self = &labels, .source = "counting", .act = count_labels};
    struct collector_options options = context_options(*state);
    struct collector_summary summary;
    options.expert = (struct expert){&only_task, &expert};
    only_env = (struct env){.first_failure = 2, .failures_left = 1, .failing_step = 1};
    expect_refusal(&options);
    assert_int_equal(labels, 2 * STEPS_MAX);
    struct store *store = collect_store(&options, &summary);
    assert_int_equal(labels, 4 * STEPS_MAX);
    assert_int_equal(summary.steps, 4 * STEPS_MAX);
    store_close(store);
    behaviour_close(options.behaviour);
}

/* What a behaviour is told. */
struct heard {
    size_t contexts, trials;
    double expertise[4];
};

static void hear_context(const struct behaviour *behaviour, size_t count)
{
    struct heard *heard = behaviour->self;
    heard->contexts += count;
}

static void hear_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    struct heard *heard = behaviour->self;
    heard->expertise[heard->trials++] = row->expertise;
}

static void stay(const struct behaviour *behaviour, struct behaviour_row *rows, size_t count)
{
    (void)behaviour;
    (void)count;
    rows[0].action[0] = 0.0f;
}

/* Each of the two on its own, and both. */
static void test_collector_tells_a_curriculum_from_a_memory(void **state)
{
    static const char *const sources[] = {"heard", "heard, expertise 0.000", "heard, trial 1",
                                          "heard, expertise 0.000"};
    for (size_t i = 0; i < 4; i++) {
        struct heard heard = {0};
        const struct behaviour behaviour = {.self = &heard,
                                            .name = "heard",
                                            .source = "heard",
                                            .has_curriculum = i % 2 == 1,
                                            .remembers_trials = i >= 2,
                                            .begin = hear_context,
                                            .begin_trial = hear_trial,
                                            .act = stay};
        struct collector_options options = options_for(*state);
        struct collector_summary summary;
        behaviour_close(options.behaviour);
        options.behaviour = &behaviour;
        struct store *store = collect_store(&options, &summary);
        assert_string_equal(store_spec(store)->sources[0], sources[i]);
        assert_int_equal(store_spec(store)->source_count, i == 0 ? 1 : 4);
        assert_int_equal(heard.contexts, behaviour.remembers_trials ? 1 : 4);
        assert_int_equal(heard.trials, 4);
        assert_true(heard.expertise[0] == (behaviour.has_curriculum ? 0.0 : 1.0));
        assert_true(heard.expertise[3] == 1.0);
        store_close(store);
        unlink(options.path);
    }
}

static void test_collector_keeps_finished_episodes_when_it_gives_up(void **state)
{
    struct collector_options options = options_for(*state);
    struct collector_summary summary;
    only_env.first_failure = 3;
    only_env.failures_left = SIZE_MAX;
    expect_refusal(&options);
    only_env = (struct env){0};
    store_close(collect_store(&options, &summary));
    assert_int_equal(only_env.episodes, 1);
    behaviour_close(options.behaviour);
}

static void test_collector_gives_up_on_endless_instability_without_a_store(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_options options = options_for(fixture);
    only_env.failures_left = SIZE_MAX;
    expect_refusal(&options);
    assert_int_not_equal(access(fixture->path, F_OK), 0);
    behaviour_close(options.behaviour);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
    comm_start(&argc, &argv);
    const struct CMUnitTest tests[] = {
        TEST(test_collector_draws_unstable_episodes_again_and_counts_them),
        TEST(test_collector_keeps_the_stable_steps_of_a_context),
        TEST(test_collector_keeps_finished_trials_of_a_context_that_fails_at_its_first_step),
        TEST(test_collector_tells_a_curriculum_from_a_memory),
        TEST(test_collector_keeps_finished_episodes_when_it_gives_up),
        TEST(test_collector_gives_up_on_endless_instability_without_a_store),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop();
    return failed;
}

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
                                        .steps_max = STEPS_MAX,
                                        .control_timestep = 1.0,
                                        .return_max = STEPS_MAX};

struct env_task {
    struct env_spec spec;
};

struct env {
    size_t steps;
    size_t failures_left; /* every episode fails as long as there are any */
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
    env->steps = 0;
}

struct env_outcome env_step(struct env *env, const float *action)
{
    (void)action;
    env->steps++;
    if (env->steps == 2 && env->failures_left > 0) {
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
    (void)env;
    (void)physics;
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
    *state = &fixture;
    return 0;
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

static void test_collector_draws_unstable_episodes_again_and_counts_them(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_options options = options_for(fixture);
    struct collector_summary summary;
    struct failure failure = {0};
    only_env.failures_left = 3;
    assert_true(collector_run(&options, &summary, &failure));
    options.behaviour->close(options.behaviour);
    assert_int_equal(summary.redrawn, 3);
    assert_int_equal(summary.all.count, 4);
    assert_int_equal(summary.steps, 4 * STEPS_MAX);
    assert_true(summary.all.mean == STEPS_MAX && summary.all.maximum == STEPS_MAX);
    struct store *store = store_open(fixture->path, &failure);
    assert_non_null(store);
    assert_int_equal(store_episode_count(store), 4);
    store_close(store);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(rmdir(fixture->folder), 0);
}

static void test_collector_gives_up_on_endless_instability_without_a_store(void **state)
{
    const struct fixture *fixture = *state;
    struct collector_options options = options_for(fixture);
    struct collector_summary summary;
    struct failure failure = {0};
    only_env.failures_left = SIZE_MAX;
    assert_false(collector_run(&options, &summary, &failure));
    options.behaviour->close(options.behaviour);
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "made_up"));
    assert_int_equal(rmdir(fixture->folder), 0); /* so nothing was left in it */
}

int main(int argc, char **argv)
{
    comm_start(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_collector_draws_unstable_episodes_again_and_counts_them,
                               set_up),
        cmocka_unit_test_setup(test_collector_gives_up_on_endless_instability_without_a_store,
                               set_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop();
    return failed;
}

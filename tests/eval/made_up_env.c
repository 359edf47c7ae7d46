#include "tests/eval/made_up_env.h"

#include "tests/support/support.h"

#include <math.h>

#include "base/memory.h"
#include "envs/env.h"

struct env_task {
    struct env_spec spec;
};

struct env {
    double hidden;
    double place; /* moved by actions */
    double first; /* place at the beginning */
    size_t steps, length;
    bool is_failing;
    enum env_end end;
};

static double failing_part;

void made_up_env_set_failing(double part)
{
    failing_part = part;
}

const char *env_simulator(void)
{
    return "made up";
}

struct env_task *env_task_open(const char *name, struct failure *failure)
{
    return env_task_open_by(name, INERTIA_EXACT, failure);
}

struct env_task *env_task_open_by(const char *name, enum inertia_rule inertia,
                                  struct failure *failure)
{
    (void)name;
    (void)inertia;
    (void)failure;
    struct env_task *task = memory_take(1, sizeof *task);
    task->spec = (struct env_spec){
        .task = "made_up",
        .domain = "made_up",
        .observation_dim = MADE_UP_OBSERVATION_DIM,
        .action_dim = MADE_UP_ACTION_DIM,
        .actions = action_space_continuous(MADE_UP_ACTION_DIM),
        .hidden_dim = 1,
        .steps_max = MADE_UP_STEPS_MAX,
        .control_timestep = 1.0,
        .return_max = MADE_UP_STEPS_MAX,
        .has_script = true,
    };
    return task;
}

void env_task_close(struct env_task *task)
{
    memory_free(task);
}

const struct env_spec *env_task_spec(const struct env_task *task)
{
    return &task->spec;
}

struct env *env_open(const struct env_task *task)
{
    (void)task;
    struct env *env = memory_take(1, sizeof *env);
    env->end = ENV_TRUNCATED;
    return env;
}

void env_close(struct env *env)
{
    memory_free(env);
}

void env_draw_hidden(struct env *env, enum env_split split, struct random *random)
{
    assert_int_equal(split, ENV_SPLIT_HELD_OUT); /* all that is evaluated */
    env->hidden = random_uniform(random);
}

void env_get_hidden(const struct env *env, double *hidden)
{
    *hidden = env->hidden;
}

void env_reset(struct env *env, struct random *random)
{
    env->first = random_between(random, -1.0, 1.0);
    env->place = env->first;
    env->length = 1 + random_below(random, MADE_UP_STEPS_MAX);
    env->is_failing = random_uniform(random) < failing_part;
    env->steps = 0;
    env->end = ENV_RUNNING;
}

float env_reward(const struct env *env)
{
    return (float)exp(-fabs(env->place - env->hidden));
}

static enum env_end end_of(const struct env *env)
{
    if (env->steps < env->length) {
        return ENV_RUNNING;
    }
    if (env->is_failing) {
        return ENV_FAILED;
    }
    return env->length < MADE_UP_STEPS_MAX ? ENV_TERMINATED : ENV_TRUNCATED;
}

struct env_outcome env_step(struct env *env, const float *action)
{
    assert_true(env->end == ENV_RUNNING);
    for (size_t i = 0; i < MADE_UP_ACTION_DIM; i++) {
        assert_true(action[i] >= -1.0f && action[i] <= 1.0f);
        env->place += 0.3 * (double)action[i];
    }
    env->steps++;
    env->end = end_of(env);
    return (struct env_outcome){.reward = env->end == ENV_FAILED ? 0.0f : env_reward(env),
                                .end = env->end};
}

void env_observe(const struct env *env, float *observation)
{
    observation[0] = (float)env->place;
    observation[1] = (float)env->first;
    observation[2] = (float)env->steps;
}

void env_script_draw(struct env *env, double expertise, struct random *random)
{
    (void)env;
    (void)random;
    assert_true(expertise == 1.0);
}

void env_script_act(const struct env *env, float *action)
{
    double error = (env->hidden - env->place) / (0.3 * MADE_UP_ACTION_DIM);
    for (size_t i = 0; i < MADE_UP_ACTION_DIM; i++) {
        action[i] = (float)fmin(fmax(error, -1.0), 1.0);
    }
}

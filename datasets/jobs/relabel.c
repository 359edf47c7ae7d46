#include "datasets/jobs/relabel.h"

#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "envs/env.h"

struct relabel {
    enum relabel_convention convention;
    size_t task_count;
    size_t variants;
    struct env_task *tasks[STORE_TASKS_MAX];
    struct env *envs[STORE_TASKS_MAX];
};

/* Open the task whose name is `length` characters long. */
static bool relabel_open_task(struct relabel *relabel, const char *name, size_t length,
                              enum inertia_rule inertia, struct failure *failure)
{
    char task[STORE_NAME_MAX];
    if (relabel->task_count == STORE_TASKS_MAX || length == 0 || length >= sizeof task) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "relabel: found \"%.*s\" as task %zu, expected at most %d names of "
                           "tasks, separated by commas; chainring inspect --tasks lists them",
                           (int)size_min(length, sizeof task), name, relabel->task_count,
                           STORE_TASKS_MAX);
    }
    memcpy(task, name, length);
    task[length] = '\0';
    size_t k = relabel->task_count;
    relabel->tasks[k] = env_task_open_by(task, inertia, failure);
    if (!relabel->tasks[k]) {
        return false;
    }
    relabel->envs[k] = env_open(relabel->tasks[k]);
    relabel->task_count++;
    return true;
}

static bool relabel_open_tasks(struct relabel *relabel, const char *names,
                               enum inertia_rule inertia, struct failure *failure)
{
    for (const char *at = names;; at++) {
        size_t length = strcspn(at, ",");
        if (!relabel_open_task(relabel, at, length, inertia, failure)) {
            return false;
        }
        at += length;
        if (*at == '\0') {
            return true;
        }
    }
}

/* Do the recorded states have the task's sizes? */
static bool relabel_check_sizes(const struct env_spec *task, const struct store_spec *spec,
                                struct failure *failure)
{
    return (task->physics_dim == spec->physics_dim && task->action_dim == spec->action_dim &&
            task->observation_dim == spec->observation_dim) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "relabel: found %zu numbers of physics, %zu of action and %zu of "
                       "observation, expected %zu, %zu and %zu as task %s has them; relabel with a "
                       "task of the same domain",
                       spec->physics_dim, spec->action_dim, spec->observation_dim,
                       task->physics_dim, task->action_dim, task->observation_dim, task->task);
}

static bool relabel_check_hidden(const struct relabel *relabel, const struct env_spec *task,
                                 struct failure *failure)
{
    if (task->hidden_dim == 0) {
        return true;
    }
    if (task->hidden_count == 0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "relabel: found task %s, whose hidden goals are not numbered, expected "
                           "one that counts them; relabel with another",
                           task->task);
    }
    return relabel->task_count == 1 ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "relabel: found the hidden task %s among %zu tasks, expected it alone, as "
                       "its episodes are written once for each goal; convert twice",
                       task->task, relabel->task_count);
}

static bool relabel_check_tasks(const struct relabel *relabel, const struct store_spec *spec,
                                struct failure *failure)
{
    for (size_t k = 0; k < relabel->task_count; k++) {
        const struct env_spec *task = env_task_spec(relabel->tasks[k]);
        if (!relabel_check_sizes(task, spec, failure) ||
            !relabel_check_hidden(relabel, task, failure)) {
            return false;
        }
    }
    return true;
}

static void relabel_change_spec(struct store_spec *spec, const struct relabel *relabel)
{
    static const char *const sources[] = {
        [RELABEL_EXORL] = "relabel_ctrl0",
        [RELABEL_TRUE] = "relabel_true",
    };
    const struct env_spec *first = env_task_spec(relabel->tasks[0]);
    spec->task_count = relabel->task_count;
    spec->hidden_dim = first->hidden_dim;
    spec->control_timestep = first->control_timestep;
    snprintf(spec->domain, sizeof spec->domain, "%s", first->domain);
    for (size_t k = 0; k < relabel->task_count; k++) {
        const struct env_spec *task = env_task_spec(relabel->tasks[k]);
        snprintf(spec->tasks[k], sizeof spec->tasks[k], "%s", task->task);
        snprintf(spec->reward_source[k], sizeof spec->reward_source[k], "%s%s",
                 sources[relabel->convention],
                 task->inertia == INERTIA_LEGACY ? ", legacy inertia of capsules" : "");
    }
}

struct relabel *relabel_open(const char *tasks, enum relabel_convention convention,
                             enum inertia_rule inertia, struct store_spec *spec,
                             struct failure *failure)
{
    struct relabel *relabel = memory_take(1, sizeof *relabel);
    relabel->convention = convention;
    if (!relabel_open_tasks(relabel, tasks, inertia, failure) ||
        !relabel_check_tasks(relabel, spec, failure)) {
        relabel_close(relabel);
        return NULL;
    }
    const struct env_spec *first = env_task_spec(relabel->tasks[0]);
    relabel->variants = first->hidden_dim > 0 ? first->hidden_count : 1;
    relabel_change_spec(spec, relabel);
    return relabel;
}

void relabel_close(struct relabel *relabel)
{
    for (size_t k = 0; k < relabel->task_count; k++) {
        env_close(relabel->envs[k]);
        env_task_close(relabel->tasks[k]);
    }
    memory_free(relabel);
}

size_t relabel_variants(const struct relabel *relabel)
{
    return relabel->variants;
}

/* Step t leads to row t + 1. */
static void reward_steps(float *reward, struct env *env, const struct env_spec *task,
                         enum relabel_convention convention, const struct store_episode *episode)
{
    env_set_record(env, episode->physics, episode->observation);
    for (size_t t = 0; t < episode->length; t++) {
        const double *physics = episode->physics + (t + 1) * task->physics_dim;
        const float *action = episode->action + t * task->action_dim;
        reward[t] = env_relabel(env, physics, convention == RELABEL_TRUE ? action : NULL);
    }
}

void relabel_episode(float *rewards, double *hidden, struct relabel *relabel,
                     const struct store_episode *episode)
{
    for (size_t variant = 0; variant < relabel->variants; variant++) {
        for (size_t k = 0; k < relabel->task_count; k++) {
            const struct env_spec *task = env_task_spec(relabel->tasks[k]);
            if (task->hidden_dim > 0) {
                hidden[variant] = (double)variant;
                env_set_hidden(relabel->envs[k], &hidden[variant]);
            }
            float *reward = rewards + (variant * relabel->task_count + k) * episode->length;
            reward_steps(reward, relabel->envs[k], task, relabel->convention, episode);
        }
    }
}

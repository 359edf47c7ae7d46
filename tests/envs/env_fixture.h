/* One environment that all tests of a group share: opened before the first, closed after the last.
 */
#ifndef CHAINRING_TESTS_ENVS_ENV_FIXTURE_H
#define CHAINRING_TESTS_ENVS_ENV_FIXTURE_H

#include "base/memory.h"
#include "envs/env.h"

struct env_fixture {
    struct env_task *task;
    struct env *env;
};

/* As cmocka's group setup: fatal where the task cannot be opened. */
static inline int env_fixture_open(void **state, const char *task)
{
    struct failure failure = {0};
    struct env_fixture *fixture = memory_take(1, sizeof *fixture);
    fixture->task = env_task_open(task, &failure);
    fatal_if_failed(&failure);
    fixture->env = env_open(fixture->task);
    *state = fixture;
    return 0;
}

static inline int env_fixture_close(void **state)
{
    struct env_fixture *fixture = *state;
    env_close(fixture->env);
    env_task_close(fixture->task);
    memory_free(fixture);
    return 0;
}

static inline struct env_task *env_fixture_task(void **state)
{
    return ((struct env_fixture *)*state)->task;
}

static inline struct env *env_fixture_env(void **state)
{
    return ((struct env_fixture *)*state)->env;
}

#endif

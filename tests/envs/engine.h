/* Which MuJoCo the tests run with. The golden numbers are those of 2.2.2, and with it ours are the
 * same; other versions (tests/mujoco3) round differently and are allowed what each test states. */
#ifndef CHAINRING_TESTS_ENVS_ENGINE_H
#define CHAINRING_TESTS_ENVS_ENGINE_H

#include <stdbool.h>
#include <string.h>

#include "envs/env.h"

static inline bool engine_is_golden(void)
{
    return strcmp(env_simulator(), "MuJoCo 2.2.2") == 0;
}

#endif

/* A compiled model, and the engine behind it (private to simulation*.c). */
#ifndef CHAINRING_ENVS_SIMULATION_MODEL_H
#define CHAINRING_ENVS_SIMULATION_MODEL_H

#include <mujoco/mujoco.h>

#include "envs/simulation.h"

struct simulation_model {
    mjModel *engine; /* NULL where rules simulate */
    struct simulation_sizes sizes;
    const struct simulation_source *source;
    int sensors[SIMULATION_SENSORS_MAX]; /* MuJoCo's number of what each sensor names */
};

#endif

/* Inverse kinematics: which angles of an arm's joints bring a site of it to a place, in a given
 * orientation. */
#ifndef CHAINRING_ENVS_INVERSE_KINEMATICS_H
#define CHAINRING_ENVS_INVERSE_KINEMATICS_H

#include <stdbool.h>
#include <stddef.h>

#include "envs/simulation.h"

enum { INVERSE_KINEMATICS_JOINTS_MAX = 8, INVERSE_KINEMATICS_VELOCITIES_MAX = 32 };

struct inverse_kinematics_target {
    size_t site;           /* its sensor (SIMULATION_SITE_POSITION) */
    double position[3];    /* in the world */
    double orientation[4]; /* in the world: a quaternion, w first */
};

/* Move the model's first `joints` joints, all of them hinges or slides, from where they are until
 * the site has reached the target to 1e-14 (metres plus twice radians). False where that fails, as
 * from most beginnings: the joints are then somewhere else. Limits are not looked at, nor contacts.
 * Least squares steps, damped while far away (dm_control, inverse_kinematics). What else follows
 * from the positions needs simulation_forward. Local. */
bool inverse_kinematics_reach(struct simulation *simulation,
                              const struct inverse_kinematics_target *target, size_t joints);

#endif

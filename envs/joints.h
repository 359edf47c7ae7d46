/* Random poses: the control suite's way to begin an episode anywhere. */
#ifndef CHAINRING_ENVS_JOINTS_H
#define CHAINRING_ENVS_JOINTS_H

#include "base/random.h"
#include "envs/simulation.h"

/* Place every slide and hinge joint, in the model's order: a limited one uniformly within its
 * limits, an unlimited hinge at any angle in [-pi, pi), an unlimited slide stays where it is. For
 * models without ball and free joints. Draws one number for each joint that is placed. Local. */
void joints_randomise(struct simulation *simulation, struct random *random);

#endif

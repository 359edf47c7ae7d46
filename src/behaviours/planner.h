/* Predictive sampling (Howell et al., arXiv 2212.00541): plans by trying, in copies of the world.
 *
 * A plan is a spline of actions over a short horizon. At each planning step the plan of the step
 * before, shifted to now, and noisy variations of it are rolled out in copies of the environment,
 * with the task's true reward and what is hidden; the one of the largest return is followed. The
 * copies simulate in longer timesteps than the environment, and stop where a plan can no longer
 * win. Nothing is learnt, so it acts in every task. This module does not know MuJoCo. */
#ifndef CHAINRING_BEHAVIOURS_PLANNER_H
#define CHAINRING_BEHAVIOURS_PLANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "behaviours/behaviour.h"
#include "behaviours/spline.h"

/* The plan that a planning begins with. */
enum planner_start {
    PLANNER_START_CARRIED, /* the one before, shifted to now */
    PLANNER_START_NONE,    /* no motion */
};

/* The expert's: at expertise s it tries samples^s plans over (1 + 3 s) / 4 of the horizon, and
 * executes s of the plan's action and 1 - s of a uniform random one. So expertise 0 acts at random,
 * exactly. */
struct planner_options {
    size_t samples;          /* plans tried, the shifted one included; at least 1 */
    double horizon;          /* seconds, above 0; no longer than an episode */
    size_t points;           /* of the spline; at least 1 */
    enum spline_order order; /* of the spline */
    double deviation; /* largest of the noise on a knot: it rises to this with the square root
                         of the sample's number */
    double timestep;  /* of the copies, at most, in seconds (env_coarsen); 0: they simulate as
                         the environment does */
    enum planner_start start;
    size_t every;   /* control steps from one planning to the next; at least 1 */
    size_t threads; /* that roll out, the caller's own included; at least 1 */
};

/* Set samples, horizon, points and deviation, where they are 0, to what suits the task
 * (env_spec.planning). Local. */
void planner_set_defaults(struct planner_options *options, const struct env_spec *spec);

/* False and a failure: EXIT_CODE_CONFIG for options out of their ranges and for a task whose
 * actions are not continuous, EXIT_CODE_SYSTEM where the system refuses a thread. It acts in up to
 * `slots` rows at once. `task` is borrowed; the caller closes the behaviour. Local.
 *
 * The same bits for any number of threads: each sample has its own random stream, a roll-out is
 * given up only where it cannot win (no reward is above the task's largest), and a copy begins from
 * the numbers of env_get_physics, the observation (for a target outside the physics) and the hidden
 * task alone. What they do not hold, such as the contact solver's first guess, the copies lack, and
 * their timesteps may be longer; so a roll-out predicts the environment closely, not to the bit. */
bool planner_open(struct behaviour *behaviour, const struct env_task *task,
                  const struct planner_options *options, size_t slots, struct failure *failure);

#endif

/* The task's own script, from guessing at expertise 0 to its expert at expertise 1, with noise on
 * it (noise.h). */
#ifndef CHAINRING_BEHAVIOURS_SCRIPT_H
#define CHAINRING_BEHAVIOURS_SCRIPT_H

#include "behaviours/behaviour.h"
#include "behaviours/noise.h"

/* False and a failure (EXIT_CODE_CONFIG) where the task has no script or the noise is out of its
 * range. It acts in up to `slots` rows at once. The caller closes the behaviour. Local. */
bool script_open(struct behaviour *behaviour, const struct env_spec *spec,
                 const struct noise_options *options, size_t slots, struct failure *failure);

#endif

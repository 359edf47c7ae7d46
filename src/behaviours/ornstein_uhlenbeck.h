/* Actions that are Ornstein-Uhlenbeck noise and nothing else (noise.h): they wander farther than
 * uniform ones. */
#ifndef CHAINRING_BEHAVIOURS_ORNSTEIN_UHLENBECK_H
#define CHAINRING_BEHAVIOURS_ORNSTEIN_UHLENBECK_H

#include "behaviours/behaviour.h"
#include "behaviours/noise.h"

/* False and a failure (EXIT_CODE_CONFIG) where the noise is out of its range or the task's actions
 * are not continuous. It acts in up to
 * `slots` rows at once. The caller closes the behaviour. Local. */
bool ornstein_uhlenbeck_open(struct behaviour *behaviour, const struct env_spec *spec,
                             const struct noise_options *options, size_t slots,
                             struct failure *failure);

#endif

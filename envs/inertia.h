/* By which rule the mass and the inertia of a capsule follow from its shape.
 *
 * MuJoCo before 2.1.1 took a capsule of radius r and half-length h for a solid cylinder of radius r
 * and half-length h + r/2; data sets recorded with it, such as ExoRL's (arXiv 2201.13425), obey
 * that. Since then MuJoCo computes the exact values; legacy_inertia.py writes, when the program is
 * built, each model under the older rule. */
#ifndef CHAINRING_ENVS_INERTIA_H
#define CHAINRING_ENVS_INERTIA_H

enum inertia_rule { INERTIA_EXACT, INERTIA_LEGACY, INERTIA_RULES };

/* "exact", "legacy". Local. */
const char *inertia_rule_name(enum inertia_rule rule);

#endif

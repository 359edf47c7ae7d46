/* By which rule the mass and the inertia of a capsule follow from its shape.
 *
 * MuJoCo before 2.1.1 took a capsule of radius r and half-length h for a solid cylinder of radius r
 * and half-length h + r/2; data sets recorded with it, such as ExoRL's (arXiv 2201.13425), obey
 * that. Since then MuJoCo computes the exact values. */
#ifndef CHAINRING_ENVS_INERTIA_H
#define CHAINRING_ENVS_INERTIA_H

#include "base/fatal.h"

enum inertia_rule { INERTIA_EXACT, INERTIA_LEGACY, INERTIA_RULES };

/* "exact", "legacy". Local. */
const char *inertia_rule_name(enum inertia_rule rule);

/* Where the bodies and geoms of the compiled model are, in MuJoCo's order and borrowed from it.
 * Body 0 is the world. */
struct inertia_geoms {
    int body_count;
    const int *body_first;  /* (body_count): number of the body's first geom, -1 without geoms */
    const int *body_geoms;  /* (body_count): how many it has */
    const int *type;        /* of each geom */
    int capsule;            /* the type that is a capsule */
    const double *size;     /* (geoms, 3): radius, half-length */
    const double *position; /* (geoms, 3), in the body */
    const double *rotation; /* (geoms, 4), of the body's axes to the geom's */
};

/* Rewrite the text of a model so that its capsules have the legacy inertia: the mass of each
 * capsule of a body that may move goes to a cylinder on the same axis, of the same radius and
 * class, longer than the capsule's straight part by one radius, that touches nothing and cannot be
 * seen. So contacts and everything that is known by name stay as they were, and MuJoCo itself does
 * the sums. The caller frees the text with memory_free. NULL and a failure (EXIT_CODE_DATA) where
 * the bodies of the text are not plainly those of the compiled model. Local. */
char *inertia_legacy_text(const char *name, const char *text, const struct inertia_geoms *geoms,
                          struct failure *failure);

#endif

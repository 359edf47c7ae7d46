/* Rewrites a model so that its capsules weigh what they weighed before MuJoCo 2.1.1
 * (envs/inertia.h).
 *
 * Each capsule of a body that may move gives its mass to a twin: a cylinder on the same axis, of
 * the same radius and class, longer than the capsule's straight part by one radius, that touches
 * nothing and cannot be seen. So contacts and everything that is known by name stay as they were,
 * and MuJoCo itself does the sums. Does not know mujoco.h. Local. */
#ifndef CHAINRING_ENVS_CAPSULE_TWINS_H
#define CHAINRING_ENVS_CAPSULE_TWINS_H

#include "base/fatal.h"

/* Where the bodies and geoms of the compiled model are, in MuJoCo's order and borrowed from it.
 * Body 0 is the world. */
struct capsule_geoms {
    int body_count;
    const int *body_first;  /* (body_count): number of the body's first geom, -1 without geoms */
    const int *body_geoms;  /* (body_count): how many it has */
    const int *type;        /* of each geom */
    int capsule;            /* the type that is a capsule */
    const double *size;     /* (geoms, 3): radius, half-length */
    const double *position; /* (geoms, 3), in the body */
    const double *rotation; /* (geoms, 4), of the body's axes to the geom's */
};

/* The text with twins, which the caller frees with memory_free. NULL and a failure (EXIT_CODE_DATA)
 * where the bodies of the text are not plainly those of the compiled model. */
char *capsule_twins_write(const char *name, const char *text, const struct capsule_geoms *geoms,
                          struct failure *failure);

#endif

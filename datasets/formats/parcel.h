/* What was made of one episode of the input: the episode as the store takes it, or the line that
 * says why there is none. Its arrays are copied in once and then read where they lie. Local. */
#ifndef CHAINRING_DATASETS_FORMATS_PARCEL_H
#define CHAINRING_DATASETS_FORMATS_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/format.h"

struct parcel_note {
    struct failure failure; /* why there is no episode; EXIT_CODE_DONE: there is */
    size_t length, variants;
    int64_t group;
    enum store_end end;
    bool is_partial;
    size_t clipped; /* action numbers that lay outside [-1, 1] */
    size_t bytes;   /* of the arrays */
};

struct parcel {
    struct parcel_note note;
    struct store_spec spec; /* of the store */
    unsigned char *bytes;   /* arrays, each 64-byte aligned */
    size_t room;
};

/* Where the arrays lie in the parcel; NULL for what the store does not have. */
struct parcel_arrays {
    float *observation; /* (length + 1, observation_dim) */
    float *action;      /* (length, action_dim) */
    float *reward;      /* (variants, tasks, length) */
    double *physics;    /* (length + 1, physics_dim) */
    double *hidden;     /* (variants, hidden_dim) */
};

void parcel_open(struct parcel *parcel, const struct store_spec *spec);
void parcel_close(struct parcel *parcel);

/* Make room for an episode whose length and variants stand in the note. */
void parcel_make_room(struct parcel *parcel);
struct parcel_arrays parcel_arrays(const struct parcel *parcel);

/* One variant as the store writer takes it; it lies in the parcel. */
struct store_episode parcel_episode(const struct parcel *parcel, size_t variant);

#endif

/* The input of a conversion, episode by episode: read, checked, clipped and relabelled, as the
 * store will have it (private to convert*.c). Local. */
#ifndef CHAINRING_DATASETS_JOBS_CONVERT_INPUT_H
#define CHAINRING_DATASETS_JOBS_CONVERT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/jobs/convert.h"

struct convert_input {
    const struct convert_options *options;
    const struct store_spec *spec; /* of the store */
    const struct format_reader *format;
    void *source;            /* the format's */
    struct relabel *relabel; /* NULL: rewards as recorded */
    size_t variants;         /* of each episode: one, or one for each hidden goal */
};

/* What became of one episode. Its arrays are in memory of its own, which the next one reuses. */
struct converted_episode {
    struct failure failure;  /* why there is none; EXIT_CODE_DONE: nothing is wrong */
    size_t length, variants; /* 0 variants: it is not kept */
    int64_t group;
    enum store_end end;
    bool is_partial;
    size_t clipped; /* action numbers that lay outside [-1, 1] */
    size_t bytes;   /* of the arrays */

    float *observation; /* (length + 1, observation_dim) */
    float *action;      /* (length, action_dim) */
    float *reward;      /* (variants, tasks, length) */
    double *physics;    /* (length + 1, physics_dim), NULL where physics_dim is 0 */
    double *hidden;     /* (variants, hidden_dim), NULL where hidden_dim is 0 */
    unsigned char *memory;
    size_t capacity; /* of `memory`, in bytes */
};

/* Open the input; `spec`, which must outlive it, becomes that of the store. False and a failure of
 * the format's, relabel_open's, or EXIT_CODE_CONFIG for names of tasks that do not fit. The caller
 * closes it in either case. */
bool convert_input_open(struct convert_input *input, const struct convert_options *options,
                        struct store_spec *spec, struct failure *failure);
void convert_input_close(struct convert_input *input);

/* Convert episode `index` into `episode`, zero before the first; the caller frees its memory with
 * memory_free. */
void convert_input_read(const struct convert_input *input, size_t index,
                        struct converted_episode *episode);

/* One variant as the store writer takes it; its arrays are the converted episode's. */
struct store_episode convert_input_variant(const struct convert_input *input,
                                           const struct converted_episode *episode, size_t variant);

#endif

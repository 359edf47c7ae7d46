/* The input of a conversion, episode by episode: read, checked, clipped and relabelled, as the
 * store will have it (private to convert*.c). Local. */
#ifndef CHAINRING_DATASETS_JOBS_CONVERT_INPUT_H
#define CHAINRING_DATASETS_JOBS_CONVERT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/episode_log.h"
#include "datasets/jobs/convert.h"

struct convert_input {
    const struct convert_options *options;
    const struct store_spec *spec; /* of the store */
    const struct format_reader *format;
    void *source;              /* the format's */
    size_t action_columns;     /* of an action as it is read */
    struct relabel *relabel;   /* NULL: rewards as recorded */
    size_t variants;           /* of each episode: one, or one for each hidden goal */
    struct labeller *labeller; /* NULL: labels as recorded */

    /* Of the last episode, where they are not as recorded. */
    float *action;   /* (length, action_dim) */
    double *choices; /* (length, action_columns) */
    float *reward;   /* (variants, tasks, length) */
    double *hidden;  /* (variants, hidden_dim) */
    size_t action_capacity, choices_capacity, reward_capacity, hidden_capacity; /* in bytes */
};

/* What became of one episode. */
struct converted_episode {
    bool is_kept;              /* else it is partial and dropped */
    struct store_episode data; /* valid until the next read */
    struct episode_tally tally;
};

/* False and EXIT_CODE_CONFIG for an option that is `found` so: "convert.OPTION: found it ...". */
bool convert_refuse_option(const char *option, const char *found, const char *expected,
                           struct failure *failure);

/* Open the input; `spec`, which must outlive it, becomes that of the store. False and a failure of
 * the format's, relabel_open's, or EXIT_CODE_CONFIG for names of tasks that do not fit. The caller
 * closes it in either case. */
bool convert_input_open(struct convert_input *input, const struct convert_options *options,
                        struct store_spec *spec, struct failure *failure);
void convert_input_close(struct convert_input *input);

/* Read episode `index`. False with EXIT_CODE_DATA: it is bad, others can still be read; false with
 * another code: the rest of the input cannot be read. */
bool convert_input_read(struct convert_input *input, size_t index,
                        struct converted_episode *episode, struct failure *failure);

/* One variant, which will be episode `number`, as the store writer takes it; its arrays are the
 * converted episode's, and labels last until the next call. */
struct store_episode convert_input_variant(const struct convert_input *input,
                                           const struct converted_episode *episode, size_t variant,
                                           size_t number);

#endif

/* Converts the data sets of others into a trajectory store, on any number of ranks.
 *
 * Episodes are dealt to the ranks, which read, check and relabel them (store_job.h): the same input
 * and options give the same bytes for every number of ranks, which all see one file system, and the
 * same episode is the first bad one. A conversion that was killed goes on when it is repeated. */
#ifndef CHAINRING_DATASETS_JOBS_CONVERT_H
#define CHAINRING_DATASETS_JOBS_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/format.h"
#include "datasets/jobs/labeller.h"
#include "datasets/jobs/relabel.h"

enum convert_partial { CONVERT_DROP_PARTIAL, CONVERT_KEEP_PARTIAL };
enum convert_actions { CONVERT_SCALE_ACTIONS, CONVERT_CLIP_ACTIONS, CONVERT_REFUSE_ACTIONS };
enum convert_bad { CONVERT_REFUSE_BAD, CONVERT_SKIP_BAD };

struct convert_options {
    const char *input;  /* a file or a folder */
    const char *format; /* of the input; empty: whichever recognises it */
    const char *output; /* the store to write; must not exist */

    const char *relabel; /* tasks, "walker_walk,walker_run"; empty: rewards as recorded */
    enum relabel_convention convention;
    enum inertia_rule inertia;

    struct expert expert; /* who labels the episodes: of the first of the store's tasks */

    const char *tasks; /* names for the recorded rewards; empty: as the input says */
    const char *domain, *source;
    double control_timestep; /* seconds; 0: as the input says, else 1 */

    /* Bounds of the actions, "-2" or "-2,0"; empty: as the input says. */
    const char *action_low, *action_high;
    enum convert_actions actions; /* what to do with numbers outside [-1, 1] */

    struct format_options reading;
    enum convert_partial partial;
    enum convert_bad bad;
};

struct convert_summary {
    const char *format;      /* of the input */
    struct store_spec spec;  /* of the store */
    size_t episodes, steps;  /* written */
    size_t partial, bad;     /* dropped, or partial ones kept */
    size_t clipped, numbers; /* action numbers that lay outside their bounds, of how many */
    char first_bad[1024];    /* what was wrong with the first one */
    double seconds;
    uint64_t bytes; /* of the arrays written */
};

/* Read the input and write the store. False and a failure, the same on every rank: what the
 * readers, relabel_open, labeller_open and store_job_open refuse, and EXIT_CODE_DATA for NaN and
 * infinity
 * ("INPUT: EPISODE: KEY: ..."). So is the summary. Collective over the job. */
bool convert_run(struct convert_summary *summary, const struct convert_options *options,
                 struct failure *failure);

#endif

/* A store that all ranks make together: the episodes dealt to them, each logged by the rank that
 * made it, the log merged in the end.
 *
 *     struct store_job *job = store_job_open(&options, &failure);
 *     while (job && store_job_next(job, &first)) {
 *         ... episode_log_append(store_job_log(job), first, ...) or store_job_fail(job, ...)
 *     }
 *     store_job_finish(job, &result, &failure);
 *
 * Unfinished units are dealt in turn, each round beginning one rank later. What is finished does
 * not depend on the number of ranks, nor on how often the job was killed and repeated. */
#ifndef CHAINRING_DATASETS_JOBS_STORE_JOB_H
#define CHAINRING_DATASETS_JOBS_STORE_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/episode_log.h"

struct store_job_options {
    struct episode_log_options log;
    size_t unit;  /* episodes that one rank makes one after the other */
    size_t round; /* units of a rank between two looks at the others; 0: none before the end */
    bool keeps_finished; /* episodes, also where a repetition would fail in the same way */
};

struct store_job;

/* Open the log on all ranks. NULL and a failure, the same on every rank, as of episode_log_open;
 * ranks that see different logs end the job. Closed by store_job_finish. Collective over the job.
 */
struct store_job *store_job_open(const struct store_job_options *options, struct failure *failure);

/* Episodes that were finished when the job was opened; and units that are left to each rank, at
 * most. */
size_t store_job_finished(const struct store_job *job);
size_t store_job_units(const struct store_job *job);

/* The first episode of the next unit that this rank is to make; false where there is none, or this
 * rank or, at the end of a round, another one has failed. Some episodes of a unit may be in the log
 * already. Collective where there are rounds: to be called until it returns false. */
bool store_job_next(struct store_job *job, size_t *first);

/* The log to append to. */
struct episode_log *store_job_log(struct store_job *job);

/* Episode `number` cannot be made. Of all that fail, that of the lowest number ends the job; with
 * rounds it is the same one for any number of ranks. */
void store_job_fail(struct store_job *job, size_t number, const struct failure *failure);

/* Agree, merge the log and close the job. False and a failure, the same on every rank. The log is
 * kept for a repetition unless that would fail in the same way (EXIT_CODE_DATA, EXIT_CODE_CONFIG)
 * and the job does not keep what is finished, or nothing is.
 * The result is the same on every rank. Collective over the job. */
bool store_job_finish(struct store_job *job, struct episode_log_result *result,
                      struct failure *failure);

#endif

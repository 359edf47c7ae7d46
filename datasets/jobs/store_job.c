#include "datasets/jobs/store_job.h"

#include <math.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "comm/comm.h"

struct store_job {
    struct episode_log *log;
    size_t episodes, unit, round;
    size_t units;        /* that were unfinished when the job was opened */
    size_t next_episode; /* where the search for the next unit goes on */
    size_t dealt;        /* units that were unfinished so far, of all ranks */
    size_t rounds_left;  /* of looks at the others */
    size_t in_round;     /* units of this rank since the last */
    bool is_published;   /* an earlier run gave the store its name */
    bool is_stopped;     /* some rank has failed */
    bool keeps_finished;
    double failed; /* number of the lowest episode that has failed here; INFINITY: none */
    struct failure failure;
};

static bool is_unit_finished(const struct store_job *job, size_t first)
{
    for (size_t i = 0; i < job->unit; i++) {
        if (!episode_log_has(job->log, first + i)) {
            return false;
        }
    }
    return true;
}

static size_t count_units(const struct store_job *job)
{
    size_t count = 0;
    for (size_t first = 0; first < job->episodes; first += job->unit) {
        count += !is_unit_finished(job, first);
    }
    return count;
}

/* One rank opens the log before the others join it, and none appends before all have read it. */
struct store_job *store_job_open(const struct store_job_options *options, struct failure *failure)
{
    struct store_job *job = memory_take(1, sizeof *job);
    job->episodes = options->log.episodes;
    job->unit = options->unit;
    job->round = options->round;
    job->keeps_finished = options->keeps_finished;
    job->failed = (double)INFINITY;
    if (comm_rank() == 0) {
        job->log = episode_log_open(&options->log, failure);
    }
    bool ok = comm_agree_on(failure);
    if (ok && comm_rank() != 0) {
        job->log = episode_log_join(&options->log, failure);
    }
    ok = ok && comm_agree_on(failure);
    if (!ok) {
        episode_log_close(job->log);
        memory_free(job);
        return NULL;
    }
    job->is_published = comm_rank() == 0 && episode_log_is_published(job->log);
    comm_broadcast(&job->is_published, sizeof job->is_published);
    if (!job->is_published) { /* else ranks would deal differently and wait for each other */
        comm_same(episode_log_count(job->log), "finished episodes of an unfinished output");
    }
    job->units = job->is_published ? 0 : count_units(job);
    job->next_episode = job->is_published ? job->episodes : 0;
    job->rounds_left = job->round > 0 ? divide_up(job->units, job->round * comm_size()) : 0;
    return job;
}

size_t store_job_finished(const struct store_job *job)
{
    return episode_log_count(job->log);
}

size_t store_job_units(const struct store_job *job)
{
    return divide_up(job->units, comm_size());
}

struct episode_log *store_job_log(struct store_job *job)
{
    return job->log;
}

void store_job_fail(struct store_job *job, size_t number, const struct failure *failure)
{
    if (isinf(job->failed)) {
        job->failed = (double)number;
        job->failure = *failure;
    }
}

/* The next unit that this rank is to make, or the end of the episodes. */
static size_t find_unit(struct store_job *job)
{
    while (job->next_episode < job->episodes) {
        size_t first = job->next_episode;
        job->next_episode += job->unit;
        if (is_unit_finished(job, first)) {
            continue;
        }
        size_t ranks = comm_size();
        bool is_own = (job->dealt + job->dealt / ranks) % ranks == comm_rank();
        job->dealt++;
        if (is_own) {
            return first;
        }
    }
    return job->episodes;
}

/* Look whether any rank has failed. Collective. */
static void end_round(struct store_job *job)
{
    double first = -job->failed;
    comm_max_double(&first, 1);
    job->is_stopped = !isinf(first);
    job->in_round = 0;
    job->rounds_left--;
}

bool store_job_next(struct store_job *job, size_t *first)
{
    if (job->rounds_left > 0 && job->in_round == job->round) {
        end_round(job);
    }
    bool has_ended = job->is_stopped || !isinf(job->failed);
    *first = has_ended ? job->episodes : find_unit(job);
    job->in_round++;
    while (*first == job->episodes && job->rounds_left > 0 && !job->is_stopped) {
        end_round(job);
    }
    return *first < job->episodes;
}

/* The failure of the lowest episode, on every rank. Collective. */
static bool agree_on_first(struct store_job *job, struct failure *failure)
{
    double first = -job->failed;
    comm_max_double(&first, 1);
    if (!isinf(first) && -job->failed == first) {
        *failure = job->failure;
    }
    return comm_agree_on(failure);
}

/* Every rank copies its part of the log into the store that one of them begins and ends. */
static bool merge_log(struct store_job *job, struct episode_log_result *result,
                      struct failure *failure)
{
    if (comm_rank() == 0) {
        episode_log_merge_begin(job->log, failure);
    }
    if (comm_agree_on(failure) && !job->is_published) {
        episode_log_merge_copy(job->log, comm_rank(), comm_size(), failure);
    }
    if (comm_agree_on(failure) && comm_rank() == 0) {
        episode_log_merge_end(job->log, result, failure);
    }
    bool ok = comm_agree_on(failure);
    comm_broadcast(result, sizeof *result);
    return ok;
}

/* Has any rank finished an episode, in this run or an earlier one? Collective. */
static bool has_finished(const struct store_job *job)
{
    double finished = (double)(episode_log_count(job->log) + episode_log_appended(job->log));
    comm_max_double(&finished, 1);
    return finished > 0.0;
}

bool store_job_finish(struct store_job *job, struct episode_log_result *result,
                      struct failure *failure)
{
    bool is_kept = has_finished(job) && job->keeps_finished;
    bool ok = agree_on_first(job, failure) && merge_log(job, result, failure);
    bool is_hopeless = failure->code == EXIT_CODE_DATA || failure->code == EXIT_CODE_CONFIG;
    if (comm_rank() != 0) {
        episode_log_close(job->log);
    }
    comm_barrier(); /* the others have closed their logs */
    if (comm_rank() == 0 && is_hopeless && !is_kept) {
        episode_log_discard(job->log);
    } else if (comm_rank() == 0) {
        episode_log_close(job->log);
    }
    memory_free(job);
    return ok;
}

#include "datasets/jobs/collector.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "datasets/episode_buffer.h"
#include "datasets/episode_log.h"
#include "datasets/store.h"

enum { ATTEMPTS_MAX = 8, FINGERPRINT_MAX = 2048 };

/* What to collect; log_options points to the other members. */
struct collection_job {
    struct episode_log_options log_options;
    struct store_spec spec;
    char fingerprint[FINGERPRINT_MAX];
};

struct collector {
    const struct collector_options *options;
    const struct env_spec *spec;
    struct collection_job job;
    struct env *env;
    struct episode_log *log;
    struct episode_buffer buffer; /* of the current episode, steps_max steps */
    struct behaviour_row row;
    float *row_action; /* (action_dim) */
    size_t redrawn;

    /* Progress in steps of this worker; an episode counts as one of the longest. */
    struct progress progress;
    char label[48];
    size_t played;
    double return_sum;
};

struct episode_outcome {
    size_t length;
    double sum; /* of its rewards */
    enum env_end end;
};

/* --- What to collect ---------------------------------------------------------------------------
 */

static bool check_options(const struct collector_options *options, struct failure *failure)
{
    /* Group and number of an episode are the key of its random stream. */
    bool is_sane = options->groups > 0 && options->groups <= UINT32_MAX && options->episodes > 0 &&
                   options->episodes < UINT32_MAX;
    return is_sane ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu groups of %zu episodes to collect, expected at least one of "
                       "each and fewer than %u; change their numbers",
                       options->groups, options->episodes, (unsigned)UINT32_MAX);
}

static double expertise_of(const struct collector_options *options, size_t episode)
{
    return options->episodes > 1 ? (double)episode / (double)(options->episodes - 1) : 1.0;
}

static void name_sources(struct store_spec *store, const struct collector_options *options)
{
    const char *name = options->behaviour->name;
    size_t most = options->behaviour->curriculum == BEHAVIOUR_NO_CURRICULUM ? 1 : STORE_SOURCES_MAX;
    store->source_count = size_min(options->episodes, most);
    const char *rest = store->source_count < options->episodes ? " and up" : "";
    for (size_t i = 0; i < store->source_count; i++) {
        size_t first = divide_up(i * options->episodes, store->source_count);
        char *source = store->sources[i];
        switch (options->behaviour->curriculum) {
        case BEHAVIOUR_NO_CURRICULUM:
            snprintf(source, STORE_NAME_MAX, "%s", name);
            break;
        case BEHAVIOUR_EXPERTISE:
            snprintf(source, STORE_NAME_MAX, "%s, expertise %.3f%s", name,
                     expertise_of(options, first), rest);
            break;
        case BEHAVIOUR_TRIALS:
            snprintf(source, STORE_NAME_MAX, "%s, trial %zu%s", name, first + 1, rest);
            break;
        }
    }
}

static void describe_store(struct store_spec *store, const struct collector_options *options)
{
    const struct env_spec *spec = env_task_spec(options->task);
    *store = (struct store_spec){
        .task_count = 1,
        .observation_dim = spec->observation_dim,
        .action_dim = spec->action_dim,
        .physics_dim = spec->physics_dim,
        .hidden_dim = spec->hidden_dim,
        .control_timestep = spec->control_timestep,
    };
    snprintf(store->domain, sizeof store->domain, "%s", spec->domain);
    snprintf(store->simulator, sizeof store->simulator, "%s%s", env_simulator(),
             spec->inertia == INERTIA_LEGACY ? ", legacy inertia of capsules" : "");
    snprintf(store->tasks[0], sizeof store->tasks[0], "%s", spec->task);
    snprintf(store->reward_source[0], sizeof store->reward_source[0], "simulated");
    snprintf(store->source, sizeof store->source, "%s, seed %llu", options->behaviour->source,
             (unsigned long long)options->seed);
    name_sources(store, options);
}

static void describe_job(struct collection_job *job, const struct collector_options *options)
{
    describe_store(&job->spec, options);
    snprintf(job->fingerprint, sizeof job->fingerprint,
             "task = %s\nsimulator = %s\npolicy = %s\ngroups = %zu\nepisodes = %zu\n",
             job->spec.tasks[0], job->spec.simulator, job->spec.source, options->groups,
             options->episodes);
    job->log_options = (struct episode_log_options){
        .path = options->path,
        .spec = &job->spec,
        .fingerprint = job->fingerprint,
        .episodes = options->groups * options->episodes,
    };
}

bool collector_prepare(const struct collector_options *options, struct failure *failure)
{
    struct collection_job job;
    if (!check_options(options, failure)) {
        return false;
    }
    describe_job(&job, options);
    return episode_log_prepare(&job.log_options, failure);
}

/* --- One episode ------------------------------------------------------------------------------ */

static void record_state(struct collector *collector, size_t row)
{
    const struct env_spec *spec = collector->spec;
    env_observe(collector->env, collector->buffer.observation + row * spec->observation_dim);
    env_get_physics(collector->env, collector->buffer.physics + row * spec->physics_dim);
}

static void collector_show_progress(struct collector *collector, size_t steps)
{
    char detail[64] = "";
    if (collector->played > 0) {
        snprintf(detail, sizeof detail, "%zu episodes, mean return %.2f", collector->played,
                 collector->return_sum / (double)collector->played);
    }
    size_t done = collector->played * collector->spec->steps_max + steps;
    progress_show(&collector->progress, done, detail);
}

/* The environment and the behaviour at the first step of an episode. */
static void collector_begin_episode(struct collector *collector, const struct random *random,
                                    size_t number)
{
    const struct collector_options *options = collector->options;
    const struct behaviour *behaviour = options->behaviour;
    struct behaviour_row *row = &collector->row;
    size_t trial = number % options->episodes;
    bool is_context = behaviour->curriculum == BEHAVIOUR_TRIALS;
    if (trial == 0 || !is_context) {
        memset(collector->row_action, 0, collector->spec->action_dim * sizeof(float));
        *row = (struct behaviour_row){
            .env = collector->env,
            .context = number / options->episodes,
            .target = behaviour->target,
            .action = collector->row_action,
        };
        behaviour_begin(behaviour, 1);
    }
    row->random = *random;
    row->trial = trial;
    row->expertise = expertise_of(options, trial);
    env_reset(collector->env, &row->random);
    behaviour_begin_trial(behaviour, row);
}

/* Play one episode into the buffer; draws from the stream where it is. */
static struct episode_outcome collector_play_episode(struct collector *collector,
                                                     struct random *random, size_t number)
{
    const struct env_spec *spec = collector->spec;
    const struct behaviour *behaviour = collector->options->behaviour;
    struct behaviour_row *row = &collector->row;
    struct episode_buffer *buffer = &collector->buffer;
    struct episode_outcome result = {.end = ENV_RUNNING};
    collector_begin_episode(collector, random, number);
    record_state(collector, 0);
    while (result.end == ENV_RUNNING) {
        invariant(row->time < spec->steps_max);
        row->observation = buffer->observation + row->time * spec->observation_dim;
        behaviour->act(behaviour, row, 1);
        memcpy(buffer->action + row->time * spec->action_dim, row->action,
               spec->action_dim * sizeof *row->action);
        struct env_outcome outcome = env_step(collector->env, row->action);
        buffer->reward[0][row->time] = outcome.reward;
        behaviour_record(row, outcome);
        result.end = outcome.end;
        record_state(collector, row->time);
        if (result.end == ENV_RUNNING) {
            collector_show_progress(collector, row->time);
        }
    }
    result.length = row->time;
    result.sum = row->return_so_far;
    *random = row->random;
    return result;
}

static bool collector_save_episode(struct collector *collector, size_t number,
                                   const struct episode_outcome *outcome, struct failure *failure)
{
    const struct env_spec *spec = collector->spec;
    size_t episodes = collector->options->episodes;
    size_t sources = collector->job.spec.source_count;
    if (spec->hidden_dim > 0) {
        env_get_hidden(collector->env, collector->buffer.hidden);
    }
    struct store_episode episode =
        episode_buffer_view(&collector->buffer, &collector->job.spec, outcome->length);
    episode.group = spec->hidden_dim > 0 ? (int64_t)(number / episodes) : 0;
    episode.end = outcome->end == ENV_TERMINATED ? STORE_END_TERMINATED : STORE_END_TRUNCATED;
    episode.source = number % episodes * sources / episodes;
    return episode_log_has(collector->log, number) ||
           episode_log_append(collector->log, number, &episode, failure);
}

/* Play one stable episode and log it. Further attempts continue the same random stream. */
static bool collect_episode(struct collector *collector, size_t number, struct failure *failure)
{
    const struct collector_options *options = collector->options;
    size_t group = number / options->episodes;
    size_t trial = number % options->episodes;
    size_t attempts = options->behaviour->curriculum == BEHAVIOUR_TRIALS ? 1 : ATTEMPTS_MAX;
    /* A policy must not meet the hidden tasks again that it was trained on. */
    enum random_purpose purpose =
        options->behaviour->curriculum == BEHAVIOUR_TRIALS ? RANDOM_COLLECT_POLICY : RANDOM_COLLECT;
    /* Sample 0 of a group's streams draws its hidden task, the others its episodes. */
    struct random hidden = random_stream(options->seed, purpose, group, 0);
    struct random random = random_stream(options->seed, purpose, group, trial + 1);
    env_draw_hidden(collector->env, &hidden);
    for (size_t attempt = 0; attempt < attempts; attempt++) {
        struct episode_outcome outcome = collector_play_episode(collector, &random, number);
        if (outcome.end != ENV_FAILED) {
            collector->played++;
            collector->return_sum += outcome.sum;
            collector_show_progress(collector, 0);
            return collector_save_episode(collector, number, &outcome, failure);
        }
        collector->redrawn++;
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %zu unstable simulations in a row (group %zu, episode %zu), "
                       "expected a stable one; use less action noise or another seed",
                       collector->spec->task, attempts, group, trial);
}

/* --- A worker's episodes
 * -------------------------------------------------------------------------- */

/* A unit of work is a group where its episodes share a context, else a single episode. */
static size_t unit_episodes(const struct collector_options *options)
{
    return options->behaviour->curriculum == BEHAVIOUR_TRIALS ? options->episodes : 1;
}

static bool is_unit_finished(const struct collector *collector, size_t first, size_t count)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        there += episode_log_has(collector->log, first + i);
    }
    return there == count;
}

static bool play_unit(struct collector *collector, size_t first, size_t count,
                      struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        if (!collect_episode(collector, first + i, failure)) {
            return false;
        }
    }
    return true;
}

/* Play a worker's units, or count them where `failure` is NULL. */
static bool collector_work_through(struct collector *collector, size_t worker, size_t worker_count,
                                   size_t *units, struct failure *failure)
{
    size_t length = unit_episodes(collector->options);
    size_t left = 0;
    for (size_t first = 0; first < collector->job.log_options.episodes; first += length) {
        if (is_unit_finished(collector, first, length)) {
            continue;
        }
        bool is_own = (left + left / worker_count) % worker_count == worker;
        left++;
        *units += is_own;
        if (is_own && failure && !play_unit(collector, first, length, failure)) {
            return false;
        }
    }
    return true;
}

bool collector_play(struct collector *collector, size_t worker, size_t worker_count,
                    struct failure *failure)
{
    size_t units = 0;
    collector_work_through(collector, worker, worker_count, &units, NULL);
    size_t steps = units * unit_episodes(collector->options) * collector->spec->steps_max;
    snprintf(collector->label, sizeof collector->label, "collect, share %zu of %zu", worker + 1,
             worker_count);
    collector->progress = progress_begin(worker_count > 1 ? collector->label : "collect", 0, steps);
    return collector_work_through(collector, worker, worker_count, &units, failure);
}

size_t collector_finished(const struct collector *collector)
{
    return episode_log_count(collector->log);
}

size_t collector_redrawn(const struct collector *collector)
{
    return collector->redrawn;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

struct collector *collector_open(const struct collector_options *options, struct failure *failure)
{
    struct collector *collector = memory_take(1, sizeof *collector);
    collector->options = options;
    collector->spec = env_task_spec(options->task);
    describe_job(&collector->job, options);
    collector->log = episode_log_open(&collector->job.log_options, failure);
    if (!collector->log) {
        collector_close(collector);
        return NULL;
    }
    collector->env = env_open(options->task);
    episode_buffer_reserve(&collector->buffer, &collector->job.spec, collector->spec->steps_max);
    collector->row_action = memory_take(collector->spec->action_dim, sizeof(float));
    return collector;
}

void collector_close(struct collector *collector)
{
    if (!collector) {
        return;
    }
    env_close(collector->env);
    episode_log_close(collector->log);
    episode_buffer_free(&collector->buffer);
    memory_free(collector->row_action);
    memory_free(collector);
}

bool collector_merge(const struct collector_options *options, struct collector_summary *summary,
                     struct failure *failure)
{
    struct collection_job job;
    describe_job(&job, options);
    if (!episode_log_merge(&job.log_options, failure)) {
        return false;
    }
    struct store *store = store_open(options->path, failure);
    if (!store) {
        return false;
    }
    collector_summarise(summary, store);
    store_close(store);
    return true;
}

bool collector_discard(const struct collector_options *options, struct failure *failure)
{
    struct collection_job job;
    describe_job(&job, options);
    return episode_log_discard(&job.log_options, failure);
}

bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure)
{
    if (!collector_prepare(options, failure)) {
        return false;
    }
    struct collector *collector = collector_open(options, failure);
    bool is_played = collector && collector_play(collector, 0, 1, failure);
    size_t redrawn = is_played ? collector_redrawn(collector) : 0;
    collector_close(collector);
    if (failure->code == EXIT_CODE_CONFIG) {
        collector_discard(options, &(struct failure){0});
    }
    bool is_joined = is_played && collector_merge(options, summary, failure);
    summary->redrawn = is_joined ? redrawn : 0;
    return is_joined;
}

#include "datasets/jobs/collector.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "comm/comm.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/jobs/store_job.h"

enum { ATTEMPTS_MAX = 8, RECIPE_MAX = 4096 };

struct collector {
    const struct collector_options *options;
    const struct env_spec *spec;
    struct store_spec store_spec;
    struct env *env;
    struct labeller *labeller;    /* NULL: there are no labels */
    struct episode_buffer buffer; /* of the current episode, steps_max steps */
    struct behaviour_row row;
    float *row_action; /* (action_dim) */

    /* Progress in steps of this rank; an episode counts as one of the longest. */
    struct progress progress;
    size_t played;
    double return_sum;
};

struct episode_outcome {
    size_t length;  /* steps before it ended or became unstable */
    size_t redrawn; /* attempts before it */
    double sum;     /* of its rewards */
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
    bool rises = options->behaviour->has_curriculum && options->episodes > 1;
    return rises ? (double)episode / (double)(options->episodes - 1) : 1.0;
}

static void name_sources(struct store_spec *store, const struct collector_options *options)
{
    const struct behaviour *behaviour = options->behaviour;
    bool are_alike = !behaviour->has_curriculum && !behaviour->remembers_trials;
    store->source_count = are_alike ? 1 : size_min(options->episodes, STORE_SOURCES_MAX);
    const char *rest = store->source_count < options->episodes ? " and up" : "";
    for (size_t i = 0; i < store->source_count; i++) {
        size_t first = divide_up(i * options->episodes, store->source_count);
        char *source = store->sources[i];
        if (behaviour->has_curriculum) {
            snprintf(source, STORE_NAME_MAX, "%s, expertise %.3f%s", behaviour->name,
                     expertise_of(options, first), rest);
        } else if (behaviour->remembers_trials) {
            snprintf(source, STORE_NAME_MAX, "%s, trial %zu%s", behaviour->name, first + 1, rest);
        } else {
            snprintf(source, STORE_NAME_MAX, "%s", behaviour->name);
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
        .actions = spec->actions,
        .physics_dim = spec->physics_dim,
        .hidden_dim = spec->hidden_dim,
        .control_timestep = spec->control_timestep,
    };
    snprintf(store->domain, sizeof store->domain, "%s", spec->domain);
    snprintf(store->simulator, sizeof store->simulator, "%s%s", spec->simulator,
             spec->inertia == INERTIA_LEGACY ? ", legacy inertia of capsules" : "");
    snprintf(store->tasks[0], sizeof store->tasks[0], "%s", spec->task);
    snprintf(store->reward_source[0], sizeof store->reward_source[0], "simulated");
    char source[sizeof options->behaviour->source + 64];
    snprintf(source, sizeof source, "%s, seed %" PRIu64, options->behaviour->source, options->seed);
    description_copy_text(store->source, sizeof store->source, source);
    name_sources(store, options);
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

/* The environment and the behaviour at the first step of an episode: of an empty context, unless
 * the behaviour remembers the trials before. */
static void collector_begin_episode(struct collector *collector, const struct random *random,
                                    size_t number)
{
    const struct collector_options *options = collector->options;
    const struct behaviour *behaviour = options->behaviour;
    struct behaviour_row *row = &collector->row;
    size_t trial = number % options->episodes;
    if (trial == 0 || !behaviour->remembers_trials) {
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

/* Let the behaviour act once, and write down what that leads to. */
static enum env_end collector_step(struct collector *collector)
{
    const struct env_spec *spec = collector->spec;
    const struct behaviour *behaviour = collector->options->behaviour;
    struct behaviour_row *row = &collector->row;
    struct episode_buffer *buffer = &collector->buffer;
    invariant(row->time < spec->steps_max);
    row->observation = buffer->observation + row->time * spec->observation_dim;
    behaviour->act(behaviour, row, 1);
    memcpy(buffer->action + row->time * spec->action_dim, row->action,
           spec->action_dim * sizeof *row->action);
    struct env_outcome outcome = env_step(collector->env, row->action);
    buffer->reward[0][row->time] = outcome.reward;
    behaviour_record(row, outcome);
    record_state(collector, row->time);
    return outcome.end;
}

/* Play one episode into the buffer; draws from the stream where it is. */
static struct episode_outcome collector_play_episode(struct collector *collector,
                                                     struct random *random, size_t number)
{
    struct behaviour_row *row = &collector->row;
    struct episode_outcome result = {.end = ENV_RUNNING};
    collector_begin_episode(collector, random, number);
    record_state(collector, 0);
    while (result.end == ENV_RUNNING) {
        result.end = collector_step(collector);
        if (result.end != ENV_FAILED) {
            result.length = row->time;
            result.sum = row->return_so_far;
        }
        if (result.end == ENV_RUNNING) {
            collector_show_progress(collector, row->time);
        }
    }
    *random = row->random;
    return result;
}

static bool collector_save_episode(struct collector *collector, struct episode_log *log,
                                   size_t number, const struct episode_outcome *outcome,
                                   struct failure *failure)
{
    const struct env_spec *spec = collector->spec;
    size_t episodes = collector->options->episodes;
    size_t sources = collector->store_spec.source_count;
    if (spec->hidden_dim > 0) {
        env_get_hidden(collector->env, collector->buffer.hidden);
    }
    struct store_episode episode =
        episode_buffer_view(&collector->buffer, &collector->store_spec, outcome->length);
    episode.group = spec->hidden_dim > 0 ? (int64_t)(number / episodes) : 0;
    episode.end = outcome->end == ENV_TERMINATED ? STORE_END_TERMINATED : STORE_END_TRUNCATED;
    episode.source = number % episodes * sources / episodes;
    if (collector->labeller) {
        episode.label = labeller_label(collector->labeller, &episode, number);
    }
    const struct episode_tally tally = {.partial = outcome->end == ENV_FAILED,
                                        .redrawn = outcome->redrawn};
    return episode_log_append(log, number, &episode, &tally, failure);
}

/* Play one stable episode and log it. Further attempts continue the same random stream; a context
 * remembers the first one, so its stable steps are kept. */
static bool collect_episode(struct collector *collector, struct episode_log *log, size_t number,
                            struct failure *failure)
{
    const struct collector_options *options = collector->options;
    size_t group = number / options->episodes;
    size_t trial = number % options->episodes;
    bool is_context = options->behaviour->remembers_trials;
    size_t attempts = is_context ? 1 : ATTEMPTS_MAX;
    /* Of a continuum a policy must not meet the hidden tasks again that it was trained on. */
    enum random_purpose purpose =
        options->behaviour->is_trained ? RANDOM_COLLECT_POLICY : RANDOM_COLLECT;
    /* Sample 0 of a group's streams draws its hidden task, the others its episodes. */
    struct random hidden = random_stream(options->seed, purpose, group, 0);
    struct random random = random_stream(options->seed, purpose, group, trial + 1);
    env_draw_hidden(collector->env, ENV_SPLIT_TRAINING, &hidden);
    for (size_t attempt = 0; attempt < attempts; attempt++) {
        struct episode_outcome outcome = collector_play_episode(collector, &random, number);
        if (outcome.end != ENV_FAILED || (is_context && outcome.length > 0)) {
            collector->played++;
            collector->return_sum += outcome.sum;
            collector_show_progress(collector, 0);
            outcome.redrawn = attempt;
            /* Trials that an earlier run has logged are played only to be remembered. */
            return episode_log_has(log, number) ||
                   collector_save_episode(collector, log, number, &outcome, failure);
        }
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %zu unstable simulations in a row (group %zu, episode %zu), "
                       "expected a stable one; use less action noise or another seed for another "
                       "output, since this one keeps what is finished",
                       collector->spec->task, attempts, group, trial);
}

/* --- All episodes ----------------------------------------------------------------------------- */

static bool collector_open(struct collector *collector, const struct collector_options *options,
                           struct failure *failure)
{
    *collector = (struct collector){
        .options = options,
        .spec = env_task_spec(options->task),
        .env = env_open(options->task),
        .row_action = memory_take(env_task_spec(options->task)->action_dim, sizeof(float)),
    };
    describe_store(&collector->store_spec, options);
    episode_buffer_reserve(&collector->buffer, &collector->store_spec, collector->spec->steps_max);
    if (options->expert.task) {
        collector->labeller = labeller_open(&options->expert, &collector->store_spec, failure);
    }
    return !options->expert.task || collector->labeller;
}

static void collector_close(struct collector *collector)
{
    labeller_close(collector->labeller);
    env_close(collector->env);
    episode_buffer_free(&collector->buffer);
    memory_free(collector->row_action);
}

/* Play this rank's units: groups where their episodes share a context, else single episodes. */
static void collector_play(struct collector *collector, struct store_job *job, size_t unit)
{
    char label[48];
    snprintf(label, sizeof label, "collect, share 1 of %zu", comm_size());
    collector->progress = progress_begin(comm_size() > 1 ? label : "collect", 0,
                                         store_job_units(job) * unit * collector->spec->steps_max);
    for (size_t first; store_job_next(job, &first);) {
        bool ok = true;
        for (size_t number = first; ok && number < first + unit; number++) {
            struct failure failure = {0};
            ok = collect_episode(collector, store_job_log(job), number, &failure);
            if (!ok) {
                store_job_fail(job, number, &failure);
            }
        }
    }
}

/* Open the job, play, merge. */
static bool collector_make_store(struct collector *collector, struct episode_log_result *result,
                                 struct failure *failure)
{
    const struct collector_options *options = collector->options;
    const struct store_spec *spec = &collector->store_spec;
    char recipe[RECIPE_MAX];
    snprintf(recipe, sizeof recipe,
             "task = %s\nsimulator = %s\npolicy = %s\nlabels = %s\nseed = %" PRIu64
             "\ngroups = %zu\nepisodes = %zu\n",
             spec->tasks[0], spec->simulator, options->behaviour->source,
             options->expert.task ? options->expert.behaviour->source : "none", options->seed,
             options->groups, options->episodes);
    const struct store_job_options job_options = {
        .log = {.path = options->path,
                .spec = spec,
                .recipe = recipe,
                .episodes = options->groups * options->episodes},
        .unit = options->behaviour->remembers_trials ? options->episodes : 1,
        .keeps_finished = true,
    };
    struct store_job *job = store_job_open(&job_options, failure);
    if (!job) {
        return false;
    }
    if (store_job_finished(job) > 0) {
        log_line("collect: %zu of %zu episodes are finished already; going on",
                 store_job_finished(job), job_options.log.episodes);
    }
    collector_play(collector, job, job_options.unit);
    return store_job_finish(job, result, failure);
}

bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure)
{
    check_options(options, failure);
    if (!comm_agree_on(failure)) {
        return false;
    }
    struct collector collector;
    struct episode_log_result result;
    collector_open(&collector, options, failure);
    bool ok = comm_agree_on(failure) && collector_make_store(&collector, &result, failure);
    collector_close(&collector);
    struct store *store = ok ? store_open(options->path, failure) : NULL;
    if (store) {
        collector_summarise(summary, store);
        summary->redrawn = result.tally.redrawn;
        summary->cut = result.tally.partial;
    }
    store_close(store);
    return comm_agree_on(failure);
}

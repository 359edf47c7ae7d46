#include "datasets/collector.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "datasets/store.h"
#include "datasets/store_parts.h"

enum { ATTEMPTS_MAX = 8, RECIPE_MAX = 2048 };

/* What the parts are asked for. */
struct order {
    struct store_parts_plan plan;
    struct store_spec spec;
    char recipe[RECIPE_MAX];
};

struct collector {
    const struct collector_options *options;
    const struct env_spec *spec;
    struct order order;
    struct env *env;
    struct store_parts *parts;
    float *observation; /* (steps_max + 1, observation_dim) of the episode at hand */
    float *action;      /* (steps_max, action_dim) */
    float *reward;      /* (steps_max) */
    double *physics;    /* (steps_max + 1, physics_dim) */
    double *hidden;     /* (hidden_dim) */
    struct behaviour_row row;
    float *row_action; /* (action_dim) */
    size_t redrawn;

    /* What is shown: steps of this share, an episode counting as its longest. */
    struct progress progress;
    char label[48];
    size_t played;
    double return_sum;
};

/* What an episode came to. */
struct outcome {
    size_t length;
    double sum; /* of its rewards */
    enum env_end end;
};

/* --- What is wanted --------------------------------------------------------------------------- */

static bool check_options(const struct collector_options *options, struct failure *failure)
{
    /* The random stream of an episode is named by its group and its number in it. */
    bool is_sane = options->groups > 0 && options->groups <= UINT32_MAX && options->episodes > 0 &&
                   options->episodes < UINT32_MAX;
    return is_sane ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu groups of %zu episodes to collect, expected at least one of "
                       "each and fewer than %u; change their numbers",
                       options->groups, options->episodes, (unsigned)UINT32_MAX);
}

/* Equal parts of a group's episodes, in which some are of one source or one expertise. */
static size_t part_of(size_t episode, size_t parts, size_t episodes)
{
    return episode * parts / episodes;
}

static size_t first_of_part(size_t part, size_t parts, size_t episodes)
{
    return divide_up(part * episodes, parts);
}

static double expertise_of(const struct collector_options *options, size_t episode)
{
    return options->episodes > 1 ? (double)episode / (double)(options->episodes - 1) : 1.0;
}

static void name_sources(struct store_spec *store, const struct collector_options *options)
{
    const char *name = options->behaviour->name;
    size_t most = options->behaviour->curriculum == BEHAVIOUR_NO_CURRICULUM ? 1 : STORE_SOURCES_MAX;
    store->source_count = options->episodes < most ? options->episodes : most;
    const char *rest = store->source_count < options->episodes ? " and up" : "";
    for (size_t i = 0; i < store->source_count; i++) {
        size_t first = first_of_part(i, store->source_count, options->episodes);
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

static void describe(struct store_spec *store, const struct collector_options *options)
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

/* The order points into itself. */
static void make_order(struct order *order, const struct collector_options *options)
{
    describe(&order->spec, options);
    snprintf(order->recipe, sizeof order->recipe,
             "task = %s\nsimulator = %s\npolicy = %s\ngroups = %zu\nepisodes = %zu\n",
             order->spec.tasks[0], order->spec.simulator, order->spec.source, options->groups,
             options->episodes);
    order->plan = (struct store_parts_plan){
        .path = options->path,
        .spec = &order->spec,
        .recipe = order->recipe,
        .episodes = options->groups * options->episodes,
    };
}

bool collector_prepare(const struct collector_options *options, struct failure *failure)
{
    struct order order;
    if (!check_options(options, failure)) {
        return false;
    }
    make_order(&order, options);
    return store_parts_prepare(&order.plan, failure);
}

/* --- One episode ------------------------------------------------------------------------------ */

static void record_state(struct collector *collector, size_t row)
{
    const struct env_spec *spec = collector->spec;
    env_observe(collector->env, collector->observation + row * spec->observation_dim);
    env_get_physics(collector->env, collector->physics + row * spec->physics_dim);
}

static void show(struct collector *collector, size_t steps)
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
static void begin_episode(struct collector *collector, const struct random *random, size_t number)
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

/* One episode into the buffers; goes on in the stream. */
static struct outcome play(struct collector *collector, struct random *random, size_t number)
{
    const struct env_spec *spec = collector->spec;
    const struct behaviour *behaviour = collector->options->behaviour;
    struct behaviour_row *row = &collector->row;
    struct outcome result = {.end = ENV_RUNNING};
    begin_episode(collector, random, number);
    record_state(collector, 0);
    while (result.end == ENV_RUNNING) {
        invariant(row->time < spec->steps_max);
        row->observation = collector->observation + row->time * spec->observation_dim;
        behaviour->act(behaviour, row, 1);
        memcpy(collector->action + row->time * spec->action_dim, row->action,
               spec->action_dim * sizeof *row->action);
        struct env_outcome outcome = env_step(collector->env, row->action);
        collector->reward[row->time] = outcome.reward;
        behaviour_record(row, outcome);
        result.end = outcome.end;
        record_state(collector, row->time);
        if (result.end == ENV_RUNNING) {
            show(collector, row->time);
        }
    }
    result.length = row->time;
    result.sum = row->return_so_far;
    *random = row->random;
    return result;
}

static bool keep(struct collector *collector, size_t number, const struct outcome *outcome,
                 struct failure *failure)
{
    const struct env_spec *spec = collector->spec;
    size_t episodes = collector->options->episodes;
    size_t sources = collector->order.spec.source_count;
    if (spec->hidden_dim > 0) {
        env_get_hidden(collector->env, collector->hidden);
    }
    struct store_episode episode = {
        .length = outcome->length,
        .observation = collector->observation,
        .action = collector->action,
        .reward = {collector->reward},
        .physics = spec->physics_dim > 0 ? collector->physics : NULL,
        .hidden = spec->hidden_dim > 0 ? collector->hidden : NULL,
        .group = spec->hidden_dim > 0 ? (int64_t)(number / episodes) : 0,
        .end = outcome->end == ENV_TERMINATED ? STORE_END_TERMINATED : STORE_END_TRUNCATED,
        .source = part_of(number % episodes, sources, episodes),
    };
    return store_parts_has(collector->parts, number) ||
           store_parts_add(collector->parts, number, &episode, failure);
}

/* One stable episode, kept and counted. Every attempt goes on in the same stream. */
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
        struct outcome outcome = play(collector, &random, number);
        if (outcome.end != ENV_FAILED) {
            collector->played++;
            collector->return_sum += outcome.sum;
            show(collector, 0);
            return keep(collector, number, &outcome, failure);
        }
        collector->redrawn++;
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %zu unstable simulations in a row (group %zu, episode %zu), "
                       "expected a stable one; use less action noise or another seed",
                       collector->spec->task, attempts, group, trial);
}

/* --- A share of them -------------------------------------------------------------------------- */

/* Episodes that one plays in a row: a group in its context, or a single one. */
static size_t run_length(const struct collector_options *options)
{
    return options->behaviour->curriculum == BEHAVIOUR_TRIALS ? options->episodes : 1;
}

static bool is_finished(const struct collector *collector, size_t first, size_t count)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        there += store_parts_has(collector->parts, first + i);
    }
    return there == count;
}

static bool play_run(struct collector *collector, size_t first, size_t count,
                     struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        if (!collect_episode(collector, first + i, failure)) {
            return false;
        }
    }
    return true;
}

/* Play the runs of a share, or count them where `failure` is NULL. */
static bool go_through(struct collector *collector, size_t sharer, size_t sharers, size_t *runs,
                       struct failure *failure)
{
    size_t length = run_length(collector->options);
    size_t left = 0;
    for (size_t first = 0; first < collector->order.plan.episodes; first += length) {
        if (is_finished(collector, first, length)) {
            continue;
        }
        bool is_own = (left + left / sharers) % sharers == sharer;
        left++;
        *runs += is_own;
        if (is_own && failure && !play_run(collector, first, length, failure)) {
            return false;
        }
    }
    return true;
}

bool collector_play(struct collector *collector, size_t sharer, size_t sharers,
                    struct failure *failure)
{
    size_t runs = 0;
    go_through(collector, sharer, sharers, &runs, NULL);
    size_t steps = runs * run_length(collector->options) * collector->spec->steps_max;
    snprintf(collector->label, sizeof collector->label, "collect, share %zu of %zu", sharer + 1,
             sharers);
    collector->progress = progress_begin(sharers > 1 ? collector->label : "collect", 0, steps);
    return go_through(collector, sharer, sharers, &runs, failure);
}

size_t collector_finished(const struct collector *collector)
{
    return store_parts_count(collector->parts);
}

size_t collector_redrawn(const struct collector *collector)
{
    return collector->redrawn;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

struct collector *collector_open(const struct collector_options *options, struct failure *failure)
{
    struct collector *collector = memory_take(1, sizeof *collector);
    const struct env_spec *spec = env_task_spec(options->task);
    size_t steps = spec->steps_max;
    collector->options = options;
    collector->spec = spec;
    make_order(&collector->order, options);
    collector->parts = store_parts_open(&collector->order.plan, failure);
    if (!collector->parts) {
        collector_close(collector);
        return NULL;
    }
    collector->env = env_open(options->task);
    collector->observation = memory_take((steps + 1) * spec->observation_dim, sizeof(float));
    collector->action = memory_take(steps * spec->action_dim, sizeof(float));
    collector->reward = memory_take(steps, sizeof(float));
    collector->row_action = memory_take(spec->action_dim, sizeof(float));
    collector->physics = memory_take((steps + 1) * spec->physics_dim, sizeof(double));
    collector->hidden = memory_take(spec->hidden_dim, sizeof(double));
    return collector;
}

void collector_close(struct collector *collector)
{
    if (!collector) {
        return;
    }
    env_close(collector->env);
    store_parts_close(collector->parts);
    memory_free(collector->observation);
    memory_free(collector->action);
    memory_free(collector->reward);
    memory_free(collector->row_action);
    memory_free(collector->physics);
    memory_free(collector->hidden);
    memory_free(collector);
}

bool collector_join(const struct collector_options *options, struct collector_summary *summary,
                    struct failure *failure)
{
    struct order order;
    make_order(&order, options);
    if (!store_parts_join(&order.plan, failure)) {
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
    struct order order;
    make_order(&order, options);
    return store_parts_discard(&order.plan, failure);
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
    bool is_joined = is_played && collector_join(options, summary, failure);
    summary->redrawn = is_joined ? redrawn : 0;
    return is_joined;
}

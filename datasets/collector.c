#include "datasets/collector.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "datasets/store.h"
#include "envs/env.h"

/* How much of the action noise stays from one step to the next: at 0.9 it pushes one way for about
 * ten steps, long enough to carry a body somewhere instead of shaking it. */
static const double noise_memory = 0.9;

enum { ATTEMPTS_MAX = 8 };

struct collector {
    const struct collector_options *options;
    struct env_task *task;
    const struct env_spec *spec;
    struct env *env;
    struct store_writer *writer;
    float *observation; /* (steps_max + 1, observation_dim) of the episode at hand */
    float *action;      /* (steps_max, action_dim) */
    float *reward;      /* (steps_max) */
    double *physics;    /* (steps_max + 1, physics_dim) */
    double *hidden;     /* (hidden_dim) */
    double *noise;      /* (action_dim): the autoregressive process */
    size_t rung_episodes[COLLECTOR_RUNGS_MAX];
    double return_squares; /* of the returns' distances from their mean so far, summed */
};

/* What an episode came to. */
struct episode_end {
    size_t length;
    double sum; /* of its rewards */
    enum env_end end;
};

static bool check_options(const struct collector_options *options, struct failure *failure)
{
    /* The random stream of an episode is named by its group and its number in it. */
    if (options->groups == 0 || options->groups > UINT32_MAX || options->episodes == 0 ||
        options->episodes >= UINT32_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found %zu groups of %zu episodes to collect, expected at least one of "
                           "each and fewer than %u; change their numbers",
                           options->groups, options->episodes, (unsigned)UINT32_MAX);
    }
    if (!isfinite(options->noise) || options->noise < 0.0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found action noise of deviation %g, expected 0 or more; change it",
                           options->noise);
    }
    return true;
}

static bool check_script(const struct collector_options *options, const struct env_spec *spec,
                         struct failure *failure)
{
    if (options->policy == COLLECTOR_SCRIPT && !spec->has_script) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "task %s: found no script, expected one for the script policy; collect "
                           "with the random policy or choose another task",
                           spec->task);
    }
    return true;
}

static void take_buffers(struct collector *collector)
{
    const struct env_spec *spec = collector->spec;
    size_t steps = spec->steps_max;
    collector->observation = memory_take((steps + 1) * spec->observation_dim, sizeof(float));
    collector->action = memory_take(steps * spec->action_dim, sizeof(float));
    collector->reward = memory_take(steps, sizeof(float));
    collector->physics = memory_take((steps + 1) * spec->physics_dim, sizeof(double));
    collector->hidden = memory_take(spec->hidden_dim, sizeof(double));
    collector->noise = memory_take(spec->action_dim, sizeof(double));
}

static struct store_spec describe(const struct collector *collector)
{
    const struct collector_options *options = collector->options;
    const struct env_spec *spec = collector->spec;
    struct store_spec store = {
        .task_count = 1,
        .observation_dim = spec->observation_dim,
        .action_dim = spec->action_dim,
        .physics_dim = spec->physics_dim,
        .hidden_dim = spec->hidden_dim,
        .control_timestep = spec->control_timestep,
    };
    snprintf(store.domain, sizeof store.domain, "%s", spec->domain);
    snprintf(store.simulator, sizeof store.simulator, "%s%s", env_simulator(),
             spec->inertia == INERTIA_LEGACY ? ", legacy inertia of capsules" : "");
    snprintf(store.tasks[0], sizeof store.tasks[0], "%s", spec->task);
    snprintf(store.reward_source[0], sizeof store.reward_source[0], "simulated");
    if (options->policy == COLLECTOR_SCRIPT) {
        snprintf(store.source, sizeof store.source, "script, noise %g, seed %llu", options->noise,
                 (unsigned long long)options->seed);
    } else {
        snprintf(store.source, sizeof store.source, "random, seed %llu",
                 (unsigned long long)options->seed);
    }
    return store;
}

static bool collector_open(struct collector *collector, const struct collector_options *options,
                           struct failure *failure)
{
    *collector = (struct collector){.options = options};
    if (!check_options(options, failure)) {
        return false;
    }
    collector->task = env_task_open_by(options->task, options->inertia, failure);
    if (!collector->task) {
        return false;
    }
    collector->spec = env_task_spec(collector->task);
    if (!check_script(options, collector->spec, failure)) {
        return false;
    }
    struct store_spec store = describe(collector);
    collector->writer = store_writer_open(options->path, &store, failure);
    if (!collector->writer) {
        return false;
    }
    collector->env = env_open(collector->task);
    take_buffers(collector);
    return true;
}

/* Gives back all that collector_open took, however far it came. */
static void collector_close(struct collector *collector)
{
    if (collector->env) {
        env_close(collector->env);
    }
    if (collector->writer) {
        store_writer_discard(collector->writer);
    }
    if (collector->task) {
        env_task_close(collector->task);
    }
    memory_free(collector->observation);
    memory_free(collector->action);
    memory_free(collector->reward);
    memory_free(collector->physics);
    memory_free(collector->hidden);
    memory_free(collector->noise);
}

static double skill_of(const struct collector_options *options, size_t episode)
{
    return options->episodes > 1 ? (double)episode / (double)(options->episodes - 1) : 1.0;
}

static void draw_policy(struct collector *collector, size_t episode, struct random *random)
{
    const struct collector_options *options = collector->options;
    if (options->policy != COLLECTOR_SCRIPT) {
        return;
    }
    env_script_draw(collector->env, skill_of(options, episode), random);
    for (size_t i = 0; i < collector->spec->action_dim; i++) {
        collector->noise[i] = options->noise * random_normal(random);
    }
}

/* The script's action with noise on it; the noise moves on so that its deviation stays. */
static void act_by_script(struct collector *collector, float *action, struct random *random)
{
    double fresh = collector->options->noise * sqrt(1.0 - noise_memory * noise_memory);
    env_script_act(collector->env, action);
    for (size_t i = 0; i < collector->spec->action_dim; i++) {
        double noisy = (double)action[i] + collector->noise[i];
        action[i] = (float)fmin(fmax(noisy, -1.0), 1.0);
        collector->noise[i] = noise_memory * collector->noise[i] + fresh * random_normal(random);
    }
}

static void act(struct collector *collector, float *action, struct random *random)
{
    if (collector->options->policy == COLLECTOR_SCRIPT) {
        act_by_script(collector, action, random);
        return;
    }
    for (size_t i = 0; i < collector->spec->action_dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
}

static void record_state(struct collector *collector, size_t row)
{
    const struct env_spec *spec = collector->spec;
    env_observe(collector->env, collector->observation + row * spec->observation_dim);
    env_get_physics(collector->env, collector->physics + row * spec->physics_dim);
}

/* One episode into the buffers. */
static struct episode_end play(struct collector *collector, size_t episode, struct random *random)
{
    const struct env_spec *spec = collector->spec;
    struct episode_end result = {.end = ENV_RUNNING};
    env_reset(collector->env, random);
    draw_policy(collector, episode, random);
    record_state(collector, 0);
    while (result.end == ENV_RUNNING) {
        invariant(result.length < spec->steps_max);
        float *action = collector->action + result.length * spec->action_dim;
        act(collector, action, random);
        struct env_outcome outcome = env_step(collector->env, action);
        collector->reward[result.length] = outcome.reward;
        result.length++;
        result.sum += (double)outcome.reward;
        result.end = outcome.end;
        record_state(collector, result.length);
    }
    return result;
}

static bool add(struct collector *collector, size_t group, const struct episode_end *end,
                struct failure *failure)
{
    const struct env_spec *spec = collector->spec;
    if (spec->hidden_dim > 0) {
        env_get_hidden(collector->env, collector->hidden);
    }
    struct store_episode episode = {
        .length = end->length,
        .observation = collector->observation,
        .action = collector->action,
        .reward = {collector->reward},
        .physics = spec->physics_dim > 0 ? collector->physics : NULL,
        .hidden = spec->hidden_dim > 0 ? collector->hidden : NULL,
        .group = spec->hidden_dim > 0 ? (int64_t)group : 0,
        .end = end->end == ENV_TERMINATED ? STORE_END_TERMINATED : STORE_END_TRUNCATED,
    };
    return store_writer_add(collector->writer, &episode, failure);
}

static void count(struct collector *collector, struct collector_summary *summary, size_t episode,
                  const struct episode_end *end)
{
    size_t rung = episode * summary->rungs / collector->options->episodes;
    summary->rung_return[rung] += end->sum;
    collector->rung_episodes[rung]++;
    summary->return_max = summary->episodes == 0 ? end->sum : fmax(summary->return_max, end->sum);
    summary->episodes++;
    summary->steps += end->length;
    double away = end->sum - summary->return_mean; /* Welford's running mean and squares */
    summary->return_mean += away / (double)summary->episodes;
    collector->return_squares += away * (end->sum - summary->return_mean);
}

/* One stable episode of a group, written and counted. Every attempt goes on in the same stream. */
static bool collect_episode(struct collector *collector, struct collector_summary *summary,
                            size_t group, size_t episode, struct failure *failure)
{
    struct random random =
        random_stream(collector->options->seed, RANDOM_COLLECT, group, episode + 1);
    for (size_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct episode_end end = play(collector, episode, &random);
        if (end.end != ENV_FAILED) {
            count(collector, summary, episode, &end);
            return add(collector, group, &end, failure);
        }
        summary->redrawn++;
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %d unstable simulations in a row (group %zu, episode %zu), "
                       "expected a stable one; use less action noise or another seed",
                       collector->spec->task, ATTEMPTS_MAX, group, episode);
}

static bool collect_group(struct collector *collector, struct collector_summary *summary,
                          struct progress *progress, size_t group, struct failure *failure)
{
    const struct collector_options *options = collector->options;
    /* Sample 0 of a group's streams draws its hidden task, the others its episodes. */
    struct random random = random_stream(options->seed, RANDOM_COLLECT, group, 0);
    if (collector->spec->hidden_dim > 0) {
        env_draw_hidden(collector->env, &random);
    }
    for (size_t episode = 0; episode < options->episodes; episode++) {
        if (!collect_episode(collector, summary, group, episode, failure)) {
            return false;
        }
        char detail[64];
        snprintf(detail, sizeof detail, "mean return %.2f", summary->return_mean);
        progress_show(progress, summary->episodes, detail);
    }
    return true;
}

static bool collect_all(struct collector *collector, struct collector_summary *summary,
                        struct failure *failure)
{
    const struct collector_options *options = collector->options;
    struct progress progress = progress_begin("collect", 0, options->groups * options->episodes);
    for (size_t group = 0; group < options->groups; group++) {
        if (!collect_group(collector, summary, &progress, group, failure)) {
            return false;
        }
    }
    struct store_writer *writer = collector->writer;
    collector->writer = NULL;
    return store_writer_commit(writer, failure);
}

static void finish(const struct collector *collector, struct collector_summary *summary)
{
    double episodes = (double)summary->episodes;
    summary->return_error = episodes > 1.0
                                ? sqrt(collector->return_squares / (episodes - 1.0) / episodes)
                                : (double)NAN;
    for (size_t rung = 0; rung < summary->rungs; rung++) {
        summary->rung_return[rung] /= (double)collector->rung_episodes[rung];
    }
    if (summary->redrawn > 0) {
        log_warning("%s: %zu episodes became unstable in simulation and were drawn again",
                    collector->options->path, summary->redrawn);
    }
}

bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure)
{
    size_t rungs =
        options->episodes < COLLECTOR_RUNGS_MAX ? options->episodes : COLLECTOR_RUNGS_MAX;
    *summary = (struct collector_summary){.rungs = rungs};
    struct collector collector;
    bool is_done =
        collector_open(&collector, options, failure) && collect_all(&collector, summary, failure);
    if (is_done) {
        finish(&collector, summary);
    }
    collector_close(&collector);
    return is_done;
}

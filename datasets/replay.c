#include "datasets/replay.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/statistics.h"
#include "datasets/store_verify.h"
#include "envs/env.h"

/* In metres, radians, seconds and their quotients. In one step of a moving body the rules differ by
 * 1e-4 and more. */
const double replay_tolerance = 1e-6;

/* The task under one rule. */
struct replayer {
    struct env_task *task;
    struct env *env;
    double *physics;                      /* (physics_dim), simulated */
    double gap;                           /* of this physics to the recorded one */
    double *residuals[REPLAY_QUANTITIES]; /* (steps) */
};

struct replay_run_state {
    struct replay *replay;
    const struct store *store;
    size_t task; /* in the store */
    const struct env_spec *spec;
    struct replayer replayers[INERTIA_RULES];
    double *recorded; /* (2, physics_dim): before and after the step */
    float *action;    /* (action_dim) */
    float reward;
    double *hidden; /* (hidden_dim) */
};

/* --- Opening ---------------------------------------------------------------------------------- */

static bool open_both_rules(struct replay_run_state *run, const char *name, struct failure *failure)
{
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        struct env_task *task = env_task_open_by(name, (enum inertia_rule)rule, failure);
        if (!task) {
            return false;
        }
        run->replayers[rule].task = task;
        run->spec = env_task_spec(task);
    }
    return true;
}

/* Open the first of the store's tasks that is known here, else any of its domain: that moves the
 * same, but rewards otherwise. */
static bool replay_open_tasks(struct replay_run_state *run, struct failure *failure)
{
    const struct store_spec *spec = store_spec(run->store);
    struct failure first = {0};
    for (run->task = 0; run->task < spec->task_count; run->task++) {
        if (open_both_rules(run, spec->tasks[run->task], &first)) {
            run->replay->has_rewards = true;
            return true;
        }
    }
    run->task = 0;
    const char *other = env_task_of_domain(spec->domain);
    return other ? open_both_rules(run, other, failure)
                 : failure_set(failure, first.code, "%s: %s", store_path(run->store), first.text);
}

static bool replay_check_size(const struct replay_run_state *run, const char *what, size_t found,
                              size_t expected, struct failure *failure)
{
    return found == expected ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %zu numbers of %s, expected %zu as task %s has; give the store "
                       "the task that its episodes are of",
                       store_path(run->store), found, what, expected, run->spec->task);
}

static bool replay_check_store(const struct replay_run_state *run, struct failure *failure)
{
    const struct store_spec *store = store_spec(run->store);
    const struct env_spec *spec = run->spec;
    invariant(spec);
    double timestep = store->control_timestep;
    return replay_check_size(run, "physics", store->physics_dim, spec->physics_dim, failure) &&
           replay_check_size(run, "an action", store->action_dim, spec->action_dim, failure) &&
           replay_check_size(run, "a hidden task", store->hidden_dim, spec->hidden_dim, failure) &&
           (fabs(timestep - spec->control_timestep) <= 1e-9 * spec->control_timestep ||
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found control steps of %g s, expected %g s as task %s has; give the "
                        "store the task that its episodes are of",
                        store_path(run->store), timestep, spec->control_timestep, spec->task));
}

static void replay_take_buffers(struct replay_run_state *run)
{
    const struct env_spec *spec = run->spec;
    run->recorded = memory_take(2 * spec->physics_dim, sizeof *run->recorded);
    run->action = memory_take(spec->action_dim, sizeof *run->action);
    run->hidden = memory_take(spec->hidden_dim, sizeof *run->hidden);
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        struct replayer *replayer = &run->replayers[rule];
        replayer->env = env_open(replayer->task);
        replayer->physics = memory_take(spec->physics_dim, sizeof *replayer->physics);
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            replayer->residuals[i] = memory_take(run->replay->steps, sizeof(double));
        }
    }
}

/* Release what replay_open_tasks and replay_take_buffers took, also after a failure. */
static void replay_close(struct replay_run_state *run)
{
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        struct replayer *replayer = &run->replayers[rule];
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            memory_free(replayer->residuals[i]);
        }
        memory_free(replayer->physics);
        env_close(replayer->env);
        env_task_close(replayer->task);
    }
    memory_free(run->recorded);
    memory_free(run->action);
    memory_free(run->hidden);
}

/* --- One step --------------------------------------------------------------------------------- */

/* |a - b|; infinite where one is NaN. */
static double difference(double a, double b)
{
    double gap = fabs(a - b);
    return isnan(gap) ? (double)INFINITY : gap;
}

static double largest_difference(const double *a, const double *b, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, difference(a[i], b[i]));
    }
    return largest;
}

static bool read_step(struct replay_run_state *run, size_t episode, size_t step,
                      struct failure *failure)
{
    return store_read_physics(run->store, episode, step, 2, run->recorded, failure) &&
           store_read_action(run->store, episode, step, 1, run->action, failure) &&
           store_read_reward(run->store, run->task, episode, step, 1, &run->reward, failure) &&
           store_read_hidden(run->store, episode, run->hidden, failure);
}

/* Simulate the step that has been read under one rule, into row `at` of the rule's residuals. */
static void replay_step(struct replay_run_state *run, size_t rule, size_t at)
{
    const struct env_spec *spec = run->spec;
    struct replayer *replayer = &run->replayers[rule];
    double *const *residuals = replayer->residuals;
    /* of positions, velocities and activations within the physics */
    const size_t bounds[] = {0, spec->position_dim, spec->position_dim + spec->velocity_dim,
                             spec->physics_dim};
    const double *after = run->recorded + spec->physics_dim;
    env_set_hidden(replayer->env, run->hidden);
    env_set_physics(replayer->env, run->recorded);
    struct env_outcome outcome = env_step(replayer->env, run->action);
    if (outcome.end == ENV_FAILED) {
        run->replay->fits[rule].failed++;
        replayer->gap = (double)INFINITY;
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            residuals[i][at] = (double)INFINITY;
        }
        return;
    }
    env_get_physics(replayer->env, replayer->physics);
    replayer->gap = 0.0;
    for (size_t i = REPLAY_POSITION; i <= REPLAY_ACTIVATION; i++) {
        size_t first = bounds[i];
        residuals[i][at] =
            largest_difference(replayer->physics + first, after + first, bounds[i + 1] - first);
        replayer->gap = fmax(replayer->gap, residuals[i][at]);
    }
    float relabelled = env_relabel(replayer->env, after, NULL);
    residuals[REPLAY_REWARD][at] = difference((double)outcome.reward, (double)run->reward);
    residuals[REPLAY_RELABELLED][at] = difference((double)relabelled, (double)run->reward);
}

/* Which rule is nearer, where they differ. */
static void compare_rules(const struct replay_run_state *run)
{
    struct replay *replay = run->replay;
    const struct replayer *exact = &run->replayers[INERTIA_EXACT];
    const struct replayer *legacy = &run->replayers[INERTIA_LEGACY];
    if (!isfinite(exact->gap) || !isfinite(legacy->gap)) {
        return;
    }
    double rule_difference =
        largest_difference(exact->physics, legacy->physics, run->spec->physics_dim);
    replay->rule_difference = fmax(replay->rule_difference, rule_difference);
    if (rule_difference > replay_tolerance) {
        replay->distinguishing++;
        replay->fits[INERTIA_EXACT].nearer += exact->gap < legacy->gap;
        replay->fits[INERTIA_LEGACY].nearer += legacy->gap < exact->gap;
    }
}

/* --- All steps -------------------------------------------------------------------------------- */

static bool replay_all(struct replay_run_state *run, struct failure *failure)
{
    size_t episode = 0, begin = 0; /* the episode's first step */
    size_t verified = SIZE_MAX;
    double stride = (double)store_step_count(run->store) / (double)run->replay->steps;
    struct progress progress = progress_begin("replay", 0, run->replay->steps);
    for (size_t at = 0; at < run->replay->steps; at++) {
        size_t step = (size_t)((double)at * stride);
        while (step - begin >= store_length(run->store, episode)) {
            begin += store_length(run->store, episode++);
        }
        if (episode != verified && !store_verify(run->store, episode, failure)) {
            return false;
        }
        verified = episode;
        if (!read_step(run, episode, step - begin, failure)) {
            return false;
        }
        for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
            replay_step(run, rule, at);
        }
        compare_rules(run);
        progress_show(&progress, at + 1, "");
    }
    return true;
}

static bool is_match(const struct replay *replay, enum inertia_rule rule)
{
    for (size_t i = REPLAY_POSITION; i <= REPLAY_ACTIVATION; i++) {
        const struct replay_residual *residual = &replay->fits[rule].residuals[i];
        double judged = replay->is_by_rules ? residual->maximum : residual->median;
        if (!(judged <= replay_tolerance)) {
            return false;
        }
    }
    return true;
}

static enum replay_verdict replay_verdict_of(const struct replay *replay)
{
    const struct replay_fit *exact = &replay->fits[INERTIA_EXACT];
    const struct replay_fit *legacy = &replay->fits[INERTIA_LEGACY];
    if (replay->distinguishing == 0) {
        bool both = is_match(replay, INERTIA_EXACT) && is_match(replay, INERTIA_LEGACY);
        return both ? REPLAY_MATCHES_BOTH : REPLAY_MATCHES_NEITHER;
    }
    bool is_legacy = legacy->nearer > exact->nearer;
    if (!is_match(replay, is_legacy ? INERTIA_LEGACY : INERTIA_EXACT)) {
        return REPLAY_MATCHES_NEITHER;
    }
    return is_legacy ? REPLAY_MATCHES_LEGACY : REPLAY_MATCHES_EXACT;
}

static void replay_finish(struct replay *replay, const struct replayer *replayers)
{
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            double *residuals = replayers[rule].residuals[i];
            statistics_sort(residuals, replay->steps);
            replay->fits[rule].residuals[i] = (struct replay_residual){
                /* the upper one of two: residuals may be infinite */
                .median = residuals[replay->steps / 2],
                .maximum = residuals[replay->steps - 1],
            };
        }
    }
    replay->verdict = replay_verdict_of(replay);
}

bool replay_run(struct replay *replay, const struct store *store, size_t steps_max,
                struct failure *failure)
{
    if (store_spec(store)->physics_dim == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no physics, expected positions and velocities of every step "
                           "to replay; record them with the episodes",
                           store_path(store));
    }
    size_t steps = store_step_count(store);
    *replay = (struct replay){.store = store,
                              .steps = steps_max > 0 ? size_min(steps, steps_max) : steps};
    struct replay_run_state run = {.replay = replay, .store = store};
    bool is_done = replay_open_tasks(&run, failure) && replay_check_store(&run, failure);
    if (is_done) {
        replay->task = run.spec->task;
        replay->is_by_rules = strcmp(run.spec->simulator, "rules") == 0;
        replay_take_buffers(&run);
        is_done = replay_all(&run, failure);
    }
    if (is_done) {
        replay_finish(replay, run.replayers);
    }
    replay_close(&run);
    return is_done;
}

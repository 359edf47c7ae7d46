#include "datasets/replay.h"

#include <math.h>

#include "base/log.h"
#include "base/memory.h"
#include "datasets/percentile.h"
#include "envs/env.h"

/* Of metres, radians, seconds and their quotients. The rules part by 1e-4 and more in one step of
 * a body in motion. */
const double replay_tolerance = 1e-6;

/* The same task under one rule. */
struct replayer {
    struct env_task *task;
    struct env *env;
    double *physics;                      /* (physics_dim), simulated */
    double *residuals[REPLAY_QUANTITIES]; /* (steps) */
};

struct replay_job {
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

/* The first of the store's tasks that we have. */
static bool open_tasks(struct replay_job *job, struct failure *failure)
{
    const struct store_spec *store = store_spec(job->store);
    struct failure first = {0};
    for (job->task = 0; job->task < store->task_count; job->task++) {
        struct replayer *replayers = job->replayers;
        const char *name = store->tasks[job->task];
        replayers[INERTIA_EXACT].task = env_task_open_by(name, INERTIA_EXACT, &first);
        if (replayers[INERTIA_EXACT].task) {
            replayers[INERTIA_LEGACY].task = env_task_open_by(name, INERTIA_LEGACY, failure);
            job->spec = env_task_spec(replayers[INERTIA_EXACT].task);
            return replayers[INERTIA_LEGACY].task;
        }
    }
    failure_set(failure, first.code, "%s: %s", store_path(job->store), first.text);
    return false;
}

static bool check_size(const struct replay_job *job, const char *what, size_t found,
                       size_t expected, struct failure *failure)
{
    return found == expected ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %zu numbers of %s, expected %zu as task %s has; give the store "
                       "the task that its episodes are of",
                       store_path(job->store), found, what, expected, job->spec->task);
}

static bool check_store(const struct replay_job *job, struct failure *failure)
{
    const struct store_spec *store = store_spec(job->store);
    const struct env_spec *spec = job->spec;
    double timestep = store->control_timestep;
    return check_size(job, "physics", store->physics_dim, spec->physics_dim, failure) &&
           check_size(job, "an action", store->action_dim, spec->action_dim, failure) &&
           check_size(job, "a hidden task", store->hidden_dim, spec->hidden_dim, failure) &&
           (fabs(timestep - spec->control_timestep) <= 1e-9 * spec->control_timestep ||
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found control steps of %g s, expected %g s as task %s has; give the "
                        "store the task that its episodes are of",
                        store_path(job->store), timestep, spec->control_timestep, spec->task));
}

static bool job_open(struct replay_job *job, struct replay *replay, const struct store *store,
                     struct failure *failure)
{
    *job = (struct replay_job){.replay = replay, .store = store};
    if (store_spec(store)->physics_dim == 0) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found no physics, expected positions and velocities of every step to "
                    "replay; record them with the episodes",
                    store_path(store));
        return false;
    }
    return open_tasks(job, failure) && check_store(job, failure);
}

static void take_buffers(struct replay_job *job)
{
    const struct env_spec *spec = job->spec;
    job->recorded = memory_take(2 * spec->physics_dim, sizeof *job->recorded);
    job->action = memory_take(spec->action_dim, sizeof *job->action);
    job->hidden = memory_take(spec->hidden_dim, sizeof *job->hidden);
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        struct replayer *replayer = &job->replayers[rule];
        replayer->env = env_open(replayer->task);
        replayer->physics = memory_take(spec->physics_dim, sizeof *replayer->physics);
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            replayer->residuals[i] = memory_take(job->replay->steps, sizeof(double));
        }
    }
}

/* Gives back all that job_open and take_buffers took, however far they came. */
static void job_close(struct replay_job *job)
{
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        struct replayer *replayer = &job->replayers[rule];
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            memory_free(replayer->residuals[i]);
        }
        memory_free(replayer->physics);
        env_close(replayer->env);
        env_task_close(replayer->task);
    }
    memory_free(job->recorded);
    memory_free(job->action);
    memory_free(job->hidden);
}

/* --- One step --------------------------------------------------------------------------------- */

/* The largest |a - b|; infinite where one is not a number. */
static double distance(const double *a, const double *b, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        double gap = fabs(a[i] - b[i]);
        largest = isnan(gap) ? (double)INFINITY : fmax(largest, gap);
    }
    return largest;
}

static double reward_residual(const struct replay_job *job, float reward)
{
    double simulated = (double)reward, recorded = (double)job->reward;
    return distance(&simulated, &recorded, 1);
}

static bool read_step(struct replay_job *job, size_t episode, size_t step, struct failure *failure)
{
    return store_read_physics(job->store, episode, step, 2, job->recorded, failure) &&
           store_read(job->store, job->task, episode, step, 1, NULL, job->action, &job->reward,
                      failure) &&
           store_read_hidden(job->store, episode, job->hidden, failure);
}

/* Simulate the step that has been read under one rule; row `at` of its residuals. */
static void replay_step(const struct replay_job *job, size_t rule, size_t at)
{
    const struct env_spec *spec = job->spec;
    const struct replayer *replayer = &job->replayers[rule];
    double *const *residuals = replayer->residuals;
    size_t velocity = spec->position_dim, activation = velocity + spec->velocity_dim;
    const double *after = job->recorded + spec->physics_dim;
    env_set_hidden(replayer->env, job->hidden);
    env_set_physics(replayer->env, job->recorded);
    struct env_outcome outcome = env_step(replayer->env, job->action);
    if (outcome.end == ENV_FAILED) {
        job->replay->fits[rule].failed++;
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            residuals[i][at] = (double)INFINITY;
        }
        return;
    }
    env_get_physics(replayer->env, replayer->physics);
    residuals[REPLAY_POSITION][at] = distance(replayer->physics, after, velocity);
    residuals[REPLAY_VELOCITY][at] =
        distance(replayer->physics + velocity, after + velocity, spec->velocity_dim);
    residuals[REPLAY_ACTIVATION][at] = distance(replayer->physics + activation, after + activation,
                                                spec->physics_dim - activation);
    residuals[REPLAY_REWARD][at] = reward_residual(job, outcome.reward);
    residuals[REPLAY_RELABELLED][at] =
        reward_residual(job, env_relabel(replayer->env, after, NULL));
}

static double physics_residual(const struct replayer *replayer, size_t at)
{
    return fmax(
        fmax(replayer->residuals[REPLAY_POSITION][at], replayer->residuals[REPLAY_VELOCITY][at]),
        replayer->residuals[REPLAY_ACTIVATION][at]);
}

/* Which rule is nearer, where they part. */
static void compare_rules(const struct replay_job *job, size_t at)
{
    struct replay *replay = job->replay;
    const struct replayer *exact = &job->replayers[INERTIA_EXACT];
    const struct replayer *legacy = &job->replayers[INERTIA_LEGACY];
    double found_exact = physics_residual(exact, at), found_legacy = physics_residual(legacy, at);
    if (!isfinite(found_exact) || !isfinite(found_legacy)) {
        return;
    }
    double parting = distance(exact->physics, legacy->physics, job->spec->physics_dim);
    replay->parting = fmax(replay->parting, parting);
    if (parting > replay_tolerance) {
        replay->telling++;
        replay->fits[INERTIA_EXACT].nearer += found_exact < found_legacy;
        replay->fits[INERTIA_LEGACY].nearer += found_legacy < found_exact;
    }
}

/* --- All steps -------------------------------------------------------------------------------- */

static bool replay_all(struct replay_job *job, struct failure *failure)
{
    size_t episode = 0, begin = 0; /* of the episode, among all steps */
    double stride = (double)store_step_count(job->store) / (double)job->replay->steps;
    struct progress progress = progress_begin("replay", 0, job->replay->steps);
    for (size_t at = 0; at < job->replay->steps; at++) {
        size_t step = (size_t)((double)at * stride);
        while (step - begin >= store_length(job->store, episode)) {
            begin += store_length(job->store, episode++);
        }
        if (!read_step(job, episode, step - begin, failure)) {
            return false;
        }
        for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
            replay_step(job, rule, at);
        }
        compare_rules(job, at);
        progress_show(&progress, at + 1, "");
    }
    return true;
}

/* The upper median, because residuals may be infinite. */
static struct replay_residual summarise(double *residuals, size_t count)
{
    percentile_sort(residuals, count);
    return (struct replay_residual){.median = residuals[count / 2],
                                    .maximum = residuals[count - 1]};
}

static bool is_obeyed(const struct replay_fit *fit)
{
    for (size_t i = REPLAY_POSITION; i <= REPLAY_ACTIVATION; i++) {
        if (!(fit->residuals[i].median <= replay_tolerance)) {
            return false;
        }
    }
    return true;
}

static enum replay_verdict judge(const struct replay *replay)
{
    const struct replay_fit *exact = &replay->fits[INERTIA_EXACT];
    const struct replay_fit *legacy = &replay->fits[INERTIA_LEGACY];
    if (replay->telling == 0) {
        return is_obeyed(exact) && is_obeyed(legacy) ? REPLAY_OBEYS_BOTH : REPLAY_OBEYS_NEITHER;
    }
    bool is_legacy = legacy->nearer > exact->nearer;
    if (!is_obeyed(is_legacy ? legacy : exact)) {
        return REPLAY_OBEYS_NEITHER;
    }
    return is_legacy ? REPLAY_OBEYS_LEGACY : REPLAY_OBEYS_EXACT;
}

static void finish(const struct replay_job *job)
{
    struct replay *replay = job->replay;
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        for (size_t i = 0; i < REPLAY_QUANTITIES; i++) {
            replay->fits[rule].residuals[i] =
                summarise(job->replayers[rule].residuals[i], replay->steps);
        }
    }
    replay->verdict = judge(replay);
}

bool replay_run(struct replay *replay, const struct store *store, size_t steps_max,
                struct failure *failure)
{
    size_t steps = store_step_count(store);
    *replay = (struct replay){.store = store,
                              .steps = steps_max > 0 && steps_max < steps ? steps_max : steps};
    struct replay_job job;
    bool is_done = job_open(&job, replay, store, failure);
    if (is_done) {
        replay->task = store_spec(store)->tasks[job.task];
        take_buffers(&job);
        is_done = replay_all(&job, failure);
    }
    if (is_done) {
        finish(&job);
    }
    job_close(&job);
    return is_done;
}

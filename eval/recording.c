#include "eval/recording.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "datasets/store_verify.h"

/* --- Rows ------------------------------------------------------------------------------------- */

static void recording_open(struct recording *recording, const struct env_spec *spec,
                           size_t capacity)
{
    *recording = (struct recording){
        .capacity = capacity,
        .physics_dim = spec->physics_dim,
        .physics = memory_take(capacity * spec->physics_dim, sizeof *recording->physics),
        .observation = memory_take(spec->observation_dim, sizeof *recording->observation),
        .hidden = memory_take(spec->hidden_dim, sizeof *recording->hidden),
    };
    (void)snprintf(recording->task, sizeof recording->task, "%s", spec->task);
}

void recording_close(struct recording *recording)
{
    memory_free(recording->physics);
    memory_free(recording->observation);
    memory_free(recording->hidden);
    *recording = (struct recording){0};
}

/* --- Observing -------------------------------------------------------------------------------- */

static void recording_begin_trial(struct recording *recording, const struct behaviour_row *row)
{
    const struct env_spec *spec = env_spec(row->env);
    if (!recording->physics) {
        recording_open(recording, spec, spec->steps_max + 1);
    }
    recording->rows = 0;
    memcpy(recording->observation, row->observation,
           spec->observation_dim * sizeof *recording->observation);
    env_get_hidden(row->env, recording->hidden);
}

static void recording_on_step(void *self, const struct behaviour_row *row)
{
    struct recording *recording = self;
    if (row->time == 0) {
        recording_begin_trial(recording, row);
    }
    recording->episode_return = row->return_so_far;
    invariant(recording->rows == row->time && recording->rows < recording->capacity);
    env_get_physics(row->env, recording->physics + recording->rows * recording->physics_dim);
    recording->rows++;
}

struct rollout_observer recording_observer(struct recording *recording)
{
    return (struct rollout_observer){.self = recording, .on_step = recording_on_step};
}

/* --- Playing ---------------------------------------------------------------------------------- */

bool recording_play(struct recording *recording, const char *task, enum recording_behaviour choice,
                    size_t trials, uint64_t seed, struct failure *failure)
{
    struct env_task *opened = env_task_open(task, failure);
    struct workers *workers = opened ? workers_open(1, failure) : NULL;
    struct behaviour behaviour = {0};
    const struct noise_options no_noise = {0};
    bool is_open = workers;
    if (is_open && choice == RECORDING_SCRIPT) {
        is_open = script_open(&behaviour, env_task_spec(opened), &no_noise, 1, failure);
    } else if (is_open) {
        behaviour = random_actions_open(env_task_spec(opened));
    }
    if (is_open) {
        struct rollout *rollout = rollout_open(opened, 1, workers);
        const struct rollout_observer observer = recording_observer(recording);
        const struct rollout_options options = {.observer = &observer,
                                                .contexts = 1,
                                                .stride = 1,
                                                .trials = trials,
                                                .trials_held = trials,
                                                .seed = seed};
        double *returns = memory_take(trials, sizeof *returns);
        struct progress progress =
            progress_begin("play", 0, trials * env_task_spec(opened)->steps_max);
        rollout_run(returns, rollout, &options, &behaviour, &progress);
        memory_free(returns);
        rollout_close(rollout);
        behaviour_close(&behaviour);
    }
    workers_close(workers);
    env_task_close(opened);
    return is_open;
}

/* --- Stores ----------------------------------------------------------------------------------- */

static bool recording_check_episode(const struct store *store, size_t episode,
                                    struct failure *failure)
{
    size_t count = store_episode_count(store);
    if (store_spec(store)->physics_dim == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no physics, expected positions and velocities of every step "
                           "to show; record them with the episodes",
                           store_path(store));
    }
    return episode < count ||
           failure_set(failure, EXIT_CODE_USAGE, "%s: found no episode %zu, expected 0 to %zu",
                       store_path(store), episode, count - 1);
}

static bool recording_check_sizes(const struct store *store, const struct env_spec *spec,
                                  struct failure *failure)
{
    const struct store_spec *found = store_spec(store);
    return (found->physics_dim == spec->physics_dim &&
            found->observation_dim == spec->observation_dim &&
            found->hidden_dim == spec->hidden_dim) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %zu numbers of physics, %zu of an observation and %zu of a "
                       "hidden task, expected %zu, %zu and %zu as task %s has; name a task that "
                       "its episodes are of",
                       store_path(store), found->physics_dim, found->observation_dim,
                       found->hidden_dim, spec->physics_dim, spec->observation_dim,
                       spec->hidden_dim, spec->task);
}

static bool recording_read_rows(struct recording *recording, const struct store *store, size_t task,
                                size_t episode, struct failure *failure)
{
    recording->rows = recording->capacity;
    recording->episode_return = store_return(store, task, episode);
    return store_verify(store, episode, failure) &&
           store_read_physics(store, episode, 0, recording->rows, recording->physics, failure) &&
           store_read_observation(store, episode, 0, 1, recording->observation, failure) &&
           store_read_hidden(store, episode, recording->hidden, failure);
}

static bool read_episode(struct recording *recording, const struct store *store, size_t episode,
                         const char *name, struct failure *failure)
{
    size_t index = 0;
    if (!recording_check_episode(store, episode, failure) ||
        (name[0] && !store_find_task(&index, store, name, failure))) {
        return false;
    }
    const char *recorded = store_spec(store)->tasks[index];
    const char *of_domain = env_task_of_domain(store_spec(store)->domain);
    struct env_task *task = env_task_open(recorded, &(struct failure){0});
    if (!task) { /* a task that is not known here may be of a domain that is */
        task = env_task_open(of_domain ? of_domain : recorded, failure);
    }
    if (!task) {
        return false;
    }
    const struct env_spec *spec = env_task_spec(task);
    bool is_read = recording_check_sizes(store, spec, failure);
    if (is_read) {
        recording_open(recording, spec, store_length(store, episode) + 1);
        is_read = recording_read_rows(recording, store, index, episode, failure);
    }
    env_task_close(task);
    return is_read;
}

bool recording_read(struct recording *recording, const char *path, size_t episode, const char *task,
                    struct failure *failure)
{
    struct store *store = store_open(path, failure);
    if (!store) {
        return false;
    }
    bool is_read = read_episode(recording, store, episode, task, failure);
    store_close(store);
    return is_read;
}

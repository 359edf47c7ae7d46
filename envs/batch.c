#include "envs/batch.h"

#include "base/memory.h"

/* One environment and where it is in its series. */
struct member {
    struct env *env;
    struct env_series series;
    bool has_series;
    uint64_t episodes; /* begun */
};

struct env_batch {
    const struct env_spec *spec;
    size_t count;
    struct member *members; /* (count) */
    struct workers *workers;
    size_t *active; /* (count): which environments take part, ascending */
    size_t active_count;
    struct env_batch_arrays arrays; /* of the work at hand */
    size_t failures;
};

/* --- Opening and closing ---------------------------------------------------------------------- */

struct env_batch *env_batch_open(const struct env_task *task, size_t count, struct workers *workers)
{
    invariant(count > 0);
    struct env_batch *batch = memory_take(1, sizeof *batch);
    *batch = (struct env_batch){
        .spec = env_task_spec(task),
        .count = count,
        .members = memory_take(count, sizeof *batch->members),
        .workers = workers,
        .active = memory_take(count, sizeof *batch->active),
    };
    for (size_t i = 0; i < count; i++) {
        batch->members[i].env = env_open(task);
    }
    return batch;
}

void env_batch_close(struct env_batch *batch)
{
    if (!batch) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        env_close(batch->members[i].env);
    }
    memory_free(batch->members);
    memory_free(batch->active);
    memory_free(batch);
}

struct env *env_batch_at(const struct env_batch *batch, size_t index)
{
    invariant(index < batch->count);
    return batch->members[index].env;
}

void env_batch_assign(struct env_batch *batch, size_t index, const struct env_series *series)
{
    invariant(index < batch->count);
    struct member *member = &batch->members[index];
    member->series = *series;
    member->has_series = true;
    member->episodes = 0;
}

size_t env_batch_failures(const struct env_batch *batch)
{
    return batch->failures;
}

/* --- One environment, in any thread ----------------------------------------------------------- */

static void member_reset(struct member *member)
{
    const struct env_series *series = &member->series;
    invariant(member->has_series);
    uint64_t episode = series->first + member->episodes;
    if (member->episodes == 0 || series->redraws_hidden) {
        uint64_t drawn = series->redraws_hidden ? episode : 0;
        struct random hidden =
            random_stream(series->seed, series->purpose, series->number, 2 * drawn);
        env_draw_hidden(member->env, series->split, &hidden);
    }
    struct random initial =
        random_stream(series->seed, series->purpose, series->number, 2 * episode + 1);
    env_reset(member->env, &initial);
    member->episodes++;
}

static void batch_observe(const struct env_batch *batch, float *observations, size_t index)
{
    env_observe(batch->members[index].env, observations + index * batch->spec->observation_dim);
}

static void reset_one(void *self, size_t item, size_t thread)
{
    (void)thread;
    struct env_batch *batch = self;
    size_t index = batch->active[item];
    member_reset(&batch->members[index]);
    batch_observe(batch, batch->arrays.observation, index);
}

static void batch_act(const struct env_batch *batch, size_t index)
{
    const struct env_batch_arrays *arrays = &batch->arrays;
    struct env_outcome outcome =
        env_step(batch->members[index].env, arrays->action + index * batch->spec->action_dim);
    arrays->reward[index] = outcome.reward;
    arrays->end[index] = outcome.end;
}

static void step_one(void *self, size_t item, size_t thread)
{
    (void)thread;
    const struct env_batch *batch = self;
    size_t index = batch->active[item];
    batch_act(batch, index);
    batch_observe(batch, batch->arrays.observation, index);
}

static void step_and_reset_one(void *self, size_t item, size_t thread)
{
    (void)thread;
    struct env_batch *batch = self;
    size_t index = batch->active[item];
    batch_act(batch, index);
    if (batch->arrays.end[index] != ENV_RUNNING) {
        if (batch->arrays.last_observation) {
            batch_observe(batch, batch->arrays.last_observation, index);
        }
        member_reset(&batch->members[index]);
    }
    batch_observe(batch, batch->arrays.observation, index);
}

/* --- All together ----------------------------------------------------------------------------- */

static void batch_select(struct env_batch *batch, const bool *mask)
{
    batch->active_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (!mask || mask[i]) {
            batch->active[batch->active_count++] = i;
        }
    }
}

static void count_failures(struct env_batch *batch)
{
    for (size_t i = 0; i < batch->active_count; i++) {
        batch->failures += batch->arrays.end[batch->active[i]] == ENV_FAILED;
    }
}

void env_batch_reset(struct env_batch *batch, const bool *mask, float *observation)
{
    batch_select(batch, mask);
    batch->arrays = (struct env_batch_arrays){.observation = observation};
    workers_run(batch->workers, batch->active_count, reset_one, batch);
}

void env_batch_step(struct env_batch *batch, const bool *mask,
                    const struct env_batch_arrays *arrays)
{
    batch_select(batch, mask);
    batch->arrays = *arrays;
    workers_run(batch->workers, batch->active_count, step_one, batch);
    count_failures(batch);
}

void env_batch_step_and_reset(struct env_batch *batch, const struct env_batch_arrays *arrays)
{
    batch_select(batch, NULL);
    batch->arrays = *arrays;
    workers_run(batch->workers, batch->active_count, step_and_reset_one, batch);
    count_failures(batch);
}

#include "eval/rollout.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "envs/batch.h"

struct rollout {
    const struct env_spec *spec;
    size_t batch;
    struct env_batch *envs;     /* (batch) */
    float *observation;         /* (batch x observation_dim) */
    float *action;              /* (batch x action_dim) */
    float *reward;              /* (batch) */
    enum env_end *end;          /* (batch) */
    bool *is_active;            /* (batch): its context goes on */
    bool *needs_reset;          /* (batch): a trial is about to begin */
    struct behaviour_row *rows; /* (batch): those in use come first */
    size_t *selected;           /* (batch) */
};

/* One call of rollout_run. */
struct play {
    struct rollout *rollout;
    const struct rollout_options *options;
    const struct behaviour *behaviour;
    double *returns;
    struct progress *progress;
    size_t first_trial; /* of the contexts */
    size_t trials;      /* in each of them */
    size_t steps;       /* done, as progress counts them */
};

struct rollout *rollout_open(const struct env_task *task, size_t batch, struct workers *workers)
{
    const struct env_spec *spec = env_task_spec(task);
    struct rollout *rollout = memory_take(1, sizeof *rollout);
    *rollout = (struct rollout){
        .spec = spec,
        .batch = batch,
        .envs = env_batch_open(task, batch, workers),
        .observation = memory_take(batch * spec->observation_dim, sizeof(float)),
        .action = memory_take(batch * spec->action_dim, sizeof(float)),
        .reward = memory_take(batch, sizeof *rollout->reward),
        .end = memory_take(batch, sizeof *rollout->end),
        .is_active = memory_take(batch, sizeof *rollout->is_active),
        .needs_reset = memory_take(batch, sizeof *rollout->needs_reset),
        .rows = memory_take(batch, sizeof *rollout->rows),
        .selected = memory_take(batch, sizeof *rollout->selected),
    };
    return rollout;
}

void rollout_close(struct rollout *rollout)
{
    env_batch_close(rollout->envs);
    memory_free(rollout->observation);
    memory_free(rollout->action);
    memory_free(rollout->reward);
    memory_free(rollout->end);
    memory_free(rollout->is_active);
    memory_free(rollout->needs_reset);
    memory_free(rollout->rows);
    memory_free(rollout->selected);
    memory_free(rollout);
}

size_t rollout_contexts(const struct rollout_options *options)
{
    invariant(options->stride > 0);
    if (options->first >= options->contexts) {
        return 0;
    }
    return (options->contexts - options->first - 1) / options->stride + 1;
}

/* Row i: an empty context, in environment i, which stays its slot. */
static void begin_context(const struct play *play, size_t i, uint64_t context)
{
    const struct rollout_options *options = play->options;
    struct rollout *rollout = play->rollout;
    const struct env_series series = {
        .seed = options->seed,
        .purpose = RANDOM_EVALUATE,
        .number = context,
        .split = ENV_SPLIT_HELD_OUT,
        .redraws_hidden = options->hidden == ROLLOUT_HIDDEN_OF_TRIAL,
        .first = play->first_trial,
    };
    env_batch_assign(rollout->envs, i, &series);
    rollout->is_active[i] = rollout->needs_reset[i] = true;
    rollout->rows[i] = (struct behaviour_row){
        .env = env_batch_at(rollout->envs, i),
        .slot = i,
        .context = context,
        .expertise = 1.0,
        .target = play->behaviour->target,
        .observation = rollout->observation + i * rollout->spec->observation_dim,
        .action = rollout->action + i * rollout->spec->action_dim,
    };
    memset(rollout->rows[i].action, 0, rollout->spec->action_dim * sizeof *rollout->action);
}

/* Put `count` new contexts into the first rows: number `played` of ours, and those after it. */
static void begin_contexts(const struct play *play, size_t played, size_t count)
{
    behaviour_begin(play->behaviour, count);
    for (size_t i = 0; i < count; i++) {
        begin_context(play, i, play->options->first + (played + i) * play->options->stride);
    }
}

static void rollout_notify(const struct play *play, const struct behaviour_row *row)
{
    const struct rollout_observer *observer = play->options->observer;
    if (observer) {
        observer->on_step(observer->self, row);
    }
}

/* Begin the next trial of the rows that are due. */
static void begin_trials(const struct play *play, size_t count)
{
    struct rollout *rollout = play->rollout;
    env_batch_reset(rollout->envs, rollout->needs_reset, rollout->observation);
    for (size_t i = 0; i < count; i++) {
        struct behaviour_row *row = &rollout->rows[i];
        if (rollout->needs_reset[row->slot]) {
            rollout->needs_reset[row->slot] = false;
            row->is_last_trial = row->trial + 1 == play->trials;
            row->random = random_stream(play->options->seed, RANDOM_EXPLORE, row->context,
                                        play->first_trial + row->trial);
            behaviour_begin_trial(play->behaviour, row);
            rollout_notify(play, row);
        }
    }
}

/* Let the behaviour choose, and execute its actions. */
static void rollout_step(const struct play *play, size_t count)
{
    struct rollout *rollout = play->rollout;
    const struct env_batch_arrays arrays = {
        .action = rollout->action,
        .observation = rollout->observation,
        .reward = rollout->reward,
        .end = rollout->end,
    };
    play->behaviour->act(play->behaviour, rollout->rows, count);
    env_batch_step(rollout->envs, rollout->is_active, &arrays);
}

static void end_trial(struct play *play, struct behaviour_row *row, enum env_end end)
{
    struct rollout *rollout = play->rollout;
    play->returns[row->context * play->options->trials + play->first_trial + row->trial] =
        end == ENV_FAILED ? (double)NAN : row->return_so_far;
    play->steps += rollout->spec->steps_max - row->time;
    row->trial++;
    rollout->is_active[row->slot] = rollout->needs_reset[row->slot] = row->trial < play->trials;
}

/* Write down what a row's step has brought, and end the trial where it is over. */
static void rollout_record(struct play *play, struct behaviour_row *row)
{
    struct rollout *rollout = play->rollout;
    const struct env_outcome outcome = {rollout->reward[row->slot], rollout->end[row->slot]};
    invariant(row->time < rollout->spec->steps_max);
    behaviour_record(row, outcome);
    play->steps++;
    if (outcome.end != ENV_FAILED) {
        rollout_notify(play, row);
    }
    if (outcome.end != ENV_RUNNING) {
        end_trial(play, row, outcome.end);
    }
}

/* Let go of the rows whose contexts have had all their trials; returns how many are left. */
static size_t select_unfinished(const struct play *play, size_t count)
{
    struct rollout *rollout = play->rollout;
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (rollout->is_active[rollout->rows[i].slot]) {
            rollout->selected[left] = i;
            rollout->rows[left] = rollout->rows[i];
            left++;
        }
    }
    if (left < count && play->behaviour->select) {
        play->behaviour->select(play->behaviour, rollout->selected, left);
    }
    return left;
}

/* Play `count` contexts to their end: number `played` of ours, and those after it. */
static void play_contexts(struct play *play, size_t played, size_t count)
{
    begin_contexts(play, played, count);
    while (count > 0) {
        begin_trials(play, count);
        rollout_step(play, count);
        for (size_t i = 0; i < count; i++) {
            rollout_record(play, &play->rollout->rows[i]);
        }
        count = select_unfinished(play, count);
        progress_show(play->progress, play->steps, "steps");
    }
}

void rollout_run(double *returns, struct rollout *rollout, const struct rollout_options *options,
                 const struct behaviour *behaviour, struct progress *progress)
{
    struct play play = {rollout, options, behaviour, returns, progress, .steps = 0};
    size_t own = rollout_contexts(options);
    invariant(options->trials_held > 0);
    for (size_t played = 0; played < own; played += rollout->batch) {
        for (size_t trial = 0; trial < options->trials; trial += options->trials_held) {
            play.first_trial = trial;
            play.trials = size_min(options->trials_held, options->trials - trial);
            play_contexts(&play, played, size_min(own - played, rollout->batch));
        }
    }
}

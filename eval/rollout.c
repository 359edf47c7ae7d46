#include "eval/rollout.h"

#include <math.h>

#include "base/fatal.h"
#include "base/memory.h"

struct rollout {
    const struct env_spec *spec;
    size_t batch;
    struct env **envs;      /* (batch) */
    float *observation;     /* (batch x observation_dim) */
    float *action;          /* (batch x action_dim) */
    struct actor_row *rows; /* (batch): each uses one of the batch's environments and arrays */
    double *earned;         /* (batch): each row's rewards in its trial */
    size_t *kept;           /* (batch) */
};

/* One call of rollout_run. */
struct play {
    struct rollout *rollout;
    const struct rollout_options *options;
    const struct actor *actor;
    double *returns;
    struct progress *progress;
    size_t steps; /* done, as progress counts them */
};

struct rollout *rollout_open(const struct env_task *task, size_t batch)
{
    const struct env_spec *spec = env_task_spec(task);
    struct rollout *rollout = memory_take(1, sizeof *rollout);
    *rollout = (struct rollout){
        .spec = spec,
        .batch = batch,
        .envs = memory_take(batch, sizeof(struct env *)),
        .observation = memory_take(batch * spec->observation_dim, sizeof(float)),
        .action = memory_take(batch * spec->action_dim, sizeof(float)),
        .rows = memory_take(batch, sizeof *rollout->rows),
        .earned = memory_take(batch, sizeof *rollout->earned),
        .kept = memory_take(batch, sizeof *rollout->kept),
    };
    for (size_t i = 0; i < batch; i++) {
        rollout->envs[i] = env_open(task);
    }
    return rollout;
}

void rollout_close(struct rollout *rollout)
{
    for (size_t i = 0; i < rollout->batch; i++) {
        env_close(rollout->envs[i]);
    }
    memory_free(rollout->envs);
    memory_free(rollout->observation);
    memory_free(rollout->action);
    memory_free(rollout->rows);
    memory_free(rollout->earned);
    memory_free(rollout->kept);
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

static void begin_trial(const struct play *play, size_t i)
{
    const struct rollout_options *options = play->options;
    struct actor_row *row = &play->rollout->rows[i];
    if (row->trial == 0 || options->hidden == ROLLOUT_HIDDEN_OF_TRIAL) {
        struct random hidden =
            random_stream(options->seed, RANDOM_EVALUATE, row->context, 2 * row->trial);
        env_draw_hidden(row->env, &hidden);
    }
    struct random initial =
        random_stream(options->seed, RANDOM_EVALUATE, row->context, 2 * row->trial + 1);
    env_reset(row->env, &initial);
    row->random = random_stream(options->seed, RANDOM_EXPLORE, row->context, row->trial);
    row->time = 0;
    play->rollout->earned[i] = 0.0;
    play->actor->begin_trial(play->actor, row);
}

/* Put `count` new contexts into the first rows: number `played` of ours, and those after it. */
static void begin_contexts(const struct play *play, size_t played, size_t count)
{
    struct rollout *rollout = play->rollout;
    play->actor->begin(play->actor, count);
    for (size_t i = 0; i < count; i++) {
        rollout->rows[i] = (struct actor_row){
            .env = rollout->envs[i],
            .context = play->options->first + (played + i) * play->options->stride,
            .observation = rollout->observation + i * rollout->spec->observation_dim,
            .action = rollout->action + i * rollout->spec->action_dim,
        };
        begin_trial(play, i);
    }
}

static void look(const struct play *play, size_t count)
{
    struct rollout *rollout = play->rollout;
    size_t width = rollout->spec->observation_dim;
    for (size_t i = 0; i < count; i++) {
        float *observation = rollout->observation + i * width;
        env_observe(rollout->rows[i].env, observation);
        rollout->rows[i].observation = observation;
        rollout->rows[i].wanted = play->options->target - rollout->earned[i];
    }
}

static void end_trial(struct play *play, size_t i, enum env_end end)
{
    const struct rollout *rollout = play->rollout;
    struct actor_row *row = &rollout->rows[i];
    double earned = rollout->earned[i];
    bool has_failed = end == ENV_FAILED;
    play->returns[row->context * play->options->trials + row->trial] =
        has_failed ? (double)NAN : earned;
    row->before.is_done = !has_failed && earned >= play->options->target;
    play->steps += rollout->spec->steps_max - row->time;
    row->trial++;
    if (row->trial < play->options->trials) {
        begin_trial(play, i);
    }
}

/* Execute a row's action, and begin its next trial where this one is over. */
static void step(struct play *play, size_t i)
{
    struct rollout *rollout = play->rollout;
    struct actor_row *row = &rollout->rows[i];
    invariant(row->time < rollout->spec->steps_max);
    struct env_outcome outcome = env_step(row->env, row->action);
    rollout->earned[i] += (double)outcome.reward;
    row->before =
        (struct actor_before){.trial = row->trial, .time = row->time, .reward = outcome.reward};
    row->time++;
    play->steps++;
    if (outcome.end != ENV_RUNNING) {
        end_trial(play, i, outcome.end);
    }
}

/* Let go of the rows whose contexts have had all their trials; returns how many are left. */
static size_t keep_unfinished(const struct play *play, size_t count)
{
    struct rollout *rollout = play->rollout;
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (rollout->rows[i].trial < play->options->trials) {
            rollout->kept[left] = i;
            rollout->rows[left] = rollout->rows[i];
            rollout->earned[left] = rollout->earned[i];
            left++;
        }
    }
    if (left < count) {
        play->actor->keep(play->actor, rollout->kept, left);
    }
    return left;
}

void rollout_run(double *returns, struct rollout *rollout, const struct rollout_options *options,
                 const struct actor *actor, struct progress *progress)
{
    struct play play = {rollout, options, actor, returns, progress, 0};
    size_t own = rollout_contexts(options);
    for (size_t played = 0; played < own; played += rollout->batch) {
        size_t count = own - played < rollout->batch ? own - played : rollout->batch;
        begin_contexts(&play, played, count);
        while (count > 0) {
            look(&play, count);
            actor->act(actor, rollout->rows, count);
            for (size_t i = 0; i < count; i++) {
                step(&play, i);
            }
            count = keep_unfinished(&play, count);
            progress_show(progress, play.steps, "steps");
        }
    }
}

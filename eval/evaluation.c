#include "eval/evaluation.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/workers.h"
#include "comm/comm.h"
#include "envs/env.h"
#include "eval/policy_actor.h"
#include "eval/trained_policy.h"

/* All that lives while behaviours play. */
struct evaluation {
    const struct evaluation_options *options;
    struct evaluation_result *result;
    struct trained_policy trained;
    struct env_task *task;
    const struct env_spec *spec;
    struct rollout_options rollout_options; /* of this rank */
    struct workers *workers;                /* step environments and predict actions */
    struct rollout *rollout;
    struct arena arena;
    struct parameter_store parameters;
    struct policy_actor policy;
};

static const char *const names[EVALUATION_BEHAVIOURS] = {
    [EVALUATION_POLICY] = "policy",
    [EVALUATION_CONTROL] = "control",
    [EVALUATION_RANDOM] = "random",
    [EVALUATION_SCRIPT] = "script",
};

const char *evaluation_behaviour_name(enum evaluation_behaviour behaviour)
{
    return names[behaviour];
}

/* --- What is asked for, and whether it can be done -------------------------------------------- */

/* result = the options with what the checkpoint fills in. */
static void fill_result(const struct evaluation *evaluation)
{
    const struct evaluation_options *options = evaluation->options;
    const struct trained_policy *trained = &evaluation->trained;
    const struct policy_config *policy = &trained->policy;
    struct evaluation_result *result = evaluation->result;
    *result = (struct evaluation_result){
        .inertia = options->inertia,
        .step = trained->step,
        .contexts = options->contexts,
        .trials = options->trials > 0 ? options->trials : policy->shape.trial_max,
        .target =
            options->target_scale * (options->target != 0.0 ? options->target : policy->target),
        .seed = options->seed,
    };
    const char *task = options->task[0] ? options->task : policy->task;
    snprintf(result->run, sizeof result->run, "%s", options->run);
    snprintf(result->checkpoint, sizeof result->checkpoint, "%s", trained->path);
    snprintf(result->task, sizeof result->task, "%s", task);
    memcpy(result->explore, options->explore, sizeof result->explore);
}

static bool evaluation_check_trials(const struct evaluation *evaluation, struct failure *failure)
{
    size_t trained_on = evaluation->trained.policy.shape.trial_max;
    size_t most = trained_on < EVALUATION_TRIALS_MAX ? trained_on : EVALUATION_TRIALS_MAX;
    return evaluation->result->trials <= most ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "eval.trials: found %zu, expected at most %zu, the longest contexts that "
                       "the policy was trained on; lower it",
                       evaluation->result->trials, most);
}

static bool evaluation_open_task(struct evaluation *evaluation, struct failure *failure)
{
    struct failure problem = {0};
    evaluation->task =
        env_task_open_by(evaluation->result->task, evaluation->result->inertia, &problem);
    if (!evaluation->task) {
        const char *hint = evaluation->options->task[0]
                               ? ""
                               : "; the policy was trained on rewards of that name: set eval.task "
                                 "to an environment's name";
        return failure_set(failure, problem.code, "%s%s", problem.text, hint);
    }
    evaluation->spec = env_task_spec(evaluation->task);
    return trained_policy_check(&evaluation->trained, evaluation->spec, failure);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void evaluation_bind(struct evaluation *evaluation, size_t batch)
{
    const struct policy_config *policy = &evaluation->trained.policy;
    struct policy_actor_options options = {
        .shape = &policy->shape,
        .scaling = &policy->scaling,
        .parameters = &evaluation->parameters,
        .explore = evaluation->result->explore,
        .decoder = {.context_max = batch,
                    .steps_max = evaluation->result->trials * evaluation->spec->steps_max,
                    .kernel = evaluation->options->kernel,
                    .workers = evaluation->workers},
    };
    parameter_store_bind(&evaluation->parameters, &evaluation->arena, &policy->shape, 0, NULL);
    policy_actor_bind(&evaluation->policy, &evaluation->arena, &options);
}

static void take_memory(struct evaluation *evaluation)
{
    size_t own = rollout_contexts(&evaluation->rollout_options);
    size_t batch = own < evaluation->options->batch ? own : evaluation->options->batch;
    if (batch == 0) {
        batch = 1; /* a rank without contexts of its own still takes part */
    }
    struct failure failure = {0};
    evaluation->workers = workers_open(comm_threads(evaluation->options->threads), &failure);
    comm_agree(&failure);
    evaluation_bind(evaluation, batch);
    arena_open(&evaluation->arena, evaluation->arena.peak);
    evaluation_bind(evaluation, batch);
    evaluation->rollout = rollout_open(evaluation->task, batch, evaluation->workers);
}

static void evaluation_open(struct evaluation *evaluation, const struct evaluation_options *options,
                            struct evaluation_result *result)
{
    invariant(options->contexts > 0 && options->batch > 0);
    *evaluation = (struct evaluation){.options = options, .result = result};
    trained_policy_find(&evaluation->trained, options->run, options->checkpoint);
    fill_result(evaluation);
    struct failure failure = {0};
    if (evaluation_check_trials(evaluation, &failure)) {
        evaluation_open_task(evaluation, &failure);
    }
    comm_agree(&failure);
    evaluation->rollout_options = (struct rollout_options){
        .contexts = result->contexts,
        .first = comm_rank(),
        .stride = comm_size(),
        .trials = result->trials,
        .target = result->target,
        .seed = result->seed,
        .observer = options->observer,
    };
    take_memory(evaluation);
    trained_policy_load(&evaluation->parameters, &evaluation->trained);
}

static void evaluation_release(struct evaluation *evaluation)
{
    rollout_close(evaluation->rollout);
    workers_close(evaluation->workers);
    arena_close(&evaluation->arena);
    env_task_close(evaluation->task);
}

/* --- Playing ---------------------------------------------------------------------------------- */

static bool behaviour_applies(enum evaluation_behaviour behaviour,
                              const struct evaluation *evaluation)
{
    const struct env_spec *spec = evaluation->spec;
    if (evaluation->options->observer) {
        return behaviour == EVALUATION_POLICY;
    }
    switch (behaviour) {
    case EVALUATION_CONTROL:
        return spec->hidden_dim > 0;
    case EVALUATION_SCRIPT:
        return spec->has_script;
    default:
        return true;
    }
}

static struct actor actor_of(struct evaluation *evaluation, enum evaluation_behaviour behaviour)
{
    switch (behaviour) {
    case EVALUATION_RANDOM:
        return random_actor(evaluation->spec->action_dim);
    case EVALUATION_SCRIPT:
        return script_actor(evaluation->spec->action_dim);
    default:
        return policy_actor_of(&evaluation->policy);
    }
}

/* One behaviour's row of the result. Each rank fills in its contexts and the others' are 0, so the
 * sum over ranks is all of them; a failed trial's NaN stays one. */
static void play_behaviour(struct evaluation *evaluation, enum evaluation_behaviour behaviour)
{
    struct evaluation_result *result = evaluation->result;
    struct evaluation_row *row = &result->rows[result->row_count++];
    row->behaviour = behaviour;
    score_open(&row->score, result->contexts, result->trials);
    struct rollout_options options = evaluation->rollout_options;
    options.hidden =
        behaviour == EVALUATION_CONTROL ? ROLLOUT_HIDDEN_OF_TRIAL : ROLLOUT_HIDDEN_OF_CONTEXT;
    struct actor actor = actor_of(evaluation, behaviour);
    size_t steps = rollout_contexts(&options) * result->trials * evaluation->spec->steps_max;
    struct progress progress = progress_begin(names[behaviour], 0, steps);
    rollout_run(row->score.returns, evaluation->rollout, &options, &actor, &progress);
    comm_sum_double(row->score.returns, result->contexts * result->trials);
}

void evaluation_run(const struct evaluation_options *options, struct evaluation_result *result)
{
    struct evaluation *evaluation = memory_take(1, sizeof *evaluation);
    evaluation_open(evaluation, options, result);
    for (size_t behaviour = 0; behaviour < EVALUATION_BEHAVIOURS; behaviour++) {
        if (behaviour_applies((enum evaluation_behaviour)behaviour, evaluation)) {
            play_behaviour(evaluation, (enum evaluation_behaviour)behaviour);
        }
    }
    evaluation_release(evaluation);
    memory_free(evaluation);
}

void evaluation_close(struct evaluation_result *result)
{
    for (size_t i = 0; i < result->row_count; i++) {
        score_close(&result->rows[i].score);
    }
    *result = (struct evaluation_result){0};
}

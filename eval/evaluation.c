#include "eval/evaluation.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/workers.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "comm/comm.h"
#include "envs/env.h"
#include "eval/trained_policy.h"

/* All that lives while behaviours play. */
struct evaluation {
    const struct evaluation_options *options;
    struct evaluation_result *result;
    struct saved_policy trained;
    struct env_task *task;
    const struct env_spec *spec;
    struct rollout_options rollout_options; /* of this rank */
    struct workers *workers;                /* step environments and predict actions */
    struct rollout *rollout;
    struct behaviour behaviours[EVALUATION_BEHAVIOURS]; /* the control is the policy */
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

/* As many trials as are asked for (0: as trained), and in a context no more than trained. */
static void fill_trials(struct evaluation_result *result, size_t trials, size_t trained)
{
    size_t most = size_min(trained, CHAIN_TRIALS_MAX);
    result->trials = trials > 0 ? trials : most;
    result->trials_held = size_min(result->trials, most);
    if (trials > most) {
        log_warning("trials: found %zu, but the policy was trained on contexts of at most "
                    "%zu: after as many an empty context begins",
                    trials, most);
    }
}

/* What a list says of later trials is lost: a deviation, or another answer than the last one. */
static void warn_of_long_lists(const struct evaluation_options *options, size_t trials)
{
    const char *lost = NULL;
    for (size_t trial = trials; trial < CHAIN_TRIALS_MAX && !lost; trial++) {
        lost = options->explore[trial] > 0.0                             ? "eval.explore"
               : options->samples[trial] != options->samples[trials - 1] ? "eval.sample"
                                                                         : NULL;
    }
    if (lost) {
        log_warning("%s: found more than contexts have trials, which is %zu: the rest of the list "
                    "is not used",
                    lost, trials);
    }
}

/* result = the options with what the checkpoint fills in. */
static void fill_result(const struct evaluation *evaluation)
{
    const struct evaluation_options *options = evaluation->options;
    const struct saved_policy *trained = &evaluation->trained;
    const struct policy_config *policy = &trained->policy;
    struct evaluation_result *result = evaluation->result;
    *result = (struct evaluation_result){
        .inertia = options->inertia,
        .step = trained->step,
        .contexts = options->contexts,
        .target_best = policy->target,
        .is_target_told = token_layout_has(&policy->shape.layout, FIELD_RETURN) ||
                          token_layout_has(&policy->shape.layout, FIELD_DONE),
        .seed = options->seed,
    };
    fill_trials(result, options->trials, policy->shape.trial_max);
    result->target = trained_policy_target(&result->target_margin, trained, options->target,
                                           options->target_margin);
    const char *task = options->task[0] ? options->task : policy->task;
    snprintf(result->run, sizeof result->run, "%s", options->run);
    snprintf(result->checkpoint, sizeof result->checkpoint, "%s", trained->path);
    snprintf(result->task, sizeof result->task, "%s", task);
    memcpy(result->samples, options->samples, sizeof result->samples);
    if (!options->is_policy_alone) {
        warn_of_long_lists(options, result->trials_held);
    }
    /* Noise in a context's last trial would cost return and tell nobody anything. */
    for (size_t trial = 0; trial + 1 < result->trials_held; trial++) {
        result->explore[trial] = options->explore[trial];
    }
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
    const struct trained_policy_options exploration = {
        .trials = evaluation->result->trials_held,
        .explore = evaluation->result->explore,
        .samples = evaluation->result->samples,
    };
    return trained_policy_check(&evaluation->trained, evaluation->spec, failure) &&
           trained_policy_check_exploration(&evaluation->trained, &exploration, "eval", failure);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* Who plays, and where. */
static void open_players(struct evaluation *evaluation)
{
    const struct evaluation_result *result = evaluation->result;
    size_t own = rollout_contexts(&evaluation->rollout_options);
    size_t batch = size_min(own, evaluation->options->batch);
    batch = size_max(batch, 1); /* a rank without contexts of its own still takes part */
    struct failure failure = {0};
    evaluation->workers = workers_open(comm_threads(evaluation->options->threads), &failure);
    comm_agree(&failure);
    const struct trained_policy_options policy = {
        .contexts = batch,
        .trials = result->trials_held,
        .target = result->target,
        .explore = result->explore,
        .samples = result->samples,
        .kernel = evaluation->options->kernel,
        .dtype = evaluation->options->dtype,
        .workers = evaluation->workers,
    };
    struct behaviour *behaviours = evaluation->behaviours;
    trained_policy_open(&behaviours[EVALUATION_POLICY], &evaluation->trained, evaluation->spec,
                        &policy);
    behaviours[EVALUATION_CONTROL] = behaviours[EVALUATION_POLICY];
    behaviours[EVALUATION_RANDOM] = random_actions_open(evaluation->spec);
    if (evaluation->spec->has_script) {
        const struct noise_options no_noise = {0};
        invariant(script_open(&behaviours[EVALUATION_SCRIPT], evaluation->spec, &no_noise, batch,
                              &failure));
    }
    evaluation->rollout = rollout_open(evaluation->task, batch, evaluation->workers);
}

/* Everything that can be refused without the policy's parameters. */
static void evaluation_prepare(struct evaluation *evaluation)
{
    struct failure failure = {0};
    fill_result(evaluation);
    evaluation_open_task(evaluation, &failure);
    comm_agree(&failure);
}

static void evaluation_open(struct evaluation *evaluation, const struct evaluation_options *options,
                            struct evaluation_result *result)
{
    invariant(options->contexts > 0 && options->batch > 0);
    *evaluation = (struct evaluation){.options = options, .result = result};
    trained_policy_find(&evaluation->trained, options->run, options->checkpoint);
    evaluation_prepare(evaluation);
    evaluation->rollout_options = (struct rollout_options){
        .contexts = result->contexts,
        .first = comm_rank(),
        .stride = comm_size(),
        .trials = result->trials,
        .trials_held = result->trials_held,
        .seed = result->seed,
        .observer = options->observer,
    };
    open_players(evaluation);
}

static void evaluation_release(struct evaluation *evaluation)
{
    behaviour_close(&evaluation->behaviours[EVALUATION_POLICY]);
    behaviour_close(&evaluation->behaviours[EVALUATION_RANDOM]);
    behaviour_close(&evaluation->behaviours[EVALUATION_SCRIPT]);
    rollout_close(evaluation->rollout);
    workers_close(evaluation->workers);
    env_task_close(evaluation->task);
}

/* --- Playing ---------------------------------------------------------------------------------- */

static bool behaviour_applies(enum evaluation_behaviour behaviour,
                              const struct evaluation *evaluation)
{
    const struct env_spec *spec = evaluation->spec;
    if (evaluation->options->observer || evaluation->options->is_policy_alone) {
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
    size_t steps = rollout_contexts(&options) * result->trials * evaluation->spec->steps_max;
    struct progress progress = progress_begin(names[behaviour], 0, steps);
    rollout_run(row->score.returns, evaluation->rollout, &options,
                &evaluation->behaviours[behaviour], &progress);
    comm_sum_double(row->score.returns, result->contexts * result->trials);
}

void evaluation_check(const struct evaluation_options *options, const struct policy_config *policy)
{
    struct evaluation *evaluation = memory_take(1, sizeof *evaluation);
    evaluation->options = options;
    evaluation->result = memory_take(1, sizeof *evaluation->result);
    evaluation->trained.policy = *policy;
    snprintf(evaluation->trained.path, sizeof evaluation->trained.path, "%s", options->run);
    evaluation_prepare(evaluation);
    env_task_close(evaluation->task);
    memory_free(evaluation->result);
    memory_free(evaluation);
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

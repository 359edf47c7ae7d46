#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint/best_checkpoint.h"
#include "checkpoint/run_folder.h"
#include "comm/comm.h"
#include "math/gemm.h"
#include "math/peak.h"
#include "train/checkpointer.h"
#include "train/report.h"
#include "train/ring_overlap.h"
#include "train/run_policy.h"
#include "train/starting_point.h"
#include "train/stop.h"

static const double mebibyte = 1048576.0;
enum { PEAK_REPEATS = 20, VALIDATION_STEPS = 8 };

struct trainer {
    const struct trainer_options *options;
    struct ring *ring;
    struct workers *workers;
    struct dataset dataset;
    struct policy_config policy;
    struct starting_point *start;
    struct loader_options loader_options; /* with chains as long as there are */
    struct loader *loader;
    struct loader *held_out; /* NULL: nothing is */
    struct best_checkpoint best;
    struct learner learner;
    struct train_state state;
    bool is_resumed; /* or begun: the state's step is known */
    double loss;     /* of the last step; NaN before it */
    double peak;     /* floating-point operations per second of all ranks */
    /* Only on rank 0: */
    struct run_folder folder;
    struct checkpointer checkpointer;
    struct report report;
};

static void trainer_open_workers(struct trainer *trainer)
{
    struct failure failure = {0};
    trainer->workers = workers_open(trainer->options->threads, &failure);
    comm_agree(&failure);
}

/* --- Data ------------------------------------------------------------------------------------- */

static void trainer_open_data(struct trainer *trainer)
{
    const struct dataset_options *options = &trainer->options->data;
    struct failure failure = {0};
    dataset_open(&trainer->dataset, options, &failure);
    comm_agree(&failure);
    char what[600];
    snprintf(what, sizeof what, "%.500s: the hash of its attributes", options->name);
    comm_same(dataset_description(&trainer->dataset), what);
}

/* Chains hold no more trajectories than the largest group has; draws stay as they are. */
static void limit_chains(struct trainer *trainer)
{
    struct failure failure = {0};
    struct chain_sampler *chain = &trainer->loader_options.chain;
    size_t largest = dataset_largest_group(&trainer->dataset);
    trainer->loader_options = trainer->options->loader;
    chain_sampler_check(chain, &failure);
    comm_agree(&failure);
    if (chain->trials > largest) {
        log_warning("chain.trials: found %zu, but no group of %s has more than %zu trajectories: "
                    "contexts are trained and evaluated with at most %zu trials",
                    chain->trials, trainer->options->data.name, largest, largest);
        chain->trials = largest;
        chain->trials_min = size_min(chain->trials_min, largest);
    }
}

static void describe_policy(struct trainer *trainer)
{
    struct failure failure = {0};
    limit_chains(trainer);
    run_policy_describe(&trainer->policy, trainer->options, &trainer->dataset,
                        trainer->loader_options.chain.trials, &failure);
    comm_agree(&failure);
}

/* A run that goes on needs nothing but its own checkpoint. */
static void choose_starting_point(struct trainer *trainer)
{
    struct failure failure = {0};
    const char *from = trainer->options->from;
    trainer->start = memory_take(1, sizeof *trainer->start);
    starting_point_find(trainer->start, trainer->options->run, from);
    starting_point_adopt(&trainer->policy, trainer->start, from, &failure);
    comm_agree(&failure);
    run_policy_warn(&trainer->policy, trainer->options);
}

static void trainer_open_loader(struct trainer *trainer)
{
    struct failure failure = {0};
    model_shape_check(&trainer->policy.shape, &failure);
    trainer->loader = loader_open(&trainer->dataset, &trainer->policy.scaling,
                                  &trainer->loader_options, &failure);
    if (trainer->loader && trainer->options->data.holdout > 0.0) {
        struct loader_options options = trainer->loader_options;
        options.part = CHAIN_HELD_OUT;
        trainer->held_out =
            loader_open(&trainer->dataset, &trainer->policy.scaling, &options, &failure);
    }
    comm_agree(&failure);
}

/* What could not be played at the first evaluation is refused before the steps up to it. */
static void check_rollouts_of_policy(const struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    if (options->evaluate_every > 0 && options->rollouts.play) {
        options->rollouts.check(options->rollouts.self, options->run, &trainer->policy);
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Every rank says what it would take before any of them takes it. */
static void check_memory(size_t bytes)
{
    struct failure failure = {0};
    double node = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double wanted = (double)bytes * (double)comm_ranks_on_this_node();
    if (wanted > node) {
        failure_set(&failure, EXIT_CODE_CONFIG,
                    "found a run of %.0f MiB on each of this node's %zu ranks, expected at most "
                    "the node's %.0f MiB; use more nodes, a smaller model, or fewer contexts at "
                    "once (train.micro_batch)",
                    (double)bytes / mebibyte, comm_ranks_on_this_node(), node / mebibyte);
    }
    comm_agree(&failure);
}

static void trainer_open_learner(struct trainer *trainer)
{
    struct learner_options options = trainer->options->learner;
    options.shape = trainer->policy.shape;
    learner_choose_kernels(&options);
    learner_name_kernels(trainer->policy.kernels, sizeof trainer->policy.kernels, &options);
    size_t bytes = learner_measure(&options, trainer->loader, trainer->ring, trainer->workers);
    check_memory(bytes);
    learner_open(&trainer->learner, &options, trainer->loader, trainer->ring, trainer->workers);
}

static void log_model(const struct trainer *trainer)
{
    const struct model_shape *shape = &trainer->policy.shape;
    size_t groups = ring_group_count(trainer->ring);
    const struct arena *arena = &trainer->learner.arena;
    double largest = (double)(arena->capacity + arena->elsewhere);
    comm_max_double(&largest, 1);
    size_t threads = workers_count(trainer->workers);
    log_line("model: %zu parameters, %zu layers of width %zu; %zu rank%s of %zu thread%s in %zu "
             "ring%s; %.0f MiB on a rank",
             parameters_learned(shape), shape->layers, shape->width, comm_size(),
             comm_size() == 1 ? "" : "s", threads, threads == 1 ? "" : "s", groups,
             groups == 1 ? "" : "s", largest / mebibyte);
}

/* All ranks at once, as they will compute. */
static void measure_peak(struct trainer *trainer)
{
    real *memory = memory_take(trainer->options->threads * PEAK_REALS, sizeof *memory);
    comm_barrier();
    trainer->peak = peak_of_threads(PEAK_GEMM, trainer->workers, memory, PEAK_REPEATS);
    memory_free(memory);
    comm_sum_double(&trainer->peak, 1);
    const struct learner_options *learner = &trainer->learner.options;
    log_line("processor: attention kernels for %s, OpenBLAS's for %s, %.0f GFLOP/s on all ranks "
             "together; products of layers are of %s",
             attention_kernel_name(learner->attention.kernel, learner->dtype,
                                   model_head_width(&learner->shape)),
             gemm_core_name(), 1e-9 * trainer->peak, dtype_name(learner->product_dtype));
}

static void predict_overlap(const struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    const struct chain_sampler *chain = &trainer->loader_options.chain;
    size_t steps =
        steps_in_context_max(chain->trials, dataset_length_max(&trainer->dataset), chain->window);
    size_t tokens = steps * options->learner.shape.layout.count;
    struct ring_overlap overlap = ring_overlap_predict(trainer->ring, options->learner.split,
                                                       trainer->peak / (double)comm_size());
    ring_overlap_log(&overlap, (double)tokens / (double)ring_size(trainer->ring));
}

/* --- The run's folder ------------------------------------------------------------------------- */

static bool steps_are_done(const struct trainer *trainer)
{
    return trainer->state.step >= trainer->options->steps;
}

static bool evaluates_at(const struct trainer *trainer, uint64_t step)
{
    const struct trainer_options *options = trainer->options;
    return options->evaluate_every > 0 &&
           (step % options->evaluate_every == 0 || step == options->steps);
}

/* A kill, or a stop, came between the checkpoint and its evaluation. */
static bool owes_evaluation(const struct trainer *trainer)
{
    uint64_t step = trainer->state.step;
    return step > 0 && evaluates_at(trainer, step) && trainer->best.evaluated < step;
}

static bool restore_learner(struct trainer *trainer, struct failure *failure)
{
    const struct starting_point *start = trainer->start;
    if (!starting_point_is_found(start)) {
        return true;
    }
    return start->is_own ? checkpointer_restore(&trainer->checkpointer, &trainer->state,
                                                start->saved.path, failure)
                         : starting_point_load(&trainer->learner.parameters, start, failure);
}

/* After the lock is held and before anything is written for good. The configuration of a run whose
 * steps are done stays that of its steps. */
static void restore(struct trainer *trainer, struct failure *failure)
{
    const struct trainer_options *options = trainer->options;
    char path[FILE_PATH_MAX];
    checkpointer_open(&trainer->checkpointer, options->run, &trainer->policy, options->learner.seed,
                      options->keep, &trainer->learner);
    bool is_restored =
        restore_learner(trainer, failure) &&
        best_checkpoint_resume(&trainer->best, options->run, trainer->state.step, failure);
    trainer->checkpointer.retention.spared = trainer->best.step;
    if (!is_restored) {
        return;
    }
    trainer->loss = run_folder_loss(&trainer->folder, trainer->state.step);
    if (!steps_are_done(trainer) && file_join(path, options->run, "config.yaml", failure)) {
        file_write_text(path, options->configuration, failure);
    }
}

static void write_status(struct trainer *trainer, enum run_state state,
                         const struct failure *failure)
{
    if (comm_rank() == 0) {
        struct run_status status = {.state = state,
                                    .step = trainer->is_resumed ? (int64_t)trainer->state.step
                                                                : RUN_STEP_UNKNOWN,
                                    .steps = trainer->options->steps,
                                    .loss = trainer->loss,
                                    .failure = failure};
        run_folder_write_status(&trainer->folder, &status);
    }
}

static void report_failure(void *self, const struct failure *failure)
{
    write_status(self, RUN_STATE_FAILED, failure);
}

static void trainer_open_log(struct trainer *trainer, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (file_join(path, trainer->options->run, "log.txt", failure)) {
        log_open_file(path);
    }
}

static void trainer_open_folder(struct trainer *trainer)
{
    struct failure failure = {0};
    if (comm_rank() == 0 && run_folder_open(&trainer->folder, trainer->options->run, &failure)) {
        trainer_open_log(trainer, &failure);
        fatal_set_reporter(report_failure, trainer);
    }
    comm_agree(&failure);
}

static void log_changes(const char *changes)
{
    for (const char *line = changes; *line; line += strcspn(line, "\n") + 1) {
        log_line("resume: %.*s", (int)strcspn(line, "\n"), line);
    }
}

/* Another machine, or another choice, rounds sums differently. */
static void log_kernels(const struct trainer *trainer)
{
    const char *before = trainer->start->saved.policy.kernels, *now = trainer->policy.kernels;
    if (before[0] != '\0' && strcmp(before, now) != 0) {
        log_line("resume: from now on computed by %s, before by %s: the same but for rounding", now,
                 before);
    }
}

static void resume(struct trainer *trainer)
{
    struct failure failure = {0};
    const struct starting_point *start = trainer->start;
    if (comm_rank() == 0) {
        restore(trainer, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(&trainer->state, sizeof trainer->state);
    comm_broadcast(&trainer->best, sizeof trainer->best);
    trainer->is_resumed = true;
    if (starting_point_is_found(start)) {
        learner_broadcast(&trainer->learner);
    }
    if (start->is_own) {
        log_line("resume: from step %llu of %s", (unsigned long long)trainer->state.step,
                 trainer->options->run);
        log_changes(trainer->options->changes);
        log_kernels(trainer);
    } else if (starting_point_is_found(start)) {
        log_line("begin: from the weights in %s", start->saved.path);
    }
}

static void trainer_open_report(struct trainer *trainer)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    if (comm_rank() == 0 && file_join(path, trainer->options->run, "metrics.jsonl", &failure)) {
        report_open(&trainer->report, path, trainer->state.step, trainer->options->steps,
                    trainer->options->log_every, trainer->peak);
    }
    comm_agree(&failure);
}

/* --- Steps ------------------------------------------------------------------------------------ */

enum urgency { MAY_FAIL, MUST_SUCCEED };

/* A checkpoint that cannot be written keeps the older one, and only the last one matters. Was it
 * written? */
static bool write_checkpoint(struct trainer *trainer, enum urgency urgency)
{
    struct failure failure = {0};
    bool is_written = true;
    if (comm_rank() == 0) {
        metrics_sync(&trainer->report.metrics);
        is_written = checkpointer_write(&trainer->checkpointer, &trainer->state, &failure);
        if (!is_written && urgency == MAY_FAIL) {
            log_warning("%s; the older checkpoint is kept", failure.text);
            failure = (struct failure){0};
        }
    }
    comm_agree(&failure);
    comm_broadcast(&is_written, sizeof is_written);
    return is_written;
}

/* --- Looking while training ------------------------------------------------------------------- */

static void log_evaluation(const struct trainer *trainer, double loss, double last_trial)
{
    unsigned long long step = trainer->state.step, best = trainer->best.step;
    char held_out[64] = "", played[64] = "";
    if (isnan(loss) && isnan(last_trial)) {
        log_warning("train.evaluate_every: found nothing to measure at step %llu: %s; set "
                    "data.holdout, or give labels to what it holds out",
                    step,
                    trainer->held_out ? "no label is known in the chains held out"
                                      : "the task has no environment, and nothing is held out");
        return;
    }
    if (!isnan(loss)) {
        snprintf(held_out, sizeof held_out, ", validation loss %.5f", loss);
    }
    if (!isnan(last_trial)) {
        snprintf(played, sizeof played, ", return of the last trial %.2f", last_trial);
    }
    log_line("step %llu%s%s; the best checkpoint is that of step %llu", step, held_out, played,
             best);
}

/* How good the checkpoint is that has just been written; whether it is the best. */
static void evaluate(struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    const struct trainer_rollouts *rollouts = &options->rollouts;
    struct best_checkpoint *best = &trainer->best;
    uint64_t step = trainer->state.step;
    double begun = clock_seconds();
    double loss = (double)NAN, last_trial = (double)NAN;
    if (trainer->held_out) {
        loss = learner_validate(&trainer->learner, trainer->held_out, VALIDATION_STEPS);
    }
    if (rollouts->play) {
        last_trial = rollouts->play(rollouts->self, options->run, trainer->policy.task);
    }
    best->evaluated = step;
    if (best_checkpoint_is_beaten(best, loss, last_trial)) {
        *best = (struct best_checkpoint){step, loss, last_trial, step};
    }
    if (comm_rank() == 0) {
        struct failure failure = {0};
        log_evaluation(trainer, loss, last_trial);
        report_evaluation(&trainer->report, step, loss, last_trial, clock_seconds() - begun);
        trainer->checkpointer.retention.spared = best->step;
        if (!best_checkpoint_write(best, options->run, &failure)) {
            log_warning("%s; which checkpoint is the best is not kept", failure.text);
        }
    }
}

/* Is the run to stop after it? */
static bool take_step(struct trainer *trainer)
{
    uint64_t number = trainer->state.step + 1;
    struct learner_step step = learner_step(&trainer->learner, number);
    trainer->state.step = number;
    trainer->state.tokens_seen += step.tokens;
    trainer->loss = step.loss;
    if (comm_rank() == 0) {
        report_step(&trainer->report, number, &step, trainer->state.tokens_seen);
    }
    return step.is_stopping || number == trainer->options->until;
}

static enum exit_code stop(struct trainer *trainer)
{
    write_checkpoint(trainer, MUST_SUCCEED);
    write_status(trainer, RUN_STATE_STOPPED, NULL);
    log_line("stopped after step %llu; the same command goes on",
             (unsigned long long)trainer->state.step);
    return EXIT_CODE_RESUMABLE;
}

/* The checkpoint of the step that was taken, where it is to have one. Evaluated is what lies on the
 * disk. */
static void keep_step(struct trainer *trainer)
{
    uint64_t step = trainer->state.step;
    bool is_last = steps_are_done(trainer), is_evaluated = evaluates_at(trainer, step);
    if (!is_last && !is_evaluated && step % trainer->options->checkpoint_every != 0) {
        return;
    }
    bool is_written = write_checkpoint(trainer, is_last ? MUST_SUCCEED : MAY_FAIL);
    write_status(trainer, RUN_STATE_RUNNING, NULL);
    if (is_evaluated && is_written) {
        evaluate(trainer);
    } else if (is_evaluated) {
        log_warning("step %llu is not evaluated, as its checkpoint is not there",
                    (unsigned long long)step);
    }
}

/* Step after step until the last one, or until a rank is asked to stop. */
static enum exit_code take_steps(struct trainer *trainer)
{
    if (owes_evaluation(trainer)) {
        evaluate(trainer);
    }
    while (!steps_are_done(trainer)) {
        bool is_stopping = take_step(trainer);
        if (is_stopping && !steps_are_done(trainer)) {
            return stop(trainer);
        }
        keep_step(trainer);
    }
    write_status(trainer, RUN_STATE_DONE, NULL);
    return EXIT_CODE_DONE;
}

static enum exit_code train(struct trainer *trainer)
{
    if (steps_are_done(trainer) && !owes_evaluation(trainer)) {
        log_line("%s is complete: %llu steps are done", trainer->options->run,
                 (unsigned long long)trainer->state.step);
        write_status(trainer, RUN_STATE_DONE, NULL);
        return EXIT_CODE_DONE;
    }
    log_model(trainer);
    measure_peak(trainer);
    predict_overlap(trainer);
    trainer_open_report(trainer);
    stop_listen();
    write_status(trainer, RUN_STATE_RUNNING, NULL);
    enum exit_code code = take_steps(trainer);
    if (comm_rank() == 0) {
        report_summary(&trainer->report, trainer->state.step);
        report_close(&trainer->report);
    }
    return code;
}

static void close_all(struct trainer *trainer)
{
    if (comm_rank() == 0) {
        fatal_set_reporter(NULL, NULL);
        checkpointer_close(&trainer->checkpointer);
        log_close_file();
        run_folder_close(&trainer->folder);
    }
    learner_close(&trainer->learner);
    memory_free(trainer->start);
    loader_close(trainer->held_out);
    loader_close(trainer->loader);
    dataset_close(&trainer->dataset);
    workers_close(trainer->workers);
    ring_close(trainer->ring);
}

/* A best checkpoint is the best by something. */
static void check_evaluation(const struct trainer_options *options)
{
    struct failure failure = {0};
    if (options->evaluate_every > 0 && options->data.holdout <= 0.0 && !options->rollouts.play) {
        failure_set(&failure, EXIT_CODE_CONFIG,
                    "train.evaluate_every: found %zu, but nothing to measure; set data.holdout or "
                    "train.evaluate_contexts, or leave it out",
                    options->evaluate_every);
    }
    comm_agree(&failure);
}

enum exit_code trainer_run(const struct trainer_options *options)
{
    check_evaluation(options);
    struct trainer *trainer = memory_take(1, sizeof *trainer);
    trainer->options = options;
    trainer->loss = (double)NAN;
    trainer->ring = ring_open(options->ring > 0 ? options->ring : comm_size(), options->node_ranks);
    trainer_open_workers(trainer);
    trainer_open_folder(trainer);
    trainer_open_data(trainer);
    describe_policy(trainer);
    choose_starting_point(trainer);
    check_rollouts_of_policy(trainer);
    trainer_open_loader(trainer);
    trainer_open_learner(trainer);
    resume(trainer);
    enum exit_code code = train(trainer);
    close_all(trainer);
    memory_free(trainer);
    return code;
}

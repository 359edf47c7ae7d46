#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint/run_folder.h"
#include "comm/comm.h"
#include "datasets/chain.h"
#include "math/gemm.h"
#include "math/peak.h"
#include "model/ring_overlap.h"
#include "train/keeper.h"
#include "train/report.h"
#include "train/stop.h"

static const double mebibyte = 1048576.0;
enum { PEAK_REPEATS = 20 };

struct trainer {
    const struct trainer_options *options;
    struct ring *ring;
    struct workers *workers;
    struct store *store;
    size_t task;
    struct snapshot snapshot;
    struct loader_options loader_options; /* with chains as long as there are */
    struct loader *loader;
    struct learner learner;
    struct keeper_place place;
    double peak; /* floating-point operations per second of all ranks */
    /* Only on rank 0: */
    struct run_folder folder;
    struct keeper keeper;
    struct report report;
};

static void open_workers(struct trainer *trainer)
{
    struct failure failure = {0};
    trainer->workers = workers_open(trainer->options->threads, &failure);
    comm_agree(&failure);
}

/* --- Data ------------------------------------------------------------------------------------- */

static void open_store(struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    struct failure failure = {0};
    trainer->store = store_open(options->store, &failure);
    if (trainer->store && options->task[0]) {
        store_find_task(&trainer->task, trainer->store, options->task, &failure);
    }
    comm_agree(&failure);
    comm_same(store_step_count(trainer->store), "the number of steps in the trajectory store");
}

/* range = the least and the largest return of the data. */
static void measure_returns(double range[2], const struct store *store, size_t task)
{
    range[0] = (double)INFINITY;
    range[1] = -(double)INFINITY;
    for (size_t episode = 0; episode < store_episode_count(store); episode++) {
        range[0] = fmin(range[0], store_return(store, task, episode));
        range[1] = fmax(range[1], store_return(store, task, episode));
    }
}

static void choose_scaling(struct scaling *scaling, const struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    size_t dim = store_spec(trainer->store)->observation_dim;
    const double *range = trainer->snapshot.return_range;
    double largest = fmax(fabs(range[0]), fabs(range[1]));
    *scaling = scaling_identity(dim);
    scaling->reward_scale = options->reward_scale;
    scaling->return_scale = options->return_scale;
    if (options->return_scale <= 0.0) {
        scaling->return_scale = largest > 0.0 ? largest : 1.0;
    }
    if (options->observations == TRAINER_OBSERVATIONS_NORMALISED) {
        scaling_set_observations(scaling, store_observation_mean(trainer->store),
                                 store_observation_deviation(trainer->store));
    }
}

static void check_dims(const struct store *store, struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    if (spec->observation_dim > OBSERVATION_DIM_MAX || spec->action_dim > ACTION_DIM_MAX) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found %zu observations and %zu actions, expected at most %d and %d",
                    store_path(store), spec->observation_dim, spec->action_dim, OBSERVATION_DIM_MAX,
                    ACTION_DIM_MAX);
    }
}

/* Chains hold no more trajectories than the largest group has; draws stay as they are. */
static void limit_chains(struct trainer *trainer, const struct chain_catalog *catalog)
{
    struct failure failure = {0};
    struct chain_law *chain = &trainer->loader_options.chain;
    size_t largest = chain_catalog_largest_group(catalog);
    trainer->loader_options = trainer->options->loader;
    chain_law_check(chain, &failure);
    comm_agree(&failure);
    if (chain->trials > largest) {
        log_warning("chain.trials: found %zu, but no group of %s has more than %zu trajectories: "
                    "contexts are trained and evaluated with at most %zu trials",
                    chain->trials, store_path(trainer->store), largest, largest);
        chain->trials = largest;
        chain->trials_min = size_min(chain->trials_min, largest);
    }
}

/* What the policy will be: the configured shape with the data's sizes. */
static void describe_policy(struct trainer *trainer)
{
    struct failure failure = {0};
    check_dims(trainer->store, &failure);
    comm_agree(&failure);
    const struct store_spec *spec = store_spec(trainer->store);
    struct snapshot *snapshot = &trainer->snapshot;
    struct chain_catalog catalog;
    snapshot->shape = trainer->options->learner.shape;
    snapshot->shape.observation_dim = spec->observation_dim;
    snapshot->shape.action_dim = spec->action_dim;
    snapshot->shape.time_max = store_length_max(trainer->store);
    measure_returns(snapshot->return_range, trainer->store, trainer->task);
    choose_scaling(&snapshot->scaling, trainer);
    snprintf(snapshot->domain, sizeof snapshot->domain, "%s", spec->domain);
    snprintf(snapshot->task, sizeof snapshot->task, "%s", spec->tasks[trainer->task]);
    chain_catalog_open(&catalog, trainer->store);
    limit_chains(trainer, &catalog);
    snapshot->shape.trial_max = trainer->loader_options.chain.trials;
    snapshot->target = chain_catalog_best(&catalog, trainer->task);
    chain_catalog_close(&catalog);
}

static void open_loader(struct trainer *trainer)
{
    struct failure failure = {0};
    model_shape_check(&trainer->snapshot.shape, &failure);
    trainer->loader = loader_open(trainer->store, trainer->task, &trainer->snapshot.scaling,
                                  &trainer->loader_options, &failure);
    comm_agree(&failure);
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
                    "once (train.pass)",
                    (double)bytes / mebibyte, comm_ranks_on_this_node(), node / mebibyte);
    }
    comm_agree(&failure);
}

static void open_learner(struct trainer *trainer)
{
    struct learner_options options = trainer->options->learner;
    options.shape = trainer->snapshot.shape;
    size_t bytes = learner_measure(&options, trainer->loader, trainer->ring, trainer->workers);
    check_memory(bytes);
    learner_open(&trainer->learner, &options, trainer->loader, trainer->ring, trainer->workers);
}

static void say_what_learns(const struct trainer *trainer)
{
    const struct model_shape *shape = &trainer->snapshot.shape;
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
    trainer->peak = peak_of_threads(trainer->workers, memory, PEAK_REPEATS).gemm;
    memory_free(memory);
    comm_sum_double(&trainer->peak, 1);
    log_line("processor: attention kernels for %s, OpenBLAS's for %s, %.0f GFLOP/s on all ranks "
             "together",
             attention_kernel_name(trainer->options->learner.kernel), gemm_core_name(),
             1e-9 * trainer->peak);
}

static void predict_overlap(const struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    size_t steps = trainer->loader_options.chain.trials * store_length_max(trainer->store);
    size_t tokens = steps * options->learner.shape.layout.count;
    struct ring_overlap overlap = ring_overlap_predict(trainer->ring, options->learner.rule,
                                                       trainer->peak / (double)comm_size());
    ring_overlap_say(&overlap, (double)tokens / (double)ring_size(trainer->ring));
}

/* --- The run's folder ------------------------------------------------------------------------- */

/* After the lock is held and before anything is written for good. */
static void restore(struct trainer *trainer, struct failure *failure)
{
    const struct trainer_options *options = trainer->options;
    char path[FILE_PATH_MAX];
    keeper_open(&trainer->keeper, options->run, &trainer->snapshot, options->learner.seed,
                options->keep, &trainer->learner);
    if (keeper_restore(&trainer->keeper, &trainer->place, failure) &&
        file_join(path, options->run, "config.yaml", failure)) {
        file_write_text(path, options->configuration, failure);
    }
}

static void open_log(struct trainer *trainer, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (file_join(path, trainer->options->run, "log.txt", failure)) {
        log_open_file(path);
    }
}

static void open_folder(struct trainer *trainer)
{
    struct failure failure = {0};
    if (comm_rank() == 0 && run_folder_open(&trainer->folder, trainer->options->run, &failure)) {
        open_log(trainer, &failure);
    }
    comm_agree(&failure);
}

static void resume(struct trainer *trainer)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        restore(trainer, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(&trainer->place, sizeof trainer->place);
    if (trainer->place.step > 0) {
        learner_broadcast(&trainer->learner);
        log_line("resume: from step %llu of %s", (unsigned long long)trainer->place.step,
                 trainer->options->run);
    }
}

static void open_report(struct trainer *trainer)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    if (comm_rank() == 0 && file_join(path, trainer->options->run, "metrics.jsonl", &failure)) {
        report_open(&trainer->report, path, trainer->place.step, trainer->options->steps,
                    trainer->options->log_every, trainer->peak);
    }
    comm_agree(&failure);
}

static void write_status(struct trainer *trainer, enum run_state state, double loss)
{
    if (comm_rank() == 0) {
        struct run_status status = {.state = state,
                                    .step = trainer->place.step,
                                    .steps = trainer->options->steps,
                                    .loss = loss};
        run_folder_write_status(&trainer->folder, &status);
    }
}

/* --- Steps ------------------------------------------------------------------------------------ */

enum urgency { MAY_FAIL, MUST_SUCCEED };

/* A checkpoint that cannot be written keeps the older one, and only the last one matters. */
static void write_checkpoint(struct trainer *trainer, enum urgency urgency)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        metrics_sync(&trainer->report.metrics);
        if (!keeper_write(&trainer->keeper, &trainer->place, &failure) && urgency == MAY_FAIL) {
            log_warning("%s; the older checkpoint is kept", failure.text);
            failure = (struct failure){0};
        }
    }
    if (urgency == MUST_SUCCEED) {
        comm_agree(&failure);
    }
}

/* Step after step until the last one, or until a rank is asked to stop. */
static enum exit_code take_steps(struct trainer *trainer)
{
    const struct trainer_options *options = trainer->options;
    while (trainer->place.step < options->steps) {
        uint64_t number = trainer->place.step + 1;
        struct learner_step step = learner_step(&trainer->learner, number);
        trainer->place.step = number;
        trainer->place.tokens_seen += step.tokens;
        if (comm_rank() == 0) {
            report_step(&trainer->report, number, &step, trainer->place.tokens_seen);
        }
        if (number == options->steps) {
            write_checkpoint(trainer, MUST_SUCCEED);
            write_status(trainer, RUN_STATE_DONE, step.loss);
        } else if (step.is_stopping || number == options->until) {
            write_checkpoint(trainer, MUST_SUCCEED);
            write_status(trainer, RUN_STATE_STOPPED, step.loss);
            log_line("stopped after step %llu; the same command goes on",
                     (unsigned long long)number);
            return EXIT_CODE_RESUMABLE;
        } else if (number % options->checkpoint_every == 0) {
            write_checkpoint(trainer, MAY_FAIL);
            write_status(trainer, RUN_STATE_RUNNING, step.loss);
        }
    }
    return EXIT_CODE_DONE;
}

static enum exit_code train(struct trainer *trainer)
{
    if (trainer->place.step >= trainer->options->steps) {
        log_line("%s is complete: %llu steps are done", trainer->options->run,
                 (unsigned long long)trainer->place.step);
        return EXIT_CODE_DONE;
    }
    say_what_learns(trainer);
    measure_peak(trainer);
    predict_overlap(trainer);
    open_report(trainer);
    stop_listen();
    write_status(trainer, RUN_STATE_RUNNING, (double)NAN);
    enum exit_code code = take_steps(trainer);
    if (comm_rank() == 0) {
        report_summary(&trainer->report, trainer->place.step);
        report_close(&trainer->report);
    }
    return code;
}

static void close_all(struct trainer *trainer)
{
    if (comm_rank() == 0) {
        keeper_close(&trainer->keeper);
        log_close_file();
        run_folder_close(&trainer->folder);
    }
    learner_close(&trainer->learner);
    loader_close(trainer->loader);
    store_close(trainer->store);
    workers_close(trainer->workers);
    ring_close(trainer->ring);
}

enum exit_code trainer_run(const struct trainer_options *options)
{
    struct trainer *trainer = memory_take(1, sizeof *trainer);
    trainer->options = options;
    trainer->ring = ring_open(options->ring > 0 ? options->ring : comm_size(), options->neighbours);
    open_workers(trainer);
    open_store(trainer);
    describe_policy(trainer);
    open_loader(trainer);
    open_folder(trainer);
    open_learner(trainer);
    resume(trainer);
    enum exit_code code = train(trainer);
    close_all(trainer);
    memory_free(trainer);
    return code;
}

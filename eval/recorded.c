#include "eval/recorded.h"

#include <inttypes.h>
#include <math.h>

#include <jansson.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "eval/trained_policy.h"
#include "model/transformer.h"

enum { CONTEXTS_AT_ONCE = 16 };

struct recorded {
    const struct recorded_options *options;
    struct saved_policy trained;
    struct dataset dataset;
    struct loader *loader;
    struct ring *ring;
    struct workers *workers;
    struct arena arena;
    struct loader_batch loaded;
    struct parameter_store parameters;
    struct executor executor;
    struct transformer transformer;
    double *step_losses;              /* (rows) */
    double sums[CHAIN_TRIALS_MAX][2]; /* loss and weight of each trial */
};

static bool recorded_check(const struct recorded *recorded, struct failure *failure)
{
    const struct model_shape *shape = &recorded->trained.policy.shape;
    const struct store_spec *spec = dataset_spec(&recorded->dataset);
    const char *path = store_path(recorded->dataset.stores[0].store);
    size_t longest = dataset_length_max(&recorded->dataset);
    if (!action_space_equal(&shape->action_space, &spec->actions)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found other actions than those that the policy in %s was trained "
                           "on; name data of its domain",
                           path, recorded->trained.path);
    }
    return longest <= shape->time_max ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found episodes of %zu steps, expected at most %zu, as the policy in %s "
                       "was trained on",
                       path, longest, shape->time_max, recorded->trained.path);
}

const char *recorded_part_name(enum recorded_part part)
{
    static const char *const names[] = {"all", "trained", "held_out"};
    return names[part];
}

/* A part is of what the run's own data.holdout has made two of. */
static bool check_held_out(const struct recorded *recorded, struct failure *failure)
{
    double holdout = recorded->trained.policy.data_holdout;
    return holdout > 0.0 ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "eval.part: found %s, but the policy in %s was trained %s; take "
                       "eval.part=all, or a run with data.holdout",
                       recorded_part_name(recorded->options->part), recorded->trained.path,
                       isnan(holdout) ? "before checkpoints said what is held out"
                                      : "with nothing held out");
}

static bool check_stores_of_run(const struct recorded *recorded, struct failure *failure)
{
    uint64_t found = dataset_fingerprint(&recorded->dataset);
    uint64_t expected = recorded->trained.policy.data_hash;
    return found == expected ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "eval.part: found %s, but %s is not the data that the policy in %s was "
                       "trained on (hash %016" PRIx64 ", expected %016" PRIx64 "); name the run's "
                       "data.store, or take eval.part=all",
                       recorded_part_name(recorded->options->part), recorded->options->data.name,
                       recorded->trained.path, found, expected);
}

/* With the run's own weights, which other stores than its own may not fit. */
static bool open_part(struct recorded *recorded, struct failure *failure)
{
    const struct recorded_options *options = recorded->options;
    struct dataset_options data = options->data;
    struct failure problem = {0};
    data.holdout = recorded->trained.policy.data_holdout;
    if (!check_held_out(recorded, failure)) {
        return false;
    }
    if (!dataset_open(&recorded->dataset, &data, &problem)) {
        return failure_set(failure, problem.code,
                           "eval.part: found %s, as of the run's data, but %s",
                           recorded_part_name(options->part), problem.text);
    }
    return check_stores_of_run(recorded, failure);
}

static bool open_recorded_data(struct recorded *recorded, struct failure *failure)
{
    const struct recorded_options *options = recorded->options;
    return (options->part == RECORDED_ALL
                ? dataset_open(&recorded->dataset, &options->data, failure)
                : open_part(recorded, failure)) &&
           recorded_check(recorded, failure);
}

static void open_loader(struct recorded *recorded)
{
    const struct recorded_options *options = recorded->options;
    struct failure failure = {0};
    const struct policy_config *policy = &recorded->trained.policy;
    struct loader_options loader = {
        .chain = options->chain,
        .part = options->part == RECORDED_HELD_OUT ? CHAIN_HELD_OUT : CHAIN_TRAINED,
        .contexts = options->contexts,
        .micro_batch = CONTEXTS_AT_ONCE,
        .loss = options->loss,
        .reward_mask = {policy->rewarded_trials},
        .is_verified = true,
        .seed = options->seed,
    };
    loader.chain.window = policy->window;
    loader.chain.trials = size_min(loader.chain.trials, policy->shape.trial_max);
    loader.chain.trials_min = size_min(loader.chain.trials_min, loader.chain.trials);
    if (open_recorded_data(recorded, &failure)) {
        recorded->loader = loader_open(&recorded->dataset, &policy->scaling, &loader, &failure);
    }
    recorded->workers = workers_open(comm_threads(options->threads), &failure);
    comm_agree(&failure);
}

/* Called twice: on a measuring arena and on a real one. */
static void bind_model(struct recorded *recorded)
{
    const struct model_shape *shape = &recorded->trained.policy.shape;
    struct arena *arena = &recorded->arena;
    struct failure failure = {0};
    const struct mesh_position position = {.ring_size = ring_size(recorded->ring),
                                           .ring_rank = ring_rank(recorded->ring),
                                           .group_count = 1};
    loader_batch_bind(recorded->loader, &recorded->loaded, arena, position, &failure);
    comm_agree(&failure);
    const struct transformer_options transformer = {
        .rows_max = recorded->loaded.batch.steps.row_max,
        .contexts_max = recorded->loaded.batch.partition.context_max,
        .attention = recorded->options->attention,
    };
    recorded->step_losses = arena_take(arena, recorded->loaded.batch.steps.row_max, sizeof(double));
    parameter_store_bind(&recorded->parameters, arena, shape, 0, recorded->workers);
    parameter_store_multiply_in(&recorded->parameters, recorded->options->product_dtype);
    executor_bind(&recorded->executor, arena, shape, recorded->options->dtype, EXECUTOR_TRAINING,
                  recorded->workers, NULL);
    transformer_bind(&recorded->transformer, arena, &transformer, recorded->ring,
                     &recorded->executor);
}

/* Each step's loss and weight to those of its trial. */
static void add_losses(struct recorded *recorded)
{
    const struct steps *steps = &recorded->loaded.batch.steps;
    size_t rows = batch_shard(&recorded->loaded.batch)->row_count;
    transformer_loss(&recorded->transformer, &recorded->loaded.batch, recorded->step_losses);
    for (size_t row = 0; row < rows; row++) {
        double *sums = recorded->sums[steps->trial[row]];
        sums[0] += recorded->step_losses[row];
        sums[1] += (double)steps->weight[row];
    }
}

static void predict_chains(struct recorded *recorded)
{
    size_t batches = loader_micro_batch_count(recorded->loader, 1);
    for (size_t i = 0; i < batches; i++) {
        struct failure failure = {0};
        loader_fill(recorded->loader, &recorded->loaded, 0, i, &failure);
        comm_agree(&failure);
        transformer_forward(&recorded->transformer, &recorded->parameters, &recorded->loaded.batch,
                            NULL);
        add_losses(recorded);
    }
    comm_sum_double(recorded->sums[0], (size_t)2 * CHAIN_TRIALS_MAX);
}

static const char *name_measure(const struct model_shape *shape)
{
    if (shape->action_space.kind == ACTION_CATEGORICAL) {
        return "cross-entropy per component";
    }
    return shape->head == ACTION_HEAD_GAUSSIAN ? "negative log-likelihood per component"
                                               : "squared error per component";
}

static void fill_recorded_result(struct recorded_result *result, const struct recorded *recorded)
{
    const struct model_shape *shape = &recorded->trained.policy.shape;
    double components = (double)action_space_components(&shape->action_space);
    double loss = 0.0, weight = 0.0;
    *result = (struct recorded_result){.step = recorded->trained.step,
                                       .part = recorded->options->part,
                                       .contexts = recorded->options->contexts,
                                       .measure = name_measure(shape)};
    snprintf(result->checkpoint, sizeof result->checkpoint, "%s", recorded->trained.path);
    for (size_t trial = 0; trial < shape->trial_max; trial++) {
        const double *sums = recorded->sums[trial];
        result->trial[trial] = sums[1] > 0.0 ? sums[0] / (sums[1] * components) : (double)NAN;
        result->trials = sums[1] > 0.0 ? trial + 1 : result->trials;
        loss += sums[0];
        weight += sums[1];
    }
    result->all = weight > 0.0 ? loss / (weight * components) : (double)NAN;
}

/* The same on every rank. */
static void check_result(const struct recorded *recorded, const struct recorded_result *result)
{
    const struct recorded_options *options = recorded->options;
    struct failure failure = {0};
    if (result->trials == 0) {
        failure_set(&failure, EXIT_CODE_DATA,
                    "%s: found no label that is known in the %zu chains, expected some for "
                    "chain.loss=label; label the store (chainring convert STORE --label=script "
                    "--output=NEW.h5), draw more (eval.contexts), or take chain.loss=all",
                    options->data.name, options->contexts);
    } else if (!isfinite(result->all)) {
        failure_set(&failure, EXIT_CODE_DATA,
                    "%s: found a mean loss of %g on %s, expected a number; take another checkpoint",
                    recorded->trained.path, result->all, options->data.name);
    }
    comm_agree(&failure);
}

void recorded_run(struct recorded_result *result, const struct recorded_options *options)
{
    struct recorded *recorded = memory_take(1, sizeof *recorded);
    recorded->options = options;
    trained_policy_find(&recorded->trained, options->run, options->checkpoint);
    open_loader(recorded);
    recorded->ring = ring_open(comm_size(), 0);
    bind_model(recorded);
    arena_open(&recorded->arena, recorded->arena.peak);
    bind_model(recorded);
    trained_policy_load(&recorded->parameters, &recorded->trained);
    predict_chains(recorded);
    fill_recorded_result(result, recorded);
    check_result(recorded, result);
    batch_close(&recorded->loaded.batch);
    transformer_close(&recorded->transformer);
    arena_close(&recorded->arena);
    loader_close(recorded->loader);
    dataset_close(&recorded->dataset);
    workers_close(recorded->workers);
    ring_close(recorded->ring);
    memory_free(recorded);
}

/* --- Printing --------------------------------------------------------------------------------- */

void recorded_print_text(FILE *stream, const struct recorded_result *result, const char *data)
{
    enum { SHOWN = 8 };
    static const char *const what[] = {"", " (the part trained on)", " (the part held out)"};
    fprintf(stream, "%s on %s%s\n%zu chains of up to %zu trajectories, mean %s\n\n",
            result->checkpoint, data, what[result->part], result->contexts, result->trials,
            result->measure);
    for (size_t trial = 0; trial < result->trials; trial++) {
        if (result->trials > SHOWN && trial == SHOWN / 2) {
            trial = result->trials - SHOWN / 2;
            fputs("...\n", stream);
        }
        if (isnan(result->trial[trial])) {
            fprintf(stream, "trial %-6zu no known label\n", trial + 1);
        } else {
            fprintf(stream, "trial %-6zu %.6f\n", trial + 1, result->trial[trial]);
        }
    }
    fprintf(stream, "all          %.6f\n", result->all);
}

/* JSON holds no bytes that are no UTF-8. */
static json_t *text_or_null(const char *bytes)
{
    json_t *text = json_string(bytes);
    return text ? text : json_null();
}

void recorded_print_json(FILE *stream, const struct recorded_result *result, const char *data)
{
    json_t *trials = json_array();
    for (size_t trial = 0; trial < result->trials; trial++) {
        double loss = result->trial[trial];
        json_array_append_new(trials, isnan(loss) ? json_null() : json_real(loss));
    }
    json_t *object = json_pack("{s:s, s:i, s:o, s:I, s:o, s:s, s:I, s:s, s:f, s:o}", "format",
                               "chainring-recorded", "version", 1, "checkpoint",
                               text_or_null(result->checkpoint), "step", (json_int_t)result->step,
                               "data", text_or_null(data), "part", recorded_part_name(result->part),
                               "chains", (json_int_t)result->contexts, "measure", result->measure,
                               "all", result->all, "trials", trials);
    invariant(object);
    json_dumpf(object, stream, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    fputc('\n', stream);
    json_decref(object);
}

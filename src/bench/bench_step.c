#include "bench/bench.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/footprint.h"
#include "bench/measure.h"
#include "checkpoint/safetensors.h"
#include "comm/comm.h"

/* --- Saving ----------------------------------------------------------------------------------- */

/* Views of numbers that stay where they are until they are written. */
struct tensor_list {
    struct named_tensor *tensors;
    size_t count;
};

static void tensor_list_add(struct tensor_list *list, const char *name, size_t rows, size_t columns,
                            real *data)
{
    list->tensors[list->count++] = named_tensor_of(name, data, rows, columns);
}

static void tensor_list_add_parameters(struct tensor_list *list, const char *prefix,
                                       const struct parameter_layout *layout, real *flat)
{
    named_tensors_append(list->tensors + list->count, prefix, flat, layout);
    list->count += layout->entry_count;
}

/* indices: 2 x rows. */
static void tensor_list_add_batch(struct tensor_list *list, const struct batch *batch,
                                  real *indices)
{
    const struct steps *steps = &batch->steps;
    size_t rows = batch_shard(batch)->row_count;
    for (size_t i = 0; i < rows; i++) {
        indices[i] = (real)steps->time[i];
        indices[rows + i] = (real)steps->trial[i];
    }
    tensor_list_add(list, "batch.return", rows, 1, steps->return_to_go);
    tensor_list_add(list, "batch.state", rows, steps->observation_dim, steps->observation);
    tensor_list_add(list, "batch.action", rows, steps->action_dim, steps->action);
    tensor_list_add(list, "batch.reward", rows, 1, steps->reward);
    tensor_list_add(list, "batch.done", rows, 1, steps->done);
    tensor_list_add(list, "batch.time", rows, 1, indices);
    tensor_list_add(list, "batch.trial", rows, 1, indices + rows);
}

static void step_save(const struct bench_options *options, struct failure *failure)
{
    enum { OF_BATCH = 7, OF_LOSS = 1 };
    struct learner_fixture fixture;
    struct learner *learner = memory_take(1, sizeof *learner);
    learner_fixture_open(&fixture, options, failure);
    learner_open(learner, &fixture.options, fixture.loader, fixture.ring, fixture.workers);
    const struct parameter_layout *layout = &learner->parameters.layout;
    const struct batch *batch = &learner->batches.current.batch; /* after the step: of the step */
    size_t tensors = 2 * layout->entry_count + OF_BATCH + OF_LOSS;
    struct tensor_list list = {.tensors = memory_take(tensors, sizeof *list.tensors)};
    double components = (double)action_space_components(&fixture.options.shape.action_space);
    real *parameters = memory_take(layout->count, sizeof(real)); /* before the step */
    real *indices = memory_take(2 * batch->steps.row_max, sizeof(real));
    memcpy(parameters, learner->parameters.master.flat, layout->count * sizeof(real));
    real loss = (real)learner_step(learner, 1).loss;
    for (size_t i = 0; i < layout->count; i++) {
        learner->gradients.flat[i] =
            (real)(1.0 / (batch->predicted * components) * (double)learner->gradients.flat[i]);
    }
    tensor_list_add_batch(&list, batch, indices);
    tensor_list_add_parameters(&list, "parameters.", layout, parameters);
    tensor_list_add_parameters(&list, "gradients.", layout, learner->gradients.flat);
    tensor_list_add(&list, "step.loss", 1, 1, &loss);
    safetensors_write(NULL, options->save, list.tensors, list.count, failure);
    memory_free(indices);
    memory_free(parameters);
    memory_free(list.tensors);
    learner_close(learner);
    learner_fixture_close(&fixture);
    memory_free(learner);
}

/* --- Measuring -------------------------------------------------------------------------------- */

struct step_result {
    struct model_shape shape;
    size_t rings, tokens; /* tokens of each ring's context */
    double flops;         /* of the model in a step, nothing counted twice */
    struct compute_peak peak;
    struct samples_summary seconds;
    struct step_timer step_timer;    /* where the time of all repeats went, mean over the ranks */
    double parts[TRANSFORMER_PARTS]; /* seconds of all repeats, mean over the ranks */
    /* Bytes of the rank that needs most: */
    double kept;         /* by the formula of bench/footprint.h */
    double bound;        /* that are bound */
    double resident;     /* more resident than before; NaN: the system says not */
    double tokens_local; /* of that rank */
};

/* What forward and backward have taken since `parts` were taken. */
static void step_subtract_parts(double parts[TRANSFORMER_PARTS],
                                const struct transformer *transformer)
{
    for (size_t part = 0; part < TRANSFORMER_PARTS; part++) {
        parts[part] = transformer->seconds[part] - parts[part];
    }
}

/* One step that all ranks begin together; time that its timer does not know counts as other. */
static double step_time_one(struct step_result *result, struct learner *learner, uint64_t number)
{
    comm_barrier();
    double begun = clock_seconds();
    struct learner_step step = learner_step(learner, number);
    double seconds = clock_seconds() - begun;
    step.timer.seconds[STEP_TIMER_OTHER] += seconds - step_timer_total(&step.timer);
    step_timer_add(&result->step_timer, &step.timer);
    result->flops = step.flops;
    return seconds;
}

/* Steps and the processor's peak take turns. The first step warms up and touches all memory. */
static void step_time(struct step_result *result, struct learner *learner, size_t repeats)
{
    struct samples samples;
    samples_open(&samples, 1, repeats);
    step_time_one(result, learner, 1);
    result->step_timer = (struct step_timer){.since = 0.0};
    step_subtract_parts(result->parts, &learner->transformer);
    for (size_t i = 0; i < repeats; i++) {
        compute_peak_sample(&result->peak);
        samples.values[i] = step_time_one(result, learner, i + 2);
    }
    step_subtract_parts(result->parts, &learner->transformer);
    comm_sum_double(result->parts, TRANSFORMER_PARTS);
    for (size_t part = 0; part < TRANSFORMER_PARTS; part++) {
        result->parts[part] /= (double)comm_size();
    }
    samples_slowest(&samples);
    result->seconds = samples_seconds(&samples, 0);
    samples_close(&samples);
}

static void step_measure_memory(struct step_result *result, const struct learner *learner,
                                double before)
{
    const struct model_shape *shape = &result->shape;
    struct footprint footprint = footprint_of(shape, learner->options.dtype);
    size_t rows = learner->batches.current.batch.steps.row_max;
    double largest[] = {footprint_bytes(&footprint, shape, rows),
                        (double)(learner->arena.peak + learner->arena.elsewhere),
                        resident_peak() - before, (double)(rows * shape->layout.count)};
    comm_max_double(largest, 4);
    result->kept = largest[0];
    result->bound = largest[1];
    result->resident = largest[2];
    result->tokens_local = largest[3];
}

/* --- Printing --------------------------------------------------------------------------------- */

static void step_print_head(struct table_printer *printer, const struct bench_options *options,
                            const struct step_result *result)
{
    const struct model_shape *shape = &result->shape;
    const char *kernel = attention_kernel_name(options->learner.attention.kernel,
                                               options->learner.dtype, model_head_width(shape));
    char tokens[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(&shape->layout, tokens);
    fixture_print_options(printer, "step", options);
    table_number(printer, "rings", result->rings);
    table_number(printer, "tokens", result->tokens);
    table_word(printer, "layout", tokens);
    table_number(printer, "flops", result->flops);
    table_say(printer,
              "training step, %zu context%s of %zu tokens (%s), width %zu, %zu layers, %zu heads, "
              "hidden width %zu; %zu rank%s of %zu thread%s, %zu repeats; kernels for %s\n",
              result->rings, result->rings == 1 ? "" : "s", result->tokens, tokens, shape->width,
              shape->layers, shape->heads, shape->hidden, comm_size(), comm_size() == 1 ? "" : "s",
              options->threads, options->threads == 1 ? "" : "s", options->repeats, kernel);
    compute_peak_print(printer, &result->peak);
    table_say(printer, "; a step is %.3g operations\n\n", result->flops);
}

static struct table_row step_speed_row(const char *name, const struct step_result *result,
                                       double seconds)
{
    double rate = result->flops / (seconds * (double)comm_size());
    return (struct table_row){
        .label = name,
        .key = name,
        .values = {seconds, (double)(result->tokens * result->rings) / seconds, rate,
                   rate / result->peak.multiply_add, rate / result->peak.gemm},
    };
}

static void step_print_speed(struct table_printer *printer, const struct step_result *result)
{
    static const struct table table = {
        .columns = {{"ms per step", "seconds", 1e3, 2, ""},
                    {"tokens/s", NULL, 1.0, 0, ""},
                    {"GFLOP/s of a rank", NULL, 1e-9, 1, ""},
                    {"of multiply-adds", NULL, 100.0, 0, "%"},
                    {"of SGEMM", NULL, 100.0, 0, "%"}},
    };
    const struct table_row rows[] = {
        step_speed_row("best", result, result->seconds.best),
        step_speed_row("median", result, result->seconds.median),
    };
    table_print(printer, &table, rows, 2);
}

static void step_print_shares(struct table_printer *printer, const struct step_result *result,
                              size_t repeats)
{
    struct table table = {
        .title = "where the time goes",
        .columns = {{"ms", "seconds", 1e3, 2, ""}, {"share", NULL, 100.0, 1, "%"}},
    };
    struct table_row rows[] = {
        [TRANSFORMER_EMBEDDING] = {.key = "embedding", .label = "embedding"},
        [TRANSFORMER_PROJECTIONS] = {.key = "projections", .label = "projections, feed-forward"},
        [TRANSFORMER_ATTENTION_FORWARD] = {.key = "attention_forward",
                                           .label = "attention, forward"},
        [TRANSFORMER_ATTENTION_BACKWARD] = {.key = "attention_backward",
                                            .label = "attention, backward"},
        [TRANSFORMER_HEAD] = {.key = "head", .label = "head"},
    };
    struct table_row timer_rows[STEP_TIMER_PARTS];
    double total = step_timer_total(&result->step_timer);
    for (enum step_timer_part part = 0; part < STEP_TIMER_PARTS; part++) {
        double seconds = result->step_timer.seconds[part];
        timer_rows[part] = (struct table_row){
            .key = step_timer_key(part),
            .label = step_timer_words(part),
            .values = {seconds / (double)repeats, seconds / total},
        };
    }
    for (size_t part = 0; part < TRANSFORMER_PARTS; part++) {
        rows[part].values[0] = result->parts[part] / (double)repeats;
        rows[part].values[1] = result->parts[part] / total;
    }
    table_say(printer, "\n");
    table_print(printer, &table, timer_rows, STEP_TIMER_PARTS);
    table.title = "forward and backward";
    table_say(printer, "\n");
    table_print(printer, &table, rows, TRANSFORMER_PARTS);
}

static struct table_row step_memory_row(const char *label, const char *key,
                                        const struct step_result *result, double bytes)
{
    /* All but the parameters is shared out over tokens and layers. */
    double shared = bytes - footprint_of(&result->shape, DTYPE_REAL).parameters;
    return (struct table_row){
        .label = label,
        .key = key,
        .values = {bytes, bytes / result->kept,
                   shared / (result->tokens_local * (double)result->shape.layers)},
    };
}

static void step_print_memory(struct table_printer *printer, const struct step_result *result)
{
    static const struct table table = {
        .title = "memory of a rank",
        .columns = {{"MiB", "bytes", 1.0 / 1048576.0, 1, ""},
                    {"ratio", NULL, 1.0, 2, ""},
                    {"bytes a token and layer", NULL, 1.0, 0, ""}},
    };
    const struct table_row rows[] = {
        step_memory_row("must be kept, by formula", "kept", result, result->kept),
        step_memory_row("bound", "bound", result, result->bound),
        step_memory_row("resident", "resident", result, result->resident),
    };
    table_say(printer, "\n");
    table_print(printer, &table, rows, 3);
}

void bench_step(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure)
{
    if (options->save[0] != '\0') {
        step_save(options, failure);
        comm_agree(failure);
    }
    struct learner_fixture fixture;
    learner_fixture_open(&fixture, options, failure);
    const struct model_shape *shape = &fixture.options.shape;
    struct step_result result = {
        .shape = *shape,
        .rings = ring_group_count(fixture.ring),
        .tokens = shape->time_max * shape->trial_max * shape->layout.count,
    };
    struct learner *learner = memory_take(1, sizeof *learner);
    compute_peak_open(&result.peak, fixture.workers);
    compute_peak_sample(&result.peak); /* what OpenBLAS takes once is no part of what is measured */
    double before = resident_begin();
    learner_open(learner, &fixture.options, fixture.loader, fixture.ring, fixture.workers);
    step_time(&result, learner, options->repeats);
    step_measure_memory(&result, learner, before);
    learner_close(learner);
    compute_peak_close(&result.peak);
    memory_free(learner);
    learner_fixture_close(&fixture);
    step_print_head(printer, options, &result);
    step_print_speed(printer, &result);
    step_print_shares(printer, &result, options->repeats);
    step_print_memory(printer, &result);
}

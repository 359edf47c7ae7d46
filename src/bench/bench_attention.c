#include "bench/bench.h"

#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/measure.h"
#include "checkpoint/safetensors.h"
#include "comm/comm.h"
#include "math/convert.h"

/* What is timed. */
enum { ALONE_FORWARD, ALONE_BACKWARD, SHARED_FORWARD, SHARED_BACKWARD, PASSES };

/* --- Saving ----------------------------------------------------------------------------------- */

/* to (rows x width) = columns of a tensor as reals: keys and values lie side by side, which other
 * libraries keep apart. */
static void take_columns(real *to, const struct tensor *from, size_t column, size_t width)
{
    for (size_t row = 0; row < from->rows; row++) {
        convert_from(to + row * width, tensor_at(from, row, column), from->dtype, width);
    }
}

static void attention_save(const struct bench_options *options, struct failure *failure)
{
    struct workers *workers = fixture_workers(options->threads);
    struct attention_fixture fixture;
    attention_fixture_open(&fixture, options, 1, workers);
    attention_fixture_run(&fixture, RING_FORWARD);
    attention_fixture_run(&fixture, RING_BACKWARD);
    size_t rows = fixture.rows;
    size_t width = options->learner.shape.width;
    struct tensor d_key_value = tensor_of_reals(fixture.attention.d_key_value, rows, 2 * width);
    struct tensor d_output = tensor_of_reals(fixture.d_output, rows, width);
    struct tensor d_query = tensor_of_reals(fixture.d_query, rows, width);
    const struct {
        const char *name;
        const struct tensor *from;
        size_t column;
    } arrays[] = {
        {"query", &fixture.query, 0},
        {"key", &fixture.attention.key_value, 0},
        {"value", &fixture.attention.key_value, width},
        {"d_output", &d_output, 0},
        {"output", &fixture.output, 0},
        {"d_query", &d_query, 0},
        {"d_key", &d_key_value, 0},
        {"d_value", &d_key_value, width},
    };
    enum { ARRAYS = sizeof arrays / sizeof arrays[0] };
    struct named_tensor tensors[ARRAYS];
    real *reals = memory_take(ARRAYS * rows * width, sizeof *reals);
    for (size_t i = 0; i < ARRAYS; i++) {
        real *data = reals + i * rows * width;
        take_columns(data, arrays[i].from, arrays[i].column, width);
        tensors[i] = named_tensor_of(arrays[i].name, data, rows, width);
    }
    safetensors_write(NULL, options->save, tensors, ARRAYS, failure);
    memory_free(reals);
    attention_fixture_close(&fixture);
    workers_close(workers);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* Both directions and the processor's peak take turns; the first turn warms up. */
static void attention_time(struct samples *samples, size_t forward, struct compute_peak *peak,
                           const struct bench_options *options, size_t ranks)
{
    struct attention_fixture fixture;
    attention_fixture_open(&fixture, options, ranks, peak->workers);
    attention_fixture_run(&fixture, RING_FORWARD);
    attention_fixture_run(&fixture, RING_BACKWARD);
    for (size_t i = 0; i < options->repeats; i++) {
        compute_peak_sample(peak);
        samples_of(samples, forward)[i] = attention_fixture_time(&fixture, RING_FORWARD);
        samples_of(samples, forward + 1)[i] = attention_fixture_time(&fixture, RING_BACKWARD);
    }
    attention_fixture_close(&fixture);
}

/* --- Printing --------------------------------------------------------------------------------- */

static const struct table attention_table = {
    .form = TABLE_NESTED,
    .columns = {{"best ms", "best_seconds", 1e3, 2, ""},
                {"median ms", "median_seconds", 1e3, 2, ""},
                {"GFLOP/s/rank", NULL, 1e-9, 1, ""},
                {"best/peak", NULL, 100.0, 0, "%"},
                {"median/peak", NULL, 100.0, 0, "%"},
                {"best/SGEMM", NULL, 100.0, 0, "%"}},
};

/* `flops` are those of one rank. */
static struct table_row attention_row(const char *label, const char *key,
                                      struct samples_summary seconds, double flops,
                                      const struct compute_peak *peak)
{
    double best = flops / seconds.best;
    return (struct table_row){
        .label = label,
        .key = key,
        .values = {seconds.best, seconds.median, best, best / peak->multiply_add,
                   flops / seconds.median / peak->multiply_add, best / peak->gemm},
    };
}

static void attention_print_head(struct table_printer *printer, const struct bench_options *options,
                                 double forward_flops, const struct compute_peak *peak)
{
    const struct learner_options *learner = &options->learner;
    fixture_print_options(printer, "attention", options);
    table_number(printer, "forward_flops", forward_flops);
    table_number(printer, "backward_flops", 2.5 * forward_flops);
    table_say(printer,
              "attention, causal, %zu tokens, width %zu, %zu heads; %zu thread%s a rank; kernels "
              "for %s, tiles of %zu queries x %zu keys\n",
              options->length, learner->shape.width, learner->shape.heads, options->threads,
              options->threads == 1 ? "" : "s",
              attention_kernel_name(learner->attention.kernel, learner->dtype,
                                    model_head_width(&learner->shape)),
              learner->attention.query_block, learner->attention.key_block);
    compute_peak_print(printer, peak);
    table_say(printer, "\n\n");
}

static void attention_print(struct table_printer *printer, const struct bench_options *options,
                            const struct samples *samples, const struct compute_peak *peak)
{
    double length = (double)options->length;
    double ranks = (double)comm_size();
    double forward = 2.0 * length * (length + 1.0) * (double)options->learner.shape.width;
    double backward = 2.5 * forward;
    struct samples_summary seconds[PASSES];
    for (size_t i = 0; i < PASSES; i++) {
        seconds[i] = samples_seconds(samples, i);
    }
    char labels[2][64];
    snprintf(labels[0], sizeof labels[0], "ring of %zu, forward", comm_size());
    snprintf(labels[1], sizeof labels[1], "ring of %zu, backward", comm_size());
    const struct table_row rows[PASSES] = {
        attention_row("one rank, forward", "alone_forward", seconds[ALONE_FORWARD], forward, peak),
        attention_row("one rank, backward", "alone_backward", seconds[ALONE_BACKWARD], backward,
                      peak),
        attention_row(labels[0], "ring_forward", seconds[SHARED_FORWARD], forward / ranks, peak),
        attention_row(labels[1], "ring_backward", seconds[SHARED_BACKWARD], backward / ranks, peak),
    };
    /* How much of P ranks' work is left when they share one context: 1 is a ring that costs
     * nothing. */
    double efficiency_forward =
        seconds[ALONE_FORWARD].median / (ranks * seconds[SHARED_FORWARD].median);
    double efficiency_backward =
        seconds[ALONE_BACKWARD].median / (ranks * seconds[SHARED_BACKWARD].median);
    attention_print_head(printer, options, forward, peak);
    table_print(printer, &attention_table, rows,
                comm_size() > 1 || printer->is_json ? PASSES : SHARED_FORWARD);
    table_number(printer, "ring_efficiency_forward", efficiency_forward);
    table_number(printer, "ring_efficiency_backward", efficiency_backward);
    if (comm_size() > 1) {
        table_say(printer,
                  "\nefficiency of the ring against one rank (medians): forward %.2f, backward "
                  "%.2f\n",
                  efficiency_forward, efficiency_backward);
    }
}

void bench_attention(struct table_printer *printer, const struct bench_options *options,
                     struct failure *failure)
{
    if (options->save[0] != '\0') {
        attention_save(options, failure);
        comm_agree(failure);
    }
    struct workers *workers = fixture_workers(options->threads);
    struct samples samples;
    struct compute_peak peak;
    samples_open(&samples, PASSES, options->repeats);
    compute_peak_open(&peak, workers);
    attention_time(&samples, ALONE_FORWARD, &peak, options, 1);
    attention_time(&samples, SHARED_FORWARD, &peak, options, comm_size());
    compute_peak_close(&peak);
    samples_slowest(&samples);
    attention_print(printer, options, &samples, &peak);
    samples_close(&samples);
    workers_close(workers);
}

#include "bench/bench.h"

#include <math.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "bench/fixture.h"
#include "bench/measure.h"
#include "comm/comm.h"
#include "math/peak.h"

/* An eighth, a quarter, a half of the length, and all of it. */
enum { DECODE_LENGTHS = 4 };

struct decode_length {
    size_t steps;                /* of a context, with the predicted one */
    double tokens;               /* of a context */
    double bytes;                /* keys and values of a rank's contexts */
    double flops;                /* of a rank's step, but for embedding and head */
    struct samples_summary step; /* seconds of one predicted step of all contexts */
    struct samples_summary read; /* of reading as many bytes */
};

struct decode_result {
    struct compute_peak peak;
    struct decode_length lengths[DECODE_LENGTHS];
    /* The straight line through the best times: seconds of a step without context, seconds for each
     * token of it, and how far the farthest time is off, as a share of it. */
    double fixed, per_token, bend;
};

/* --- Measuring -------------------------------------------------------------------------------- */

static size_t decode_steps(const struct bench_options *options, size_t number)
{
    size_t tokens = options->length >> (DECODE_LENGTHS - 1 - number);
    return size_max(tokens / options->learner.shape.layout.count, 1);
}

static void decode_describe(struct decode_result *result, const struct bench_options *options,
                            struct decoder_fixture *fixture)
{
    const struct model_shape *shape = &fixture->shape;
    double width = (double)shape->width;
    for (size_t i = 0; i < DECODE_LENGTHS; i++) {
        struct decode_length *at = &result->lengths[i];
        at->steps = decode_steps(options, i);
        decoder_pretend(fixture->decoder, at->steps - 1);
        at->bytes = decoder_bytes(fixture->decoder);
        at->tokens = at->bytes / ((double)(options->contexts * shape->layers * 2) * width *
                                  (double)sizeof(real));
        double projections = 8.0 * width * width + 4.0 * width * (double)shape->hidden;
        double attention = 4.0 * width * at->tokens;
        at->flops = (double)(options->contexts * shape->layout.count * shape->layers) *
                    (projections + attention);
    }
}

/* One predicted step, the last one of its contexts. */
static double decode_time_step(struct decoder_fixture *fixture, const struct decode_length *at)
{
    decoder_pretend(fixture->decoder, at->steps - 1);
    comm_barrier();
    double begun = clock_seconds();
    decoder_predict(fixture->action, fixture->decoder, &fixture->last, &fixture->now);
    return clock_seconds() - begun;
}

static double decode_time_read(struct decoder_fixture *fixture, const struct decode_length *at)
{
    comm_barrier();
    return at->bytes /
           peak_read(fixture->workers, fixture->memory, (size_t)at->bytes / sizeof(real));
}

/* All lengths take turns, so that a slow spell of the machine slows them all. Each is run twice:
 * the first run finds in the processor's caches what another has left there. */
static void decode_time(struct decode_result *result, struct decoder_fixture *fixture,
                        size_t repeats)
{
    struct samples samples;
    samples_open(&samples, 2 * DECODE_LENGTHS, repeats);
    for (size_t i = 0; i < repeats; i++) {
        compute_peak_sample(&result->peak);
        for (size_t j = 0; j < DECODE_LENGTHS; j++) {
            const struct decode_length *at = &result->lengths[j];
            (void)decode_time_step(fixture, at);
            samples_of(&samples, 2 * j)[i] = decode_time_step(fixture, at);
            (void)decode_time_read(fixture, at);
            samples_of(&samples, 2 * j + 1)[i] = decode_time_read(fixture, at);
        }
    }
    samples_slowest(&samples);
    for (size_t j = 0; j < DECODE_LENGTHS; j++) {
        result->lengths[j].step = samples_seconds(&samples, 2 * j);
        result->lengths[j].read = samples_seconds(&samples, 2 * j + 1);
    }
    samples_close(&samples);
}

/* The line through the best times that is off by the least squares of shares of them. */
static void decode_fit_line(struct decode_result *result)
{
    double weights = 0.0;
    double x = 0.0;
    double y = 0.0;
    double xx = 0.0;
    double xy = 0.0;
    for (size_t i = 0; i < DECODE_LENGTHS; i++) {
        double tokens = result->lengths[i].tokens;
        double seconds = result->lengths[i].step.best;
        double weight = 1.0 / (seconds * seconds);
        weights += weight;
        x += weight * tokens;
        y += weight * seconds;
        xx += weight * tokens * tokens;
        xy += weight * tokens * seconds;
    }
    double spread = weights * xx - x * x;
    result->per_token = spread > 0.0 ? (weights * xy - x * y) / spread : 0.0;
    result->fixed = (y - result->per_token * x) / weights;
    for (size_t i = 0; i < DECODE_LENGTHS; i++) {
        const struct decode_length *at = &result->lengths[i];
        double line = result->fixed + result->per_token * at->tokens;
        result->bend = fmax(result->bend, fabs(line / at->step.best - 1.0));
    }
}

/* --- Printing --------------------------------------------------------------------------------- */

static void decode_print_head(struct table_printer *printer, const struct bench_options *options,
                              const struct compute_peak *peak)
{
    const struct model_shape *shape = &options->learner.shape;
    const char *kernel = attention_kernel_name(options->learner.attention.kernel,
                                               options->learner.dtype, model_head_width(shape));
    fixture_print_options(printer, "decode", options);
    table_number(printer, "contexts", options->contexts);
    table_say(printer,
              "decoding, %zu contexts at once, %zu new tokens each; %zu layers of width %zu, %zu "
              "heads, hidden %zu\n%zu rank%s of %zu thread%s; kernels for %s; ",
              options->contexts, shape->layout.count, shape->layers, shape->width, shape->heads,
              shape->hidden, comm_size(), comm_size() == 1 ? "" : "s", options->threads,
              options->threads == 1 ? "" : "s", kernel);
    compute_peak_print(printer, peak);
    table_say(printer, "\n\n");
}

static void decode_print_lengths(struct table_printer *printer, const struct bench_options *options,
                                 const struct decode_result *result)
{
    static const struct table table = {
        .form = TABLE_LIST,
        .list_key = "rows",
        .columns = {{"tokens", "tokens", 1.0, 0, ""},
                    {"cache MB", "cache_bytes", 1e-6, 1, ""},
                    {"best ms", "best_seconds", 1e3, 3, ""},
                    {"median ms", "median_seconds", 1e3, 3, ""},
                    {"us a context and step", NULL, 1e6, 2, ""},
                    {"tokens/s", "tokens_per_second", 1.0, 0, ""},
                    {"cache read, GB/s", NULL, 1e-9, 1, ""},
                    {"plain read, GB/s", NULL, 1e-9, 1, ""},
                    {"share", "read_share", 100.0, 0, "%"},
                    {"of peak", NULL, 100.0, 0, "%"},
                    {NULL, "flops", 1.0, 0, ""},
                    {NULL, "best_read_seconds", 1.0, 0, ""},
                    {NULL, "median_read_seconds", 1.0, 0, ""}},
    };
    struct table_row rows[DECODE_LENGTHS];
    double contexts = (double)options->contexts;
    double tokens = (double)(comm_size() * options->contexts * options->learner.shape.layout.count);
    for (size_t i = 0; i < DECODE_LENGTHS; i++) {
        const struct decode_length *at = &result->lengths[i];
        double best = at->step.best;
        rows[i] = (struct table_row){
            .label = "",
            .values = {at->tokens, at->bytes, best, at->step.median, best / contexts, tokens / best,
                       at->bytes / best, at->bytes / at->read.best, at->read.best / best,
                       at->flops / best / result->peak.multiply_add, at->flops, at->read.best,
                       at->read.median},
        };
    }
    table_print(printer, &table, rows, DECODE_LENGTHS);
}

static void decode_print_line(struct table_printer *printer, const struct decode_result *result)
{
    /* How fast each further token is read, as a share of the plain read at the whole length. */
    const struct decode_length *whole = &result->lengths[DECODE_LENGTHS - 1];
    double share =
        result->per_token > 0.0 ? whole->read.best / whole->tokens / result->per_token : 0.0;
    table_number(printer, "fixed_seconds", result->fixed);
    table_number(printer, "seconds_per_token", result->per_token);
    table_number(printer, "bend", result->bend);
    table_number(printer, "slope_share", share);
    table_say(printer,
              "\na step takes %.3f ms, and %.3f ms for every 1000 tokens of context: no row is "
              "further than %.1f%% from that\n"
              "line; along it the cache is read at %.0f%% of the plain read's rate\n",
              1e3 * result->fixed, 1e6 * result->per_token, 100.0 * result->bend, 100.0 * share);
}

void bench_decode(struct table_printer *printer, const struct bench_options *options,
                  struct failure *failure)
{
    (void)failure;
    struct decoder_fixture fixture;
    decoder_fixture_open(&fixture, options, decode_steps(options, DECODE_LENGTHS - 1));
    struct decode_result result = {.bend = 0.0};
    compute_peak_open(&result.peak, fixture.workers);
    decode_describe(&result, options, &fixture);
    decode_time(&result, &fixture, options->repeats);
    decode_fit_line(&result);
    compute_peak_close(&result.peak);
    decoder_fixture_close(&fixture);
    decode_print_head(printer, options, &result.peak);
    decode_print_lengths(printer, options, &result);
    decode_print_line(printer, &result);
}

#include "bench/decode.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/workers.h"
#include "bench/ceiling.h"
#include "comm/comm.h"
#include "math/peak.h"
#include "model/parameters.h"
#include "policy/decoder.h"

/* The walker's observations and actions. */
enum { OBSERVATIONS = 24, ACTIONS = 6 };

/* Contexts of random numbers over a model of random numbers. */
struct subject {
    struct bench_decode_options options;
    struct workers *workers;
    struct arena arena;
    struct parameters parameters;
    struct decoder *decoder;
    struct steps last, now;
    real *action; /* (contexts x ACTIONS) */
    size_t reals; /* at `memory`: as many as the longest contexts' keys and values */
    real *memory; /* that is read */
};

/* Control steps of row `row`'s contexts. */
static size_t steps_of(const struct bench_decode_options *options, size_t row)
{
    size_t tokens = options->length >> (BENCH_DECODE_ROWS - 1 - row);
    size_t steps = tokens / options->shape.layout.count;
    return steps > 0 ? steps : 1;
}

static void subject_bind(struct subject *subject)
{
    const struct bench_decode_options *options = &subject->options;
    const struct model_shape *shape = &options->shape;
    struct arena *arena = &subject->arena;
    size_t steps = steps_of(options, BENCH_DECODE_ROWS - 1);
    struct decoder_options decoder = {
        .context_max = options->contexts,
        .steps_max = steps,
        .kernel = options->kernel,
        .workers = subject->workers,
    };
    size_t caches = options->contexts * shape->layers;
    size_t cache_reals = steps * shape->layout.count * 2 * shape->width;
    parameters_bind(&subject->parameters, arena, shape);
    subject->decoder = decoder_bind(arena, &decoder, shape, &subject->parameters);
    steps_bind(&subject->last, arena, options->contexts, OBSERVATIONS, ACTIONS);
    steps_bind(&subject->now, arena, options->contexts, OBSERVATIONS, ACTIONS);
    subject->action = arena_take(arena, options->contexts * ACTIONS, sizeof(real));
    subject->memory = arena_take(arena, caches, cache_reals * sizeof(real));
    subject->reals = caches * cache_reals;
}

static bool subject_open(struct subject *subject, const struct bench_decode_options *options,
                         struct failure *failure)
{
    size_t threads = comm_threads(options->threads);
    *subject = (struct subject){.options = *options, .workers = workers_open(threads, failure)};
    if (!subject->workers) {
        return false;
    }
    struct model_shape *shape = &subject->options.shape;
    shape->observation_dim = OBSERVATIONS;
    shape->action_dim = ACTIONS;
    shape->time_max = shape->trial_max = 1;
    subject_bind(subject);
    arena_open(&subject->arena, subject->arena.peak);
    subject_bind(subject);
    parameters_initialise(&subject->parameters, shape, 1);
    peak_fill(subject->memory, subject->reals);
    decoder_begin(subject->decoder, options->contexts);
    return true;
}

static void subject_close(struct subject *subject)
{
    arena_close(&subject->arena);
    workers_close(subject->workers);
}

/* --- What is timed ---------------------------------------------------------------------------- */

/* One predicted step, the last one of contexts of so many steps. */
static double time_step(struct subject *subject, size_t steps)
{
    decoder_pretend(subject->decoder, steps - 1);
    comm_barrier();
    double begun = clock_seconds();
    decoder_predict(subject->action, subject->decoder, &subject->last, &subject->now);
    return clock_seconds() - begun;
}

static double time_read(struct subject *subject, double bytes)
{
    comm_barrier();
    return bytes / peak_read(subject->workers, subject->memory, (size_t)bytes / sizeof(real));
}

/* --- Measuring -------------------------------------------------------------------------------- */

static double step_flops(const struct bench_decode_options *options, size_t tokens)
{
    double width = (double)options->shape.width;
    double maps = 8.0 * width * width + 4.0 * width * (double)options->shape.hidden;
    double attention = 4.0 * width * (double)tokens;
    return (double)(options->contexts * options->shape.layout.count * options->shape.layers) *
           (maps + attention);
}

static void describe_rows(struct bench_decode *result, struct subject *subject)
{
    const struct model_shape *shape = &result->options.shape;
    for (size_t i = 0; i < BENCH_DECODE_ROWS; i++) {
        struct bench_decode_row *row = &result->rows[i];
        decoder_pretend(subject->decoder, steps_of(&result->options, i) - 1);
        row->bytes = decoder_bytes(subject->decoder);
        size_t reals = (size_t)row->bytes / sizeof(real);
        row->tokens = reals / (result->options.contexts * shape->layers * 2 * shape->width);
        row->flops = step_flops(&result->options, row->tokens);
    }
}

/* All rows by turns, so that all meet the same moods of the machine; the first of each two finds
 * what the one before has left in the processor's caches. */
static void time_rows(struct bench_decode *result, struct subject *subject)
{
    size_t repeats = result->options.repeats;
    double *seconds = memory_take(2 * BENCH_DECODE_ROWS * repeats, sizeof *seconds);
    struct ceiling ceiling;
    ceiling_open(&ceiling, subject->workers);
    for (size_t i = 0; i < repeats; i++) {
        ceiling_raise(&ceiling);
        for (size_t j = 0; j < BENCH_DECODE_ROWS; j++) {
            size_t steps = steps_of(&result->options, j);
            (void)time_step(subject, steps);
            seconds[2 * j * repeats + i] = time_step(subject, steps);
            (void)time_read(subject, result->rows[j].bytes);
            seconds[(2 * j + 1) * repeats + i] = time_read(subject, result->rows[j].bytes);
        }
    }
    for (size_t j = 0; j < BENCH_DECODE_ROWS; j++) {
        result->rows[j].step = bench_timing_of(seconds + 2 * j * repeats, repeats);
        result->rows[j].read = bench_timing_of(seconds + (2 * j + 1) * repeats, repeats);
    }
    memory_free(seconds);
    ceiling_share(&ceiling);
    result->multiply_add = ceiling.multiply_add;
    result->gemm = ceiling.gemm;
    ceiling_close(&ceiling);
}

/* The line through the best times that is off by the least squares of shares of them. */
static void fit_line(struct bench_decode *result)
{
    double weights = 0.0;
    double x = 0.0;
    double y = 0.0;
    double xx = 0.0;
    double xy = 0.0;
    for (size_t i = 0; i < BENCH_DECODE_ROWS; i++) {
        double tokens = (double)result->rows[i].tokens;
        double seconds = result->rows[i].step.best;
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
    for (size_t i = 0; i < BENCH_DECODE_ROWS; i++) {
        const struct bench_decode_row *row = &result->rows[i];
        double line = result->fixed + result->per_token * (double)row->tokens;
        result->bend = fmax(result->bend, fabs(line / row->step.best - 1.0));
    }
}

bool bench_decode_run(struct bench_decode *result, const struct bench_decode_options *options,
                      struct failure *failure)
{
    struct subject subject;
    bool is_open = subject_open(&subject, options, failure);
    comm_agree(failure);
    if (!is_open) {
        return false;
    }
    *result = (struct bench_decode){
        .options = *options,
        .ranks = comm_size(),
        .threads = workers_count(subject.workers),
    };
    describe_rows(result, &subject);
    time_rows(result, &subject);
    fit_line(result);
    subject_close(&subject);
    return true;
}

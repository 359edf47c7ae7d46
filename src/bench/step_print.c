#include <math.h>

#include "bench/step.h"
#include "math/gemm.h"

static const double mebibyte = 1048576.0;

static const struct {
    const char *key, *words;
} parts[TRANSFORMER_PARTS] = {
    [TRANSFORMER_EMBEDDING] = {"embedding", "embedding"},
    [TRANSFORMER_MAPS] = {"maps", "projections, feed-forward"},
    [TRANSFORMER_ATTENTION_FORWARD] = {"attention_forward", "attention, forward"},
    [TRANSFORMER_ATTENTION_BACKWARD] = {"attention_backward", "attention, backward"},
    [TRANSFORMER_HEAD] = {"head", "head"},
};

/* Operations per second of one rank. */
static double rate_of(const struct bench_step *result, double seconds)
{
    return result->flops / (seconds * (double)result->ranks);
}

static double tokens_of_step(const struct bench_step *result)
{
    return (double)(result->tokens * result->rings);
}

/* Bytes of each token of a rank in each layer: all that is no parameter, shared out. */
static double of_token_and_layer(const struct bench_step *result, double bytes)
{
    double tokens = (double)(result->rows * result->shape.layout.count);
    return (bytes - result->footprint.parameters) / (tokens * (double)result->shape.layers);
}

static void print_seconds(FILE *stream, const char *what, const struct bench_step *result,
                          double seconds)
{
    double mean = seconds / (double)result->options.repeats;
    fprintf(stream, "%-26s %10.2f %9.1f%%\n", what, 1e3 * mean,
            100.0 * seconds / step_timer_total(&result->timer));
}

static void print_times(FILE *stream, const struct bench_step *result)
{
    const struct bench_timing *timing = &result->timing;
    fprintf(stream, "%-26s %10s %10s\n", "", "best", "median");
    fprintf(stream, "%-26s %10.2f %10.2f\n", "ms per step", 1e3 * timing->best,
            1e3 * timing->median);
    fprintf(stream, "%-26s %10.0f %10.0f\n", "tokens/s", tokens_of_step(result) / timing->best,
            tokens_of_step(result) / timing->median);
    fprintf(stream, "%-26s %10.1f %10.1f\n", "GFLOP/s of a rank",
            1e-9 * rate_of(result, timing->best), 1e-9 * rate_of(result, timing->median));
    fprintf(stream, "%-26s %9.0f%% %9.0f%%\n", "of multiply-adds",
            100.0 * rate_of(result, timing->best) / result->multiply_add,
            100.0 * rate_of(result, timing->median) / result->multiply_add);
    fprintf(stream, "%-26s %9.0f%% %9.0f%%\n\n", "of SGEMM",
            100.0 * rate_of(result, timing->best) / result->gemm,
            100.0 * rate_of(result, timing->median) / result->gemm);
}

static void print_shares(FILE *stream, const struct bench_step *result)
{
    fprintf(stream, "%-26s %10s %10s\n", "where the time goes", "ms", "share");
    for (enum step_timer_part part = 0; part < STEP_TIMER_PARTS; part++) {
        print_seconds(stream, step_timer_words(part), result, result->timer.seconds[part]);
    }
    fprintf(stream, "\n%-26s %10s %10s\n", "forward and backward", "ms", "share");
    for (enum transformer_part part = 0; part < TRANSFORMER_PARTS; part++) {
        print_seconds(stream, parts[part].words, result, result->parts[part]);
    }
}

static void print_bytes(FILE *stream, const char *what, const struct bench_step *result,
                        double bytes)
{
    fprintf(stream, "%-26s %10.1f %10.2f %22.0f\n", what, bytes / mebibyte, bytes / result->kept,
            of_token_and_layer(result, bytes));
}

static void print_memory(FILE *stream, const struct bench_step *result)
{
    fprintf(stream, "\n%-26s %10s %10s %22s\n", "memory of a rank", "MiB", "ratio",
            "bytes a token and layer");
    print_bytes(stream, "must be kept, by formula", result, result->kept);
    print_bytes(stream, "bound", result, result->bound);
    print_bytes(stream, "resident", result, result->resident);
}

void bench_step_print_text(FILE *stream, const struct bench_step *result)
{
    const struct model_shape *shape = &result->shape;
    char tokens[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(&shape->layout, tokens);
    fprintf(stream,
            "training step, %zu context%s of %zu tokens (%s), width %zu, %zu layers, %zu heads, "
            "hidden width %zu; %zu rank%s of %zu thread%s, %zu repeats; kernels for %s\n"
            "in this run on each rank: multiply-adds %.1f GFLOP/s, SGEMM (OpenBLAS for %s) %.1f; "
            "a step is %.3g operations\n\n",
            result->rings, result->rings == 1 ? "" : "s", result->tokens, tokens, shape->width,
            shape->layers, shape->heads, shape->hidden, result->ranks,
            result->ranks == 1 ? "" : "s", result->options.threads,
            result->options.threads == 1 ? "" : "s", result->options.repeats,
            attention_kernel_name(result->options.learner.kernel), 1e-9 * result->multiply_add,
            gemm_core_name(), 1e-9 * result->gemm, result->flops);
    print_times(stream, result);
    print_shares(stream, result);
    print_memory(stream, result);
}

static void print_json_seconds(FILE *stream, const char *name, const struct bench_step *result,
                               double seconds)
{
    fprintf(stream, ", \"%s_seconds\": %.9g", name, seconds / (double)result->options.repeats);
}

void bench_step_print_json(FILE *stream, const struct bench_step *result)
{
    const struct model_shape *shape = &result->shape;
    char tokens[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(&shape->layout, tokens);
    fprintf(stream,
            "{\"bench\": \"step\", \"ranks\": %zu, \"threads\": %zu, \"rings\": %zu, \"tokens\": "
            "%zu, \"layout\": "
            "\"%s\", \"width\": %zu, \"layers\": %zu, \"heads\": %zu, \"hidden\": %zu, "
            "\"kernel\": \"%s\", \"repeats\": %zu, \"openblas_core\": \"%s\", \"flops\": %.9g, "
            "\"best_seconds\": %.9g, \"median_seconds\": %.9g, "
            "\"multiply_add_flops_per_second\": %.9g, \"gemm_flops_per_second\": %.9g",
            result->ranks, result->options.threads, result->rings, result->tokens, tokens,
            shape->width, shape->layers, shape->heads, shape->hidden,
            attention_kernel_name(result->options.learner.kernel), result->options.repeats,
            gemm_core_name(), result->flops, result->timing.best, result->timing.median,
            result->multiply_add, result->gemm);
    for (enum step_timer_part part = 0; part < STEP_TIMER_PARTS; part++) {
        print_json_seconds(stream, step_timer_key(part), result, result->timer.seconds[part]);
    }
    for (enum transformer_part part = 0; part < TRANSFORMER_PARTS; part++) {
        print_json_seconds(stream, parts[part].key, result, result->parts[part]);
    }
    fprintf(stream, ", \"kept_bytes\": %.0f, \"bound_bytes\": %.0f", result->kept, result->bound);
    if (isnan(result->resident)) {
        fprintf(stream, ", \"resident_bytes\": null}\n");
    } else {
        fprintf(stream, ", \"resident_bytes\": %.0f}\n", result->resident);
    }
}

#include "bench/decode.h"

#include "math/gemm.h"

static double tokens_per_second(const struct bench_decode *result, double seconds)
{
    const struct bench_decode_options *options = &result->options;
    return (double)(result->ranks * options->contexts * options->shape.layout.count) / seconds;
}

/* Of the plain read's rate. */
static double read_share(const struct bench_decode_row *row)
{
    return row->read.best / row->step.best;
}

static void print_row(FILE *stream, const struct bench_decode *result,
                      const struct bench_decode_row *row)
{
    fprintf(stream, "%8zu %9.1f %10.3f %10.3f %12.2f %12.0f %9.1f %10.1f %6.0f%% %8.0f%%\n",
            row->tokens, 1e-6 * row->bytes, 1e3 * row->step.best, 1e3 * row->step.median,
            1e6 * row->step.best / (double)result->options.contexts,
            tokens_per_second(result, row->step.best), 1e-9 * row->bytes / row->step.best,
            1e-9 * row->bytes / row->read.best, 100.0 * read_share(row),
            100.0 * row->flops / row->step.best / result->multiply_add);
}

/* Of the plain read at the whole length, by what each further token takes. */
static double slope_share(const struct bench_decode *result)
{
    const struct bench_decode_row *whole = &result->rows[BENCH_DECODE_ROWS - 1];
    double plain = whole->read.best / (double)whole->tokens;
    return result->per_token > 0.0 ? plain / result->per_token : 0.0;
}

void bench_decode_print_text(FILE *stream, const struct bench_decode *result)
{
    const struct bench_decode_options *options = &result->options;
    const struct model_shape *shape = &options->shape;
    fprintf(stream,
            "decoding, %zu contexts at once, %zu new tokens each; %zu layers of width %zu, %zu "
            "heads, hidden %zu\n"
            "%zu rank%s of %zu thread%s; kernels for %s; in this run on each rank: multiply-adds "
            "%.1f GFLOP/s, SGEMM (OpenBLAS for %s) %.1f\n\n",
            options->contexts, shape->layout.count, shape->layers, shape->width, shape->heads,
            shape->hidden, result->ranks, result->ranks == 1 ? "" : "s", result->threads,
            result->threads == 1 ? "" : "s", attention_kernel_name(options->kernel),
            1e-9 * result->multiply_add, gemm_core_name(), 1e-9 * result->gemm);
    fprintf(stream, "%8s %9s %10s %10s %12s %12s %20s %7s %9s\n", "", "cache", "best", "median",
            "us a context", "", "cache read,", "", "");
    fprintf(stream, "%8s %9s %10s %10s %12s %12s %9s %10s %7s %9s\n", "tokens", "MB", "ms", "ms",
            "and step", "tokens/s", "GB/s", "plain read", "share", "of peak");
    for (size_t i = 0; i < BENCH_DECODE_ROWS; i++) {
        print_row(stream, result, &result->rows[i]);
    }
    fprintf(stream,
            "\na step takes %.3f ms, and %.3f ms for every 1000 tokens of context: no row is "
            "further than %.1f%% from that\n"
            "line; along it the cache is read at %.0f%% of the plain read's rate\n",
            1e3 * result->fixed, 1e6 * result->per_token, 100.0 * result->bend,
            100.0 * slope_share(result));
}

static void print_json_row(FILE *stream, const struct bench_decode *result,
                           const struct bench_decode_row *row)
{
    fprintf(stream,
            "{\"tokens\": %zu, \"cache_bytes\": %.9g, \"flops\": %.9g, \"best_seconds\": %.9g, "
            "\"median_seconds\": %.9g, \"best_read_seconds\": %.9g, \"median_read_seconds\": %.9g, "
            "\"tokens_per_second\": %.9g, \"read_share\": %.4g}",
            row->tokens, row->bytes, row->flops, row->step.best, row->step.median, row->read.best,
            row->read.median, tokens_per_second(result, row->step.best), read_share(row));
}

void bench_decode_print_json(FILE *stream, const struct bench_decode *result)
{
    const struct bench_decode_options *options = &result->options;
    const struct model_shape *shape = &options->shape;
    fprintf(stream,
            "{\"bench\": \"decode\", \"ranks\": %zu, \"threads\": %zu, \"contexts\": %zu, "
            "\"width\": %zu, \"layers\": %zu, \"heads\": %zu, \"hidden\": %zu, \"kernel\": "
            "\"%s\", \"openblas_core\": \"%s\", \"repeats\": %zu, "
            "\"multiply_add_flops_per_second\": %.9g, \"gemm_flops_per_second\": %.9g, "
            "\"rows\": [",
            result->ranks, result->threads, options->contexts, shape->width, shape->layers,
            shape->heads, shape->hidden, attention_kernel_name(options->kernel), gemm_core_name(),
            options->repeats, result->multiply_add, result->gemm);
    for (size_t i = 0; i < BENCH_DECODE_ROWS; i++) {
        fprintf(stream, i == 0 ? "" : ", ");
        print_json_row(stream, result, &result->rows[i]);
    }
    fprintf(stream,
            "], \"fixed_seconds\": %.9g, \"seconds_per_token\": %.9g, \"bend\": %.4g, "
            "\"slope_share\": %.4g}\n",
            result->fixed, result->per_token, result->bend, slope_share(result));
}

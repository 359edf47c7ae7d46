#include "bench/attention.h"

#include "base/memory.h"
#include "bench/ceiling.h"
#include "bench/subject.h"
#include "comm/comm.h"
#include "math/gemm.h"

/* Both directions and the ceiling by turns, so that all meet the same moods of the machine. The
 * first turn warms up. */
static void time_ring(struct bench_timing *forward, struct bench_timing *backward,
                      struct ceiling *ceiling, const struct bench_attention_options *options,
                      struct workers *workers, size_t ranks)
{
    struct ring *ring = ring_open(ranks, options->neighbours);
    struct bench_subject subject;
    double *seconds = memory_take(2 * options->repeats, sizeof *seconds);
    bench_subject_open(&subject, options, ring, workers);
    bench_subject_forward(&subject);
    bench_subject_backward(&subject);
    for (size_t i = 0; i < options->repeats; i++) {
        ceiling_raise(ceiling);
        seconds[i] = bench_subject_seconds(bench_subject_forward, &subject);
        seconds[options->repeats + i] = bench_subject_seconds(bench_subject_backward, &subject);
    }
    *forward = bench_timing_of(seconds, options->repeats);
    *backward = bench_timing_of(seconds + options->repeats, options->repeats);
    bench_subject_close(&subject);
    memory_free(seconds);
    ring_close(ring);
}

struct bench_attention bench_attention_run(const struct bench_attention_options *options)
{
    double length = (double)options->length;
    double pairs = 0.5 * length * (length + 1.0);
    struct bench_attention result = {
        .options = *options,
        .ranks = comm_size(),
        .forward_flops = 4.0 * pairs * (double)options->width,
        .backward_flops = 10.0 * pairs * (double)options->width,
    };
    struct workers *workers = bench_workers_open(options->threads);
    struct ceiling ceiling;
    ceiling_open(&ceiling, workers);
    time_ring(&result.alone_forward, &result.alone_backward, &ceiling, options, workers, 1);
    time_ring(&result.ring_forward, &result.ring_backward, &ceiling, options, workers, comm_size());
    ceiling_share(&ceiling);
    ceiling_close(&ceiling);
    workers_close(workers);
    result.multiply_add = ceiling.multiply_add;
    result.gemm = ceiling.gemm;
    return result;
}

/* One line of the table: `flops` are those of each rank. */
static void print_line(FILE *stream, const char *what, const struct bench_attention *result,
                       double flops, const struct bench_timing *timing)
{
    double best = flops / timing->best;
    double median = flops / timing->median;
    fprintf(stream, "%-22s %10.2f %10.2f %13.1f %9.0f%% %10.0f%% %10.0f%%\n", what,
            1e3 * timing->best, 1e3 * timing->median, 1e-9 * best,
            100.0 * best / result->multiply_add, 100.0 * median / result->multiply_add,
            100.0 * best / result->gemm);
}

/* How much of P ranks' work is left when they share one context: 1 is a ring that costs nothing. */
static double efficiency(const struct bench_timing *alone, const struct bench_timing *ring,
                         size_t ranks)
{
    return alone->median / ((double)ranks * ring->median);
}

void bench_attention_print_text(FILE *stream, const struct bench_attention *result)
{
    const struct bench_attention_options *options = &result->options;
    double share = 1.0 / (double)result->ranks;
    fprintf(
        stream,
        "attention, causal, %zu tokens, width %zu, %zu heads; %zu thread%s a rank; kernels for %s, "
        "tiles of %zu queries x %zu keys\n"
        "in this run on each rank: multiply-adds %.1f GFLOP/s, SGEMM (OpenBLAS for %s) %.1f\n\n",
        options->length, options->width, options->heads, options->threads,
        options->threads == 1 ? "" : "s", attention_kernel_name(options->kernel),
        options->query_block, options->key_block, 1e-9 * result->multiply_add, gemm_core_name(),
        1e-9 * result->gemm);
    fprintf(stream, "%-22s %10s %10s %13s %10s %11s %11s\n", "", "best ms", "median ms",
            "GFLOP/s/rank", "best/peak", "median/peak", "best/SGEMM");
    print_line(stream, "one rank, forward", result, result->forward_flops, &result->alone_forward);
    print_line(stream, "one rank, backward", result, result->backward_flops,
               &result->alone_backward);
    if (result->ranks == 1) {
        return;
    }
    char what[64];
    snprintf(what, sizeof what, "ring of %zu, forward", result->ranks);
    print_line(stream, what, result, share * result->forward_flops, &result->ring_forward);
    snprintf(what, sizeof what, "ring of %zu, backward", result->ranks);
    print_line(stream, what, result, share * result->backward_flops, &result->ring_backward);
    fprintf(stream,
            "\nefficiency of the ring against one rank (medians): forward %.2f, backward "
            "%.2f\n",
            efficiency(&result->alone_forward, &result->ring_forward, result->ranks),
            efficiency(&result->alone_backward, &result->ring_backward, result->ranks));
}

static void print_json_timing(FILE *stream, const char *name, const struct bench_timing *timing)
{
    fprintf(stream, "\"%s\": {\"best_seconds\": %.9g, \"median_seconds\": %.9g}, ", name,
            timing->best, timing->median);
}

void bench_attention_print_json(FILE *stream, const struct bench_attention *result)
{
    const struct bench_attention_options *options = &result->options;
    fprintf(stream,
            "{\"bench\": \"attention\", \"ranks\": %zu, \"threads\": %zu, \"length\": %zu, "
            "\"width\": %zu, "
            "\"heads\": %zu, \"kernel\": \"%s\", \"query_block\": %zu, \"key_block\": %zu, "
            "\"repeats\": %zu, \"openblas_core\": \"%s\", ",
            result->ranks, options->threads, options->length, options->width, options->heads,
            attention_kernel_name(options->kernel), options->query_block, options->key_block,
            options->repeats, gemm_core_name());
    print_json_timing(stream, "alone_forward", &result->alone_forward);
    print_json_timing(stream, "alone_backward", &result->alone_backward);
    print_json_timing(stream, "ring_forward", &result->ring_forward);
    print_json_timing(stream, "ring_backward", &result->ring_backward);
    fprintf(stream,
            "\"forward_flops\": %.9g, \"backward_flops\": %.9g, "
            "\"multiply_add_flops_per_second\": %.9g, \"gemm_flops_per_second\": %.9g, "
            "\"ring_efficiency_forward\": %.4g, \"ring_efficiency_backward\": %.4g}\n",
            result->forward_flops, result->backward_flops, result->multiply_add, result->gemm,
            efficiency(&result->alone_forward, &result->ring_forward, result->ranks),
            efficiency(&result->alone_backward, &result->ring_backward, result->ranks));
}

#include "bench/ring.h"

#include "base/memory.h"
#include "bench/subject.h"
#include "comm/comm.h"
#include "math/gemm.h"

/* --- The journey alone ------------------------------------------------------------------------ */

static void travel(struct bench_subject *subject, enum ring_direction direction)
{
    struct kv_ring *journey = &subject->attention.kv_ring;
    kv_ring_begin(journey, direction);
    for (size_t hop = 0; hop < kv_ring_steps(journey); hop++) {
        const real *shard = kv_ring_acquire(journey, hop);
        if (shard && direction == RING_BACKWARD) {
            (void)kv_ring_acquire_gradient(journey, hop);
            kv_ring_release_gradient(journey, hop);
        }
        kv_ring_release(journey, hop);
    }
    kv_ring_end(journey);
}

static void travel_forward(struct bench_subject *subject)
{
    travel(subject, RING_FORWARD);
}

static void travel_backward(struct bench_subject *subject)
{
    travel(subject, RING_BACKWARD);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* What is timed, by turns. */
enum work {
    FORWARD_ALONE,
    FORWARD_WIRE,
    FORWARD_RING,
    BACKWARD_ALONE,
    BACKWARD_WIRE,
    BACKWARD_RING,
    WORKS
};

static void (*const works[WORKS])(struct bench_subject *subject) = {
    [FORWARD_ALONE] = bench_subject_forward, [FORWARD_WIRE] = travel_forward,
    [FORWARD_RING] = bench_subject_forward,  [BACKWARD_ALONE] = bench_subject_backward,
    [BACKWARD_WIRE] = travel_backward,       [BACKWARD_RING] = bench_subject_backward,
};

static bool is_alone(enum work work)
{
    return work == FORWARD_ALONE || work == BACKWARD_ALONE;
}

static void time_works(double medians[WORKS], struct bench_subject *alone,
                       struct bench_subject *ring, size_t repeats)
{
    double *seconds = memory_take(WORKS * repeats, sizeof *seconds);
    for (size_t i = 0; i <= repeats; i++) { /* the first turn warms up */
        for (enum work work = 0; work < WORKS; work++) {
            double taken = bench_subject_seconds(works[work], is_alone(work) ? alone : ring);
            if (i > 0) {
                seconds[work * repeats + i - 1] = taken;
            }
        }
    }
    for (enum work work = 0; work < WORKS; work++) {
        medians[work] = bench_timing_of(seconds + work * repeats, repeats).median;
    }
    memory_free(seconds);
}

static struct bench_ring_direction direction_of(const double *medians, size_t ranks)
{
    return (struct bench_ring_direction){
        .compute = medians[0] / (double)ranks, .wire = medians[1], .together = medians[2]};
}

struct bench_ring bench_ring_run(const struct bench_attention_options *options)
{
    double length = (double)options->length;
    struct ring *one = ring_open(1, 0);
    struct ring *all = ring_open(comm_size(), options->neighbours);
    struct bench_subject alone;
    struct bench_subject ring;
    double medians[WORKS];
    struct workers *workers = bench_workers_open(options->threads);
    bench_subject_open(&alone, options, one, workers);
    bench_subject_open(&ring, options, all, workers);
    time_works(medians, &alone, &ring, options->repeats);
    struct bench_ring result = {
        .options = *options,
        .ranks = comm_size(),
        .rate = 2.0 * length * (length + 1.0) * (double)options->width / medians[FORWARD_ALONE],
        .tokens = length / (double)comm_size(),
        .forward = direction_of(medians + FORWARD_ALONE, comm_size()),
        .backward = direction_of(medians + BACKWARD_ALONE, comm_size()),
    };
    result.overlap = ring_overlap_predict(all, options->rule, result.rate);
    result.forward.predicted_share =
        ring_overlap_share(result.tokens, result.overlap.tokens_forward);
    result.backward.predicted_share =
        ring_overlap_share(result.tokens, result.overlap.tokens_backward);
    bench_subject_close(&ring);
    bench_subject_close(&alone);
    workers_close(workers);
    ring_close(all);
    ring_close(one);
    bench_balance_open(&result.zigzag, options, PARTITION_ZIGZAG);
    bench_balance_open(&result.contiguous, options, PARTITION_CONTIGUOUS);
    return result;
}

void bench_ring_close(struct bench_ring *result)
{
    bench_balance_close(&result->contiguous);
    bench_balance_close(&result->zigzag);
}

/* --- Saying ----------------------------------------------------------------------------------- */

static double exposed(const struct bench_ring_direction *direction)
{
    double more = direction->together - direction->compute;
    return more > 0.0 ? more : 0.0;
}

/* Of the wire's time; noise may put more in view than there is. */
static double hidden_share(const struct bench_ring_direction *direction)
{
    double share = direction->wire > 0.0 ? 1.0 - exposed(direction) / direction->wire : 1.0;
    return share > 0.0 ? share : 0.0;
}

static void print_line(FILE *stream, const char *what, const struct bench_ring_direction *direction)
{
    fprintf(stream, "%-10s %10.2f %10.2f %12.2f %10.2f %9.1f%% %9.0f%% %9.0f%%\n", what,
            1e3 * direction->compute, 1e3 * direction->wire, 1e3 * direction->together,
            1e3 * exposed(direction), 100.0 * exposed(direction) / direction->together,
            100.0 * hidden_share(direction), 100.0 * direction->predicted_share);
}

void bench_ring_print_text(FILE *stream, const struct bench_ring *result)
{
    const struct bench_attention_options *options = &result->options;
    fprintf(stream,
            "ring of %zu, causal, %zu tokens (%.0f a rank), width %zu, %zu heads; kernels for %s\n",
            result->ranks, options->length, result->tokens, options->width, options->heads,
            attention_kernel_name(options->kernel));
    if (result->overlap.bandwidth > 0.0) {
        fprintf(stream,
                "messages at %.3f GB/s, attention at %.1f GFLOP/s a rank: predicted to be hidden "
                "from %.0f tokens a rank on, in backward from %.0f\n\n",
                1e-9 * result->overlap.bandwidth, 1e-9 * result->rate,
                result->overlap.tokens_forward, result->overlap.tokens_backward);
    } else {
        fprintf(stream, "keys and values are read in place: nothing travels\n\n");
    }
    fprintf(stream, "%-10s %10s %10s %12s %10s %10s %10s %10s\n", "median ms", "computing",
            "the wire", "together", "exposed", "of step", "hidden", "predicted");
    print_line(stream, "forward", &result->forward);
    print_line(stream, "backward", &result->backward);
    bench_balance_print_text(stream, &result->zigzag, &result->contiguous);
}

static void print_json_direction(FILE *stream, const char *name,
                                 const struct bench_ring_direction *direction)
{
    fprintf(stream,
            "\"%s\": {\"compute_seconds\": %.9g, \"wire_seconds\": %.9g, \"together_seconds\": "
            "%.9g, \"hidden_share\": %.4g, \"predicted_share\": %.4g}",
            name, direction->compute, direction->wire, direction->together, hidden_share(direction),
            direction->predicted_share);
}

void bench_ring_print_json(FILE *stream, const struct bench_ring *result)
{
    const struct bench_attention_options *options = &result->options;
    fprintf(stream,
            "{\"bench\": \"ring\", \"ranks\": %zu, \"length\": %zu, \"width\": %zu, \"heads\": "
            "%zu, \"kernel\": \"%s\", \"bytes_per_second\": %.9g, \"flops_per_second\": %.9g, "
            "\"tokens\": %.9g, \"tokens_forward\": %.9g, \"tokens_backward\": %.9g, ",
            result->ranks, options->length, options->width, options->heads,
            attention_kernel_name(options->kernel), result->overlap.bandwidth, result->rate,
            result->tokens, result->overlap.tokens_forward, result->overlap.tokens_backward);
    print_json_direction(stream, "forward", &result->forward);
    fprintf(stream, ", ");
    print_json_direction(stream, "backward", &result->backward);
    fprintf(stream, ", ");
    bench_balance_print_json(stream, &result->zigzag, &result->contiguous);
    fprintf(stream, "}\n");
}

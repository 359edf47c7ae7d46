#include "math/peak.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "math/attention_kernel.h"
#include "math/convert.h"
#include "math/gemm.h"
#include "math/gemm_bf16.h"

/* --- Computing -------------------------------------------------------------------------------- */

void peak_fill(real *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)(i % 7) - (real)3.1; /* no zeros, with which some processors are faster */
    }
}

static double rate_since(double begun)
{
    return 2.0 * PEAK_EXTENT * PEAK_EXTENT * PEAK_EXTENT / (clock_seconds() - begun);
}

static double gemm_rate(real *memory, size_t repeats)
{
    const size_t extent = PEAK_EXTENT;
    const real *a = memory, *b = memory + extent * extent;
    real *c = memory + 2 * extent * extent;
    peak_fill(memory, 2 * extent * extent);
    double best = 0.0;
    for (size_t i = 0; i < repeats; i++) {
        double begun = clock_seconds();
        gemm_nn(c, extent, GEMM_SET, (struct gemm_factor){a, extent},
                (struct gemm_factor){b, extent}, (struct gemm_sizes){extent, extent, extent});
        best = fmax(best, rate_since(begun));
    }
    return best;
}

static double gemm_bf16_rate(real *memory, size_t repeats)
{
    const size_t extent = PEAK_EXTENT, count = extent * extent;
    real *c = memory + 2 * count;
    uint16_t *a = (uint16_t *)(void *)(memory + count);
    uint16_t *b = a + count;
    if (!gemm_bf16_runs()) {
        return 0.0;
    }
    peak_fill(memory, count);
    convert_to_bfloat16(a, memory, count);
    memcpy(b, a, count * sizeof *b);
    double best = 0.0;
    for (size_t i = 0; i < repeats; i++) {
        double begun = clock_seconds();
        gemm_bf16(c, extent, GEMM_SET, (struct gemm_bf16_factor){a, extent, 1},
                  (struct gemm_bf16_factor){b, extent, 1},
                  (struct gemm_sizes){extent, extent, extent});
        best = fmax(best, rate_since(begun));
    }
    return best;
}

static double peak_rate(enum peak peak, real *memory, size_t repeats)
{
    switch (peak) {
    case PEAK_MULTIPLY_ADD:
        return attention_kernel_rate(attention_kernel_find(ATTENTION_AUTO, DTYPE_REAL), repeats);
    case PEAK_GEMM:
        return gemm_rate(memory, repeats);
    case PEAK_GEMM_BF16:
        return gemm_bf16_rate(memory, repeats);
    }
    return 0.0;
}

struct peak_call {
    enum peak peak;
    real *memory;
    size_t repeats;
    atomic_size_t sum; /* in whole operations */
};

static void measure_one(void *self, size_t item, size_t thread)
{
    struct peak_call *call = self;
    (void)thread;
    double rate = peak_rate(call->peak, call->memory + item * PEAK_REALS, call->repeats);
    atomic_fetch_add(&call->sum, (size_t)rate);
}

double peak_of_threads(enum peak peak, struct workers *workers, real *memory, size_t repeats)
{
    struct peak_call call = {.peak = peak, .memory = memory, .repeats = repeats};
    workers_run(workers, workers_count(workers), measure_one, &call);
    return (double)atomic_load(&call.sum);
}

/* By turns, so that both meet the same other work. */
static bool is_bf16_faster(void)
{
    enum { TURNS = 5 };
    real *memory = memory_take(PEAK_REALS, sizeof *memory);
    double floats = 0.0, pairs = 0.0;
    for (size_t i = 0; i < TURNS; i++) {
        floats = fmax(floats, gemm_rate(memory, 1));
        pairs = fmax(pairs, gemm_bf16_rate(memory, 1));
    }
    memory_free(memory);
    return pairs > 1.3 * floats;
}

bool peak_bf16_pays(void)
{
    static atomic_int answer; /* 0: not asked yet */
    if (atomic_load(&answer) == 0) {
        atomic_store(&answer, gemm_bf16_runs() && is_bf16_faster() ? 1 : -1);
    }
    return atomic_load(&answer) > 0;
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Work is shared out in so many pieces for each thread, of whole lines of SUMS. */
enum { PIECES = 16, SUMS = 64 };

struct traffic {
    real *to; /* NULL: only read */
    const real *from;
    size_t count, piece;
};

static void read_all(const real *values, size_t count)
{
    real sums[SUMS] = {0};
    for (size_t i = 0; i + SUMS <= count; i += SUMS) {
        for (size_t j = 0; j < SUMS; j++) {
            sums[j] += values[i + j];
        }
    }
    real sum = 0;
    for (size_t j = 0; j < SUMS; j++) {
        sum += sums[j];
    }
    volatile real sink = sum;
    (void)sink;
}

static void traffic_piece(void *self, size_t item, size_t thread)
{
    const struct traffic *traffic = self;
    size_t first = item * traffic->piece;
    (void)thread;
    if (first >= traffic->count) {
        return;
    }
    size_t left = traffic->count - first;
    size_t count = left < traffic->piece ? left : traffic->piece;
    if (traffic->to) {
        memcpy(traffic->to + first, traffic->from + first, count * sizeof *traffic->to);
    } else {
        read_all(traffic->from + first, count);
    }
}

static double measure_traffic(struct workers *workers, struct traffic traffic)
{
    size_t pieces = PIECES * workers_count(workers);
    traffic.piece = (traffic.count / pieces + SUMS) / SUMS * SUMS;
    double begun = clock_seconds();
    workers_run(workers, pieces, traffic_piece, &traffic);
    return (double)(traffic.count * sizeof(real)) / (clock_seconds() - begun);
}

double peak_read(struct workers *workers, const real *values, size_t count)
{
    return measure_traffic(workers, (struct traffic){.from = values, .count = count});
}

double peak_copy(struct workers *workers, real *to, const real *from, size_t count)
{
    return measure_traffic(workers, (struct traffic){.to = to, .from = from, .count = count});
}

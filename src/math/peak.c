#include "math/peak.h"

#include <string.h>

#include "base/clock.h"
#include "math/attention_kernel.h"
#include "math/convert.h"
#include "math/gemm.h"
#include "math/gemm_bf16.h"

double peak_gemm(real *memory, size_t repeats)
{
    const size_t extent = PEAK_EXTENT;
    real *a = memory;
    real *b = memory + extent * extent;
    real *c = memory + 2 * extent * extent;
    peak_fill(memory, 2 * extent * extent);
    double best = 0.0;
    for (size_t i = 0; i < repeats; i++) {
        double begun = clock_seconds();
        gemm_nn(c, extent, GEMM_SET, (struct gemm_factor){a, extent},
                (struct gemm_factor){b, extent}, (struct gemm_sizes){extent, extent, extent});
        double rate = 2.0 * (double)(extent * extent * extent) / (clock_seconds() - begun);
        best = rate > best ? rate : best;
    }
    return best;
}

double peak_gemm_bf16(real *memory, size_t repeats)
{
    const size_t extent = PEAK_EXTENT, count = extent * extent;
    real *c = memory + 2 * count;
    uint16_t *a = (uint16_t *)(void *)(memory + count);
    uint16_t *b = a + count;
    peak_fill(memory, count);
    convert_to_bfloat16(a, memory, count);
    memcpy(b, a, count * sizeof *b);
    double best = 0.0;
    for (size_t i = 0; i < repeats && gemm_bf16_runs(); i++) {
        double begun = clock_seconds();
        gemm_bf16(c, extent, GEMM_SET, (struct gemm_bf16_factor){a, extent, 1},
                  (struct gemm_bf16_factor){b, extent, 1},
                  (struct gemm_sizes){extent, extent, extent});
        double rate = 2.0 * (double)(count * extent) / (clock_seconds() - begun);
        best = rate > best ? rate : best;
    }
    return best;
}

double peak_multiply_add(size_t repeats)
{
    return attention_kernel_rate(attention_kernel_find(ATTENTION_AUTO, DTYPE_REAL), repeats);
}

struct peaks {
    real *memory;
    size_t repeats;
    atomic_size_t multiply_add, gemm, gemm_bf16; /* sums, in whole operations */
};

static void measure_one(void *self, size_t item, size_t thread)
{
    struct peaks *peaks = self;
    (void)thread;
    double gemm = peak_gemm(peaks->memory + item * PEAK_REALS, peaks->repeats);
    atomic_fetch_add(&peaks->multiply_add, (size_t)peak_multiply_add(peaks->repeats));
    double gemm_bf16 = peak_gemm_bf16(peaks->memory + item * PEAK_REALS, peaks->repeats);
    atomic_fetch_add(&peaks->gemm, (size_t)gemm);
    atomic_fetch_add(&peaks->gemm_bf16, (size_t)gemm_bf16);
}

struct peak peak_of_threads(struct workers *workers, real *memory, size_t repeats)
{
    struct peaks peaks = {.memory = memory, .repeats = repeats};
    workers_run(workers, workers_count(workers), measure_one, &peaks);
    return (struct peak){(double)atomic_load(&peaks.multiply_add), (double)atomic_load(&peaks.gemm),
                         (double)atomic_load(&peaks.gemm_bf16)};
}

void peak_fill(real *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)(i % 7) - (real)3.1; /* no zeros, with which some processors are faster */
    }
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

/* Ring attention against dense attention computed the plain way in double. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "comm/comm.h"
#include "model/ring_attention.h"
#include "tests/support/support_mpi.h"

/* One context of `length` single-token steps, all of it on every rank, in double. */
struct dense {
    size_t length, heads, head_width;
    double *query, *key, *value, *d_output;     /* (length x width) */
    double *output, *d_query, *d_key, *d_value; /* (length x width) */
    double *probability;                        /* (length) */
};

static size_t width_of(const struct dense *dense)
{
    return dense->heads * dense->head_width;
}

static double **dense_arrays(struct dense *dense, double **arrays[8])
{
    arrays[0] = &dense->query;
    arrays[1] = &dense->key;
    arrays[2] = &dense->value;
    arrays[3] = &dense->d_output;
    arrays[4] = &dense->output;
    arrays[5] = &dense->d_query;
    arrays[6] = &dense->d_key;
    arrays[7] = &dense->d_value;
    return arrays[0];
}

static void dense_open(struct dense *dense, size_t length, size_t heads, size_t head_width)
{
    *dense = (struct dense){.length = length, .heads = heads, .head_width = head_width};
    double **arrays[8];
    dense_arrays(dense, arrays);
    struct random random = random_stream(9, RANDOM_TEST, length, heads);
    for (size_t i = 0; i < 8; i++) {
        size_t count = length * width_of(dense);
        *arrays[i] = memory_take(count, sizeof(double));
        for (size_t j = 0; i < 4 && j < count; j++) {
            (*arrays[i])[j] = (double)(float)random_normal(&random);
        }
    }
    dense->probability = memory_take(length, sizeof(double));
}

static void dense_close(struct dense *dense)
{
    double **arrays[8];
    dense_arrays(dense, arrays);
    for (size_t i = 0; i < 8; i++) {
        memory_free(*arrays[i]);
    }
    memory_free(dense->probability);
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void softmax_row(struct dense *dense, size_t i, size_t column)
{
    size_t width = width_of(dense);
    double scale = 1.0 / sqrt((double)dense->head_width);
    double maximum = (double)-INFINITY;
    double sum = 0.0;
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] = scale * dot(dense->query + i * width + column,
                                            dense->key + j * width + column, dense->head_width);
        maximum = fmax(maximum, dense->probability[j]);
    }
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] = exp(dense->probability[j] - maximum);
        sum += dense->probability[j];
    }
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] /= sum;
    }
}

static void dense_row(struct dense *dense, size_t i, size_t column)
{
    size_t width = width_of(dense);
    double scale = 1.0 / sqrt((double)dense->head_width);
    size_t at = i * width + column;
    softmax_row(dense, i, column);
    for (size_t j = 0; j <= i; j++) {
        for (size_t c = 0; c < dense->head_width; c++) {
            dense->output[at + c] += dense->probability[j] * dense->value[j * width + column + c];
        }
    }
    double delta = dot(dense->d_output + at, dense->output + at, dense->head_width);
    for (size_t j = 0; j <= i; j++) {
        size_t to = j * width + column;
        double d_probability = dot(dense->d_output + at, dense->value + to, dense->head_width);
        double d_score = scale * dense->probability[j] * (d_probability - delta);
        for (size_t c = 0; c < dense->head_width; c++) {
            dense->d_query[at + c] += d_score * dense->key[to + c];
            dense->d_key[to + c] += d_score * dense->query[at + c];
            dense->d_value[to + c] += dense->probability[j] * dense->d_output[at + c];
        }
    }
}

static void dense_compute(struct dense *dense)
{
    for (size_t i = 0; i < dense->length; i++) {
        for (size_t head = 0; head < dense->heads; head++) {
            dense_row(dense, i, head * dense->head_width);
        }
    }
}

/* This rank's rows of the same, through the ring. */
struct sharded {
    struct arena arena;
    struct batch batch;
    struct ring_attention attention;
    real *query, *output, *d_output, *d_query; /* (rows x width) */
    real *log_sum;                             /* (rows x heads) */
};

static void sharded_bind(struct sharded *s, const struct dense *dense, enum partition_rule rule,
                         enum ring_wire wire, struct ring *ring)
{
    size_t rows = partition_rows_max(rule, ring_size(ring), 1, dense->length);
    size_t width = width_of(dense);
    struct ring_attention_options options = {
        .heads = dense->heads,
        .head_width = dense->head_width,
        .tokens_per_step = 1,
        .query_block = 32,
        .key_block = 48,
        .rows_max = rows,
        .wire = wire,
    };
    batch_bind(&s->batch, &s->arena, rule, ring_size(ring), ring_place(ring), 1, dense->length, 1,
               1);
    s->query = arena_take(&s->arena, rows * width, sizeof(real));
    s->output = arena_take(&s->arena, rows * width, sizeof(real));
    s->d_output = arena_take(&s->arena, rows * width, sizeof(real));
    s->d_query = arena_take(&s->arena, rows * width, sizeof(real));
    s->log_sum = arena_take(&s->arena, rows * dense->heads, sizeof(real));
    ring_attention_bind(&s->attention, &s->arena, &options, ring);
}

static void sharded_open(struct sharded *s, const struct dense *dense, enum partition_rule rule,
                         enum ring_wire wire, struct ring *ring)
{
    *s = (struct sharded){0};
    sharded_bind(s, dense, rule, wire, ring);
    arena_open(&s->arena, s->arena.peak);
    sharded_bind(s, dense, rule, wire, ring);
    partition_cut(&s->batch.partition, &dense->length, 1);
}

static void sharded_close(struct sharded *s)
{
    ring_attention_close(&s->attention);
    batch_close(&s->batch);
    arena_close(&s->arena);
}

enum direction { TAKE, COMPARE };

/* Copy a dense array's rows into this rank's rows, or return how far they are from them. */
static double exchange(real *rows, size_t stride, const double *dense_rows, size_t width,
                       const struct batch *batch, enum direction direction)
{
    double worst = 0.0;
    const struct shard *shard = batch_shard(batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        for (size_t j = 0; j < segment->count * width; j++) {
            real *value = rows + (segment->row + j / width) * stride + j % width;
            double wanted = dense_rows[segment->first * width + j];
            if (direction == TAKE) {
                *value = (real)wanted;
            } else {
                worst = fmax(worst, fabs((double)*value - wanted));
            }
        }
    }
    return worst;
}

static double largest(const double *values, size_t count)
{
    double most = 0.0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs(values[i]));
    }
    return most;
}

static void expect_close(real *rows, size_t stride, const double *wanted, const struct dense *dense,
                         const struct batch *batch, double tolerance, const char *name)
{
    size_t width = width_of(dense);
    double error = exchange(rows, stride, wanted, width, batch, COMPARE);
    /* What comes in is of size 1, so that a gradient which ought to vanish is held to that. */
    double scale = fmax(1.0, largest(wanted, dense->length * width));
    if (!(error <= tolerance * scale)) {
        fail_msg("%s of length %zu, %zu heads: off by %g of %g", name, dense->length, dense->heads,
                 error, scale);
    }
}

static void compare(size_t length, size_t heads, enum partition_rule rule, enum ring_wire wire,
                    struct ring *ring)
{
    struct dense dense;
    struct sharded s;
    dense_open(&dense, length, heads, 16);
    dense_compute(&dense);
    sharded_open(&s, &dense, rule, wire, ring);
    double tolerance = wire == RING_WIRE_BF16 ? 3e-2 : 1e-5;
    size_t width = width_of(&dense);
    exchange(s.query, width, dense.query, width, &s.batch, TAKE);
    exchange(s.attention.key_value, 2 * width, dense.key, width, &s.batch, TAKE);
    exchange(s.attention.key_value + width, 2 * width, dense.value, width, &s.batch, TAKE);
    exchange(s.d_output, width, dense.d_output, width, &s.batch, TAKE);
    ring_attention_begin(&s.attention, &s.batch);
    ring_attention_forward(s.output, s.log_sum, &s.attention, s.query, &s.batch);
    ring_attention_backward(s.d_query, &s.attention, s.d_output, s.output, s.log_sum, s.query,
                            &s.batch);
    expect_close(s.output, width, dense.output, &dense, &s.batch, tolerance, "output");
    expect_close(s.d_query, width, dense.d_query, &dense, &s.batch, tolerance, "d_query");
    expect_close(s.attention.d_key_value, 2 * width, dense.d_key, &dense, &s.batch, tolerance,
                 "d_key");
    expect_close(s.attention.d_key_value + width, 2 * width, dense.d_value, &dense, &s.batch,
                 tolerance, "d_value");
    sharded_close(&s);
    dense_close(&dense);
}

static void compare_lengths(enum partition_rule rule, size_t neighbours_max, const size_t *lengths,
                            size_t count)
{
    struct ring *ring = ring_open(comm_size(), neighbours_max);
    for (size_t i = 0; i < count; i++) {
        compare(lengths[i], 1, rule, RING_WIRE_F32, ring);
        compare(lengths[i], 4, rule, RING_WIRE_F32, ring);
    }
    ring_close(ring);
}

/* What travels where depends on the neighbourhoods, not on the length. */
static void compare_few_lengths(size_t neighbours_max)
{
    static const size_t lengths[] = {1, 7, 301};
    compare_lengths(PARTITION_ZIGZAG, neighbours_max, lengths, sizeof lengths / sizeof lengths[0]);
    compare_lengths(PARTITION_CONTIGUOUS, neighbours_max, lengths,
                    sizeof lengths / sizeof lengths[0]);
}

static void test_ring_attention_equals_dense_in_one_neighbourhood(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 7, 64, 1000, 1001};
    size_t count = sizeof lengths / sizeof lengths[0];
    compare_lengths(PARTITION_ZIGZAG, 0, lengths, count);
    compare_lengths(PARTITION_CONTIGUOUS, 0, lengths, count);
}

static void test_ring_attention_equals_dense_by_messages(void **state)
{
    (void)state;
    compare_few_lengths(1);
}

/* As on two machines: in place inside each, by messages between them. */
static void test_ring_attention_equals_dense_across_neighbourhoods(void **state)
{
    (void)state;
    compare_few_lengths(2);
}

/* 8 bits of precision on the way, and nothing worse. */
static void test_wire_of_half_the_bytes_only_rounds(void **state)
{
    (void)state;
    for (size_t neighbours_max = 1; neighbours_max <= 2; neighbours_max++) {
        struct ring *ring = ring_open(comm_size(), neighbours_max);
        compare(7, 4, PARTITION_ZIGZAG, RING_WIRE_BF16, ring);
        compare(301, 4, PARTITION_ZIGZAG, RING_WIRE_BF16, ring);
        compare(301, 1, PARTITION_CONTIGUOUS, RING_WIRE_BF16, ring);
        ring_close(ring);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_attention_equals_dense_in_one_neighbourhood),
        cmocka_unit_test(test_ring_attention_equals_dense_by_messages),
        cmocka_unit_test(test_ring_attention_equals_dense_across_neighbourhoods),
        cmocka_unit_test(test_wire_of_half_the_bytes_only_rounds),
    };
    return support_mpi_run(argc, argv, "ring_attention", tests, sizeof tests / sizeof tests[0]);
}

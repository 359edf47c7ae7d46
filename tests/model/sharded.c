#include "tests/support/support.h"

#include "tests/model/sharded.h"

#include <math.h>

#include "comm/progress.h"
#include "math/convert.h"

const char *const sharded_names[SHARDED_RESULTS] = {
    [SHARDED_OUTPUT] = "output",
    [SHARDED_D_QUERY] = "d_query",
    [SHARDED_D_KEY] = "d_key",
    [SHARDED_D_VALUE] = "d_value",
};

static void bind_all(struct sharded *s, const struct sharded_options *how, struct ring *ring)
{
    const struct dense *dense = s->dense;
    size_t rows = partition_rows_max(how->rule, ring_size(ring), 1, dense->length);
    size_t width = dense_width(dense);
    struct attention_options options = {.kernel = how->kernel, .query_block = 32, .key_block = 48};
    const struct mesh_position position = {
        .split = how->rule, .ring_size = ring_size(ring), .ring_rank = ring_rank(ring)};
    batch_bind(&s->batch, &s->arena, position, 1, dense->length, 1, 1);
    s->d_output = arena_take(&s->arena, rows * width, sizeof(real));
    s->d_query = arena_take(&s->arena, rows * width, sizeof(real));
    s->logsumexp = arena_take(&s->arena, rows * dense->heads, sizeof(real));
    s->shape =
        (struct model_shape){.width = width, .heads = dense->heads, .hidden = 1, .layout.count = 1};
    executor_bind(&s->executor, &s->arena, &s->shape, how->is_bf16 ? DTYPE_BF16 : DTYPE_REAL,
                  EXECUTOR_FORWARD, s->workers, comm_progress);
    s->query = executor_activations(&s->executor, &s->arena, rows, width);
    s->output = executor_activations(&s->executor, &s->arena, rows, width);
    ring_attention_bind(&s->attention, &s->arena, rows, 1, &options, ring, &s->executor);
}

/* This rank's rows of a dense array, from a column on. */
static void take(const struct tensor *rows, size_t column, const double *dense_rows,
                 const struct sharded *s)
{
    size_t width = dense_width(s->dense);
    const struct shard *shard = batch_shard(&s->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        for (size_t j = 0; j < segment->count * width; j++) {
            real value = (real)dense_rows[segment->first * width + j];
            convert_to(tensor_at(rows, segment->row + j / width, column + j % width), rows->dtype,
                       &value, 1);
        }
    }
}

static struct tensor reals_of(const struct sharded *s, real *reals, size_t columns)
{
    return tensor_of_reals(reals, s->query.rows, columns);
}

void sharded_open(struct sharded *sharded, const struct dense *dense,
                  const struct sharded_options *options, struct ring *ring)
{
    struct sharded *s = sharded;
    size_t width = dense_width(dense);
    struct failure failure = {0};
    *s = (struct sharded){.dense = dense};
    s->workers = workers_open(options->threads > 0 ? options->threads : 1, &failure);
    fatal_if_failed(&failure);
    bind_all(s, options, ring);
    arena_open(&s->arena, s->arena.peak);
    bind_all(s, options, ring);
    partition_cut(&s->batch.partition, &dense->length, 1);
    struct tensor d_output = reals_of(s, s->d_output, width);
    take(&s->query, 0, dense->query, s);
    take(&s->attention.key_value, 0, dense->key, s);
    take(&s->attention.key_value, width, dense->value, s);
    take(&d_output, 0, dense->d_output, s);
}

void sharded_close(struct sharded *sharded)
{
    ring_attention_close(&sharded->attention);
    batch_close(&sharded->batch);
    arena_close(&sharded->arena);
    workers_close(sharded->workers);
}

void sharded_compute(struct sharded *sharded)
{
    struct sharded *s = sharded;
    ring_attention_begin(&s->attention, &s->batch);
    ring_attention_forward(&s->output, s->logsumexp, &s->attention, &s->query, &s->batch);
    const struct attention_saved saved = {
        .query = s->query, .output = s->output, .d_output = s->d_output, .logsumexp = s->logsumexp};
    ring_attention_backward(s->d_query, &s->attention, &saved, &s->batch);
}

static double largest(const double *values, size_t count)
{
    double most = 1.0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs(values[i]));
    }
    return most;
}

static double error_of(struct tensor rows, size_t column, const double *wanted,
                       const struct sharded *s)
{
    double worst = 0.0;
    size_t width = dense_width(s->dense);
    const struct shard *shard = batch_shard(&s->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        for (size_t j = 0; j < segment->count * width; j++) {
            real found;
            convert_from(&found, tensor_at(&rows, segment->row + j / width, column + j % width),
                         rows.dtype, 1);
            double distance = fabs((double)found - wanted[segment->first * width + j]);
            worst = distance <= worst ? worst : distance; /* NaN is the worst */
        }
    }
    return worst / largest(wanted, s->dense->length * width);
}

void sharded_errors(double errors[SHARDED_RESULTS], const struct sharded *sharded)
{
    const struct sharded *s = sharded;
    size_t width = dense_width(s->dense);
    struct tensor d_key_value = reals_of(s, s->attention.d_key_value, 2 * width);
    errors[SHARDED_OUTPUT] = error_of(s->output, 0, s->dense->output, s);
    errors[SHARDED_D_QUERY] = error_of(reals_of(s, s->d_query, width), 0, s->dense->d_query, s);
    errors[SHARDED_D_KEY] = error_of(d_key_value, 0, s->dense->d_key, s);
    errors[SHARDED_D_VALUE] = error_of(d_key_value, width, s->dense->d_value, s);
}

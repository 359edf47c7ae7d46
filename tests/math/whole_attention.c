#include "tests/math/whole_attention.h"

#include <math.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "base/random.h"
#include "math/attention_block.h"
#include "math/convert.h"

/* --- By blocks -------------------------------------------------------------------------------- */

static enum dtype dtype_of(const struct whole_attention *whole)
{
    return whole->is_bf16 ? DTYPE_BF16 : DTYPE_REAL;
}

/* Rows of numbers as the blocks read them. */
struct typed_rows {
    void *copy; /* without gaps; NULL: they are read where they are */
    const void *data;
    size_t stride;
};

static struct typed_rows rows_as(enum dtype dtype, const real *rows, size_t count, size_t width,
                                 size_t stride)
{
    if (dtype == DTYPE_REAL) {
        return (struct typed_rows){.data = rows, .stride = stride};
    }
    uint16_t *copy = memory_take(count * width, sizeof *copy);
    for (size_t row = 0; row < count; row++) {
        convert_to_bfloat16(copy + row * width, rows + row * stride, width);
    }
    return (struct typed_rows){.copy = copy, .data = copy, .stride = width};
}

static const void *row_of(const struct typed_rows *rows, enum dtype dtype, size_t row)
{
    return (const char *)rows->data + row * rows->stride * dtype_size(dtype);
}

/* What both directions need: scratch memory and the blocks of keys in their order. */
struct blocks {
    struct typed_rows query, key, value;
    struct attention_workspace scratch;
    struct arena arena;
    size_t *order;
    size_t count;
};

static struct blocks blocks_of(const struct whole_attention *whole)
{
    struct blocks blocks = {
        .query = rows_as(dtype_of(whole), whole->query, whole->query_count, whole->width,
                         whole->query_stride),
        .key =
            rows_as(dtype_of(whole), whole->key, whole->key_count, whole->width, whole->key_stride),
        .value = rows_as(dtype_of(whole), whole->value, whole->key_count, whole->width,
                         whole->key_stride),
    };
    struct attention_options options = {
        .kernel = whole->kernel,
        .query_block = whole->query_block,
        .key_block = whole->key_block,
    };
    attention_workspace_bind(&blocks.scratch, &blocks.arena, &options, dtype_of(whole),
                             whole->width);
    arena_open(&blocks.arena, blocks.arena.peak);
    attention_workspace_bind(&blocks.scratch, &blocks.arena, &options, dtype_of(whole),
                             whole->width);
    blocks.count = divide_up(whole->key_count, whole->key_block);
    blocks.order = memory_take(blocks.count, sizeof *blocks.order);
    struct random random = random_stream(whole->shuffle, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < blocks.count; i++) {
        size_t j = whole->shuffle ? random_below(&random, i + 1) : i;
        blocks.order[i] = blocks.order[j];
        blocks.order[j] = i;
    }
    return blocks;
}

static void blocks_release(struct blocks *blocks)
{
    memory_free(blocks->order);
    memory_free(blocks->query.copy);
    memory_free(blocks->key.copy);
    memory_free(blocks->value.copy);
    arena_close(&blocks->arena);
}

static struct attention_queries queries_from(const struct whole_attention *whole,
                                             const struct blocks *blocks, size_t start)
{
    size_t left = whole->query_count - start;
    return (struct attention_queries){
        .query = row_of(&blocks->query, dtype_of(whole), start),
        .dtype = dtype_of(whole),
        .count = left < whole->query_block ? left : whole->query_block,
        .width = whole->width,
        .stride = blocks->query.stride,
        .position = whole->first_query + start,
    };
}

static struct attention_keys keys_from(const struct whole_attention *whole,
                                       const struct blocks *blocks, size_t start)
{
    size_t left = whole->key_count - start;
    return (struct attention_keys){
        .key = row_of(&blocks->key, dtype_of(whole), start),
        .value = row_of(&blocks->value, dtype_of(whole), start),
        .dtype = dtype_of(whole),
        .count = left < whole->key_block ? left : whole->key_block,
        .stride = blocks->key.stride,
        .position = whole->first_key + start,
    };
}

void whole_attention_blockwise(real *output, real *logsumexp, const struct whole_attention *whole)
{
    struct blocks blocks = blocks_of(whole);
    real *gathered = memory_take((whole->width + 2) * whole->query_block, sizeof(real));
    struct attention_state state = {
        .output = gathered,
        .maximum = gathered + whole->width * whole->query_block,
        .sum = gathered + (whole->width + 1) * whole->query_block,
    };
    for (size_t start = 0; start < whole->query_count; start += whole->query_block) {
        struct attention_queries queries = queries_from(whole, &blocks, start);
        attention_block_init(&state, &queries);
        for (size_t i = 0; i < blocks.count; i++) {
            struct attention_keys keys =
                keys_from(whole, &blocks, blocks.order[i] * whole->key_block);
            attention_block_load(&blocks.scratch, &queries, &state);
            attention_block_update(&blocks.scratch, &queries, &keys);
            attention_block_store(&state, &blocks.scratch, &queries);
        }
        struct attention_output to = {output + start * whole->query_stride, DTYPE_REAL,
                                      whole->query_stride};
        attention_block_finalize(&to, logsumexp + start, &state, &blocks.scratch, &queries);
    }
    memory_free(gathered);
    blocks_release(&blocks);
}

void whole_attention_blockwise_backward(real *d_query, real *d_key, real *d_value,
                                        const real *d_output, const real *output,
                                        const real *logsumexp, const struct whole_attention *whole)
{
    struct blocks blocks = blocks_of(whole);
    for (size_t start = 0; start < whole->query_count; start += whole->query_block) {
        struct attention_queries queries = queries_from(whole, &blocks, start);
        size_t row = start * whole->query_stride;
        struct attention_result result = {
            .output = output + row,
            .dtype = DTYPE_REAL,
            .d_output = d_output + row,
            .logsumexp = logsumexp + start,
            .stride = whole->query_stride,
        };
        attention_block_load_backward(&blocks.scratch, &queries, &result);
        for (size_t i = 0; i < blocks.count; i++) {
            size_t key_start = blocks.order[i] * whole->key_block;
            struct attention_keys keys = keys_from(whole, &blocks, key_start);
            struct attention_gradients gradients = {
                .d_key = d_key + key_start * whole->key_stride,
                .d_value = d_value + key_start * whole->key_stride,
                .stride = whole->key_stride,
            };
            attention_block_update_backward(&gradients, &blocks.scratch, &queries, &keys);
        }
        attention_block_store_backward(d_query + row, whole->query_stride, &blocks.scratch,
                                       &queries);
    }
    blocks_release(&blocks);
}

/* --- Dense, in double ------------------------------------------------------------------------- */

static double dot(const real *a, const real *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* How many keys, from the first one on, query i sees. */
static size_t keys_seen(const struct whole_attention *whole, size_t i)
{
    size_t position = whole->first_query + i;
    size_t seen = position < whole->first_key ? 0 : position - whole->first_key + 1;
    return seen < whole->key_count ? seen : whole->key_count;
}

/* The softmax over the `seen` keys of query i; returns the natural logarithm of its denominator. */
static double probabilities(double *probability, size_t seen, const struct whole_attention *whole,
                            size_t i)
{
    double largest = -(double)INFINITY;
    for (size_t j = 0; j < seen; j++) {
        probability[j] = dot(whole->query + i * whole->query_stride,
                             whole->key + j * whole->key_stride, whole->width) /
                         sqrt((double)whole->width);
        largest = fmax(largest, probability[j]);
    }
    double sum = 0.0;
    for (size_t j = 0; j < seen; j++) {
        probability[j] = exp(probability[j] - largest);
        sum += probability[j];
    }
    for (size_t j = 0; j < seen; j++) {
        probability[j] /= sum;
    }
    return largest + log(sum);
}

void whole_attention_dense(double *output, double *logsumexp, const struct whole_attention *whole)
{
    double *probability = memory_take(whole->key_count, sizeof *probability);
    for (size_t i = 0; i < whole->query_count; i++) {
        size_t seen = keys_seen(whole, i);
        double *row = output + i * whole->query_stride;
        for (size_t column = 0; column < whole->width; column++) {
            row[column] = 0.0;
        }
        if (seen > 0) {
            logsumexp[i] = probabilities(probability, seen, whole, i) / log(2.0);
        }
        for (size_t j = 0; j < seen; j++) {
            for (size_t column = 0; column < whole->width; column++) {
                row[column] +=
                    probability[j] * (double)whole->value[j * whole->key_stride + column];
            }
        }
    }
    memory_free(probability);
}

void whole_attention_dense_backward(double *d_query, double *d_key, double *d_value,
                                    const real *d_output, const struct whole_attention *whole)
{
    double *probability = memory_take(whole->key_count, sizeof *probability);
    double *d_probability = memory_take(whole->key_count, sizeof *d_probability);
    for (size_t i = 0; i < whole->query_count; i++) {
        size_t seen = keys_seen(whole, i);
        size_t row = i * whole->query_stride;
        probabilities(probability, seen, whole, i);
        double mean = 0.0;
        for (size_t j = 0; j < seen; j++) {
            d_probability[j] =
                dot(d_output + row, whole->value + j * whole->key_stride, whole->width);
            mean += probability[j] * d_probability[j];
        }
        for (size_t j = 0; j < seen; j++) {
            double d_score =
                probability[j] * (d_probability[j] - mean) / sqrt((double)whole->width);
            size_t key_row = j * whole->key_stride;
            for (size_t column = 0; column < whole->width; column++) {
                d_query[row + column] += d_score * (double)whole->key[key_row + column];
                d_key[key_row + column] += d_score * (double)whole->query[row + column];
                d_value[key_row + column] += probability[j] * (double)d_output[row + column];
            }
        }
    }
    memory_free(d_probability);
    memory_free(probability);
}

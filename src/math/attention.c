#include "math/attention.h"

#include <math.h>
#include <string.h>

#include "math/exponential.h"
#include "math/gemm.h"

static const double log2_e = 1.4426950408889634074;

/* A masked score lies far below the least maximum, so that it counts 2^-huge = 0 even for a query
 * that has seen nothing yet. */
static const real masked_score = (real)-1e30;
static const real least_maximum = (real)-5e29;
static const real unseen_log_sum = (real)1e30;

static const size_t reals_per_line = 64 / sizeof(real);

static size_t whole_lines(size_t count)
{
    return (count + reals_per_line - 1) / reals_per_line * reals_per_line;
}

size_t attention_scratch_size(size_t query_block, size_t key_block, size_t width)
{
    return 2 * whole_lines(width * query_block) + 2 * whole_lines(key_block * query_block) +
           2 * whole_lines(query_block);
}

void attention_scratch_bind(struct attention_scratch *scratch, real *memory, size_t query_block,
                            size_t key_block, size_t width)
{
    scratch->query_transposed = memory;
    scratch->gradient_transposed = scratch->query_transposed + whole_lines(width * query_block);
    scratch->scores = scratch->gradient_transposed + whole_lines(width * query_block);
    scratch->score_gradients = scratch->scores + whole_lines(key_block * query_block);
    scratch->correction = scratch->score_gradients + whole_lines(key_block * query_block);
    scratch->delta = scratch->correction + whole_lines(query_block);
}

/* 1/sqrt(width), and into base 2. */
static real score_scale(size_t width)
{
    return (real)(log2_e / sqrt((double)width));
}

static void transpose(real *restrict out, const real *restrict in, size_t rows, size_t columns,
                      size_t in_stride, real scale)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            out[column * rows + row] = scale * in[row * in_stride + column];
        }
    }
}

void attention_load_queries(struct attention_scratch *scratch,
                            const struct attention_queries *queries)
{
    transpose(scratch->query_transposed, queries->query, queries->count, queries->width,
              queries->stride, score_scale(queries->width));
}

void attention_begin(struct attention_state *state, const struct attention_queries *queries)
{
    memset(state->output, 0, queries->width * queries->count * sizeof *state->output);
    memset(state->sum, 0, queries->count * sizeof *state->sum);
    for (size_t i = 0; i < queries->count; i++) {
        state->maximum[i] = least_maximum;
    }
}

/* scores (keys x queries) in base 2, with those of keys later than the query masked. */
static void compute_scores(real *scores, const struct attention_scratch *scratch,
                           const struct attention_queries *queries,
                           const struct attention_keys *keys)
{
    gemm_nn(scores, queries->count, GEMM_SET, keys->key, keys->stride, scratch->query_transposed,
            queries->count, keys->count, queries->count, queries->width);
    for (size_t j = 0; j < keys->count; j++) {
        size_t key_position = keys->position + j;
        if (key_position <= queries->position) {
            continue;
        }
        size_t masked = key_position - queries->position;
        masked = masked < queries->count ? masked : queries->count;
        for (size_t i = 0; i < masked; i++) {
            scores[j * queries->count + i] = masked_score;
        }
    }
}

/* Raise the maxima to cover a new block; correction = 2^(old - new). Returns whether any rose. */
static int raise_maximum(real *restrict maximum, real *restrict correction,
                         const real *restrict scores, size_t key_count, size_t query_count)
{
    memcpy(correction, maximum, query_count * sizeof *correction);
    for (size_t j = 0; j < key_count; j++) {
        const real *row = scores + j * query_count;
        for (size_t i = 0; i < query_count; i++) {
            maximum[i] = row[i] > maximum[i] ? row[i] : maximum[i];
        }
    }
    int rose = 0;
    for (size_t i = 0; i < query_count; i++) {
        rose |= maximum[i] > correction[i];
        correction[i] = exponential_base2(correction[i] - maximum[i]);
    }
    return rose;
}

static void rescale(struct attention_state *state, const real *restrict correction, size_t width,
                    size_t query_count)
{
    for (size_t i = 0; i < query_count; i++) {
        state->sum[i] *= correction[i];
    }
    for (size_t column = 0; column < width; column++) {
        real *restrict row = state->output + column * query_count;
        for (size_t i = 0; i < query_count; i++) {
            row[i] *= correction[i];
        }
    }
}

/* scores become 2^(score - maximum), and are added up for each query. */
static void exponentiate(real *restrict scores, real *restrict sum, const real *restrict maximum,
                         size_t key_count, size_t query_count)
{
    for (size_t j = 0; j < key_count; j++) {
        real *restrict row = scores + j * query_count;
        for (size_t i = 0; i < query_count; i++) {
            row[i] = exponential_base2(row[i] - maximum[i]);
            sum[i] += row[i];
        }
    }
}

void attention_absorb(struct attention_state *state, struct attention_scratch *scratch,
                      const struct attention_queries *queries, const struct attention_keys *keys)
{
    compute_scores(scratch->scores, scratch, queries, keys);
    if (raise_maximum(state->maximum, scratch->correction, scratch->scores, keys->count,
                      queries->count)) {
        rescale(state, scratch->correction, queries->width, queries->count);
    }
    exponentiate(scratch->scores, state->sum, state->maximum, keys->count, queries->count);
    gemm_tn(state->output, queries->count, GEMM_ADD, keys->value, keys->stride, scratch->scores,
            queries->count, queries->width, queries->count, keys->count);
}

void attention_finish(real *output, size_t output_stride, real *log_sum,
                      const struct attention_state *state, const struct attention_queries *queries)
{
    for (size_t i = 0; i < queries->count; i++) {
        real sum = state->sum[i];
        real inverse = sum > 0 ? 1 / sum : 0;
        log_sum[i] = sum > 0 ? state->maximum[i] + (real)log2((double)sum) : unseen_log_sum;
        for (size_t column = 0; column < queries->width; column++) {
            output[i * output_stride + column] =
                state->output[column * queries->count + i] * inverse;
        }
    }
}

void attention_load_gradients(struct attention_scratch *scratch, const real *d_output,
                              const real *output, size_t output_stride,
                              const struct attention_queries *queries)
{
    transpose(scratch->gradient_transposed, d_output, queries->count, queries->width, output_stride,
              1);
    for (size_t i = 0; i < queries->count; i++) {
        real dot = 0;
        for (size_t column = 0; column < queries->width; column++) {
            dot += d_output[i * output_stride + column] * output[i * output_stride + column];
        }
        scratch->delta[i] = dot;
    }
}

/* scores become probabilities P; score_gradients, which hold dP, become P (dP - delta) / sqrt. */
static void differentiate_softmax(real *restrict scores, real *restrict score_gradients,
                                  const real *restrict log_sum, const real *restrict delta,
                                  real scale, size_t key_count, size_t query_count)
{
    for (size_t j = 0; j < key_count; j++) {
        real *restrict row = scores + j * query_count;
        real *restrict gradient_row = score_gradients + j * query_count;
        for (size_t i = 0; i < query_count; i++) {
            real probability = exponential_base2(row[i] - log_sum[i]);
            row[i] = probability;
            gradient_row[i] = scale * probability * (gradient_row[i] - delta[i]);
        }
    }
}

void attention_absorb_backward(const struct attention_gradients *gradients,
                               struct attention_scratch *scratch, const real *d_output,
                               size_t output_stride, const real *log_sum,
                               const struct attention_queries *queries,
                               const struct attention_keys *keys)
{
    size_t query_count = queries->count;
    size_t width = queries->width;
    compute_scores(scratch->scores, scratch, queries, keys);
    gemm_nn(scratch->score_gradients, query_count, GEMM_SET, keys->value, keys->stride,
            scratch->gradient_transposed, query_count, keys->count, query_count, width);
    differentiate_softmax(scratch->scores, scratch->score_gradients, log_sum, scratch->delta,
                          (real)(1.0 / sqrt((double)width)), keys->count, query_count);
    gemm_nn(gradients->d_value, gradients->d_key_stride, GEMM_ADD, scratch->scores, query_count,
            d_output, output_stride, keys->count, width, query_count);
    gemm_nn(gradients->d_key, gradients->d_key_stride, GEMM_ADD, scratch->score_gradients,
            query_count, queries->query, queries->stride, keys->count, width, query_count);
    gemm_tn(gradients->d_query, gradients->d_query_stride, GEMM_ADD, scratch->score_gradients,
            query_count, keys->key, keys->stride, query_count, width, keys->count);
}

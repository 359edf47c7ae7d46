/* The attention kernel whose products are those of the BLAS: what the others are measured against.
 */
#include <string.h>

#include "math/attention_kernel.h"
#include "math/exponential.h"
#include "math/gemm.h"

/* Raise the maxima to cover a new block; correction = 2^(old - new). Returns whether any rose. */
static int raise_maximum(real *restrict maximum, real *restrict correction,
                         const real *restrict scores, size_t key_count, size_t query_count,
                         size_t lanes)
{
    memcpy(correction, maximum, query_count * sizeof *correction);
    for (size_t j = 0; j < key_count; j++) {
        const real *row = scores + j * lanes;
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

static void rescale(const struct attention_group *group, const real *restrict correction)
{
    for (size_t i = 0; i < group->count; i++) {
        group->sum[i] *= correction[i];
    }
    for (size_t column = 0; column < group->width; column++) {
        real *restrict row = group->output + column * group->lanes;
        for (size_t i = 0; i < group->count; i++) {
            row[i] *= correction[i];
        }
    }
}

/* scores become 2^(score - maximum), and are added up for each query. */
static void exponentiate(real *restrict scores, real *restrict sum, const real *restrict maximum,
                         size_t key_count, size_t query_count, size_t lanes)
{
    for (size_t j = 0; j < key_count; j++) {
        real *restrict row = scores + j * lanes;
        for (size_t i = 0; i < query_count; i++) {
            row[i] = exponential_base2(row[i] - maximum[i]);
            sum[i] += row[i];
        }
    }
}

/* scores (key count x lanes): those of keys later than the query become ATTENTION_MASKED_SCORE. */
static void hide_keys(real *scores, const struct attention_group *group,
                      const struct attention_keys *keys)
{
    size_t j = group->position < keys->position ? 0 : group->position - keys->position + 1;
    for (; j < keys->count; j++) {
        size_t masked = keys->position + j - group->position;
        masked = masked < group->count ? masked : group->count;
        for (size_t i = 0; i < masked; i++) {
            scores[j * group->lanes + i] = ATTENTION_MASKED_SCORE;
        }
    }
}

static void compute_scores(const struct attention_group *group, const struct attention_work *work,
                           const struct attention_keys *keys)
{
    gemm_nn(work->scores, group->lanes, GEMM_SET, keys->key, keys->stride, group->query,
            group->lanes, keys->count, group->count, group->width);
    hide_keys(work->scores, group, keys);
}

static void absorb(const struct attention_group *group, const struct attention_work *work,
                   const struct attention_keys *keys)
{
    compute_scores(group, work, keys);
    if (raise_maximum(group->maximum, work->correction, work->scores, keys->count, group->count,
                      group->lanes)) {
        rescale(group, work->correction);
    }
    exponentiate(work->scores, group->sum, group->maximum, keys->count, group->count, group->lanes);
    gemm_tn(group->output, group->lanes, GEMM_ADD, keys->value, keys->stride, work->scores,
            group->lanes, group->width, group->count, keys->count);
}

/* scores become probabilities P; score_gradients, which hold dP, become P (dP - delta). */
static void differentiate_softmax(const struct attention_group *group,
                                  const struct attention_work *work, size_t key_count)
{
    const real *restrict log_sum = group->log_sum;
    const real *restrict delta = group->delta;
    for (size_t j = 0; j < key_count; j++) {
        real *restrict row = work->scores + j * group->lanes;
        real *restrict gradient_row = work->score_gradients + j * group->lanes;
        for (size_t i = 0; i < group->count; i++) {
            real probability = exponential_base2(row[i] - log_sum[i]);
            row[i] = probability;
            gradient_row[i] = probability * (gradient_row[i] - delta[i]);
        }
    }
}

static void absorb_backward(const struct attention_group *group, const struct attention_work *work,
                            const struct attention_keys *keys)
{
    size_t lanes = group->lanes;
    compute_scores(group, work, keys);
    gemm_nn(work->score_gradients, lanes, GEMM_SET, keys->value, keys->stride, group->d_output,
            lanes, keys->count, group->count, group->width);
    differentiate_softmax(group, work, keys->count);
    gemm_nn(work->d_value, group->row_stride, GEMM_ADD, work->scores, lanes, group->d_output_rows,
            group->row_stride, keys->count, group->width, group->count);
    gemm_nn(work->d_key, group->row_stride, GEMM_ADD, work->score_gradients, lanes,
            group->query_rows, group->row_stride, keys->count, group->width, group->count);
    gemm_tn(group->d_query, lanes, GEMM_ADD, keys->key, keys->stride, work->score_gradients, lanes,
            group->width, group->count, keys->count);
}

/* --- A cache ---------------------------------------------------------------------------------- */

/* One query's scores become 2^(score - maximum), its maximum raised first. */
static void exponentiate_cache(const struct attention_cache_group *group, size_t i)
{
    real *restrict scores = group->scores + i * ATTENTION_CACHE_BLOCK;
    real most = group->maximum[i];
    for (size_t j = 0; j < ATTENTION_CACHE_BLOCK; j++) {
        most = scores[j] > most ? scores[j] : most;
    }
    real correction = exponential_base2(group->maximum[i] - most);
    real sum = 0;
    for (size_t j = 0; j < ATTENTION_CACHE_BLOCK; j++) {
        scores[j] = exponential_base2(scores[j] - most);
        sum += scores[j];
    }
    real *gathered = &group->sum[i * ATTENTION_CACHE_LANES];
    *gathered = *gathered * correction + sum;
    group->maximum[i] = most;
    for (size_t column = 0; column < group->width; column++) {
        group->output[i * group->row_stride + column] *= correction;
    }
}

static void absorb_cache(const struct attention_cache_group *group,
                         const struct attention_cache_block *block)
{
    const size_t length = ATTENTION_CACHE_BLOCK;
    gemm_tn(group->scores, length, GEMM_SET, group->query, group->count, block->key, length,
            group->count, length, group->width);
    attention_cache_mask(group, block);
    for (size_t i = 0; i < group->count; i++) {
        exponentiate_cache(group, i);
    }
    gemm_nn(group->output, group->row_stride, GEMM_ADD, group->scores, length, block->value,
            group->width, group->count, group->width, block->count);
}

const struct attention_kernel *attention_kernel_blas(void)
{
    static const struct attention_kernel kernel = {
        .name = "blas",
        .lanes = 48, /* products below the size from which OpenBLAS packs */
        .vector = 1,
        .stair = 48,
        .forward = {.meet = absorb},
        .backward = {.meet = absorb_backward},
        .absorb_cache = absorb_cache,
    };
    return &kernel;
}

/* The attention kernel whose products are those of the BLAS: what the others are measured against.
 */
#include <string.h>

#include "math/attention_kernel.h"
#include "math/exponential.h"
#include "math/gemm.h"

/* Raise the maxima to cover a new block; correction = 2^(old - new). Returns whether any rose. */
static int blas_raise_maximum(real *restrict maximum, real *restrict correction,
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

static void blas_rescale(const struct query_panel *panel, const real *restrict correction)
{
    for (size_t i = 0; i < panel->count; i++) {
        panel->sum[i] *= correction[i];
    }
    for (size_t column = 0; column < panel->width; column++) {
        real *restrict row = panel->output + column * panel->lanes;
        for (size_t i = 0; i < panel->count; i++) {
            row[i] *= correction[i];
        }
    }
}

/* scores become 2^(score - maximum), and are added up for each query. */
static void blas_exponentiate(real *restrict scores, real *restrict sum,
                              const real *restrict maximum, size_t key_count, size_t query_count,
                              size_t lanes)
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
static void blas_mask_keys(real *scores, const struct query_panel *panel,
                           const struct attention_keys *keys)
{
    size_t j = panel->position < keys->position ? 0 : panel->position - keys->position + 1;
    for (; j < keys->count; j++) {
        size_t masked = keys->position + j - panel->position;
        masked = masked < panel->count ? masked : panel->count;
        for (size_t i = 0; i < masked; i++) {
            scores[j * panel->lanes + i] = ATTENTION_MASKED_SCORE;
        }
    }
}

static void compute_scores(const struct query_panel *panel, const struct attention_work *work,
                           const struct attention_keys *keys)
{
    gemm_nn(work->scores, panel->lanes, GEMM_SET, (struct gemm_factor){keys->key, keys->stride},
            (struct gemm_factor){panel->query, panel->lanes},
            (struct gemm_sizes){keys->count, panel->count, panel->width});
    blas_mask_keys(work->scores, panel, keys);
}

static void blas_online_softmax_update(const struct query_panel *panel,
                                       const struct attention_work *work,
                                       const struct attention_keys *keys)
{
    compute_scores(panel, work, keys);
    if (blas_raise_maximum(panel->maximum, work->correction, work->scores, keys->count,
                           panel->count, panel->lanes)) {
        blas_rescale(panel, work->correction);
    }
    blas_exponentiate(work->scores, panel->sum, panel->maximum, keys->count, panel->count,
                      panel->lanes);
    gemm_tn(panel->output, panel->lanes, GEMM_ADD, (struct gemm_factor){keys->value, keys->stride},
            (struct gemm_factor){work->scores, panel->lanes},
            (struct gemm_sizes){panel->width, panel->count, keys->count});
}

/* scores become probabilities P; score_gradients, which hold dP, become P (dP - delta). */
static void differentiate_softmax(const struct query_panel *panel,
                                  const struct attention_work *work, size_t key_count)
{
    const real *restrict logsumexp = panel->logsumexp;
    const real *restrict delta = panel->delta;
    for (size_t j = 0; j < key_count; j++) {
        real *restrict row = work->scores + j * panel->lanes;
        real *restrict gradient_row = work->score_gradients + j * panel->lanes;
        for (size_t i = 0; i < panel->count; i++) {
            real probability = exponential_base2(row[i] - logsumexp[i]);
            row[i] = probability;
            gradient_row[i] = probability * (gradient_row[i] - delta[i]);
        }
    }
}

static void blas_attention_update_backward(const struct query_panel *panel,
                                           const struct attention_work *work,
                                           const struct attention_keys *keys)
{
    size_t lanes = panel->lanes;
    compute_scores(panel, work, keys);
    gemm_nn(work->score_gradients, lanes, GEMM_SET, (struct gemm_factor){keys->value, keys->stride},
            (struct gemm_factor){panel->d_output, lanes},
            (struct gemm_sizes){keys->count, panel->count, panel->width});
    differentiate_softmax(panel, work, keys->count);
    gemm_nn(work->d_value, panel->row_stride, GEMM_ADD, (struct gemm_factor){work->scores, lanes},
            (struct gemm_factor){panel->d_output_rows, panel->row_stride},
            (struct gemm_sizes){keys->count, panel->width, panel->count});
    gemm_nn(work->d_key, panel->row_stride, GEMM_ADD,
            (struct gemm_factor){work->score_gradients, lanes},
            (struct gemm_factor){panel->query_rows, panel->row_stride},
            (struct gemm_sizes){keys->count, panel->width, panel->count});
    gemm_tn(panel->d_query, lanes, GEMM_ADD, (struct gemm_factor){keys->key, keys->stride},
            (struct gemm_factor){work->score_gradients, lanes},
            (struct gemm_sizes){panel->width, panel->count, keys->count});
}

/* --- A cache ---------------------------------------------------------------------------------- */

/* One query's scores become 2^(score - maximum), its maximum raised first. */
static void blas_exponentiate_cache(const struct attention_cache_queries *panel, size_t i)
{
    real *restrict scores = panel->scores + i * ATTENTION_CACHE_BLOCK;
    real most = panel->maximum[i];
    for (size_t j = 0; j < ATTENTION_CACHE_BLOCK; j++) {
        most = scores[j] > most ? scores[j] : most;
    }
    real correction = exponential_base2(panel->maximum[i] - most);
    real sum = 0;
    for (size_t j = 0; j < ATTENTION_CACHE_BLOCK; j++) {
        scores[j] = exponential_base2(scores[j] - most);
        sum += scores[j];
    }
    real *gathered = &panel->sum[i * ATTENTION_CACHE_LANES];
    *gathered = *gathered * correction + sum;
    panel->maximum[i] = most;
    for (size_t column = 0; column < panel->width; column++) {
        panel->output[i * panel->row_stride + column] *= correction;
    }
}

static void blas_update_cache(const struct attention_cache_queries *panel,
                              const struct attention_cache_block *block)
{
    const size_t length = ATTENTION_CACHE_BLOCK;
    gemm_tn(panel->scores, length, GEMM_SET, (struct gemm_factor){panel->query, panel->count},
            (struct gemm_factor){block->key, length},
            (struct gemm_sizes){panel->count, length, panel->width});
    attention_cache_mask(panel, block);
    for (size_t i = 0; i < panel->count; i++) {
        blas_exponentiate_cache(panel, i);
    }
    gemm_nn(panel->output, panel->row_stride, GEMM_ADD, (struct gemm_factor){panel->scores, length},
            (struct gemm_factor){block->value, panel->width},
            (struct gemm_sizes){panel->count, panel->width, block->count});
}

const struct attention_kernel *attention_kernel_blas(void)
{
    static const struct attention_kernel kernel = {
        .name = "blas",
        .lanes = 48, /* products below the size from which OpenBLAS packs */
        .vector = 1,
        .diagonal_step = 48,
        .forward = {.update = blas_online_softmax_update},
        .backward = {.update = blas_attention_update_backward},
        .update_cache = blas_update_cache,
    };
    return &kernel;
}

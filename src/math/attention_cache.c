#include "math/attention_cache.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_kernel.h"

static const double log2_e = 1.4426950408889634074;

static size_t block_size(size_t width)
{
    return 2 * ATTENTION_CACHE_BLOCK * width;
}

/* Whole vectors of a last row reach behind it. */
size_t attention_cache_size(size_t tokens, size_t width)
{
    size_t blocks = divide_up(tokens, ATTENTION_CACHE_BLOCK);
    return blocks * block_size(width) + ATTENTION_CACHE_LANES;
}

void attention_cache_append(struct attention_cache *cache, const struct attention_keys *keys)
{
    size_t width = cache->width;
    invariant(keys->position == cache->count);
    for (size_t i = 0; i < keys->count; i++) {
        size_t token = cache->count + i;
        size_t slot = token % ATTENTION_CACHE_BLOCK;
        real *key = cache->blocks + token / ATTENTION_CACHE_BLOCK * block_size(width);
        real *value = key + ATTENTION_CACHE_BLOCK * width;
        for (size_t column = 0; column < width; column++) {
            key[column * ATTENTION_CACHE_BLOCK + slot] = keys->key[i * keys->stride + column];
        }
        memcpy(value + slot * width, keys->value + i * keys->stride, width * sizeof *value);
    }
    cache->count += keys->count;
}

/* --- Looking back ----------------------------------------------------------------------------- */

static size_t row_stride(size_t width)
{
    return round_up(width, ATTENTION_CACHE_LANES);
}

void attention_cache_workspace_bind(struct attention_cache_workspace *workspace,
                                    struct arena *arena, size_t width, enum attention_choice kernel)
{
    const size_t queries = ATTENTION_CACHE_QUERIES;
    *workspace = (struct attention_cache_workspace){
        .kernel = attention_kernel_find(kernel),
        .width = width,
        .query = arena_take(arena, queries * row_stride(width), sizeof(real)),
        .output = arena_take(arena, queries * row_stride(width), sizeof(real)),
        .sum = arena_take(arena, queries * ATTENTION_CACHE_LANES, sizeof(real)),
        .scores = arena_take(arena, queries * ATTENTION_CACHE_BLOCK, sizeof(real)),
        .maximum = arena_take(arena, queries, sizeof(real)),
    };
    invariant(workspace->kernel != NULL);
}

/* Nothing has been seen yet; the queries are transposed and scaled, also into base 2. */
static struct attention_cache_queries begin(const struct attention_cache_workspace *workspace,
                                            const struct attention_queries *queries)
{
    struct attention_cache_queries panel = {
        .count = queries->count,
        .position = queries->position,
        .width = queries->width,
        .row_stride = row_stride(queries->width),
        .query = workspace->query,
        .output = workspace->output,
        .maximum = workspace->maximum,
        .sum = workspace->sum,
        .scores = workspace->scores,
    };
    real scale = (real)(log2_e / sqrt((double)queries->width));
    for (size_t i = 0; i < queries->count; i++) {
        for (size_t column = 0; column < queries->width; column++) {
            workspace->query[column * queries->count + i] =
                scale * queries->query[i * queries->stride + column];
        }
        panel.maximum[i] = ATTENTION_LEAST_MAXIMUM;
    }
    memset(panel.output, 0, queries->count * panel.row_stride * sizeof *panel.output);
    memset(panel.sum, 0, queries->count * ATTENTION_CACHE_LANES * sizeof *panel.sum);
    return panel;
}

/* Every query has seen its own key, so no sum is 0. */
static void finish(real *output, size_t output_stride, const struct attention_cache_queries *panel)
{
    for (size_t i = 0; i < panel->count; i++) {
        real sum = 0;
        for (size_t lane = 0; lane < ATTENTION_CACHE_LANES; lane++) {
            sum += panel->sum[i * ATTENTION_CACHE_LANES + lane];
        }
        for (size_t column = 0; column < panel->width; column++) {
            output[i * output_stride + column] =
                panel->output[i * panel->row_stride + column] * (1 / sum);
        }
    }
}

void attention_cache_attend(real *output, size_t output_stride, const struct attention_cache *cache,
                            const struct attention_queries *queries,
                            struct attention_cache_workspace *workspace)
{
    size_t width = cache->width;
    size_t end = queries->position + queries->count;
    invariant(queries->count <= ATTENTION_CACHE_QUERIES && end <= cache->count);
    invariant(queries->width == width && workspace->width == width);
    struct attention_cache_queries panel = begin(workspace, queries);
    for (size_t first = 0; first < end; first += ATTENTION_CACHE_BLOCK) {
        size_t left = end - first;
        const real *key = cache->blocks + first / ATTENTION_CACHE_BLOCK * block_size(width);
        workspace->kernel->update_cache(
            &panel, &(struct attention_cache_block){
                        .key = key,
                        .value = key + ATTENTION_CACHE_BLOCK * width,
                        .count = left < ATTENTION_CACHE_BLOCK ? left : ATTENTION_CACHE_BLOCK,
                        .position = first,
                    });
    }
    finish(output, output_stride, &panel);
}

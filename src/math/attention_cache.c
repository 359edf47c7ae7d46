#include "math/attention_cache.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_kernel.h"
#include "math/attention_panels.h"

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

/* The keys of the block that a token is in; its values follow. */
static char *block_of(const struct attention_cache *cache, size_t token)
{
    size_t first = token / ATTENTION_CACHE_BLOCK * block_size(cache->width);
    return (char *)cache->blocks + first * dtype_size(cache->dtype);
}

/* column (every ATTENTION_CACHE_BLOCK-th number) = row (width). */
static void turn_row(void *column, const void *row, enum dtype dtype, size_t width)
{
    if (dtype == DTYPE_BF16) {
        uint16_t *to = column;
        const uint16_t *from = row;
        for (size_t i = 0; i < width; i++) {
            to[i * ATTENTION_CACHE_BLOCK] = from[i];
        }
    } else {
        real *to = column;
        const real *from = row;
        for (size_t i = 0; i < width; i++) {
            to[i * ATTENTION_CACHE_BLOCK] = from[i];
        }
    }
}

void attention_cache_append(struct attention_cache *cache, const struct attention_keys *keys)
{
    size_t width = cache->width;
    size_t number = dtype_size(cache->dtype);
    invariant(keys->position == cache->count && keys->dtype == cache->dtype);
    for (size_t i = 0; i < keys->count; i++) {
        size_t token = cache->count + i;
        size_t slot = token % ATTENTION_CACHE_BLOCK;
        size_t row = i * keys->stride * number;
        char *key = block_of(cache, token);
        char *value = key + ATTENTION_CACHE_BLOCK * width * number;
        turn_row(key + slot * number, (const char *)keys->key + row, cache->dtype, width);
        memcpy(value + slot * width * number, (const char *)keys->value + row, width * number);
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
        .kernel = attention_kernel_for_width(kernel, DTYPE_REAL, width),
        .width = width,
        .query = arena_take(arena, queries * row_stride(width), sizeof(real)),
        .output = arena_take(arena, queries * row_stride(width), sizeof(real)),
        .sum = arena_take(arena, queries * ATTENTION_CACHE_LANES, sizeof(real)),
        .scores = arena_take(arena, queries * ATTENTION_CACHE_BLOCK, sizeof(real)),
        .maximum = arena_take(arena, queries, sizeof(real)),
        .block = arena_take(arena, block_size(width), sizeof(real)),
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
    real scale = attention_score_scale(queries->width);
    for (size_t i = 0; i < queries->count; i++) {
        size_t row = i * queries->stride * dtype_size(queries->dtype);
        convert_from(workspace->block, (const char *)queries->query + row, queries->dtype,
                     queries->width);
        for (size_t column = 0; column < queries->width; column++) {
            workspace->query[column * queries->count + i] = scale * workspace->block[column];
        }
        panel.maximum[i] = ATTENTION_LEAST_MAXIMUM;
    }
    memset(panel.output, 0, queries->count * panel.row_stride * sizeof *panel.output);
    memset(panel.sum, 0, queries->count * ATTENTION_CACHE_LANES * sizeof *panel.sum);
    return panel;
}

/* Every query has seen its own key, so no sum is 0. */
static void finish(const struct attention_output *output,
                   const struct attention_cache_queries *panel)
{
    size_t row_bytes = output->stride * dtype_size(output->dtype);
    for (size_t i = 0; i < panel->count; i++) {
        real *row = panel->output + i * panel->row_stride;
        real sum = 0;
        for (size_t lane = 0; lane < ATTENTION_CACHE_LANES; lane++) {
            sum += panel->sum[i * ATTENTION_CACHE_LANES + lane];
        }
        for (size_t column = 0; column < panel->width; column++) {
            row[column] *= 1 / sum;
        }
        convert_to((char *)output->output + i * row_bytes, output->dtype, row, panel->width);
    }
}

/* A block's numbers as reals. */
static const real *read_block(const struct attention_cache *cache, size_t token, real *room)
{
    const void *block = block_of(cache, token);
    if (cache->dtype == DTYPE_REAL) {
        return block;
    }
    convert_from(room, block, cache->dtype, block_size(cache->width));
    return room;
}

void attention_cache_attend(const struct attention_output *output,
                            const struct attention_cache *cache,
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
        const real *key = read_block(cache, first, workspace->block);
        workspace->kernel->update_cache(
            &panel, &(struct attention_cache_block){
                        .key = key,
                        .value = key + ATTENTION_CACHE_BLOCK * width,
                        .count = left < ATTENTION_CACHE_BLOCK ? left : ATTENTION_CACHE_BLOCK,
                        .position = first,
                    });
    }
    finish(output, &panel);
}

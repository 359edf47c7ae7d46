#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_block.h"
#include "math/attention_kernel.h"

void attention_workspace_bind(struct attention_workspace *workspace, struct arena *arena,
                              const struct attention_options *options, enum dtype dtype,
                              size_t width)
{
    const struct attention_kernel *kernel =
        attention_kernel_for_width(options->kernel, dtype, width);
    invariant(kernel != NULL);
    size_t row_stride = round_up(width, kernel->vector);
    size_t queries = round_up(options->query_block, kernel->lanes);
    size_t key_rows = round_up(options->key_block, kernel->key_step);
    size_t query_rows = queries * row_stride;
    size_t gradient_rows = key_rows * row_stride;
    size_t converted = size_max(options->query_block, options->key_block) * width;
    *workspace = (struct attention_workspace){
        .kernel = kernel,
        .options = *options,
        .width = width,
        .lanes = kernel->lanes,
        .row_stride = row_stride,
        .query = arena_take(arena, queries * row_stride, sizeof(real)),
        .output = arena_take(arena, queries * row_stride, sizeof(real)),
        .d_output = arena_take(arena, queries * row_stride, sizeof(real)),
        .d_query = arena_take(arena, queries * row_stride, sizeof(real)),
        .maximum = arena_take(arena, queries, sizeof(real)),
        .sum = arena_take(arena, queries, sizeof(real)),
        .logsumexp = arena_take(arena, queries, sizeof(real)),
        .delta = arena_take(arena, queries, sizeof(real)),
        .query_rows = arena_take(arena, query_rows, sizeof(real)),
        .d_output_rows = arena_take(arena, query_rows, sizeof(real)),
        .scores = arena_take(arena, key_rows * kernel->lanes, sizeof(real)),
        .score_gradients = arena_take(arena, key_rows * kernel->lanes, sizeof(real)),
        .d_key = arena_take(arena, gradient_rows, sizeof(real)),
        .d_value = arena_take(arena, gradient_rows, sizeof(real)),
        .key_panels = arena_take(arena, key_rows * row_stride, sizeof(real)),
        .value_panels = arena_take(arena, key_rows * row_stride, sizeof(real)),
        .column_panels = arena_take(arena, key_rows * row_stride, sizeof(real)),
        .products = arena_take(arena, 2 * kernel->product_room, sizeof(real)),
        .converted = arena_take(arena, converted, sizeof(real)),
        .converted_values = arena_take(arena, converted, sizeof(real)),
    };
}

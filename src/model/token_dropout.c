#include "model/token_dropout.h"

#include "math/dropout.h"

static void drop_segment(real *x, size_t width, size_t first_row, size_t row_count,
                         const struct dropout_mask *mask, const struct segment *segment,
                         size_t tokens_per_step)
{
    size_t begin = segment->row * tokens_per_step;
    size_t end = begin + segment->count * tokens_per_step;
    size_t from = begin > first_row ? begin : first_row;
    size_t to = end < first_row + row_count ? end : first_row + row_count;
    for (size_t row = from; row < to; row++) {
        size_t token = segment->first * tokens_per_step + (row - begin);
        dropout_row(x + (row - first_row) * width, width, mask, (uint32_t)token);
    }
}

void token_dropout_apply(real *x, size_t width, size_t first_row, size_t row_count,
                         const struct token_dropout *dropout, size_t layer,
                         enum token_dropout_site site)
{
    if (!dropout || dropout->rate <= 0.0) {
        return;
    }
    struct dropout_mask mask = {
        .rate = (real)dropout->rate,
        .seed = dropout->seed,
        .step = dropout->step,
        .site = layer * DROPOUT_SITES + (size_t)site,
    };
    const struct shard *shard = batch_shard(dropout->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        mask.sample = dropout->batch->samples[shard->segments[i].context];
        drop_segment(x, width, first_row, row_count, &mask, &shard->segments[i],
                     dropout->tokens_per_step);
    }
}

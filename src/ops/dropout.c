#include "ops/dropout.h"

#include "base/arithmetic.h"
#include "math/dropout.h"

void token_dropout_apply(real *x, size_t width, size_t first, size_t count,
                         const struct token_dropout *dropout, size_t layer, enum dropout_site site)
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
        const struct segment *segment = &shard->segments[i];
        size_t begin = segment->row * dropout->tokens_per_step;
        size_t end = begin + segment->count * dropout->tokens_per_step;
        mask.sample = dropout->batch->samples[segment->context];
        for (size_t row = size_max(begin, first); row < size_min(end, first + count); row++) {
            size_t token = segment->first * dropout->tokens_per_step + (row - begin);
            dropout_row(x + (row - first) * width, width, &mask, (uint32_t)token);
        }
    }
}

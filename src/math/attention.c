#include "math/attention.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/attention_groups.h"
#include "math/attention_kernel.h"

/* --- Groups and blocks ------------------------------------------------------------------------ */

static struct attention_group group_at(const struct attention_scratch *scratch,
                                       const struct attention_queries *queries, size_t group)
{
    size_t lane = group * scratch->lanes;
    size_t row = lane * scratch->row_stride;
    return (struct attention_group){
        .count = group_queries(scratch, group, queries->count),
        .position = queries->position + lane,
        .width = queries->width,
        .lanes = scratch->lanes,
        .row_stride = scratch->row_stride,
        .query = scratch->query + row,
        .output = scratch->output + row,
        .maximum = scratch->maximum + lane,
        .sum = scratch->sum + lane,
        .d_output = scratch->d_output + row,
        .d_query = scratch->d_query + row,
        .log_sum = scratch->log_sum + lane,
        .delta = scratch->delta + lane,
        .query_rows = scratch->query_rows + row,
        .d_output_rows = scratch->d_output_rows + row,
    };
}

static struct attention_work work_of(const struct attention_scratch *scratch,
                                     const struct attention_keys *block,
                                     const struct attention_keys *next)
{
    return (struct attention_work){
        .scores = scratch->scores,
        .score_gradients = scratch->score_gradients,
        .correction = scratch->correction,
        .d_key = scratch->d_key,
        .d_value = scratch->d_value,
        .key_count = block->count,
        .key_panels = scratch->key_panels,
        .value_panels = scratch->value_panels,
        .column_panels = scratch->column_panels,
        .next = *next,
    };
}

/* The keys from `start` on; none where there are not so many. */
static struct attention_keys keys_from(const struct attention_keys *keys, size_t start)
{
    start = start < keys->count ? start : keys->count;
    return (struct attention_keys){
        .key = keys->key + start * keys->stride,
        .value = keys->value + start * keys->stride,
        .count = keys->count - start,
        .stride = keys->stride,
        .position = keys->position + start,
    };
}

/* The keys that a query at `position` sees, the first ones. */
static struct attention_keys keys_seen(const struct attention_keys *keys, size_t position)
{
    size_t count = position < keys->position ? 0 : position - keys->position + 1;
    struct attention_keys seen = *keys;
    seen.count = count < keys->count ? count : keys->count;
    return seen;
}

/* The block of keys from `start` on, as far as the last query sees it; count 0: there is none. */
static struct attention_keys block_at(const struct attention_scratch *scratch,
                                      const struct attention_queries *queries,
                                      const struct attention_keys *keys, size_t start)
{
    struct attention_keys rest = keys_from(keys, start);
    struct attention_keys block = keys_seen(&rest, queries->position + queries->count - 1);
    block.count =
        block.count < scratch->options.key_block ? block.count : scratch->options.key_block;
    return block;
}

/* How many of a block's keys any of a group's queries before lane `end` sees; in whole vectors, as
 * far as the group sees that many. */
static size_t keys_before(const struct attention_kernel *kernel,
                          const struct attention_group *group, const struct attention_keys *seen,
                          size_t end)
{
    size_t last = group->position + (end < group->count ? end : group->count) - 1;
    size_t count = keys_seen(seen, last).count;
    size_t whole = round_up(count, kernel->vector);
    return size_min(whole, seen->count);
}

/* The queries of a group from `lane` on. */
static struct attention_group group_from(const struct attention_group *group, size_t lane)
{
    size_t row = lane * group->row_stride;
    struct attention_group part = *group;
    part.count -= lane;
    part.position += lane;
    part.query += lane;
    part.output += lane;
    part.maximum += lane;
    part.sum += lane;
    part.d_output += lane;
    part.d_query += lane;
    part.log_sum += lane;
    part.delta += lane;
    part.query_rows += row;
    part.d_output_rows += row;
    return part;
}

/* The work on a block's keys from `key` on, a whole number of vectors. */
static struct attention_work work_from(const struct attention_scratch *scratch,
                                       const struct attention_work *work, size_t key)
{
    size_t width = scratch->options.width;
    struct attention_work part = *work;
    part.d_key += key * scratch->row_stride;
    part.d_value += key * scratch->row_stride;
    part.key_panels += key * width;
    part.value_panels += key * width;
    part.column_panels += key * scratch->kernel->vector;
    part.next = keys_from(&work->next, key);
    return part;
}

/* A group meets the keys that its first queries see, then goes down the diagonal as down stairs:
 * those queries stay behind, and the others meet the keys that the next of them see. */
static void meet_group(const struct attention_scratch *scratch, const struct attention_group *group,
                       const struct attention_work *work, const struct attention_keys *seen,
                       const struct attention_pass *pass)
{
    const struct attention_kernel *kernel = scratch->kernel;
    size_t begin = 0;
    for (size_t lane = 0; lane < group->count; lane += kernel->stair) {
        size_t end = keys_before(kernel, group, seen, lane + kernel->stair);
        if (end > begin) {
            struct attention_group queries = group_from(group, lane);
            struct attention_work part = work_from(scratch, work, begin);
            struct attention_keys keys = keys_from(seen, begin);
            keys.count = end - begin;
            pass->meet(&queries, &part, &keys);
        }
        begin = end;
    }
}

/* All groups of queries meet a block of keys, which stays near the processor meanwhile, while the
 * next one comes near. */
static void meet_block(struct attention_scratch *scratch, const struct attention_queries *queries,
                       const struct attention_keys *block, const struct attention_keys *next,
                       const struct attention_pass *pass)
{
    struct attention_work work = work_of(scratch, block, next);
    if (pass->load) {
        pass->load(&work, block, queries->width);
    }
    work.shares = group_count(scratch, queries->count);
    for (work.share = 0; work.share < work.shares; work.share++) {
        struct attention_group group = group_at(scratch, queries, work.share);
        struct attention_keys seen = keys_seen(block, group.position + group.count - 1);
        meet_group(scratch, &group, &work, &seen, pass);
    }
}

/* --- Both directions -------------------------------------------------------------------------- */

void attention_absorb(struct attention_scratch *scratch, const struct attention_queries *queries,
                      const struct attention_keys *keys)
{
    size_t key_block = scratch->options.key_block;
    struct attention_keys block = block_at(scratch, queries, keys, 0);
    for (size_t start = 0; block.count > 0; start += key_block) {
        struct attention_keys next = block_at(scratch, queries, keys, start + key_block);
        meet_block(scratch, queries, &block, &next, &scratch->kernel->forward);
        block = next;
    }
}

size_t attention_scores(const struct attention_scratch *scratch,
                        const struct attention_queries *queries, const struct attention_keys *keys)
{
    const struct attention_kernel *kernel = scratch->kernel;
    size_t scores = 0;
    for (size_t i = 0; i < group_count(scratch, queries->count); i++) {
        struct attention_group group = group_at(scratch, queries, i);
        struct attention_keys seen = keys_seen(keys, group.position + group.count - 1);
        size_t begin = 0;
        for (size_t lane = 0; lane < group.count; lane += kernel->stair) {
            size_t end = keys_before(kernel, &group, &seen, lane + kernel->stair);
            scores += (scratch->lanes - lane) * (end - begin);
            begin = end;
        }
    }
    return scores;
}

static void add_rows(real *restrict out, size_t out_stride, const real *restrict in,
                     size_t in_stride, size_t rows, size_t width)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t column = 0; column < width; column++) {
            out[i * out_stride + column] += in[i * in_stride + column];
        }
    }
}

static void wait_for_turn(const struct attention_turns *turns, size_t block)
{
    if (turns) {
        workers_await(turns->workers, turns->thread, &turns->next[block], turns->number);
    }
}

static void pass_turn(const struct attention_turns *turns, size_t block)
{
    if (turns) {
        atomic_store(&turns->next[block], turns->number + 1);
    }
}

void attention_absorb_backward(const struct attention_gradients *gradients,
                               struct attention_scratch *scratch,
                               const struct attention_queries *queries,
                               const struct attention_keys *keys)
{
    size_t stride = gradients->stride;
    size_t row_stride = scratch->row_stride;
    size_t key_block = scratch->options.key_block;
    struct attention_keys block = block_at(scratch, queries, keys, 0);
    for (size_t start = 0; block.count > 0; start += key_block) {
        struct attention_keys next = block_at(scratch, queries, keys, start + key_block);
        memset(scratch->d_key, 0, block.count * row_stride * sizeof(real));
        memset(scratch->d_value, 0, block.count * row_stride * sizeof(real));
        meet_block(scratch, queries, &block, &next, &scratch->kernel->backward);
        wait_for_turn(gradients->turns, start / key_block);
        add_rows(gradients->d_key + start * stride, stride, scratch->d_key, row_stride, block.count,
                 queries->width);
        add_rows(gradients->d_value + start * stride, stride, scratch->d_value, row_stride,
                 block.count, queries->width);
        pass_turn(gradients->turns, start / key_block);
        block = next;
    }
}

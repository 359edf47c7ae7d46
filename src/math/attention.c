#include "math/attention.h"

#include <math.h>
#include <string.h>

#include "base/fatal.h"
#include "math/attention_kernel.h"

static const double log2_e = 1.4426950408889634074;
static const real unseen_log_sum = (real)1e30;

/* --- Into groups and back --------------------------------------------------------------------- */

static size_t group_count(const struct attention_scratch *scratch, size_t queries)
{
    return (queries + scratch->lanes - 1) / scratch->lanes;
}

/* How many of `queries` queries are in a group. */
static size_t group_queries(const struct attention_scratch *scratch, size_t group, size_t queries)
{
    size_t left = queries - group * scratch->lanes;
    return left < scratch->lanes ? left : scratch->lanes;
}

/* out (groups x row_stride x lanes) = scale * in (queries x width, row stride `stride`). */
static void transpose(real *restrict out, const real *restrict in, size_t stride, real scale,
                      const struct attention_scratch *scratch, size_t queries)
{
    size_t lanes = scratch->lanes;
    size_t width = scratch->options.width;
    for (size_t group = 0; group < group_count(scratch, queries); group++) {
        size_t count = group_queries(scratch, group, queries);
        const real *rows = in + group * lanes * stride;
        for (size_t column = 0; column < width; column++) {
            real *line = out + (group * scratch->row_stride + column) * lanes;
            for (size_t i = 0; i < count; i++) {
                line[i] = scale * rows[i * stride + column];
            }
            memset(line + count, 0, (lanes - count) * sizeof *line);
        }
    }
}

/* out (groups x lanes) = in (queries), and `rest` in the lanes that are left. */
static void load_lanes(real *out, const real *in, real rest,
                       const struct attention_scratch *scratch, size_t queries)
{
    size_t lanes = group_count(scratch, queries) * scratch->lanes;
    memcpy(out, in, queries * sizeof *out);
    for (size_t i = queries; i < lanes; i++) {
        out[i] = rest;
    }
}

static void load_state(struct attention_scratch *scratch, const struct attention_state *state,
                       size_t queries)
{
    size_t lanes = scratch->lanes;
    size_t width = scratch->options.width;
    load_lanes(scratch->maximum, state->maximum, ATTENTION_LEAST_MAXIMUM, scratch, queries);
    load_lanes(scratch->sum, state->sum, 0, scratch, queries);
    for (size_t group = 0; group < group_count(scratch, queries); group++) {
        size_t count = group_queries(scratch, group, queries);
        for (size_t column = 0; column < width; column++) {
            real *line = scratch->output + (group * scratch->row_stride + column) * lanes;
            memcpy(line, state->output + column * queries + group * lanes, count * sizeof *line);
            memset(line + count, 0, (lanes - count) * sizeof *line);
        }
    }
}

static void store_state(struct attention_state *state, const struct attention_scratch *scratch,
                        size_t queries)
{
    size_t lanes = scratch->lanes;
    size_t width = scratch->options.width;
    memcpy(state->maximum, scratch->maximum, queries * sizeof *state->maximum);
    memcpy(state->sum, scratch->sum, queries * sizeof *state->sum);
    for (size_t group = 0; group < group_count(scratch, queries); group++) {
        size_t count = group_queries(scratch, group, queries);
        for (size_t column = 0; column < width; column++) {
            memcpy(state->output + column * queries + group * lanes,
                   scratch->output + (group * scratch->row_stride + column) * lanes,
                   count * sizeof *state->output);
        }
    }
}

/* --- Forward ---------------------------------------------------------------------------------- */

void attention_load_queries(struct attention_scratch *scratch,
                            const struct attention_queries *queries)
{
    invariant(queries->count <= scratch->options.query_block);
    invariant(queries->width == scratch->options.width);
    real scale = (real)(log2_e / sqrt((double)queries->width)); /* and into base 2 */
    transpose(scratch->query, queries->query, queries->stride, scale, scratch, queries->count);
}

void attention_begin(struct attention_state *state, const struct attention_queries *queries)
{
    memset(state->output, 0, queries->width * queries->count * sizeof *state->output);
    memset(state->sum, 0, queries->count * sizeof *state->sum);
    for (size_t i = 0; i < queries->count; i++) {
        state->maximum[i] = ATTENTION_LEAST_MAXIMUM;
    }
}

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
    size_t whole = (count + kernel->vector - 1) / kernel->vector * kernel->vector;
    return whole < seen->count ? whole : seen->count;
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

/* All groups of queries meet the block of keys from `start` on, which stays near the processor
 * meanwhile. */
static void meet_block(struct attention_scratch *scratch, const struct attention_queries *queries,
                       const struct attention_keys *keys, size_t start,
                       const struct attention_pass *pass)
{
    struct attention_keys block = block_at(scratch, queries, keys, start);
    struct attention_keys next =
        block_at(scratch, queries, keys, start + scratch->options.key_block);
    struct attention_work work = work_of(scratch, &block, &next);
    if (pass->load) {
        pass->load(&work, &block, queries->width);
    }
    work.shares = group_count(scratch, queries->count);
    for (work.share = 0; work.share < work.shares; work.share++) {
        struct attention_group group = group_at(scratch, queries, work.share);
        struct attention_keys seen = keys_seen(&block, group.position + group.count - 1);
        meet_group(scratch, &group, &work, &seen, pass);
    }
}

void attention_absorb(struct attention_state *state, struct attention_scratch *scratch,
                      const struct attention_queries *queries, const struct attention_keys *keys)
{
    load_state(scratch, state, queries->count);
    for (size_t start = 0; start < keys->count; start += scratch->options.key_block) {
        meet_block(scratch, queries, keys, start, &scratch->kernel->forward);
    }
    store_state(state, scratch, queries->count);
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

/* --- Backward --------------------------------------------------------------------------------- */

/* out (queries x row_stride) = scale * in, with zeros behind each row. */
static void copy_rows(real *restrict out, const real *restrict in, size_t stride, real scale,
                      const struct attention_scratch *scratch, size_t queries)
{
    size_t width = scratch->options.width;
    for (size_t i = 0; i < queries; i++) {
        real *row = out + i * scratch->row_stride;
        for (size_t column = 0; column < width; column++) {
            row[column] = scale * in[i * stride + column];
        }
        memset(row + width, 0, (scratch->row_stride - width) * sizeof *row);
    }
}

/* In 16 sums, so that it is done in vectors. */
static real dot(const real *restrict a, const real *restrict b, size_t count)
{
    enum { SUMS = 16 };
    real sums[SUMS] = {0};
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS) {
        for (size_t j = 0; j < SUMS; j++) {
            sums[j] += a[i + j] * b[i + j];
        }
    }
    for (; i < count; i++) {
        sums[i % SUMS] += a[i] * b[i];
    }
    for (size_t half = SUMS / 2; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++) {
            sums[j] += sums[j + half];
        }
    }
    return sums[0];
}

static real inverse_root(size_t width)
{
    return (real)(1.0 / sqrt((double)width));
}

void attention_load_result(struct attention_scratch *scratch,
                           const struct attention_queries *queries,
                           const struct attention_result *result)
{
    size_t count = queries->count;
    size_t lanes = group_count(scratch, count) * scratch->lanes;
    transpose(scratch->d_output, result->d_output, result->stride, 1, scratch, count);
    copy_rows(scratch->d_output_rows, result->d_output, result->stride, 1, scratch, count);
    copy_rows(scratch->query_rows, queries->query, queries->stride, inverse_root(queries->width),
              scratch, count);
    load_lanes(scratch->log_sum, result->log_sum, unseen_log_sum, scratch, count);
    memset(scratch->delta, 0, lanes * sizeof *scratch->delta);
    for (size_t i = 0; i < count; i++) {
        scratch->delta[i] = dot(result->d_output + i * result->stride,
                                result->output + i * result->stride, queries->width);
    }
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

/* d_query (queries x width) += what the groups have gathered. */
static void add_query_gradients(const struct attention_gradients *gradients,
                                const struct attention_scratch *scratch,
                                const struct attention_queries *queries)
{
    size_t width = queries->width;
    real scale = inverse_root(width);
    for (size_t i = 0; i < queries->count; i++) {
        size_t group = i / scratch->lanes;
        const real *lane =
            scratch->d_query + group * scratch->row_stride * scratch->lanes + i % scratch->lanes;
        real *restrict row = gradients->d_query + i * gradients->d_query_stride;
        for (size_t column = 0; column < width; column++) {
            row[column] += scale * lane[column * scratch->lanes];
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
    size_t stride = gradients->d_key_stride;
    size_t row_stride = scratch->row_stride;
    memset(scratch->d_query, 0,
           group_count(scratch, queries->count) * row_stride * scratch->lanes * sizeof(real));
    for (size_t start = 0; start < keys->count; start += scratch->options.key_block) {
        struct attention_keys block = block_at(scratch, queries, keys, start);
        if (block.count == 0) {
            break; /* nor will the queries see any later one */
        }
        memset(scratch->d_key, 0, block.count * row_stride * sizeof(real));
        memset(scratch->d_value, 0, block.count * row_stride * sizeof(real));
        meet_block(scratch, queries, keys, start, &scratch->kernel->backward);
        wait_for_turn(gradients->turns, start / scratch->options.key_block);
        add_rows(gradients->d_key + start * stride, stride, scratch->d_key, row_stride, block.count,
                 queries->width);
        add_rows(gradients->d_value + start * stride, stride, scratch->d_value, row_stride,
                 block.count, queries->width);
        pass_turn(gradients->turns, start / scratch->options.key_block);
    }
    add_query_gradients(gradients, scratch, queries);
}

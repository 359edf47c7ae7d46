#include "math/attention_block.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/attention_groups.h"
#include "math/attention_kernel.h"

/* --- Panels and blocks ------------------------------------------------------------------------ */

static struct query_panel panel_at(const struct attention_workspace *workspace,
                                   const struct attention_queries *queries, size_t panel)
{
    size_t lane = panel * workspace->lanes;
    size_t row = lane * workspace->row_stride;
    return (struct query_panel){
        .count = panel_queries(workspace, panel, queries->count),
        .position = queries->position + lane,
        .width = queries->width,
        .lanes = workspace->lanes,
        .row_stride = workspace->row_stride,
        .query = workspace->query + row,
        .output = workspace->output + row,
        .maximum = workspace->maximum + lane,
        .sum = workspace->sum + lane,
        .d_output = workspace->d_output + row,
        .d_query = workspace->d_query + row,
        .logsumexp = workspace->logsumexp + lane,
        .delta = workspace->delta + lane,
        .query_rows = workspace->query_rows + row,
        .d_output_rows = workspace->d_output_rows + row,
    };
}

static struct attention_work work_of(const struct attention_workspace *workspace,
                                     const struct attention_keys *block,
                                     const struct attention_keys *next)
{
    return (struct attention_work){
        .scores = workspace->scores,
        .score_gradients = workspace->score_gradients,
        .correction = workspace->correction,
        .d_key = workspace->d_key,
        .d_value = workspace->d_value,
        .key_count = block->count,
        .key_panels = workspace->key_panels,
        .value_panels = workspace->value_panels,
        .column_panels = workspace->column_panels,
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
static struct attention_keys block_at(const struct attention_workspace *workspace,
                                      const struct attention_queries *queries,
                                      const struct attention_keys *keys, size_t start)
{
    struct attention_keys rest = keys_from(keys, start);
    struct attention_keys block = keys_seen(&rest, queries->position + queries->count - 1);
    block.count =
        block.count < workspace->options.key_block ? block.count : workspace->options.key_block;
    return block;
}

/* How many of a block's keys any of a panel's queries before lane `end` sees; in whole vectors, as
 * far as the panel sees that many. */
static size_t keys_before(const struct attention_kernel *kernel, const struct query_panel *panel,
                          const struct attention_keys *seen, size_t end)
{
    size_t last = panel->position + (end < panel->count ? end : panel->count) - 1;
    size_t count = keys_seen(seen, last).count;
    size_t whole = round_up(count, kernel->vector);
    return size_min(whole, seen->count);
}

/* The queries of a panel from `lane` on. */
static struct query_panel panel_from(const struct query_panel *panel, size_t lane)
{
    size_t row = lane * panel->row_stride;
    struct query_panel part = *panel;
    part.count -= lane;
    part.position += lane;
    part.query += lane;
    part.output += lane;
    part.maximum += lane;
    part.sum += lane;
    part.d_output += lane;
    part.d_query += lane;
    part.logsumexp += lane;
    part.delta += lane;
    part.query_rows += row;
    part.d_output_rows += row;
    return part;
}

/* The work on a block's keys from `key` on, a whole number of vectors. */
static struct attention_work work_from(const struct attention_workspace *workspace,
                                       const struct attention_work *work, size_t key)
{
    size_t width = workspace->options.width;
    struct attention_work part = *work;
    part.d_key += key * workspace->row_stride;
    part.d_value += key * workspace->row_stride;
    part.key_panels += key * width;
    part.value_panels += key * width;
    part.column_panels += key * workspace->kernel->vector;
    part.next = keys_from(&work->next, key);
    return part;
}

/* A panel meets the keys that its first queries see, then goes down the diagonal as down stairs:
 * those queries stay behind, and the others meet the keys that the next of them see. */
static void update_panel(const struct attention_workspace *workspace,
                         const struct query_panel *panel, const struct attention_work *work,
                         const struct attention_keys *seen, const struct attention_direction *pass)
{
    const struct attention_kernel *kernel = workspace->kernel;
    size_t begin = 0;
    for (size_t lane = 0; lane < panel->count; lane += kernel->diagonal_step) {
        size_t end = keys_before(kernel, panel, seen, lane + kernel->diagonal_step);
        if (end > begin) {
            struct query_panel queries = panel_from(panel, lane);
            struct attention_work part = work_from(workspace, work, begin);
            struct attention_keys keys = keys_from(seen, begin);
            keys.count = end - begin;
            pass->update(&queries, &part, &keys);
        }
        begin = end;
    }
}

/* All panels of queries meet a block of keys, which stays near the processor meanwhile, while the
 * next one comes near. */
static void update_panels(struct attention_workspace *workspace,
                          const struct attention_queries *queries,
                          const struct attention_keys *block, const struct attention_keys *next,
                          const struct attention_direction *pass)
{
    struct attention_work work = work_of(workspace, block, next);
    if (pass->load) {
        pass->load(&work, block, queries->width);
    }
    work.shares = panel_count(workspace, queries->count);
    for (work.share = 0; work.share < work.shares; work.share++) {
        struct query_panel panel = panel_at(workspace, queries, work.share);
        struct attention_keys seen = keys_seen(block, panel.position + panel.count - 1);
        update_panel(workspace, &panel, &work, &seen, pass);
    }
}

/* --- Both directions -------------------------------------------------------------------------- */

void attention_block_update(struct attention_workspace *workspace,
                            const struct attention_queries *queries,
                            const struct attention_keys *keys)
{
    size_t key_block = workspace->options.key_block;
    struct attention_keys block = block_at(workspace, queries, keys, 0);
    for (size_t start = 0; block.count > 0; start += key_block) {
        struct attention_keys next = block_at(workspace, queries, keys, start + key_block);
        update_panels(workspace, queries, &block, &next, &workspace->kernel->forward);
        block = next;
    }
}

size_t attention_block_scores(const struct attention_workspace *workspace,
                              const struct attention_queries *queries,
                              const struct attention_keys *keys)
{
    const struct attention_kernel *kernel = workspace->kernel;
    size_t scores = 0;
    for (size_t i = 0; i < panel_count(workspace, queries->count); i++) {
        struct query_panel panel = panel_at(workspace, queries, i);
        struct attention_keys seen = keys_seen(keys, panel.position + panel.count - 1);
        size_t begin = 0;
        for (size_t lane = 0; lane < panel.count; lane += kernel->diagonal_step) {
            size_t end = keys_before(kernel, &panel, &seen, lane + kernel->diagonal_step);
            scores += (workspace->lanes - lane) * (end - begin);
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

static void wait_for_turn(const struct attention_tickets *turns, size_t block)
{
    if (turns) {
        workers_await(turns->workers, turns->thread, &turns->next[block], turns->number);
    }
}

static void pass_turn(const struct attention_tickets *turns, size_t block)
{
    if (turns) {
        atomic_store(&turns->next[block], turns->number + 1);
    }
}

void attention_block_update_backward(const struct attention_gradients *gradients,
                                     struct attention_workspace *workspace,
                                     const struct attention_queries *queries,
                                     const struct attention_keys *keys)
{
    size_t stride = gradients->stride;
    size_t row_stride = workspace->row_stride;
    size_t key_block = workspace->options.key_block;
    struct attention_keys block = block_at(workspace, queries, keys, 0);
    for (size_t start = 0; block.count > 0; start += key_block) {
        struct attention_keys next = block_at(workspace, queries, keys, start + key_block);
        memset(workspace->d_key, 0, block.count * row_stride * sizeof(real));
        memset(workspace->d_value, 0, block.count * row_stride * sizeof(real));
        update_panels(workspace, queries, &block, &next, &workspace->kernel->backward);
        wait_for_turn(gradients->turns, start / key_block);
        add_rows(gradients->d_key + start * stride, stride, workspace->d_key, row_stride,
                 block.count, queries->width);
        add_rows(gradients->d_value + start * stride, stride, workspace->d_value, row_stride,
                 block.count, queries->width);
        pass_turn(gradients->turns, start / key_block);
        block = next;
    }
}

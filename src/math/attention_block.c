#include "math/attention_block.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/attention_kernel.h"
#include "math/attention_panels.h"

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
        .scale = attention_score_scale(queries->width),
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
        .query_rows = workspace->query_rows + row / workspace->kernel->steps,
        .d_output_rows = workspace->d_output_rows + row / workspace->kernel->steps,
    };
}

static struct attention_work work_of(const struct attention_workspace *workspace,
                                     const struct attention_keys *block,
                                     const struct attention_keys *next)
{
    return (struct attention_work){
        .scores = workspace->scores,
        .score_gradients = workspace->score_gradients,
        .d_key = workspace->d_key,
        .d_value = workspace->d_value,
        .key_count = block->count,
        .key_panels = workspace->key_panels,
        .value_panels = workspace->value_panels,
        .column_panels = workspace->column_panels,
        .products = workspace->products,
        .next = *next,
    };
}

/* The keys from `start` on; none where there are not so many. */
static struct attention_keys keys_from(const struct attention_keys *keys, size_t start)
{
    start = size_min(start, keys->count);
    size_t bytes = start * keys->stride * dtype_size(keys->dtype);
    return (struct attention_keys){
        .key = (const char *)keys->key + bytes,
        .value = (const char *)keys->value + bytes,
        .dtype = keys->dtype,
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
    seen.count = size_min(count, keys->count);
    return seen;
}

/* One block of keys after the other, as far as the last query sees them. */
struct key_block {
    struct attention_keys keys, next; /* count 0: there is no next one */
    size_t start;                     /* of keys */
    size_t length;                    /* most of a block */
    struct attention_keys rest;       /* all that are seen, after keys */
};

/* Split off the first of the keys that are left. */
static struct attention_keys take_keys(struct attention_keys *rest, size_t length)
{
    struct attention_keys taken = *rest;
    taken.count = size_min(rest->count, length);
    *rest = keys_from(rest, length);
    return taken;
}

static struct key_block key_block_first(const struct attention_workspace *workspace,
                                        const struct attention_queries *queries,
                                        const struct attention_keys *keys)
{
    struct key_block block = {
        .length = workspace->options.key_block,
        .rest = keys_seen(keys, queries->position + queries->count - 1),
    };
    block.start = 0 - block.length;
    block.next = take_keys(&block.rest, block.length);
    return block;
}

static bool key_block_next(struct key_block *block)
{
    block->keys = block->next;
    block->start += block->length;
    block->next = take_keys(&block->rest, block->length);
    return block->keys.count > 0;
}

/* How many of a block's keys any of a panel's queries before lane `end` sees; in whole steps, as
 * far as the panel sees that many. */
static size_t keys_before(const struct attention_kernel *kernel, const struct query_panel *panel,
                          const struct attention_keys *seen, size_t end)
{
    size_t last = panel->position + size_min(end, panel->count) - 1;
    size_t count = keys_seen(seen, last).count;
    size_t whole = round_up(count, kernel->key_step);
    return size_min(whole, seen->count);
}

/* The queries of a panel from `lane` on. */
static struct query_panel panel_from(const struct query_panel *panel, size_t lane, size_t steps)
{
    size_t row = lane * panel->row_stride / steps;
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

/* The work on a block's keys from `key` on, a whole number of steps. */
static struct attention_work work_from(const struct attention_workspace *workspace,
                                       const struct attention_work *work, size_t key)
{
    size_t steps = workspace->kernel->steps;
    size_t depth = workspace->width / steps;
    struct attention_work part = *work;
    part.d_key += key * workspace->row_stride;
    part.d_value += key * workspace->row_stride;
    part.key_panels += key * depth;
    part.value_panels += key * depth;
    part.column_panels += key / steps * workspace->kernel->vector;
    part.next = keys_from(&work->next, key);
    return part;
}

/* A panel goes down the diagonal of a block of keys in steps: its first queries meet the keys that
 * they see; then they stay behind, and the others meet the keys that the next of them see. */
struct diagonal {
    const struct attention_kernel *kernel;
    const struct query_panel *panel;
    const struct attention_keys *seen; /* keys that any of the panel's queries see */
    size_t next;                       /* lane of the step after this */
    size_t lane;                       /* the first query that meets this step's keys */
    size_t begin, end;                 /* which are these of the keys seen */
};

static struct diagonal diagonal_first(const struct attention_workspace *workspace,
                                      const struct query_panel *panel,
                                      const struct attention_keys *seen)
{
    return (struct diagonal){.kernel = workspace->kernel, .panel = panel, .seen = seen};
}

static bool diagonal_next(struct diagonal *d)
{
    while (d->next < d->panel->count) {
        d->lane = d->next;
        d->next += d->kernel->diagonal_step;
        d->begin = d->end;
        d->end = keys_before(d->kernel, d->panel, d->seen, d->next);
        if (d->end > d->begin) {
            return true;
        }
    }
    return false;
}

/* A block of keys as the kernel reads them. */
static struct attention_keys convert_keys(const struct attention_workspace *workspace,
                                          const struct attention_keys *block)
{
    struct attention_keys converted = *block;
    if (block->dtype != workspace->kernel->dtype) {
        converted.dtype = DTYPE_REAL;
        converted.stride = workspace->width;
        converted.key = attention_convert_rows(workspace->converted, block->key, block->dtype,
                                               block->stride, block->count, workspace->width);
        converted.value =
            attention_convert_rows(workspace->converted_values, block->value, block->dtype,
                                   block->stride, block->count, workspace->width);
    }
    return converted;
}

/* All panels of queries meet a block of keys, which stays near the processor meanwhile, while the
 * next one comes near. */
static void update_panels(struct attention_workspace *workspace,
                          const struct attention_queries *queries, const struct key_block *block,
                          const struct attention_direction *direction)
{
    struct attention_work work = work_of(workspace, &block->keys, &block->next);
    struct attention_keys converted = convert_keys(workspace, &block->keys);
    direction->load(&work, &converted, queries->width);
    work.shares = panel_count(workspace, queries->count);
    for (work.share = 0; work.share < work.shares; work.share++) {
        struct query_panel panel = panel_at(workspace, queries, work.share);
        struct attention_keys seen = keys_seen(&block->keys, panel.position + panel.count - 1);
        struct diagonal d = diagonal_first(workspace, &panel, &seen);
        while (diagonal_next(&d)) {
            struct query_panel rest = panel_from(&panel, d.lane, workspace->kernel->steps);
            struct attention_work part = work_from(workspace, &work, d.begin);
            struct attention_keys keys = keys_from(&seen, d.begin);
            keys.count = d.end - d.begin;
            direction->update(&rest, &part, &keys);
        }
    }
}

/* --- Both directions -------------------------------------------------------------------------- */

static void kernel_begin(const struct attention_workspace *workspace)
{
    if (workspace->kernel->begin) {
        workspace->kernel->begin();
    }
}

static void kernel_end(const struct attention_workspace *workspace)
{
    if (workspace->kernel->end) {
        workspace->kernel->end();
    }
}

void attention_block_update(struct attention_workspace *workspace,
                            const struct attention_queries *queries,
                            const struct attention_keys *keys)
{
    struct key_block block = key_block_first(workspace, queries, keys);
    kernel_begin(workspace);
    while (key_block_next(&block)) {
        update_panels(workspace, queries, &block, &workspace->kernel->forward);
    }
    kernel_end(workspace);
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
        struct diagonal d = diagonal_first(workspace, &panel, &seen);
        while (diagonal_next(&d)) {
            scores += round_up(panel.count - d.lane, kernel->scored_lanes) *
                      round_up(d.end - d.begin, kernel->scored_keys);
        }
    }
    return scores;
}

/* out (count x width) += scale * the first rows of in, which is the workspace's. */
static void add_key_rows(real *restrict out, size_t out_stride, real scale, const real *restrict in,
                         const struct attention_workspace *workspace, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t column = 0; column < workspace->width; column++) {
            out[i * out_stride + column] += scale * in[i * workspace->row_stride + column];
        }
    }
}

/* What this block of queries gathered for a block of keys, after what those before it did. */
static void add_key_gradients(const struct attention_gradients *gradients,
                              const struct attention_workspace *workspace,
                              const struct key_block *block)
{
    const struct attention_tickets *tickets = gradients->tickets;
    size_t number = block->start / workspace->options.key_block;
    size_t offset = block->start * gradients->stride;
    bool is_scaled = workspace->kernel->dtype == DTYPE_REAL; /* by the query rows */
    real scale = is_scaled ? 1 : attention_inverse_root(workspace->width);
    if (tickets && tickets->workers) {
        workers_await(tickets->workers, tickets->thread, &tickets->next[number], tickets->number);
    }
    add_key_rows(gradients->d_key + offset, gradients->stride, scale, workspace->d_key, workspace,
                 block->keys.count);
    add_key_rows(gradients->d_value + offset, gradients->stride, 1, workspace->d_value, workspace,
                 block->keys.count);
    if (tickets) {
        atomic_store(&tickets->next[number], tickets->number + 1);
    }
}

void attention_block_update_backward(const struct attention_gradients *gradients,
                                     struct attention_workspace *workspace,
                                     const struct attention_queries *queries,
                                     const struct attention_keys *keys)
{
    struct key_block block = key_block_first(workspace, queries, keys);
    kernel_begin(workspace);
    while (key_block_next(&block)) {
        size_t bytes = block.keys.count * workspace->row_stride * sizeof(real);
        memset(workspace->d_key, 0, bytes);
        memset(workspace->d_value, 0, bytes);
        update_panels(workspace, queries, &block, &workspace->kernel->backward);
        add_key_gradients(gradients, workspace, &block);
    }
    kernel_end(workspace);
}

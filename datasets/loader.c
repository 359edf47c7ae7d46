#include "datasets/loader.h"

#include "base/arithmetic.h"

/* Rows that are read at once: long reads, whose numbers are still in the cache when they are
 * scaled. */
enum { PIECE_ROWS = 1024 };

struct loader {
    const struct store *store;
    size_t task;
    const struct scaling *scaling;
    struct loader_options options;
    struct chain_catalog catalog;
    struct chain *chains; /* (options.contexts) of the batch at hand */
    size_t *steps;        /* (options.contexts) of each of these chains */
    float *observation;   /* (PIECE_ROWS x observation_dim) as read */
    float *reward;        /* (PIECE_ROWS); also of those that only count */
};

/* Steps [first, first + count) of one trajectory of a chain, which go to the rows from `row` on. */
struct stretch {
    const struct chain *chain;
    size_t trial;
    size_t first;
    size_t count;
    size_t row;
};

static bool check(const struct store *store, const struct scaling *scaling,
                  const struct loader_options *options, struct failure *failure)
{
    if (!chain_law_check(&options->chain, failure)) {
        return false;
    }
    if (options->contexts == 0 || options->contexts > UINT32_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found %zu contexts for an optimizer step, expected 1 to %u; change "
                           "their number",
                           options->contexts, (unsigned)UINT32_MAX);
    }
    if (store_episode_count(store) == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no episodes, expected at least one; collect or convert again",
                           store_path(store));
    }
    if (scaling->observation_dim != store_spec(store)->observation_dim) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found observations of %zu numbers, expected %zu as the model was "
                           "made for; name a store of the model's domain",
                           store_path(store), store_spec(store)->observation_dim,
                           scaling->observation_dim);
    }
    return true;
}

struct loader *loader_open(const struct store *store, size_t task, const struct scaling *scaling,
                           const struct loader_options *options, struct failure *failure)
{
    if (!check(store, scaling, options, failure)) {
        return NULL;
    }
    const struct store_spec *spec = store_spec(store);
    invariant(task < spec->task_count);
    struct loader *loader = memory_take(1, sizeof *loader);
    *loader = (struct loader){
        .store = store,
        .task = task,
        .scaling = scaling,
        .options = *options,
        .chains = memory_take(options->contexts, sizeof *loader->chains),
        .steps = memory_take(options->contexts, sizeof *loader->steps),
        .observation = memory_take(PIECE_ROWS * spec->observation_dim, sizeof(float)),
        .reward = memory_take(PIECE_ROWS, sizeof(float)),
    };
    chain_catalog_open(&loader->catalog, store);
    return loader;
}

void loader_close(struct loader *loader)
{
    if (!loader) {
        return;
    }
    chain_catalog_close(&loader->catalog);
    memory_free(loader->chains);
    memory_free(loader->steps);
    memory_free(loader->observation);
    memory_free(loader->reward);
    memory_free(loader);
}

static bool check_groups(const struct loader *loader, size_t groups, struct failure *failure)
{
    if (loader->options.contexts < groups) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found %zu contexts for an optimizer step, expected at least one for "
                           "each of the %zu data-parallel groups; use more contexts, fewer ranks "
                           "or larger rings",
                           loader->options.contexts, groups);
    }
    return true;
}

/* The largest share of a step that a group has. */
static size_t share_of(const struct loader *loader, size_t groups)
{
    return divide_up(loader->options.contexts, groups);
}

/* Contexts of the largest batch. */
static size_t pass_of(const struct loader *loader, size_t groups)
{
    size_t share = share_of(loader, groups);
    size_t pass = loader->options.pass;
    return pass > 0 && pass < share ? pass : share;
}

size_t loader_pass_count(const struct loader *loader, size_t groups)
{
    size_t pass = pass_of(loader, groups);
    return divide_up(share_of(loader, groups), pass);
}

/* A batch with room for trajectories of so many steps. */
static bool bind(const struct loader *loader, struct batch *batch, struct arena *arena,
                 enum partition_rule rule, size_t places, size_t place, size_t groups,
                 size_t length_max, struct failure *failure)
{
    if (!check_groups(loader, groups, failure)) {
        return false;
    }
    const struct store_spec *spec = store_spec(loader->store);
    batch_bind(batch, arena, rule, places, place, pass_of(loader, groups),
               loader->options.chain.trials * length_max, spec->observation_dim, spec->action_dim);
    return true;
}

bool loader_batch_bind(const struct loader *loader, struct batch *batch, struct arena *arena,
                       enum partition_rule rule, size_t places, size_t place, size_t groups,
                       struct failure *failure)
{
    return bind(loader, batch, arena, rule, places, place, groups, store_length_max(loader->store),
                failure);
}

bool loader_plan_bind(const struct loader *loader, struct batch *plan, struct arena *arena,
                      enum partition_rule rule, size_t places, size_t place, size_t groups,
                      struct failure *failure)
{
    return bind(loader, plan, arena, rule, places, place, groups, 0, failure);
}

/* The slice's chains, and their cut over the ring. */
static void draw(struct loader *loader, struct batch *batch, uint64_t step,
                 struct loader_slice slice)
{
    size_t pass = pass_of(loader, slice.groups);
    size_t count = 0;
    for (size_t i = slice.pass * pass; i < (slice.pass + 1) * pass; i++) {
        size_t sample = slice.group + i * slice.groups;
        if (sample >= loader->options.contexts) {
            break;
        }
        chain_draw(&loader->chains[count], &loader->catalog, loader->task, &loader->options.chain,
                   loader->options.seed, step, sample);
        loader->steps[count] = loader->chains[count].steps;
        batch->samples[count] = sample;
        count++;
    }
    partition_cut(&batch->partition, loader->steps, count);
}

/* The sum of a trajectory's rewards before step `end`, added up one after the other so that it is
 * the same wherever the context is cut. */
static bool sum_rewards(struct loader *loader, size_t episode, size_t end, double *sum,
                        struct failure *failure)
{
    *sum = 0.0;
    for (size_t first = 0; first < end; first += PIECE_ROWS) {
        size_t count = end - first < PIECE_ROWS ? end - first : PIECE_ROWS;
        if (!store_read(loader->store, loader->task, episode, first, count, NULL, NULL,
                        loader->reward, failure)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            *sum += (double)loader->reward[i];
        }
    }
    return true;
}

/* One piece that has been read becomes rows, its actions aside; *earned is the sum of the rewards
 * before it, and then of those up to its end. */
static void write_rows(const struct loader *loader, const struct steps *steps,
                       const struct stretch *piece, double *earned)
{
    const struct chain *chain = piece->chain;
    size_t row = piece->row;
    scaling_observations(steps->observation + row * steps->observation_dim, loader->observation,
                         piece->count, loader->scaling);
    scaling_rewards(steps->reward + row, loader->reward, piece->count, loader->scaling);
    *earned = scaling_returns(steps->return_to_go + row, chain->target, *earned, loader->reward,
                              piece->count, loader->scaling);
    bool is_in_loss = piece->trial + 1 == chain->count || loader->options.loss == LOADER_LOSS_ALL;
    for (size_t i = 0; i < piece->count; i++) {
        steps->done[row + i] = (real)0.0;
        steps->time[row + i] = (uint32_t)(piece->first + i);
        steps->trial[row + i] = (uint32_t)piece->trial;
        steps->weight[row + i] = (real)(is_in_loss ? 1.0 : 0.0);
    }
    size_t episode = chain->episodes[piece->trial];
    bool is_last = piece->first + piece->count == store_length(loader->store, episode);
    bool is_reached = store_return(loader->store, loader->task, episode) >= chain->target;
    steps->done[row + piece->count - 1] = (real)(is_last && is_reached ? 1.0 : 0.0);
}

/* What is done with each stretch of a shard. */
typedef bool visitor(struct loader *loader, const struct steps *steps, struct stretch stretch,
                     struct failure *failure);

static bool fill_stretch(struct loader *loader, const struct steps *steps, struct stretch stretch,
                         struct failure *failure)
{
    size_t episode = stretch.chain->episodes[stretch.trial];
    double earned;
    invariant(stretch.row + stretch.count <= steps->row_max);
    if (!sum_rewards(loader, episode, stretch.first, &earned, failure)) {
        return false;
    }
    while (stretch.count > 0) {
        struct stretch piece = stretch;
        piece.count = stretch.count < PIECE_ROWS ? stretch.count : PIECE_ROWS;
        real *action = steps->action + piece.row * steps->action_dim; /* they stay as they are */
        if (!store_read(loader->store, loader->task, episode, piece.first, piece.count,
                        loader->observation, action, loader->reward, failure)) {
            return false;
        }
        write_rows(loader, steps, &piece, &earned);
        stretch.first += piece.count;
        stretch.row += piece.count;
        stretch.count -= piece.count;
    }
    return true;
}

static bool expect_stretch(struct loader *loader, const struct steps *steps, struct stretch stretch,
                           struct failure *failure)
{
    (void)steps;
    (void)failure;
    size_t episode = stretch.chain->episodes[stretch.trial];
    store_prefetch(loader->store, loader->task, episode, stretch.first, stretch.count);
    return true;
}

/* A segment counts steps along the whole chain: visit each trajectory that it touches. */
static bool visit_segment(struct loader *loader, const struct steps *steps,
                          const struct segment *segment, visitor *visit, struct failure *failure)
{
    const struct chain *chain = &loader->chains[segment->context];
    size_t end = segment->first + segment->count;
    size_t trial_begin = 0;
    for (size_t trial = 0; trial < chain->count && trial_begin < end; trial++) {
        size_t trial_end = trial_begin + store_length(loader->store, chain->episodes[trial]);
        size_t from = segment->first > trial_begin ? segment->first : trial_begin;
        size_t to = end < trial_end ? end : trial_end;
        if (from < to) {
            struct stretch stretch = {.chain = chain,
                                      .trial = trial,
                                      .first = from - trial_begin,
                                      .count = to - from,
                                      .row = segment->row + (from - segment->first)};
            if (!visit(loader, steps, stretch, failure)) {
                return false;
            }
        }
        trial_begin = trial_end;
    }
    return true;
}

/* Draw a slice's chains and visit all that this place holds of them. */
static bool visit_shard(struct loader *loader, struct batch *batch, uint64_t step,
                        struct loader_slice slice, visitor *visit, struct failure *failure)
{
    invariant(slice.group < slice.groups);
    if (!check_groups(loader, slice.groups, failure)) {
        return false;
    }
    invariant(slice.pass < loader_pass_count(loader, slice.groups));
    draw(loader, batch, step, slice);
    const struct shard *shard = batch_shard(batch);
    bool ok = true;
    for (size_t i = 0; ok && i < shard->segment_count; i++) {
        ok = visit_segment(loader, &batch->steps, &shard->segments[i], visit, failure);
    }
    return ok;
}

bool loader_fill(struct loader *loader, struct batch *batch, uint64_t step,
                 struct loader_slice slice, struct failure *failure)
{
    if (!visit_shard(loader, batch, step, slice, fill_stretch, failure)) {
        return false;
    }
    const struct shard *shard = batch_shard(batch);
    double weights = 0.0;
    for (size_t row = 0; row < shard->row_count; row++) {
        weights += (double)batch->steps.weight[row];
    }
    batch->predicted = weights * (double)batch->steps.action_dim;
    return true;
}

bool loader_expect(struct loader *loader, struct batch *plan, uint64_t step,
                   struct loader_slice slice, struct failure *failure)
{
    return visit_shard(loader, plan, step, slice, expect_stretch, failure);
}

#include "datasets/loader.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "datasets/store_verify.h"

/* Rows that are read at once: long reads, whose numbers are still in the cache when they are
 * scaled. */
enum { CHUNK_ROWS = 1024 };

struct loader {
    const struct dataset *dataset;
    const struct scaling *scaling;
    struct loader_options options;
    struct store_verifier *verifiers[DATASET_STORES_MAX]; /* NULL: nothing is verified */
    float *observation; /* (CHUNK_ROWS x observation_dim) as read */
    float *reward;      /* (CHUNK_ROWS) as read */
};

/* Is a label known of any of these episodes? Most often the first one is. False and a failure where
 * they cannot be read. */
static bool find_known_label(bool *is_known, const struct chain_catalog *catalog,
                             struct failure *failure)
{
    const struct store *store = catalog->store;
    size_t dim = store_spec(store)->action_dim;
    float *label = memory_take(CHUNK_ROWS * dim, sizeof *label);
    bool is_read = true;
    *is_known = false;
    for (size_t i = 0; i < catalog->starts[catalog->group_count]; i++) {
        size_t episode = catalog->episodes[i];
        size_t length = store_length(store, episode);
        for (size_t first = 0; is_read && !*is_known && first < length; first += CHUNK_ROWS) {
            size_t count = size_min(length - first, CHUNK_ROWS);
            is_read = store_read_label(store, episode, first, count, label, failure);
            for (size_t row = 0; is_read && row < count; row++) {
                *is_known = *is_known || !isnan(label[row * dim]);
            }
        }
    }
    memory_free(label);
    return is_read;
}

static bool refuse_unlabelled(const struct store *store, enum exit_code code, const char *found,
                              struct failure *failure)
{
    const char *path = store_path(store);
    return failure_set(failure, code,
                       "%s: found %s, expected some for chain.loss=label; write a store that has "
                       "them: chainring convert %s --label=script --output=NEW.h5 (or "
                       "--label=planner, --label=checkpoint:RUN)",
                       path, found, path);
}

/* Each store must have labels, and know some of those that are trained on. */
static bool check_stores_labels(const struct dataset *dataset, struct failure *failure)
{
    for (size_t i = 0; i < dataset->count; i++) {
        const struct store *store = dataset->stores[i].store;
        bool is_known;
        if (!store_spec(store)->has_label) {
            return refuse_unlabelled(store, EXIT_CODE_CONFIG, "no labels", failure);
        }
        if (!find_known_label(&is_known, &dataset->stores[i].catalogs[CHAIN_TRAINED], failure)) {
            return false;
        }
        if (!is_known) {
            return refuse_unlabelled(store, EXIT_CODE_DATA, "no label that is known", failure);
        }
    }
    return true;
}

static bool loader_check(const struct dataset *dataset, const struct scaling *scaling,
                         const struct loader_options *options, struct failure *failure)
{
    const char *path = store_path(dataset->stores[0].store);
    if (!chain_sampler_check(&options->chain, failure)) {
        return false;
    }
    if (options->contexts == 0 || options->contexts > UINT32_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found %zu contexts for an optimizer step, expected 1 to %u; change "
                           "their number",
                           options->contexts, (unsigned)UINT32_MAX);
    }
    if (scaling->observation_dim != dataset_spec(dataset)->observation_dim) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found observations of %zu numbers, expected %zu as the model was "
                           "made for; name a store of the model's domain",
                           path, dataset_spec(dataset)->observation_dim, scaling->observation_dim);
    }
    if (options->chain.window > 0 && options->chain.trials > 1 &&
        options->loss == LOADER_LOSS_BEST) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "chain.window: found %zu with chain.loss=best, expected the loss of all "
                           "or labels, as a window may lie outside the best trajectory",
                           options->chain.window);
    }
    return options->loss != LOADER_LOSS_LABEL || check_stores_labels(dataset, failure);
}

struct loader *loader_open(const struct dataset *dataset, const struct scaling *scaling,
                           const struct loader_options *options, struct failure *failure)
{
    if (!loader_check(dataset, scaling, options, failure)) {
        return NULL;
    }
    const struct store_spec *spec = dataset_spec(dataset);
    struct loader *loader = memory_take(1, sizeof *loader);
    *loader = (struct loader){
        .dataset = dataset,
        .scaling = scaling,
        .options = *options,
        .observation = memory_take(CHUNK_ROWS * spec->observation_dim, sizeof(float)),
        .reward = memory_take(CHUNK_ROWS, sizeof(float)),
    };
    for (size_t i = 0; options->is_verified && i < dataset->count; i++) {
        loader->verifiers[i] =
            store_verifier_open(dataset->stores[i].store, options->loss == LOADER_LOSS_LABEL);
    }
    return loader;
}

void loader_close(struct loader *loader)
{
    if (!loader) {
        return;
    }
    for (size_t i = 0; i < loader->dataset->count; i++) {
        store_verifier_close(loader->verifiers[i]);
    }
    memory_free(loader->observation);
    memory_free(loader->reward);
    memory_free(loader);
}

/* --- A batch ---------------------------------------------------------------------------------- */

static bool check_groups(const struct loader *loader, size_t groups, struct failure *failure)
{
    return loader->options.contexts >= groups ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu contexts for an optimizer step, expected at least one for "
                       "each of the %zu data-parallel groups; use more contexts, fewer ranks "
                       "or larger rings",
                       loader->options.contexts, groups);
}

/* Contexts of the largest batch. */
static size_t contexts_max(const struct loader *loader, size_t group_count)
{
    size_t of_group = divide_up(loader->options.contexts, group_count);
    size_t micro_batch = loader->options.micro_batch;
    return micro_batch > 0 ? size_min(micro_batch, of_group) : of_group;
}

size_t loader_micro_batch_count(const struct loader *loader, size_t group_count)
{
    size_t of_group = divide_up(loader->options.contexts, group_count);
    return divide_up(of_group, contexts_max(loader, group_count));
}

/* Memory for trajectories of up to length_max steps. */
static bool bind_lengths(const struct loader *loader, struct loader_batch *loaded,
                         struct arena *arena, struct mesh_position position, size_t length_max,
                         struct failure *failure)
{
    if (!check_groups(loader, position.group_count, failure)) {
        return false;
    }
    const struct store_spec *spec = dataset_spec(loader->dataset);
    const struct chain_sampler *chain = &loader->options.chain;
    size_t contexts = contexts_max(loader, position.group_count);
    size_t steps = steps_in_context_max(chain->trials, length_max, chain->window);
    batch_bind(&loaded->batch, arena, position, contexts, steps, spec->observation_dim,
               spec->action_dim);
    loaded->chains = arena_take(arena, contexts, sizeof *loaded->chains);
    loaded->steps = arena_take(arena, contexts, sizeof *loaded->steps);
    return true;
}

bool loader_batch_bind(const struct loader *loader, struct loader_batch *loaded,
                       struct arena *arena, struct mesh_position position, struct failure *failure)
{
    return bind_lengths(loader, loaded, arena, position, dataset_length_max(loader->dataset),
                        failure);
}

/* Draw the micro-batch's chains and cut them over the ring. */
static bool draw_chains(const struct loader *loader, struct loader_batch *loaded, uint64_t step,
                        size_t micro_batch, struct failure *failure)
{
    struct batch *batch = &loaded->batch;
    size_t groups = batch->position.group_count;
    if (!check_groups(loader, groups, failure)) {
        return false;
    }
    invariant(batch->position.group < groups &&
              micro_batch < loader_micro_batch_count(loader, groups) &&
              contexts_max(loader, groups) <= batch->partition.context_max);
    size_t first = batch->position.group + micro_batch * contexts_max(loader, groups) * groups;
    size_t count = 0;
    for (size_t sample = first;
         count < contexts_max(loader, groups) && sample < loader->options.contexts;
         sample += groups, count++) {
        dataset_draw(&loaded->chains[count], loader->dataset, loader->options.part,
                     &loader->options.chain, loader->options.seed, step, sample);
        loaded->steps[count] = loaded->chains[count].steps;
        batch->samples[count] = sample;
    }
    partition_cut(&batch->partition, loaded->steps, count);
    return true;
}

static const struct dataset_store *source_of(const struct loader *loader, const struct chain *chain)
{
    return &loader->dataset->stores[chain->source];
}

static size_t trial_length(const struct loader *loader, const struct chain *chain, size_t trial)
{
    return store_length(source_of(loader, chain)->store, chain->episodes[trial]);
}

/* An iterator over the trajectories of a shard: steps [first, first + count) of the chain's
 * trajectory `trial`, which go to the rows from `row` on. */
struct range {
    const struct chain *chain;
    size_t trial, first, count, row;
    size_t segment, next_trial, next_begin; /* next_begin counts along the chain */
};

static bool next_range(struct range *range, const struct loader *loader,
                       const struct loader_batch *loaded)
{
    const struct shard *shard = batch_shard(&loaded->batch);
    while (range->segment < shard->segment_count) {
        const struct segment *segment = &shard->segments[range->segment];
        range->chain = &loaded->chains[segment->context];
        size_t segment_begin = range->chain->first + segment->first; /* along the chain */
        size_t segment_end = segment_begin + segment->count;
        while (range->next_trial < range->chain->count && range->next_begin < segment_end) {
            range->trial = range->next_trial++;
            size_t begin = range->next_begin;
            size_t length = trial_length(loader, range->chain, range->trial);
            range->next_begin += length;
            size_t from = size_max(segment_begin, begin);
            size_t to = size_min(segment_end, range->next_begin);
            if (from < to) {
                range->first = from - begin;
                range->count = to - from;
                range->row = segment->row + (from - segment_begin);
                return true;
            }
        }
        range->segment++;
        range->next_trial = range->next_begin = 0;
    }
    return false;
}

/* The sum of a trajectory's rewards before step `end`, in order, so that it has the same bits
 * wherever the context is cut. */
static bool sum_rewards(struct loader *loader, const struct range *range, double *sum,
                        struct failure *failure)
{
    const struct dataset_store *source = source_of(loader, range->chain);
    size_t episode = range->chain->episodes[range->trial];
    size_t end = range->first;
    *sum = 0.0;
    for (size_t first = 0; first < end; first += CHUNK_ROWS) {
        size_t count = size_min(end - first, CHUNK_ROWS);
        if (!store_read_reward(source->store, source->task, episode, first, count, loader->reward,
                               failure)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            *sum += (double)loader->reward[i];
        }
    }
    return true;
}

/* Of the last step of a trajectory of the chain whose return reaches the chain's target. */
static bool is_done(const struct loader *loader, const struct chain *chain, size_t trial,
                    size_t step)
{
    const struct dataset_store *source = source_of(loader, chain);
    size_t episode = chain->episodes[trial];
    return step + 1 == store_length(source->store, episode) &&
           store_return(source->store, source->task, episode) >= chain->target;
}

/* The expert's action where it is known; elsewhere it has no weight. */
static bool fill_labels(struct loader *loader, const struct steps *steps, const struct range *chunk,
                        struct failure *failure)
{
    size_t dim = steps->action_dim;
    real *label = steps->label + chunk->row * dim;
    if (loader->options.loss != LOADER_LOSS_LABEL) {
        memcpy(label, steps->action + chunk->row * dim, chunk->count * dim * sizeof *label);
        return true;
    }
    const struct store *store = source_of(loader, chunk->chain)->store;
    if (!store_read_label(store, chunk->chain->episodes[chunk->trial], chunk->first, chunk->count,
                          label, failure)) {
        return false;
    }
    for (size_t i = 0; i < chunk->count; i++, label += dim) {
        if (isnan(label[0])) {
            memset(label, 0, dim * sizeof *label);
            steps->weight[chunk->row + i] = (real)0.0;
        }
    }
    return true;
}

/* Convert a chunk that has been read into rows, except its actions. *return_so_far is the sum of
 * the rewards before the chunk, and becomes that up to its end. */
static void write_rows(const struct loader *loader, const struct steps *steps,
                       const struct range *chunk, double *return_so_far)
{
    const struct chain *chain = chunk->chain;
    size_t row = chunk->row;
    scaling_observations(steps->observation + row * steps->observation_dim, loader->observation,
                         chunk->count, loader->scaling);
    scaling_rewards(steps->reward + row, loader->reward, chunk->count, loader->scaling);
    *return_so_far = scaling_returns(steps->return_to_go + row, chain->target, *return_so_far,
                                     loader->reward, chunk->count, loader->scaling);
    bool is_in_loss = chunk->trial == chain->best || loader->options.loss != LOADER_LOSS_BEST;
    for (size_t i = 0; i < chunk->count; i++) {
        steps->done[row + i] = (real)0.0;
        steps->time[row + i] = (uint32_t)(chunk->first + i);
        steps->trial[row + i] = (uint32_t)chunk->trial;
        steps->weight[row + i] = (real)(is_in_loss ? 1.0 : 0.0);
    }
    size_t last = chunk->count - 1;
    steps->done[row + last] = (real)is_done(loader, chain, chunk->trial, chunk->first + last);
    for (size_t i = 0; i < chunk->count; i++) {
        reward_mask_apply(loader->options.reward_mask, steps, row + i,
                          scaling_return(chain->target, loader->scaling));
    }
}

static bool check_range(const struct loader *loader, const struct range *range,
                        struct failure *failure)
{
    struct store_verifier *verifier = loader->verifiers[range->chain->source];
    return !verifier || store_verifier_check(verifier, source_of(loader, range->chain)->task,
                                             range->chain->episodes[range->trial], range->first,
                                             range->count, failure);
}

static bool fill_range(struct loader *loader, const struct steps *steps, const struct range *range,
                       struct failure *failure)
{
    const struct dataset_store *source = source_of(loader, range->chain);
    size_t episode = range->chain->episodes[range->trial];
    double return_so_far;
    invariant(range->row + range->count <= steps->row_max);
    if (!check_range(loader, range, failure) ||
        !sum_rewards(loader, range, &return_so_far, failure)) {
        return false;
    }
    for (size_t done = 0; done < range->count; done += CHUNK_ROWS) {
        struct range chunk = *range;
        chunk.first += done;
        chunk.row += done;
        chunk.count = size_min(range->count - done, CHUNK_ROWS);
        real *action =
            steps->action + chunk.row * steps->action_dim; /* actions need no conversion */
        if (!store_read_observation(source->store, episode, chunk.first, chunk.count,
                                    loader->observation, failure) ||
            !store_read_action(source->store, episode, chunk.first, chunk.count, action, failure) ||
            !store_read_reward(source->store, source->task, episode, chunk.first, chunk.count,
                               loader->reward, failure)) {
            return false;
        }
        write_rows(loader, steps, &chunk, &return_so_far);
        if (!fill_labels(loader, steps, &chunk, failure)) {
            return false;
        }
    }
    return true;
}

/* --- The steps before ------------------------------------------------------------------------- */

/* The range of one step that stands right before a segment, in its context. */
static struct range step_before(const struct loader *loader, const struct loader_batch *loaded,
                                const struct segment *segment)
{
    struct range range = {.chain = &loaded->chains[segment->context], .count = 1};
    size_t position = range.chain->first + segment->first;
    for (size_t end = 0;; range.trial++) {
        size_t length = trial_length(loader, range.chain, range.trial);
        end += length;
        if (position <= end) {
            range.first = length - 1 - (end - position);
            return range;
        }
    }
}

/* What a segment's first step comes from lies on another rank, if anywhere. */
static bool fill_first_previous(struct loader *loader, const struct loader_batch *loaded,
                                const struct segment *segment, struct failure *failure)
{
    const struct steps *steps = &loaded->batch.steps;
    if (segment->first == 0) {
        steps_clear_previous(steps, segment->row);
        return true;
    }
    struct range before = step_before(loader, loaded, segment);
    const struct dataset_store *source = source_of(loader, before.chain);
    size_t episode = before.chain->episodes[before.trial];
    if (!check_range(loader, &before, failure) ||
        !store_read_action(source->store, episode, before.first, 1,
                           steps->previous_action + segment->row * steps->action_dim, failure) ||
        !store_read_reward(source->store, source->task, episode, before.first, 1, loader->reward,
                           failure)) {
        return false;
    }
    scaling_rewards(steps->previous_reward + segment->row, loader->reward, 1, loader->scaling);
    steps->previous_done[segment->row] =
        (real)is_done(loader, before.chain, before.trial, before.first);
    reward_mask_apply_previous(loader->options.reward_mask, steps, segment->row, before.trial);
    return true;
}

static bool fill_previous(struct loader *loader, const struct loader_batch *loaded,
                          struct failure *failure)
{
    const struct steps *steps = &loaded->batch.steps;
    const struct shard *shard = batch_shard(&loaded->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        if (!fill_first_previous(loader, loaded, segment, failure)) {
            return false;
        }
        for (size_t row = segment->row + 1; row < segment->row + segment->count; row++) {
            steps_set_previous(steps, row, steps, row - 1);
        }
    }
    return true;
}

/* Read what a batch whose chains are drawn holds. */
static bool fill_from_chains(struct loader *loader, struct loader_batch *loaded,
                             struct failure *failure)
{
    struct batch *batch = &loaded->batch;
    for (size_t i = 0; loader->verifiers[0] && i < loader->dataset->count; i++) {
        store_verifier_refresh(loader->verifiers[i]);
    }
    for (struct range range = {0}; next_range(&range, loader, loaded);) {
        if (!fill_range(loader, &batch->steps, &range, failure)) {
            return false;
        }
    }
    if (!fill_previous(loader, loaded, failure)) {
        return false;
    }
    batch->predicted = 0.0;
    for (size_t row = 0; row < batch_shard(batch)->row_count; row++) {
        batch->predicted += (double)batch->steps.weight[row];
    }
    return true;
}

bool loader_fill(struct loader *loader, struct loader_batch *loaded, uint64_t step,
                 size_t micro_batch, struct failure *failure)
{
    return draw_chains(loader, loaded, step, micro_batch, failure) &&
           fill_from_chains(loader, loaded, failure);
}

/* --- A run's batches, one after the other ----------------------------------------------------- */

bool loader_stream_bind(struct loader_stream *stream, struct loader *loader, struct arena *arena,
                        struct mesh_position position, struct failure *failure)
{
    *stream = (struct loader_stream){.loader = loader};
    return loader_batch_bind(loader, &stream->current, arena, position, failure) &&
           bind_lengths(loader, &stream->next, arena, position, 0, failure);
}

void loader_stream_unbind(struct loader_stream *stream)
{
    batch_close(&stream->current.batch);
    batch_close(&stream->next.batch);
}

/* Draw the next batch and have the system bring into memory what filling it will read. */
static bool stream_prefetch(struct loader_stream *stream, uint64_t step, size_t micro_batch,
                            struct failure *failure)
{
    struct loader *loader = stream->loader;
    if (!draw_chains(loader, &stream->next, step, micro_batch, failure)) {
        return false;
    }
    stream->next_step = step;
    stream->next_micro_batch = micro_batch;
    stream->has_next = true;
    for (struct range range = {0}; next_range(&range, loader, &stream->next);) {
        const struct dataset_store *source = source_of(loader, range.chain);
        store_prefetch(source->store, source->task, range.chain->episodes[range.trial], range.first,
                       range.count);
    }
    return true;
}

/* The next batch becomes the current one, all but the memory for rows, which only that has. */
static void stream_advance(struct loader_stream *stream)
{
    struct loader_batch drawn = stream->next;
    struct steps rows = stream->current.batch.steps;
    stream->next = stream->current;
    stream->next.batch.steps = drawn.batch.steps;
    stream->current = drawn;
    stream->current.batch.steps = rows;
}

/* Most often it is drawn already. */
static bool stream_draw(struct loader_stream *stream, uint64_t step, size_t micro_batch,
                        struct failure *failure)
{
    bool is_drawn =
        stream->has_next && stream->next_step == step && stream->next_micro_batch == micro_batch;
    stream->has_next = false;
    if (is_drawn) {
        stream_advance(stream);
        return true;
    }
    return draw_chains(stream->loader, &stream->current, step, micro_batch, failure);
}

const struct batch *loader_stream_take(struct loader_stream *stream, uint64_t step,
                                       size_t micro_batch, struct failure *failure)
{
    size_t groups = stream->current.batch.position.group_count;
    bool is_last = micro_batch + 1 == loader_micro_batch_count(stream->loader, groups);
    bool ok =
        stream_draw(stream, step, micro_batch, failure) &&
        fill_from_chains(stream->loader, &stream->current, failure) &&
        stream_prefetch(stream, is_last ? step + 1 : step, is_last ? 0 : micro_batch + 1, failure);
    return ok ? &stream->current.batch : NULL;
}

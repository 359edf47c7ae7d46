#include "datasets/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "base/random.h"

struct member {
    int64_t group;
    size_t episode;
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    return (a->episode > b->episode) - (a->episode < b->episode);
}

static void sort_members(struct member *members, const struct store *store)
{
    size_t count = store_episode_count(store);
    for (size_t episode = 0; episode < count; episode++) {
        members[episode] = (struct member){store_group(store, episode), episode};
    }
    qsort(members, count, sizeof *members, compare_members);
}

/* --- What is held out ------------------------------------------------------------------------- */

/* Sorting by random keys shuffles. */
struct random_key {
    uint32_t key;
    size_t index;
};

static int compare_random_keys(const void *left, const void *right)
{
    const struct random_key *a = left, *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* is_held_out (count): of as many as the fraction asks for. */
static void draw_held_out(bool *is_held_out, size_t count, double holdout)
{
    if (holdout == 0.0 || count < 2) {
        return;
    }
    size_t wanted = (size_t)round(holdout * (double)count);
    wanted = size_min(size_max(wanted, 1), count - 1);
    struct random_key *keys = memory_take(count, sizeof *keys);
    for (size_t i = 0; i < count; i++) {
        struct random random = random_stream(0, RANDOM_HOLDOUT, i, 0);
        keys[i] = (struct random_key){random_word(&random), i};
    }
    qsort(keys, count, sizeof *keys, compare_random_keys);
    for (size_t i = 0; i < wanted; i++) {
        is_held_out[keys[i].index] = true;
    }
    memory_free(keys);
}

static size_t count_groups(const struct member *members, size_t count)
{
    size_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        groups += i == 0 || members[i].group != members[i - 1].group;
    }
    return groups;
}

/* --- Catalogs --------------------------------------------------------------------------------- */

static void catalog_add(struct chain_catalog *catalog, size_t *added, const struct member *member,
                        bool begins_group)
{
    if (begins_group) {
        catalog->starts[catalog->group_count++] = *added;
    }
    catalog->episodes[(*added)++] = member->episode;
    catalog->starts[catalog->group_count] = *added;
}

void chain_catalog_open(struct chain_catalog *catalog, const struct store *store, double holdout,
                        enum chain_part part)
{
    size_t count = store_episode_count(store);
    invariant(count > 0);
    *catalog = (struct chain_catalog){
        .store = store,
        .starts = memory_take(count + 1, sizeof *catalog->starts),
        .episodes = memory_take(count, sizeof *catalog->episodes),
    };
    struct member *members = memory_take(count, sizeof *members);
    bool *is_held_out = memory_take(count, sizeof *is_held_out);
    sort_members(members, store);
    size_t groups = count_groups(members, count);
    draw_held_out(is_held_out, groups > 1 ? groups : count, holdout);
    size_t added = 0;
    for (size_t i = 0, group = 0; i < count; i++) {
        bool is_next = i > 0 && members[i].group != members[i - 1].group;
        group += is_next;
        if (is_held_out[groups > 1 ? group : i] == (part == CHAIN_HELD_OUT)) {
            catalog_add(catalog, &added, &members[i], added == 0 || is_next);
        }
    }
    memory_free(is_held_out);
    memory_free(members);
}

void chain_catalog_close(struct chain_catalog *catalog)
{
    memory_free(catalog->starts);
    memory_free(catalog->episodes);
    *catalog = (struct chain_catalog){0};
}

size_t chain_catalog_largest_group(const struct chain_catalog *catalog)
{
    size_t largest = 0;
    for (size_t group = 0; group < catalog->group_count; group++) {
        largest = size_max(largest, catalog->starts[group + 1] - catalog->starts[group]);
    }
    return largest;
}

double chain_catalog_best(const struct chain_catalog *catalog, size_t task)
{
    double sum = 0.0;
    for (size_t group = 0; group < catalog->group_count; group++) {
        double best = (double)-INFINITY;
        for (size_t i = catalog->starts[group]; i < catalog->starts[group + 1]; i++) {
            best = fmax(best, store_return(catalog->store, task, catalog->episodes[i]));
        }
        sum += best;
    }
    return sum / (double)catalog->group_count;
}

bool chain_sampler_check(const struct chain_sampler *sampler, struct failure *failure)
{
    if (sampler->trials == 0 || sampler->trials > CHAIN_TRIALS_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found chains of up to %zu trajectories, expected 1 to %d; change "
                           "chain.trials",
                           sampler->trials, CHAIN_TRIALS_MAX);
    }
    if (sampler->trials_min == 0 || sampler->trials_min > sampler->trials) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "chain.trials_min: found %zu, expected 1 to %zu, which chain.trials is; "
                           "change one of them",
                           sampler->trials_min, sampler->trials);
    }
    if (sampler->sampling == CHAIN_BEST &&
        (sampler->draws == 0 || sampler->draws > CHAIN_TRIALS_MAX)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found the best of %zu trajectories, expected 1 to %d; change "
                           "chain.draws",
                           sampler->draws, CHAIN_TRIALS_MAX);
    }
    return true;
}

/* --- Which episodes of which group ------------------------------------------------------------ */

/* A chain in the making: what it is drawn from, and the task whose returns order it. */
struct draw {
    struct chain *chain;
    const struct store *store;
    size_t task;
    const size_t *members; /* (member_count) episodes of the group */
    size_t member_count;
    struct random random;
};

static void draw_group(struct draw *draw, const struct chain_catalog *catalog)
{
    size_t group = random_below(&draw->random, catalog->group_count);
    draw->members = catalog->episodes + catalog->starts[group];
    draw->member_count = catalog->starts[group + 1] - catalog->starts[group];
}

/* The index that `episode` has, or would have, in the chain. */
static size_t chain_index_of(const struct draw *draw, size_t episode)
{
    double value = store_return(draw->store, draw->task, episode);
    size_t low = 0;
    size_t high = draw->chain->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t other = draw->chain->episodes[middle];
        double other_value = store_return(draw->store, draw->task, other);
        if (other_value < value || (other_value == value && other < episode)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* False where the chain has the episode already. */
static bool chain_add(struct draw *draw, size_t episode)
{
    struct chain *chain = draw->chain;
    size_t index = chain_index_of(draw, episode);
    if (index < chain->count && chain->episodes[index] == episode) {
        return false;
    }
    memmove(&chain->episodes[index + 1], &chain->episodes[index],
            (chain->count - index) * sizeof chain->episodes[0]);
    chain->episodes[index] = episode;
    chain->count++;
    return true;
}

/* Floyd's sampling without replacement: a number that is drawn twice is replaced by the newest. */
static void draw_uniform(struct draw *draw, size_t count)
{
    for (size_t newest = draw->member_count - count; newest < draw->member_count; newest++) {
        if (!chain_add(draw, draw->members[random_below(&draw->random, newest + 1)])) {
            chain_add(draw, draw->members[newest]);
        }
    }
}

/* The better of two drawn uniformly; of equals the first. */
static size_t better_of_two(struct draw *draw)
{
    size_t first = draw->members[random_below(&draw->random, draw->member_count)];
    size_t second = draw->members[random_below(&draw->random, draw->member_count)];
    bool is_better = store_return(draw->store, draw->task, second) >
                     store_return(draw->store, draw->task, first);
    return is_better ? second : first;
}

/* Where the chain takes all, drawing would wait long for the worst. */
static void draw_by_return(struct draw *draw, size_t count)
{
    if (count == draw->member_count) {
        draw_uniform(draw, count);
    }
    while (draw->chain->count < count) {
        chain_add(draw, better_of_two(draw));
    }
}

static void draw_consecutive(struct draw *draw, size_t count)
{
    size_t first = random_below(&draw->random, draw->member_count - count + 1);
    for (size_t i = first; i < first + count; i++) {
        chain_add(draw, draw->members[i]);
    }
}

static void draw_best(struct draw *draw, size_t count, size_t draws)
{
    draw_uniform(draw, size_max(count, size_min(draws, draw->member_count)));
    struct chain *chain = draw->chain;
    size_t dropped = chain->count - count;
    memmove(chain->episodes, chain->episodes + dropped, count * sizeof chain->episodes[0]);
    chain->count = count;
}

/* As many as the sampler says, ascending by return. */
static void draw_trajectories(struct draw *draw, const struct chain_sampler *sampler)
{
    size_t least = size_min(sampler->trials_min, draw->member_count);
    size_t most = size_min(sampler->trials, draw->member_count);
    size_t count = least + random_below(&draw->random, most - least + 1);
    draw->chain->count = 0;
    switch (sampler->sampling) {
    case CHAIN_UNIFORM:
        draw_uniform(draw, count);
        break;
    case CHAIN_RETURN:
        draw_by_return(draw, count);
        break;
    case CHAIN_HISTORY:
        draw_consecutive(draw, count);
        break;
    case CHAIN_BEST:
        draw_best(draw, count, sampler->draws);
        break;
    }
}

/* --- In what order ---------------------------------------------------------------------------- */

static int compare_numbers(const void *left, const void *right)
{
    const size_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* What has been drawn ascends by return. */
static void put_in_order(struct draw *draw, enum chain_order order)
{
    struct chain *chain = draw->chain;
    if (order == CHAIN_ORDER_HISTORY) {
        qsort(chain->episodes, chain->count, sizeof chain->episodes[0], compare_numbers);
    }
    for (size_t left = chain->count; order == CHAIN_ORDER_RANDOM && left > 1; left--) {
        size_t other = random_below(&draw->random, left);
        size_t episode = chain->episodes[other];
        chain->episodes[other] = chain->episodes[left - 1];
        chain->episodes[left - 1] = episode;
    }
}

/* --- A chain ---------------------------------------------------------------------------------- */

/* Put what ascends by return into the sampler's order; the last until then is the best and sets
 * the target. */
static void order_trajectories(struct draw *draw, enum chain_order order)
{
    struct chain *chain = draw->chain;
    size_t best = chain->episodes[chain->count - 1];
    chain->target = store_return(draw->store, draw->task, best);
    put_in_order(draw, order);
    for (size_t trial = 0; trial < chain->count; trial++) {
        if (chain->episodes[trial] == best) {
            chain->best = trial;
        }
    }
}

/* The steps of the context: all, or a window of consecutive ones. */
static void cut_window(struct draw *draw, size_t window)
{
    struct chain *chain = draw->chain;
    chain->first = chain->steps = 0;
    for (size_t trial = 0; trial < chain->count; trial++) {
        chain->steps += store_length(draw->store, chain->episodes[trial]);
    }
    if (window > 0 && chain->steps > window) {
        chain->first = random_below(&draw->random, chain->steps - window + 1);
        chain->steps = window;
    }
}

void chain_draw(struct chain *chain, const struct chain_catalog *catalog, size_t task,
                const struct chain_sampler *sampler, uint64_t seed, uint64_t step, uint64_t sample)
{
    struct failure failure = {0};
    invariant(chain_sampler_check(sampler, &failure));
    struct draw draw = {.chain = chain,
                        .store = catalog->store,
                        .task = task,
                        .random = random_stream(seed, RANDOM_CHAIN, step, sample)};
    draw_group(&draw, catalog);
    draw_trajectories(&draw, sampler);
    order_trajectories(&draw, sampler->order);
    cut_window(&draw, sampler->window);
}

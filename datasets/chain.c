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
    return a->episode < b->episode ? -1 : a->episode > b->episode;
}

void chain_catalog_open(struct chain_catalog *catalog, const struct store *store)
{
    size_t count = store_episode_count(store);
    invariant(count > 0);
    *catalog = (struct chain_catalog){
        .store = store,
        .starts = memory_take(count + 1, sizeof *catalog->starts),
        .episodes = memory_take(count, sizeof *catalog->episodes),
    };
    struct member *members = memory_take(count, sizeof *members);
    for (size_t episode = 0; episode < count; episode++) {
        members[episode] = (struct member){store_group(store, episode), episode};
    }
    qsort(members, count, sizeof *members, compare_members);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || members[i].group != members[i - 1].group) {
            catalog->starts[catalog->group_count++] = i;
        }
        catalog->episodes[i] = members[i].episode;
    }
    catalog->starts[catalog->group_count] = count;
    memory_free(members);
}

void chain_catalog_close(struct chain_catalog *catalog)
{
    memory_free(catalog->starts);
    memory_free(catalog->episodes);
    *catalog = (struct chain_catalog){0};
}

/* Where `episode` stands, or would stand, in the chain's order. */
static size_t find_place(const struct chain *chain, const struct store *store, size_t task,
                         size_t episode)
{
    double value = store_return(store, task, episode);
    size_t low = 0;
    size_t high = chain->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t other = chain->episodes[middle];
        double other_value = store_return(store, task, other);
        if (other_value < value || (other_value == value && other < episode)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void insert(struct chain *chain, size_t place, size_t episode)
{
    memmove(&chain->episodes[place + 1], &chain->episodes[place],
            (chain->count - place) * sizeof chain->episodes[0]);
    chain->episodes[place] = episode;
    chain->count++;
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

bool chain_law_check(const struct chain_law *law, struct failure *failure)
{
    if (law->trials == 0 || law->trials > CHAIN_TRIALS_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found chains of up to %zu trajectories, expected 1 to %d; change "
                           "chain.trials",
                           law->trials, CHAIN_TRIALS_MAX);
    }
    if (law->trials_min == 0 || law->trials_min > law->trials) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found chains of at least %zu and at most %zu trajectories, expected at "
                           "least 1 and no more than at most; change chain.trials_min or "
                           "chain.trials",
                           law->trials_min, law->trials);
    }
    if (law->sampling == CHAIN_BEST && (law->draws == 0 || law->draws > CHAIN_TRIALS_MAX)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found the best of %zu trajectories, expected 1 to %d; change "
                           "chain.draws",
                           law->draws, CHAIN_TRIALS_MAX);
    }
    return true;
}

/* --- Which episodes of a group ---------------------------------------------------------------- */

/* The group, and whose returns count. */
struct pool {
    const struct store *store;
    size_t task;
    const size_t *members;
    size_t count;
};

/* False where the chain has the episode already. */
static bool add(struct chain *chain, const struct pool *pool, size_t episode)
{
    size_t place = find_place(chain, pool->store, pool->task, episode);
    if (place < chain->count && chain->episodes[place] == episode) {
        return false;
    }
    insert(chain, place, episode);
    return true;
}

/* Floyd's sampling without replacement: a number drawn twice stands for the newest one. */
static void draw_any(struct chain *chain, const struct pool *pool, size_t wanted,
                     struct random *random)
{
    for (size_t newest = pool->count - wanted; newest < pool->count; newest++) {
        if (!add(chain, pool, pool->members[random_below(random, newest + 1)])) {
            add(chain, pool, pool->members[newest]);
        }
    }
}

/* The better of two drawn alike; of equals the first. */
static size_t draw_better(const struct pool *pool, struct random *random)
{
    size_t first = pool->members[random_below(random, pool->count)];
    size_t second = pool->members[random_below(random, pool->count)];
    bool is_better = store_return(pool->store, pool->task, second) >
                     store_return(pool->store, pool->task, first);
    return is_better ? second : first;
}

/* Where all are wanted there is nothing to choose, and the worst would be long in coming. */
static void draw_by_return(struct chain *chain, const struct pool *pool, size_t wanted,
                           struct random *random)
{
    if (wanted == pool->count) {
        draw_any(chain, pool, wanted, random);
    }
    while (chain->count < wanted) {
        add(chain, pool, draw_better(pool, random));
    }
}

static void draw_window(struct chain *chain, const struct pool *pool, size_t wanted,
                        struct random *random)
{
    size_t first = random_below(random, pool->count - wanted + 1);
    for (size_t i = first; i < first + wanted; i++) {
        add(chain, pool, pool->members[i]);
    }
}

static void draw_best(struct chain *chain, const struct pool *pool, size_t wanted, size_t draws,
                      struct random *random)
{
    draw_any(chain, pool, draws > wanted ? draws : wanted, random);
    size_t dropped = chain->count - wanted;
    memmove(chain->episodes, chain->episodes + dropped, wanted * sizeof chain->episodes[0]);
    chain->count = wanted;
}

static void draw_members(struct chain *chain, const struct pool *pool, const struct chain_law *law,
                         size_t wanted, struct random *random)
{
    chain->count = 0;
    switch (law->sampling) {
    case CHAIN_UNIFORM:
        draw_any(chain, pool, wanted, random);
        break;
    case CHAIN_RETURN:
        draw_by_return(chain, pool, wanted, random);
        break;
    case CHAIN_HISTORY:
        draw_window(chain, pool, wanted, random);
        break;
    case CHAIN_BEST:
        draw_best(chain, pool, wanted, size_min(law->draws, pool->count), random);
        break;
    }
}

void chain_draw(struct chain *chain, const struct chain_catalog *catalog, size_t task,
                const struct chain_law *law, uint64_t seed, uint64_t step, uint64_t sample)
{
    struct failure failure = {0};
    invariant(chain_law_check(law, &failure));
    const struct store *store = catalog->store;
    struct random random = random_stream(seed, RANDOM_CHAIN, step, sample);
    size_t group = random_below(&random, catalog->group_count);
    struct pool pool = {.store = store,
                        .task = task,
                        .members = catalog->episodes + catalog->starts[group],
                        .count = catalog->starts[group + 1] - catalog->starts[group]};
    size_t least = size_min(law->trials_min, pool.count);
    size_t most = size_min(law->trials, pool.count);
    size_t wanted = least + random_below(&random, most - least + 1);
    draw_members(chain, &pool, law, wanted, &random);
    chain->target = store_return(store, task, chain->episodes[chain->count - 1]);
    chain->steps = 0;
    for (size_t trial = 0; trial < chain->count; trial++) {
        chain->steps += store_length(store, chain->episodes[trial]);
    }
}

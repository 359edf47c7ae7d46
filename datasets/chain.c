#include "datasets/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

void chain_draw(struct chain *chain, const struct chain_catalog *catalog, size_t task,
                size_t trials, uint64_t seed, uint64_t step, uint64_t sample)
{
    invariant(trials > 0 && trials <= CHAIN_TRIALS_MAX);
    const struct store *store = catalog->store;
    struct random random = random_stream(seed, RANDOM_CHAIN, step, sample);
    size_t group = random_below(&random, catalog->group_count);
    const size_t *members = catalog->episodes + catalog->starts[group];
    size_t member_count = catalog->starts[group + 1] - catalog->starts[group];
    size_t most = trials < member_count ? trials : member_count;
    size_t wanted = 1 + random_below(&random, most);

    /* Floyd's sampling without replacement: a number drawn twice stands for the newest one. */
    chain->count = 0;
    for (size_t newest = member_count - wanted; newest < member_count; newest++) {
        size_t episode = members[random_below(&random, newest + 1)];
        size_t place = find_place(chain, store, task, episode);
        if (place < chain->count && chain->episodes[place] == episode) {
            episode = members[newest];
            place = find_place(chain, store, task, episode);
        }
        insert(chain, place, episode);
    }
    chain->target = store_return(store, task, chain->episodes[chain->count - 1]);
    chain->steps = 0;
    for (size_t trial = 0; trial < chain->count; trial++) {
        chain->steps += store_length(store, chain->episodes[trial]);
    }
}

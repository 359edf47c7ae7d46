#include "datasets/dataset.h"

#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "base/random.h"
#include "datasets/statistics.h"
#include "datasets/store_format.h"

/* --- Opening ---------------------------------------------------------------------------------- */

static bool check_same(const struct dataset *dataset, size_t i, struct failure *failure)
{
    const struct store *store = dataset->stores[i].store;
    const struct store_spec *spec = store_spec(store), *first = dataset_spec(dataset);
    const char *first_path = store_path(dataset->stores[0].store);
    if (spec->observation_dim != first->observation_dim || spec->action_dim != first->action_dim) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found %zu observations and %zu actions, expected %zu and %zu as %s "
                           "has them; learn from stores of one domain",
                           store_path(store), spec->observation_dim, spec->action_dim,
                           first->observation_dim, first->action_dim, first_path);
    }
    return action_space_equal(&spec->actions, &first->actions) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found other actions than in %s, expected the same kind and bounds; "
                       "convert both alike",
                       store_path(store), first_path);
}

static bool open_store(struct dataset *dataset, size_t i, const struct dataset_options *options,
                       struct failure *failure)
{
    struct dataset_store *added = &dataset->stores[i];
    added->store = store_open(options->stores[i], failure);
    if (!added->store) {
        return false;
    }
    dataset->count = i + 1;
    return (options->task[0] == '\0' ||
            store_find_task(&added->task, added->store, options->task, failure)) &&
           check_same(dataset, i, failure);
}

/* Both parts of a store. */
static bool open_catalogs(struct dataset_store *added, double holdout, struct failure *failure)
{
    for (size_t part = 0; part < CHAIN_PARTS; part++) {
        chain_catalog_open(&added->catalogs[part], added->store, holdout, (enum chain_part)part);
    }
    return (added->catalogs[CHAIN_TRAINED].group_count > 0 &&
            (holdout == 0.0 || added->catalogs[CHAIN_HELD_OUT].group_count > 0)) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found one episode, expected at least two, of which data.holdout takes "
                       "some; hold out nothing",
                       store_path(added->store));
}

/* By a power of two, which changes no bit of a share: the sum of the largest numbers that there are
 * stays finite. */
static void add_up_shares(struct dataset *dataset)
{
    double largest = 0.0, sum = 0.0;
    for (size_t i = 0; i < dataset->count; i++) {
        largest = fmax(largest, dataset->stores[i].share);
    }
    int exponent = ilogb(largest);
    for (size_t i = 0; i < dataset->count; i++) {
        dataset->stores[i].share = ldexp(dataset->stores[i].share, -exponent);
        sum += dataset->stores[i].share;
    }
    for (size_t i = 0; i < dataset->count; i++) {
        dataset->stores[i].share /= sum;
    }
}

static void set_shares(struct dataset *dataset, const double *weights)
{
    for (size_t i = 0; i < dataset->count; i++) {
        struct dataset_store *added = &dataset->stores[i];
        added->share = weights ? weights[i] : (double)added->catalogs[CHAIN_TRAINED].group_count;
    }
    add_up_shares(dataset);
}

bool dataset_open(struct dataset *dataset, const struct dataset_options *options,
                  struct failure *failure)
{
    invariant(options->count > 0 && options->count <= DATASET_STORES_MAX);
    *dataset = (struct dataset){.holdout = options->holdout};
    bool ok = true;
    for (size_t i = 0; ok && i < options->count; i++) {
        ok = open_store(dataset, i, options, failure) &&
             open_catalogs(&dataset->stores[i], options->holdout, failure);
    }
    if (ok) {
        set_shares(dataset, options->weights);
    } else {
        dataset_close(dataset);
    }
    return ok;
}

void dataset_of_store(struct dataset *dataset, struct store *store, size_t task)
{
    struct failure failure = {0};
    *dataset = (struct dataset){.count = 1, .is_borrowed = true};
    dataset->stores[0] = (struct dataset_store){.store = store, .task = task, .share = 1.0};
    bool is_open = open_catalogs(&dataset->stores[0], 0.0, &failure);
    invariant(is_open);
}

void dataset_close(struct dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        struct dataset_store *added = &dataset->stores[i];
        for (size_t part = 0; part < CHAIN_PARTS; part++) {
            chain_catalog_close(&added->catalogs[part]);
        }
        if (!dataset->is_borrowed) {
            store_close(added->store);
        }
    }
    dataset->count = 0;
}

/* --- What they hold together ------------------------------------------------------------------ */

const struct store_spec *dataset_spec(const struct dataset *dataset)
{
    return store_spec(dataset->stores[0].store);
}

size_t dataset_length_max(const struct dataset *dataset)
{
    size_t longest = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        longest = size_max(longest, store_length_max(dataset->stores[i].store));
    }
    return longest;
}

size_t dataset_largest_group(const struct dataset *dataset)
{
    size_t largest = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const struct chain_catalog *catalog = &dataset->stores[i].catalogs[CHAIN_TRAINED];
        largest = size_max(largest, chain_catalog_largest_group(catalog));
    }
    return largest;
}

static size_t observation_rows(const struct store *store)
{
    return store_step_count(store) + store_episode_count(store);
}

/* The store's, as statistics_merge_moments takes them: (2, observation_dim). */
static void store_moments(double *moments, const struct store *store)
{
    size_t dim = store_spec(store)->observation_dim;
    double rows = (double)observation_rows(store);
    for (size_t i = 0; i < dim; i++) {
        double deviation = store_observation_deviation(store)[i];
        moments[i] = store_observation_mean(store)[i];
        moments[dim + i] = deviation * deviation * rows;
    }
}

void dataset_moments(double *mean, double *deviation, const struct dataset *dataset)
{
    size_t dim = dataset_spec(dataset)->observation_dim;
    memcpy(mean, store_observation_mean(dataset->stores[0].store), dim * sizeof *mean);
    memcpy(deviation, store_observation_deviation(dataset->stores[0].store),
           dim * sizeof *deviation);
    if (dataset->count == 1) {
        return;
    }
    double *moments = memory_take(4 * dim, sizeof *moments);
    size_t rows = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        size_t added = observation_rows(dataset->stores[i].store);
        store_moments(moments + 2 * dim, dataset->stores[i].store);
        statistics_merge_moments(moments, rows, moments + 2 * dim, added, dim);
        rows += added;
    }
    for (size_t i = 0; i < dim; i++) {
        mean[i] = moments[i];
        deviation[i] = sqrt(moments[dim + i] / (double)rows);
    }
    memory_free(moments);
}

void dataset_return_range(double range[2], const struct dataset *dataset)
{
    range[0] = (double)INFINITY;
    range[1] = -(double)INFINITY;
    for (size_t i = 0; i < dataset->count; i++) {
        const struct dataset_store *added = &dataset->stores[i];
        for (size_t episode = 0; episode < store_episode_count(added->store); episode++) {
            range[0] = fmin(range[0], store_return(added->store, added->task, episode));
            range[1] = fmax(range[1], store_return(added->store, added->task, episode));
        }
    }
}

double dataset_best(const struct dataset *dataset)
{
    double sum = 0.0;
    size_t groups = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        const struct dataset_store *added = &dataset->stores[i];
        const struct chain_catalog *catalog = &added->catalogs[CHAIN_TRAINED];
        double best = chain_catalog_best(catalog, added->task);
        if (dataset->count == 1) {
            return best;
        }
        sum += best * (double)catalog->group_count;
        groups += catalog->group_count;
    }
    return sum / (double)groups;
}

static uint64_t combine_hashes(const struct dataset *dataset,
                               uint64_t (*hash_of)(const struct store *store))
{
    if (dataset->count == 1 && dataset->holdout == 0.0) {
        return hash_of(dataset->stores[0].store);
    }
    struct store_hash hash = store_hash_begin();
    for (size_t i = 0; i < dataset->count; i++) {
        uint64_t own = hash_of(dataset->stores[i].store);
        store_hash_add(&hash, &own, sizeof own);
        store_hash_add(&hash, &dataset->stores[i].share, sizeof(double));
    }
    store_hash_add(&hash, &dataset->holdout, sizeof dataset->holdout);
    return store_hash_end(&hash);
}

uint64_t dataset_fingerprint(const struct dataset *dataset)
{
    return combine_hashes(dataset, store_fingerprint);
}

uint64_t dataset_description(const struct dataset *dataset)
{
    return combine_hashes(dataset, store_description);
}

/* --- Chains ----------------------------------------------------------------------------------- */

void dataset_draw(struct chain *chain, const struct dataset *dataset, enum chain_part part,
                  const struct chain_sampler *sampler, uint64_t seed, uint64_t step,
                  uint64_t sample)
{
    size_t source = 0;
    if (dataset->count > 1) {
        struct random random = random_stream(seed, RANDOM_CHAIN_STORE, step, sample);
        double left = random_uniform(&random);
        while (source + 1 < dataset->count && left >= dataset->stores[source].share) {
            left -= dataset->stores[source++].share;
        }
    }
    const struct dataset_store *drawn = &dataset->stores[source];
    chain_draw(chain, &drawn->catalogs[part], drawn->task, sampler, seed, step, sample);
    chain->source = source;
}

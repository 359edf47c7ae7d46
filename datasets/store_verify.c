#include "datasets/store_verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/statistics.h"
#include "datasets/store_format.h"

struct store_verifier {
    const struct store *store;
    bool with_label;
    struct timespec written;        /* when the file was last written to */
    bool *is_checked[STORE_HIDDEN]; /* (block_count) of each array; of episodes in old versions */
    size_t count;                   /* of each */
    unsigned char *rows;            /* a block, or a buffer */
    size_t capacity;
};

static bool refuse_hash(const struct store *store, size_t episode, const char *what, uint64_t found,
                        uint64_t expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found hash %016llx over episode %zu, %s, expected %016llx; the file is "
                       "damaged or was changed: copy it again or make it again",
                       store->path, (unsigned long long)found, episode, what,
                       (unsigned long long)expected);
}

static struct store_position position_of(const struct store *store, size_t episode)
{
    return (struct store_position){.episode = episode, .step = (size_t)store->index.start[episode]};
}

/* --- Blocks ----------------------------------------------------------------------------------- */

/* Rows of an episode in an array that grows with its steps. */
static size_t episode_rows(const struct store *store, size_t array, size_t episode)
{
    return (size_t)store->index.length[episode] +
           (array == STORE_OBSERVATION || array == STORE_PHYSICS);
}

static bool verify_block(const struct store *store, size_t array, size_t episode, size_t block,
                         unsigned char *buffer, struct failure *failure)
{
    const struct store_array *of = &store->arrays[array];
    size_t row_bytes = store_row_bytes(of);
    size_t rows = episode_rows(store, array, episode);
    size_t first = size_min(block * STORE_BLOCK_ROWS, rows);
    size_t bytes = size_min(rows - first, STORE_BLOCK_ROWS) * row_bytes;
    size_t row = store_episode_first_row(array, position_of(store, episode)) + first;
    if (!store_read_bytes(store, buffer, bytes, of->offset + row * row_bytes, failure)) {
        return false;
    }
    uint64_t found = store_hash_of(buffer, bytes);
    uint64_t expected = store->index.block[array][store->index.first_block[episode] + block];
    char what[STORE_NAME_MAX + 96];
    snprintf(what, sizeof what, "rows %zu to %zu of %s", row, row + bytes / row_bytes - 1,
             of->name);
    return found == expected || refuse_hash(store, episode, what, found, expected, failure);
}

/* Bytes of the largest block. */
static size_t block_bytes_max(const struct store *store)
{
    size_t most = 0;
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        most = size_max(most, store_row_bytes(&store->arrays[i]));
    }
    return STORE_BLOCK_ROWS * most;
}

/* The hash of an episode is one over the hashes of its blocks, which have been compared, and its
 * hidden numbers. */
static bool verify_hidden(const struct store *store, size_t episode, struct failure *failure)
{
    const struct store_index *index = &store->index;
    size_t blocks = store_block_count((size_t)index->length[episode]);
    size_t hidden_bytes = store->spec.hidden_dim * sizeof(double);
    double *hidden = memory_take(store->spec.hidden_dim + 1, sizeof *hidden);
    bool ok = store_read_hidden(store, episode, hidden, failure);
    struct store_hash hash = store_hash_begin();
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        if (index->block[i]) {
            store_hash_add(&hash, index->block[i] + index->first_block[episode],
                           blocks * sizeof(uint64_t));
        }
    }
    store_hash_add(&hash, hidden, hidden_bytes);
    uint64_t found = store_hash_end(&hash);
    memory_free(hidden);
    return ok &&
           (found == index->hash[episode] ||
            refuse_hash(store, episode, "hidden numbers", found, index->hash[episode], failure));
}

static bool verify_blocks(const struct store *store, size_t episode, unsigned char *buffer,
                          struct failure *failure)
{
    size_t blocks = store_block_count((size_t)store->index.length[episode]);
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        for (size_t block = 0; store->index.block[i] && block < blocks; block++) {
            if (!verify_block(store, i, episode, block, buffer, failure)) {
                return false;
            }
        }
    }
    return verify_hidden(store, episode, failure);
}

/* --- Versions before the third: one hash of all of an episode's bytes ------------------------- */

static bool verify_whole(const struct store *store, size_t episode, unsigned char *buffer,
                         struct failure *failure)
{
    enum { PIECE_ROWS = STORE_BLOCK_ROWS };
    struct store_hash hash = store_hash_begin();
    bool ok = true;
    for (size_t i = 0; i <= STORE_HIDDEN; i++) {
        const struct store_array *of = &store->arrays[i];
        size_t rows = of->name[0] == '\0' ? 0
                      : i == STORE_HIDDEN ? 1
                                          : episode_rows(store, i, episode);
        size_t row = store_episode_first_row(i, position_of(store, episode));
        for (size_t first = 0; ok && first < rows; first += PIECE_ROWS) {
            size_t bytes = size_min(rows - first, PIECE_ROWS) * store_row_bytes(of);
            ok = store_read_bytes(store, buffer, bytes,
                                  of->offset + (row + first) * store_row_bytes(of), failure);
            store_hash_add(&hash, buffer, bytes);
        }
    }
    uint64_t found = store_hash_end(&hash);
    uint64_t expected = store->index.hash[episode];
    return ok && (found == expected ||
                  refuse_hash(store, episode, "all arrays", found, expected, failure));
}

static bool verify_with(const struct store *store, size_t episode, unsigned char *buffer,
                        struct failure *failure)
{
    return store->version < STORE_VERSION ? verify_whole(store, episode, buffer, failure)
                                          : verify_blocks(store, episode, buffer, failure);
}

static unsigned char *take_buffer(const struct store *store)
{
    size_t hidden = store->spec.hidden_dim * sizeof(double);
    return memory_take(size_max(block_bytes_max(store), hidden), 1);
}

bool store_verify(const struct store *store, size_t episode, struct failure *failure)
{
    invariant(episode < store->index.count);
    unsigned char *buffer = take_buffer(store);
    bool ok = verify_with(store, episode, buffer, failure);
    memory_free(buffer);
    return ok;
}

bool store_read_episode(struct store_episode *episode, struct episode_buffer *buffer,
                        const struct store *store, size_t number, struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    size_t length = store_length(store, number);
    episode_buffer_reserve(buffer, spec, length);
    bool ok = store_verify(store, number, failure) &&
              store_read_observation(store, number, 0, length + 1, buffer->observation, failure) &&
              store_read_action(store, number, 0, length, buffer->action, failure) &&
              store_read_label(store, number, 0, length, buffer->label, failure) &&
              store_read_physics(store, number, 0, length + 1, buffer->physics, failure) &&
              store_read_hidden(store, number, buffer->hidden, failure);
    for (size_t k = 0; ok && k < spec->task_count; k++) {
        ok = store_read_reward(store, k, number, 0, length, buffer->reward[k], failure);
    }
    *episode = episode_buffer_view(buffer, spec, length);
    episode->group = store_group(store, number);
    episode->end = store_ending(store, number);
    episode->source = store_source(store, number);
    return ok &&
           store_episode_check(episode, spec, store->arrays, store_path(store), number, failure);
}

/* --- While it is used ------------------------------------------------------------------------- */

static struct timespec last_written(const struct store *store)
{
    struct stat status;
    return fstat(store->file, &status) == 0 ? status.st_ctim : (struct timespec){0};
}

struct store_verifier *store_verifier_open(const struct store *store, bool with_label)
{
    struct store_verifier *verifier = memory_take(1, sizeof *verifier);
    *verifier = (struct store_verifier){
        .store = store,
        .with_label = with_label && store->spec.has_label,
        .written = last_written(store),
        .count = size_max(store->index.block_count, store->index.count),
        .rows = take_buffer(store),
    };
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        if (store->arrays[i].name[0] != '\0') {
            verifier->is_checked[i] = memory_take(verifier->count, sizeof(bool));
        }
    }
    return verifier;
}

void store_verifier_close(struct store_verifier *verifier)
{
    if (!verifier) {
        return;
    }
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        memory_free(verifier->is_checked[i]);
    }
    memory_free(verifier->rows);
    memory_free(verifier);
}

void store_verifier_refresh(struct store_verifier *verifier)
{
    struct timespec written = last_written(verifier->store);
    if (written.tv_sec == verifier->written.tv_sec &&
        written.tv_nsec == verifier->written.tv_nsec) {
        return;
    }
    verifier->written = written;
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        if (verifier->is_checked[i]) {
            memset(verifier->is_checked[i], 0, verifier->count * sizeof(bool));
        }
    }
}

/* Check the blocks of an array that hold rows [first, end) of an episode. */
static bool check_rows(struct store_verifier *verifier, size_t array, size_t episode, size_t first,
                       size_t end, struct failure *failure)
{
    const struct store *store = verifier->store;
    for (size_t block = first / STORE_BLOCK_ROWS; block * STORE_BLOCK_ROWS < end; block++) {
        bool *is_checked = &verifier->is_checked[array][store->index.first_block[episode] + block];
        if (!*is_checked && !verify_block(store, array, episode, block, verifier->rows, failure)) {
            return false;
        }
        *is_checked = true;
    }
    return true;
}

bool store_verifier_check(struct store_verifier *verifier, size_t task, size_t episode,
                          size_t first, size_t count, struct failure *failure)
{
    const struct store *store = verifier->store;
    if (store->version == STORE_VERSION) {
        return check_rows(verifier, STORE_OBSERVATION, episode, first, first + count, failure) &&
               check_rows(verifier, STORE_ACTION, episode, first, first + count, failure) &&
               (!verifier->with_label ||
                check_rows(verifier, STORE_LABEL, episode, first, first + count, failure)) &&
               check_rows(verifier, STORE_REWARD + task, episode, 0, first + count, failure);
    }
    bool *is_checked = &verifier->is_checked[STORE_OBSERVATION][episode];
    *is_checked = *is_checked || verify_with(store, episode, verifier->rows, failure);
    return *is_checked;
}

/* --- Attributes ------------------------------------------------------------------------------- */

static bool refuse_attribute(const struct store *store, const char *name, double found,
                             double expected, struct failure *failure)
{
    char text[48];
    snprintf(text, sizeof text, "%.17g, as the data say", expected);
    return store_refuse(store->path, text, failure, "%s = %.17g", name, found);
}

static bool is_near(double found, double expected, double scale)
{
    return fabs(found - expected) <= 1e-9 * fmax(scale, fabs(expected));
}

/* Compare each return with the sum of its rewards. */
static bool verify_returns(const struct store *store, struct failure *failure)
{
    float *rewards = memory_take(store->length_max, sizeof *rewards);
    bool ok = true;
    for (size_t e = 0; ok && e < store->index.count; e++) {
        size_t length = store_length(store, e);
        for (size_t k = 0; ok && k < store->spec.task_count; k++) {
            double sum = 0.0;
            ok = store_read_reward(store, k, e, 0, length, rewards, failure);
            for (size_t t = 0; ok && t < length; t++) {
                sum += (double)rewards[t];
            }
            char name[STORE_NAME_MAX + 64];
            snprintf(name, sizeof name, "episode/return/%s of episode %zu", store->spec.tasks[k],
                     e);
            ok = ok && (is_near(store_return(store, k, e), sum, 1.0) ||
                        refuse_attribute(store, name, store_return(store, k, e), sum, failure));
        }
    }
    memory_free(rewards);
    return ok;
}

/* moments (2, observation_dim) of all observations, then of one episode. */
static bool find_moments(double *moments, const struct store *store, struct failure *failure)
{
    size_t dim = store->spec.observation_dim;
    size_t rows = 0;
    float *observation = memory_take((store->length_max + 1) * dim, sizeof *observation);
    bool ok = true;
    for (size_t e = 0; ok && e < store->index.count; e++) {
        size_t count = store_length(store, e) + 1;
        ok = store_read_observation(store, e, 0, count, observation, failure);
        if (ok) {
            statistics_moments(moments + 2 * dim, observation, count, dim);
            statistics_merge_moments(moments, rows, moments + 2 * dim, count, dim);
            rows += count;
        }
    }
    memory_free(observation);
    return ok;
}

static bool verify_observations(const struct store *store, struct failure *failure)
{
    size_t dim = store->spec.observation_dim;
    double *moments = memory_take(4 * dim, sizeof *moments);
    bool ok = find_moments(moments, store, failure);
    double rows = (double)(store->summary.steps + store->index.count);
    for (size_t i = 0; ok && i < dim; i++) {
        double mean = moments[i], deviation = sqrt(moments[dim + i] / rows);
        double scale = fmax(deviation, fabs(mean));
        char name[64];
        snprintf(name, sizeof name, "observation_mean of element %zu", i);
        ok = is_near(store->summary.observation_mean[i], mean, scale) ||
             refuse_attribute(store, name, store->summary.observation_mean[i], mean, failure);
        snprintf(name, sizeof name, "observation_std of element %zu", i);
        ok = ok && (is_near(store->summary.observation_deviation[i], deviation, scale) ||
                    refuse_attribute(store, name, store->summary.observation_deviation[i],
                                     deviation, failure));
    }
    memory_free(moments);
    return ok;
}

bool store_verify_attributes(const struct store *store, struct failure *failure)
{
    return verify_returns(store, failure) && verify_observations(store, failure);
}

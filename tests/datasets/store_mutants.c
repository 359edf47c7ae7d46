/* Thousands of damaged copies of a store: what training accepts, `inspect --verify` accepts too,
 * and its numbers are those that were written. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "context/scaling.h"
#include "datasets/inspect.h"
#include "datasets/loader.h"
#include "tests/datasets/loader_sample.h"

enum { MUTANTS = 3000, EPISODES = 9, BYTES_MAX = 1 << 18 };

/* HDF5 1.10 loses memory of its own when it meets damaged metadata (a bare H5Aopen does). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* No multiple of a block's rows: a last observation in a block of its own belongs to no chain. */
static const size_t lengths[EPISODES] = {1, 5, 17, 8, 3, 30, 1500, 2, 9};
static const struct loader_sample_content content = {1, EPISODES, lengths};

/* One context of all episodes, so that all numbers are read. */
static const struct loader_options options = {
    .chain = {.sampling = CHAIN_UNIFORM, .trials_min = EPISODES, .trials = EPISODES, .draws = 1},
    .contexts = 1,
    .is_verified = true,
    .seed = SEED,
};

/* What training makes of a store. */
struct training {
    struct scaling scaling;
    struct loader_sample sample;
};

static struct training good, damaged;

static bool read_chains(struct training *training, struct store *store, struct failure *failure)
{
    training->scaling = scaling_identity(OBSERVATION_DIM);
    scaling_set_observations(&training->scaling, store_observation_mean(store),
                             store_observation_deviation(store));
    struct dataset dataset;
    dataset_of_store(&dataset, store, 0);
    struct loader *loader = loader_open(&dataset, &training->scaling, &options, failure);
    if (loader && !training->sample.arena.base) {
        loader_sample_bind(&training->sample, loader, loader_sample_whole);
    }
    bool ok = loader && loader_fill(loader, &training->sample.loaded, 1, 0, failure);
    loader_close(loader);
    dataset_close(&dataset);
    return ok;
}

static void expect_good_numbers(void)
{
    const struct steps *found = &damaged.sample.loaded.batch.steps,
                       *wanted = &good.sample.loaded.batch.steps;
    size_t rows = 0;
    for (size_t e = 0; e < EPISODES; e++) {
        rows += lengths[e];
    }
    assert_true(scaling_equal(&damaged.scaling, &good.scaling));
    assert_true(damaged.sample.loaded.batch.predicted == good.sample.loaded.batch.predicted);
    size_t bytes = rows * sizeof(real);
    assert_memory_equal(found->return_to_go, wanted->return_to_go, bytes);
    assert_memory_equal(found->observation, wanted->observation, bytes * OBSERVATION_DIM);
    assert_memory_equal(found->action, wanted->action, bytes * ACTION_DIM);
    assert_memory_equal(found->reward, wanted->reward, bytes);
    assert_memory_equal(found->done, wanted->done, bytes);
    assert_memory_equal(found->weight, wanted->weight, bytes);
    assert_memory_equal(found->time, wanted->time, rows * sizeof(uint32_t));
    assert_memory_equal(found->trial, wanted->trial, rows * sizeof(uint32_t));
}

/* --- Damage ----------------------------------------------------------------------------------- */

/* A place among all bytes, or among those that are not zero: metadata and index are few. */
static size_t draw_place(struct random *random, const unsigned char *bytes, size_t size)
{
    size_t at = (size_t)random_below(random, size);
    bool is_early = random_below(random, 2) == 0;
    at = is_early ? (size_t)random_below(random, 8192) : at;
    while (is_early && bytes[at] == 0) {
        at = (at + 1) % size;
    }
    return at;
}

/* What disks, cables and copies do; returns the file's new size. */
static size_t mutate(struct random *random, unsigned char *bytes, size_t size)
{
    size_t at = draw_place(random, bytes, size);
    size_t length = size_min(1 + (size_t)random_below(random, 64), size - at);
    switch (random_below(random, 7)) {
    case 0:
        bytes[at] ^= (unsigned char)(1u << random_below(random, 8));
        break;
    case 1:
        bytes[at] = (unsigned char)random_word(random);
        break;
    case 2:
        memset(bytes + at, 0, length);
        break;
    case 3: /* a page that was never written */
        memset(bytes + at / 4096 * 4096, 0, size_min(4096, size - at / 4096 * 4096));
        break;
    case 4: /* bytes of another place */
        memmove(bytes + at, bytes + (size_t)random_below(random, size - length), length);
        break;
    case 5: /* two that change places */
        if (at + 8 <= size) {
            unsigned char first[4];
            memcpy(first, bytes + at, 4);
            memcpy(bytes + at, bytes + at + 4, 4);
            memcpy(bytes + at + 4, first, 4);
        }
        break;
    default: /* cut off, or with more behind it */
        size = random_below(random, 2) ? size - length : size + length;
        break;
    }
    return size;
}

static void put_bytes(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* --- The test --------------------------------------------------------------------------------- */

static void test_what_training_accepts_is_whole(void **state)
{
    (void)state;
    static unsigned char bytes[BYTES_MAX];
    char path[160];
    size_t size;
    struct failure failure = {0};
    snprintf(path, sizeof path, "%s", loader_sample_path());
    struct store *store = loader_sample_store(path, &content);
    assert_true(read_chains(&good, store, &failure));
    store_close(store);
    char *whole = file_read(path, sizeof bytes - 64, &size, &failure);
    FILE *nowhere = fopen("/dev/null", "w");
    assert_true(whole && nowhere);
    size_t refused = 0, found = 0, accepted = 0;
    for (size_t i = 0; i < MUTANTS; i++) {
        struct random random = random_stream(SEED, RANDOM_TEST, i, 0);
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, whole, size);
        put_bytes(path, bytes, mutate(&random, bytes, size));
        failure = (struct failure){0};
        store = store_open(path, &failure);
        bool is_accepted = store && read_chains(&damaged, store, &failure);
        if (is_accepted) {
            expect_good_numbers();
        }
        struct failure other = {0};
        bool is_whole = store && inspect_verify(nowhere, store, INSPECT_TEXT, &other);
        if (is_accepted != is_whole) {
            fail_msg("mutant %zu: training says \"%s\", verification \"%s\"", i, failure.text,
                     other.text);
        }
        if (!is_accepted) {
            assert_int_equal(failure.code, EXIT_CODE_DATA);
            assert_null(strchr(failure.text, '\n'));
        }
        refused += !store;
        found += store && !is_accepted;
        accepted += is_accepted;
        store_close(store);
    }
    fclose(nowhere);
    memory_free(whole);
    loader_sample_unbind(&good.sample);
    loader_sample_unbind(&damaged.sample);
    print_message("%zu refused when opened, %zu when read, %zu whole\n", refused, found, accepted);
    assert_true(refused > MUTANTS / 10 && found > MUTANTS / 10 && accepted < MUTANTS / 2);
}

int main(void)
{
    log_set_quiet(true);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_training_accepts_is_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/conversion.h"
#include "bench/measure.h"
#include "bench/random_store.h"
#include "comm/comm.h"
#include "datasets/loader.h"

enum {
    TRAJECTORIES = 128,
    TRAJECTORY_STEPS = 1000,
    CHAIN_STEPS = TRAJECTORIES * TRAJECTORY_STEPS,
    CHAIN_TOKENS = 4 * CHAIN_STEPS,
    STORED_NUMBERS = RANDOM_STORE_OBSERVATIONS + RANDOM_STORE_ACTIONS + 1, /* of a step */
    CHAIN_BYTES = (int)sizeof(float) * STORED_NUMBERS * CHAIN_STEPS,
};

struct data_result {
    /* Bytes of the store per second, all ranks together: chains filled into a batch, and read. */
    struct samples_summary fill, read;
    struct samples_summary ratio; /* of the two, of each repeat */
    /* Bytes on the rank where the peak is largest beside its shard, which is a batch's rows. */
    double shard;
    double peak; /* of opening a store and taking batches, read ahead; NaN: the system says not */
};

/* What a rank measures with. */
struct data_fixture {
    struct store *store;
    struct dataset dataset; /* of it */
    int file;               /* the store's, for plain reads */
    struct scaling scaling;
    struct loader *loader;
    struct arena arena;
    struct loader_stream batches;
    size_t rows; /* of this rank's shard */
    char *bytes; /* that as many rows have in the store */
};

/* --- Memory ----------------------------------------------------------------------------------- */

static bool data_fixture_bind(struct data_fixture *fixture, struct arena *arena,
                              enum partition_rule rule, struct failure *failure)
{
    const struct mesh_position position = {
        .split = rule, .ring_size = comm_size(), .ring_rank = comm_rank(), .group_count = 1};
    return loader_stream_bind(&fixture->batches, fixture->loader, arena, position, failure);
}

static bool data_fixture_open(struct data_fixture *fixture, const char *path,
                              enum partition_rule rule, struct failure *failure)
{
    const struct loader_options options = {
        .chain = {.trials_min = TRAJECTORIES, .trials = TRAJECTORIES},
        .contexts = 1,
        .loss = LOADER_LOSS_ALL,
    };
    fixture->store = store_open(path, failure);
    fixture->file = open(path, O_RDONLY | O_CLOEXEC);
    if (fixture->file < 0) {
        failure_set(failure, EXIT_CODE_IO, "%s: cannot be opened (%s), expected the store", path,
                    strerror(errno));
    }
    if (failure->code != EXIT_CODE_DONE) {
        return false;
    }
    struct arena measure = {0};
    fixture->scaling = scaling_identity(RANDOM_STORE_OBSERVATIONS);
    dataset_of_store(&fixture->dataset, fixture->store, 0);
    fixture->loader = loader_open(&fixture->dataset, &fixture->scaling, &options, failure);
    if (!fixture->loader || !data_fixture_bind(fixture, &measure, rule, failure)) {
        return false;
    }
    /* Not arena_open: it takes whole large pages, which would be most of so small a batch. */
    fixture->arena =
        (struct arena){.base = memory_take(measure.peak + 1, 1), .capacity = measure.peak};
    return data_fixture_bind(fixture, &fixture->arena, rule, failure);
}

static void data_fixture_close(struct data_fixture *fixture)
{
    loader_stream_unbind(&fixture->batches);
    memory_free(fixture->arena.base);
    loader_close(fixture->loader);
    dataset_close(&fixture->dataset);
    close(fixture->file);
    store_close(fixture->store);
    memory_free(fixture->bytes);
}

/* The peak of the store, its loader and what it reads ahead, as a training run does. */
static void data_measure_memory(struct data_result *result, struct data_fixture *fixture,
                                const char *path, enum partition_rule rule, struct failure *failure)
{
    enum { TRAINING_STEPS = 3 };
    static const size_t row_bytes = /* of struct steps */
        (RANDOM_STORE_OBSERVATIONS + RANDOM_STORE_ACTIONS + 4) * sizeof(real) +
        2 * sizeof(uint32_t);
    store_close(store_open(path, failure)); /* what HDF5 takes once is not measured */
    double before = resident_begin();
    if (!data_fixture_open(fixture, path, rule, failure)) {
        return;
    }
    for (uint64_t step = 1; step <= TRAINING_STEPS; step++) {
        loader_stream_take(&fixture->batches, step, 0, failure);
    }
    fixture->rows = batch_shard(&fixture->batches.current.batch)->row_count;
    result->shard = (double)(fixture->rows * row_bytes);
    result->peak = resident_peak() - before;
}

/* --- Speed ------------------------------------------------------------------------------------ */

/* One read of as many bytes as the shard's rows have, each rank at its own part of the file. */
static void data_read_plainly(const struct data_fixture *fixture, struct failure *failure)
{
    size_t bytes = fixture->rows * STORED_NUMBERS * sizeof(float);
    size_t offset = CHAIN_BYTES / comm_size() * comm_rank();
    for (size_t done = 0; done < bytes;) {
        ssize_t got =
            pread(fixture->file, fixture->bytes + done, bytes - done, (off_t)(offset + done));
        if (got <= 0) {
            failure_set(failure, EXIT_CODE_IO, "%s: cannot be read (%s), expected %zu bytes more",
                        store_path(fixture->store), strerror(errno), bytes - done);
            return;
        }
        done += (size_t)got;
    }
}

enum { FILL, READ, RATIO, QUANTITIES };

/* Bytes of the store per second, several times the whole chain, from a moment when all ranks are
 * ready to one when all are done: read, or filled for a training step. */
static double data_rate(struct data_fixture *fixture, int work, uint64_t step,
                        struct failure *failure)
{
    enum { TURNS = 10 };
    comm_barrier();
    double begun = clock_seconds();
    for (size_t turn = 0; turn < TURNS; turn++) {
        if (work == FILL) {
            loader_stream_take(&fixture->batches, step, 0, failure);
        } else {
            data_read_plainly(fixture, failure);
        }
    }
    comm_barrier();
    return TURNS * (double)CHAIN_BYTES / (clock_seconds() - begun);
}

static void data_measure_speed(struct data_result *result, struct data_fixture *fixture,
                               size_t repeats, struct failure *failure)
{
    struct samples samples;
    samples_open(&samples, QUANTITIES, repeats);
    data_read_plainly(fixture, failure); /* the first touch of the memory is not counted */
    for (uint64_t i = 0; i < repeats; i++) {
        double read = data_rate(fixture, READ, i, failure);
        double fill = data_rate(fixture, FILL, i, failure);
        samples_of(&samples, READ)[i] = read;
        samples_of(&samples, FILL)[i] = fill;
        samples_of(&samples, RATIO)[i] = fill / read;
    }
    result->fill = samples_rates(&samples, FILL);
    result->read = samples_rates(&samples, READ);
    result->ratio = samples_rates(&samples, RATIO);
    samples_close(&samples);
}

/* --- Printing --------------------------------------------------------------------------------- */

static void data_print_speed(struct table_printer *printer, const struct data_result *result)
{
    static const struct table table = {
        .columns = {{"median", "", 1e-6, 0, ""}, {"best", "best", 1e-6, 0, ""}},
    };
    double tokens_per_byte = (double)CHAIN_TOKENS / CHAIN_BYTES;
    const struct table_row rows[] = {
        {.label = "chain from a warm store, MB/s",
         .key = "chain_bytes_per_second",
         .values = {result->fill.median, result->fill.best}},
        {.label = "plain read of as many bytes, MB/s",
         .key = "read_bytes_per_second",
         .values = {result->read.median, result->read.best}},
        {.label = "ratio",
         .key = "ratio",
         .values = {result->ratio.median, result->ratio.best},
         .scale = 1.0,
         .decimals = 2},
        {.label = "chain from a warm store, tokens/s",
         .key = "tokens_per_second",
         .values = {tokens_per_byte * result->fill.median, tokens_per_byte * result->fill.best},
         .scale = 1.0},
    };
    table_print(printer, &table, rows, sizeof rows / sizeof rows[0]);
}

static void data_print_memory(struct table_printer *printer, const struct data_result *result)
{
    static const struct table table = {
        .title = "memory of a rank",
        .columns = {{"MiB", "bytes", 1.0 / 1048576.0, 2, ""}, {"ratio", NULL, 1.0, 2, ""}},
    };
    const struct table_row rows[] = {
        {.label = "its shard of the chain", .key = "shard", .values = {result->shard, 1.0}},
        {.label = "peak while batches are read ahead",
         .key = "peak",
         .values = {result->peak, result->peak / result->shard}},
    };
    table_say(printer, "\n");
    table_print(printer, &table, rows, sizeof rows / sizeof rows[0]);
}

static void data_print(struct table_printer *printer, const struct bench_options *options,
                       const struct data_result *result)
{
    table_word(printer, "bench", "data");
    table_number(printer, "ranks", comm_size());
    table_number(printer, "repeats", options->repeats);
    table_number(printer, "trajectories", TRAJECTORIES);
    table_number(printer, "steps", TRAJECTORY_STEPS);
    table_number(printer, "tokens", CHAIN_TOKENS);
    table_number(printer, "observation_dim", RANDOM_STORE_OBSERVATIONS);
    table_number(printer, "action_dim", RANDOM_STORE_ACTIONS);
    table_number(printer, "bytes", CHAIN_BYTES);
    table_say(
        printer,
        "a chain of %d trajectories of %d steps (%d observations, %d actions): %d tokens over "
        "%zu rank%s, %zu repeats\n\n",
        TRAJECTORIES, TRAJECTORY_STEPS, RANDOM_STORE_OBSERVATIONS, RANDOM_STORE_ACTIONS,
        CHAIN_TOKENS, comm_size(), comm_size() == 1 ? "" : "s", options->repeats);
    data_print_speed(printer, result);
    data_print_memory(printer, result);
}

void bench_data(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure)
{
    struct random_store store;
    struct data_result result = {0};
    struct data_fixture fixture = {.file = -1};
    struct conversion conversion;
    random_store_make(&store, TRAJECTORIES, TRAJECTORY_STEPS, failure);
    if (failure->code == EXIT_CODE_DONE) {
        data_measure_memory(&result, &fixture, store.path, options->learner.split, failure);
    }
    random_store_remove(&store, failure);
    comm_agree(failure);
    double ratio = result.peak / result.shard; /* of the rank that needs most beside its shard */
    comm_max_double(&ratio, 1);
    comm_max_double(&result.shard, 1);
    result.peak = ratio * result.shard;
    fixture.bytes = memory_take(fixture.rows * STORED_NUMBERS, sizeof(float));
    data_measure_speed(&result, &fixture, options->repeats, failure);
    data_fixture_close(&fixture);
    conversion_measure(&conversion, options->repeats, failure);
    if (failure->code == EXIT_CODE_DONE) {
        data_print(printer, options, &result);
        conversion_print(printer, &conversion);
    }
}

#include "bench/data.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/median.h"
#include "bench/random_store.h"
#include "bench/resident.h"
#include "comm/comm.h"
#include "datasets/loader.h"

/* 128 trajectories of 1000 steps and 4 tokens, with the walker's observations and actions. */
enum { TRAJECTORIES = 128, STEPS = 1000, KINDS = 4, OBSERVATIONS = 24, ACTIONS = 6 };

enum { CHAIN_STEPS = TRAJECTORIES * STEPS, TURNS = 10 };

/* What a rank measures with. */
struct subject {
    struct store *store;
    int file; /* the store's, for plain reads */
    struct scaling scaling;
    struct loader *loader;
    struct arena arena;
    struct loader_stream batches;
    size_t rows; /* of this rank's shard */
    char *bytes; /* that as many rows have in the store */
};

/* What the HDF5 library takes once is no part of what is measured. */
static void touch_library(const char *path, struct failure *failure)
{
    store_close(store_open(path, failure));
}

static void open_store(struct subject *subject, const char *path, struct failure *failure)
{
    subject->store = store_open(path, failure);
    subject->file = open(path, O_RDONLY | O_CLOEXEC);
    if (subject->file < 0) {
        failure_set(failure, EXIT_CODE_IO, "%s: cannot be opened (%s), expected the store", path,
                    strerror(errno));
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void open_loader(struct subject *subject, struct failure *failure)
{
    const struct loader_options options = {
        .chain = {.trials_min = TRAJECTORIES, .trials = TRAJECTORIES},
        .contexts = 1,
        .loss = LOADER_LOSS_ALL,
    };
    subject->scaling = scaling_identity(OBSERVATIONS);
    subject->loader = loader_open(subject->store, 0, &subject->scaling, &options, failure);
}

static bool bind_to(struct subject *subject, struct arena *arena, enum partition_rule rule,
                    struct failure *failure)
{
    const struct mesh_position position = {
        .split = rule, .ring_size = comm_size(), .ring_rank = comm_rank(), .group_count = 1};
    return loader_stream_bind(&subject->batches, subject->loader, arena, position, failure);
}

static bool bind(struct subject *subject, enum partition_rule rule, struct failure *failure)
{
    struct arena measure = {0};
    if (!bind_to(subject, &measure, rule, failure)) {
        return false;
    }
    /* Not arena_open: it takes whole large pages, which would be most of so small a batch. */
    subject->arena =
        (struct arena){.base = memory_take(measure.peak + 1, 1), .capacity = measure.peak};
    return bind_to(subject, &subject->arena, rule, failure);
}

/* As a training run does. */
static void take_batches(struct subject *subject, struct failure *failure)
{
    enum { TRAINING_STEPS = 3 };
    for (uint64_t step = 1; step <= TRAINING_STEPS; step++) {
        loader_stream_take(&subject->batches, step, 0, failure);
    }
}

/* The bytes of a row of struct steps. */
static size_t row_bytes(void)
{
    return (OBSERVATIONS + ACTIONS + 4) * sizeof(real) + 2 * sizeof(uint32_t);
}

/* The peak of the store, its loader and what it reads ahead. */
static void measure_memory(struct bench_data *result, struct subject *subject, const char *path,
                           enum partition_rule rule, struct failure *failure)
{
    touch_library(path, failure);
    double before = resident_begin();
    open_store(subject, path, failure);
    if (failure->code != EXIT_CODE_DONE) {
        return;
    }
    open_loader(subject, failure);
    if (!subject->loader || !bind(subject, rule, failure)) {
        return;
    }
    take_batches(subject, failure);
    subject->rows = batch_shard(&subject->batches.batch)->row_count;
    result->shard = (double)(subject->rows * row_bytes());
    result->peak = resident_peak() - before;
}

/* Keep the numbers of the rank that needs most beside what it holds. */
static void keep_largest(struct bench_data *result)
{
    double ratio = result->peak / result->shard;
    comm_max_double(&ratio, 1);
    comm_max_double(&result->shard, 1);
    result->peak = ratio * result->shard;
}

/* --- Speed ------------------------------------------------------------------------------------ */

static size_t stored_bytes(size_t rows)
{
    return rows * (OBSERVATIONS + ACTIONS + 1) * sizeof(float);
}

/* One read of as many bytes as the shard's rows have, each rank at its own part of the file. */
static bool read_plainly(const struct subject *subject, struct failure *failure)
{
    size_t bytes = stored_bytes(subject->rows);
    size_t offset = stored_bytes(CHAIN_STEPS) / comm_size() * comm_rank();
    for (size_t done = 0; done < bytes;) {
        ssize_t got =
            pread(subject->file, subject->bytes + done, bytes - done, (off_t)(offset + done));
        if (got <= 0) {
            return failure_set(failure, EXIT_CODE_IO,
                               "%s: cannot be read (%s), expected %zu bytes more",
                               store_path(subject->store), strerror(errno), bytes - done);
        }
        done += (size_t)got;
    }
    return true;
}

/* Bytes of the store per second, TURNS times the whole chain, from a moment when all ranks are
 * ready to one when all are done. */
static double measure_fill(struct subject *subject, uint64_t step, struct failure *failure)
{
    comm_barrier();
    double begun = clock_seconds();
    for (size_t turn = 0; turn < TURNS; turn++) {
        loader_stream_take(&subject->batches, step, 0, failure);
    }
    comm_barrier();
    return TURNS * (double)stored_bytes(CHAIN_STEPS) / (clock_seconds() - begun);
}

static double measure_read(const struct subject *subject, struct failure *failure)
{
    comm_barrier();
    double begun = clock_seconds();
    for (size_t turn = 0; turn < TURNS; turn++) {
        read_plainly(subject, failure);
    }
    comm_barrier();
    return TURNS * (double)stored_bytes(CHAIN_STEPS) / (clock_seconds() - begun);
}

static struct bench_data_speed speed_of(double *rates, size_t repeats)
{
    double median = median_sort(rates, repeats);
    return (struct bench_data_speed){.median = median, .best = rates[repeats - 1]};
}

static void measure_speed(struct bench_data *result, struct subject *subject,
                          struct failure *failure)
{
    size_t repeats = result->repeats;
    double *rates = memory_take(3 * repeats, sizeof *rates);
    double *fills = rates, *reads = rates + repeats, *ratios = rates + 2 * repeats;
    read_plainly(subject, failure); /* the first touch of the memory is not counted */
    for (size_t i = 0; i < repeats; i++) {
        reads[i] = measure_read(subject, failure);
        fills[i] = measure_fill(subject, i, failure);
        ratios[i] = fills[i] / reads[i];
    }
    result->ratio = speed_of(ratios, repeats);
    result->fill = speed_of(fills, repeats);
    result->read = speed_of(reads, repeats);
    memory_free(rates);
}

/* --- What is called --------------------------------------------------------------------------- */

static void subject_close(struct subject *subject)
{
    loader_stream_unbind(&subject->batches);
    memory_free(subject->arena.base);
    loader_close(subject->loader);
    close(subject->file);
    store_close(subject->store);
    memory_free(subject->bytes);
}

static void prepare(struct bench_data *result, struct subject *subject, enum partition_rule rule)
{
    const struct random_store_spec spec = {.episodes = TRAJECTORIES,
                                           .steps = STEPS,
                                           .observation_dim = OBSERVATIONS,
                                           .action_dim = ACTIONS};
    struct random_store store;
    struct failure failure = {0};
    random_store_make(&store, &spec, &failure);
    if (failure.code == EXIT_CODE_DONE) {
        measure_memory(result, subject, store.path, rule, &failure);
    }
    random_store_remove(&store, &failure);
    comm_agree(&failure);
}

bool bench_data_run(struct bench_data *result, const struct bench_data_options *options,
                    struct failure *failure)
{
    *result = (struct bench_data){
        .ranks = comm_size(),
        .repeats = options->repeats,
        .trajectories = TRAJECTORIES,
        .steps = STEPS,
        .tokens = (size_t)CHAIN_STEPS * KINDS,
        .observation_dim = OBSERVATIONS,
        .action_dim = ACTIONS,
        .bytes = (double)stored_bytes(CHAIN_STEPS),
    };
    struct subject subject = {.file = -1};
    prepare(result, &subject, options->rule);
    keep_largest(result);
    subject.bytes = memory_take(stored_bytes(subject.rows), 1);
    measure_speed(result, &subject, failure);
    subject_close(&subject);
    bench_conversion_run(&result->conversion, options->repeats, failure);
    return failure->code == EXIT_CODE_DONE;
}

/* --- Printing --------------------------------------------------------------------------------- */

static void print_conversion(FILE *stream, const struct bench_conversion *conversion)
{
    static const double mega = 1e6;
    fprintf(stream, "\nan ExoRL folder of %zu episodes, %.0f MB inflated\n\n", conversion->episodes,
            conversion->bytes / mega);
    const struct bench_conversion_speed *median = &conversion->median;
    const struct bench_conversion_speed *best = &conversion->best;
    const struct bench_conversion_speed *processor = &conversion->processor;
    fprintf(stream, "%-44s%12s%12s%20s\n", "", "median", "best", "by processor time");
    fprintf(stream, "%-44s%12.0f%12.0f%20.0f\n", "convert, MB/s", median->convert / mega,
            best->convert / mega, processor->convert / mega);
    fprintf(stream, "%-44s%12.0f%12.0f%20.0f\n", "zlib alone inflating as much, MB/s",
            median->inflate / mega, best->inflate / mega, processor->inflate / mega);
    fprintf(stream, "%-44s%12.2f%12.2f%20.2f\n", "ratio", median->ratio, best->ratio,
            processor->ratio);
}

void bench_data_print_text(FILE *stream, const struct bench_data *result)
{
    static const double mega = 1e6;
    static const double mebi = 1048576.0;
    fprintf(stream,
            "a chain of %zu trajectories of %zu steps (%zu observations, %zu actions): %zu tokens "
            "over %zu rank%s, %zu repeats\n\n",
            result->trajectories, result->steps, result->observation_dim, result->action_dim,
            result->tokens, result->ranks, result->ranks == 1 ? "" : "s", result->repeats);
    fprintf(stream, "%-44s%12s%12s\n", "", "median", "best");
    fprintf(stream, "%-44s%12.0f%12.0f\n", "chain from a warm store, MB/s",
            result->fill.median / mega, result->fill.best / mega);
    fprintf(stream, "%-44s%12.0f%12.0f\n", "plain read of as many bytes, MB/s",
            result->read.median / mega, result->read.best / mega);
    fprintf(stream, "%-44s%12.2f%12.2f\n", "ratio", result->ratio.median, result->ratio.best);
    double tokens_per_byte = (double)result->tokens / result->bytes;
    fprintf(stream, "%-44s%12.3g%12.3g\n\n", "chain from a warm store, tokens/s",
            tokens_per_byte * result->fill.median, tokens_per_byte * result->fill.best);
    fprintf(stream, "%-44s%12s%12s\n", "memory of a rank", "MiB", "ratio");
    fprintf(stream, "%-44s%12.2f\n", "its shard of the chain", result->shard / mebi);
    fprintf(stream, "%-44s%12.2f%12.2f\n", "peak while batches are read ahead", result->peak / mebi,
            result->peak / result->shard);
    print_conversion(stream, &result->conversion);
}

/* NaN is no number of JSON. */
static void print_number(FILE *stream, const char *name, double value)
{
    if (isnan(value)) {
        fprintf(stream, ", \"%s\": null", name);
    } else {
        fprintf(stream, ", \"%s\": %.6g", name, value);
    }
}

void bench_data_print_json(FILE *stream, const struct bench_data *result)
{
    fprintf(stream,
            "{\"bench\": \"data\", \"ranks\": %zu, \"repeats\": %zu, \"trajectories\": %zu, "
            "\"steps\": %zu, \"tokens\": %zu, \"observation_dim\": %zu, \"action_dim\": %zu",
            result->ranks, result->repeats, result->trajectories, result->steps, result->tokens,
            result->observation_dim, result->action_dim);
    print_number(stream, "bytes", result->bytes);
    print_number(stream, "chain_bytes_per_second", result->fill.median);
    print_number(stream, "chain_bytes_per_second_best", result->fill.best);
    print_number(stream, "read_bytes_per_second", result->read.median);
    print_number(stream, "read_bytes_per_second_best", result->read.best);
    print_number(stream, "ratio", result->ratio.median);
    print_number(stream, "ratio_best", result->ratio.best);
    print_number(stream, "tokens_per_second",
                 (double)result->tokens * result->fill.median / result->bytes);
    print_number(stream, "shard_bytes", result->shard);
    print_number(stream, "peak_bytes", result->peak);
    print_number(stream, "convert_bytes_per_second", result->conversion.median.convert);
    print_number(stream, "inflate_bytes_per_second", result->conversion.median.inflate);
    print_number(stream, "convert_ratio", result->conversion.median.ratio);
    print_number(stream, "convert_ratio_best", result->conversion.best.ratio);
    print_number(stream, "convert_ratio_processor", result->conversion.processor.ratio);
    fprintf(stream, "}\n");
}

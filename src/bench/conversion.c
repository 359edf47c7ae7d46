#include "bench/conversion.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bench/median.h"
#include "bench/random_store.h"
#include "comm/comm.h"
#include "datasets/formats/convert.h"
#include "datasets/formats/npz.h"

/* Episodes of the walker's size. */
enum { EPISODES = 256, STEPS = 1000, OBSERVATIONS = 24, ACTIONS = 6 };

/* A member as it lies in its zip file. */
struct packed {
    unsigned char *bytes;
    size_t count, inflated;
};

/* This rank's share of the members. */
struct share {
    char folder[FILE_PATH_MAX], output[FILE_PATH_MAX];
    struct packed *members;
    size_t count, room;
    unsigned char *inflated; /* room for the largest */
    size_t inflated_room;
    double bytes; /* of the members, inflated; at last those of all ranks */
};

/* --- What is measured with -------------------------------------------------------------------- */

/* Rank 0: the store of random numbers as an ExoRL folder. */
static void write_folder(const char *folder, const char *path, struct failure *failure)
{
    const struct format_writer *writer = format_find_writer("exorl", failure);
    struct store *store = writer ? store_open(path, failure) : NULL;
    if (store) {
        writer->write(folder, store, failure);
        store_close(store);
    }
}

static bool keep_member(struct share *share, struct npz *npz, size_t member,
                        struct failure *failure)
{
    struct packed packed;
    if (!npz_size(&packed.inflated, npz, member, failure) ||
        !npz_compressed_size(&packed.count, npz, member, failure)) {
        return false;
    }
    packed.bytes = memory_take(packed.count, 1);
    if (share->count == share->room) {
        size_t room = 2 * share->room + 64;
        share->members = memory_grow(share->members, share->count, room, sizeof packed);
        share->room = room;
    }
    share->members[share->count++] = packed;
    share->inflated = memory_reserve(share->inflated, &share->inflated_room, packed.inflated);
    share->bytes += (double)packed.inflated;
    return npz_read_compressed(packed.bytes, packed.count, npz, member, failure);
}

static bool keep_members(struct share *share, size_t episode, struct failure *failure)
{
    char name[64], path[FILE_PATH_MAX];
    snprintf(name, sizeof name, "episode_%06zu_%d.npz", episode, STEPS);
    struct npz *npz =
        file_join(path, share->folder, name, failure) ? npz_open(path, failure) : NULL;
    if (!npz) {
        return false;
    }
    bool ok = true;
    for (size_t member = 0; ok && member < npz_count(npz); member++) {
        ok = keep_member(share, npz, member, failure);
    }
    npz_close(npz);
    return ok;
}

static void open_share(struct share *share, struct failure *failure)
{
    for (size_t episode = comm_rank(); episode < EPISODES; episode += comm_size()) {
        if (!keep_members(share, episode, failure)) {
            return;
        }
    }
}

static void close_share(struct share *share)
{
    for (size_t i = 0; i < share->count; i++) {
        memory_free(share->members[i].bytes);
    }
    memory_free(share->members);
    memory_free(share->inflated);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* Seconds from a moment when all ranks are ready to one when all are done. */
struct span {
    double elapsed, processor;
};

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct span begin(void)
{
    comm_barrier();
    return (struct span){.elapsed = clock_seconds(), .processor = processor_seconds()};
}

static struct span end(struct span begun)
{
    double processor = processor_seconds() - begun.processor;
    comm_barrier();
    struct span span = {.elapsed = clock_seconds() - begun.elapsed, .processor = processor};
    comm_sum_double(&span.processor, 1);
    return span;
}

static bool inflate_member(const struct packed *packed, unsigned char *into)
{
    enum { RAW = -15 }; /* no header of zlib's own around the bytes */
    z_stream stream = {.next_in = packed->bytes,
                       .avail_in = (uInt)packed->count,
                       .next_out = into,
                       .avail_out = (uInt)packed->inflated};
    if (inflateInit2(&stream, RAW) != Z_OK) {
        return false;
    }
    int code = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return code == Z_STREAM_END && stream.total_out == packed->inflated;
}

static struct span measure_inflate(const struct share *share)
{
    struct span begun = begin();
    for (size_t i = 0; i < share->count; i++) {
        invariant(inflate_member(&share->members[i], share->inflated));
    }
    return end(begun);
}

/* What is wrong is fatal. */
static struct span measure_convert(const struct share *share)
{
    const struct convert_options options = {
        .input = share->folder,
        .format = "exorl",
        .output = share->output,
        .relabel = "",
        .tasks = "",
        .domain = "",
        .source = "",
    };
    struct convert_summary summary;
    struct span begun = begin();
    convert_run(&summary, &options);
    struct span span = end(begun);
    if (comm_rank() == 0) {
        unlink(share->output);
    }
    return span;
}

enum { CONVERT, INFLATE, RATIO, PROCESSOR_CONVERT, PROCESSOR_INFLATE, PROCESSOR_RATIO, COLUMNS };

static void measure(struct bench_conversion *result, const struct share *share, size_t repeats)
{
    double *rates = memory_take(COLUMNS * repeats, sizeof *rates);
    double median[COLUMNS], best[COLUMNS];
    for (size_t i = 0; i < repeats; i++) {
        struct span convert = measure_convert(share);
        struct span inflate = measure_inflate(share);
        rates[CONVERT * repeats + i] = share->bytes / convert.elapsed;
        rates[INFLATE * repeats + i] = share->bytes / inflate.elapsed;
        rates[RATIO * repeats + i] = inflate.elapsed / convert.elapsed;
        rates[PROCESSOR_CONVERT * repeats + i] = share->bytes / convert.processor;
        rates[PROCESSOR_INFLATE * repeats + i] = share->bytes / inflate.processor;
        rates[PROCESSOR_RATIO * repeats + i] = inflate.processor / convert.processor;
    }
    for (size_t column = 0; column < COLUMNS; column++) {
        median[column] = median_sort(rates + column * repeats, repeats);
        best[column] = rates[column * repeats + repeats - 1];
    }
    result->median =
        (struct bench_conversion_speed){median[CONVERT], median[INFLATE], median[RATIO]};
    result->best = (struct bench_conversion_speed){best[CONVERT], best[INFLATE], best[RATIO]};
    result->processor = (struct bench_conversion_speed){
        median[PROCESSOR_CONVERT], median[PROCESSOR_INFLATE], median[PROCESSOR_RATIO]};
    memory_free(rates);
}

void bench_conversion_run(struct bench_conversion *result, size_t repeats, struct failure *failure)
{
    const struct random_store_spec spec = {.episodes = EPISODES,
                                           .steps = STEPS,
                                           .observation_dim = OBSERVATIONS,
                                           .action_dim = ACTIONS};
    enum { ROOM = FILE_PATH_MAX - 16 };
    struct random_store store;
    struct share share = {.count = 0};
    *result = (struct bench_conversion){.episodes = EPISODES};
    random_store_make(&store, &spec, failure);
    log_set_quiet(true); /* no progress of each repeat */
    snprintf(share.folder, sizeof share.folder, "%.*s-exorl", ROOM, store.path);
    snprintf(share.output, sizeof share.output, "%.*s-converted", ROOM, store.path);
    if (failure->code == EXIT_CODE_DONE && comm_rank() == 0) {
        write_folder(share.folder, store.path, failure);
    }
    comm_broadcast(failure, sizeof *failure);
    if (failure->code == EXIT_CODE_DONE) {
        open_share(&share, failure);
        comm_agree(failure);
        comm_sum_double(&share.bytes, 1);
        result->bytes = share.bytes;
        measure(result, &share, repeats);
    }
    close_share(&share);
    log_set_quiet(false);
    random_store_remove(&store, failure);
}

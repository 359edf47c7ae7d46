#include "bench/conversion.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bench/random_store.h"
#include "comm/comm.h"
#include "datasets/formats/convert.h"
#include "datasets/formats/npz.h"

enum { EPISODES = 256, STEPS = 1000 };

/* A member as it lies in its zip file. */
struct packed {
    unsigned char *bytes;
    size_t count, inflated;
};

/* The members of this rank's episodes. */
struct member_list {
    char folder[FILE_PATH_MAX], output[FILE_PATH_MAX];
    struct packed *members;
    size_t count, capacity;
    unsigned char *inflated; /* capacity for the largest */
    size_t inflated_capacity;
    double bytes; /* of the members, inflated; at last those of all ranks */
};

/* --- What is measured with -------------------------------------------------------------------- */

/* Rank 0: the store of random numbers as an ExoRL folder. */
static void conversion_write_folder(const char *folder, const char *path, struct failure *failure)
{
    const struct format_writer *writer = format_find_writer("exorl", failure);
    struct store *store = writer ? store_open(path, failure) : NULL;
    if (store) {
        writer->write(folder, store, failure);
        store_close(store);
    }
}

static bool member_list_add(struct member_list *list, struct npz *npz, size_t member,
                            struct failure *failure)
{
    struct packed packed;
    if (!npz_size(&packed.inflated, npz, member, failure) ||
        !npz_compressed_size(&packed.count, npz, member, failure)) {
        return false;
    }
    packed.bytes = memory_take(packed.count, 1);
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 64;
        list->members = memory_grow(list->members, list->count, capacity, sizeof packed);
        list->capacity = capacity;
    }
    list->members[list->count++] = packed;
    list->inflated = memory_reserve(list->inflated, &list->inflated_capacity, packed.inflated);
    list->bytes += (double)packed.inflated;
    return npz_read_compressed(packed.bytes, packed.count, npz, member, failure);
}

static bool member_list_add_episode(struct member_list *list, size_t episode,
                                    struct failure *failure)
{
    char name[64], path[FILE_PATH_MAX];
    snprintf(name, sizeof name, "episode_%06zu_%d.npz", episode, STEPS);
    struct npz *npz = file_join(path, list->folder, name, failure) ? npz_open(path, failure) : NULL;
    if (!npz) {
        return false;
    }
    bool ok = true;
    for (size_t member = 0; ok && member < npz_count(npz); member++) {
        ok = member_list_add(list, npz, member, failure);
    }
    npz_close(npz);
    return ok;
}

static void member_list_read(struct member_list *list, struct failure *failure)
{
    for (size_t episode = comm_rank(); episode < EPISODES; episode += comm_size()) {
        if (!member_list_add_episode(list, episode, failure)) {
            return;
        }
    }
}

static void member_list_close(struct member_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        memory_free(list->members[i].bytes);
    }
    memory_free(list->members);
    memory_free(list->inflated);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* Seconds from a moment when all ranks are ready to one when all are done. */
struct conversion_seconds {
    double elapsed, processor;
};

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct conversion_seconds conversion_begin(void)
{
    comm_barrier();
    return (struct conversion_seconds){.elapsed = clock_seconds(),
                                       .processor = processor_seconds()};
}

static struct conversion_seconds conversion_end(struct conversion_seconds begun)
{
    double processor = processor_seconds() - begun.processor;
    comm_barrier();
    struct conversion_seconds span = {.elapsed = clock_seconds() - begun.elapsed,
                                      .processor = processor};
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

static struct conversion_seconds conversion_time_inflate(const struct member_list *list)
{
    struct conversion_seconds begun = conversion_begin();
    for (size_t i = 0; i < list->count; i++) {
        invariant(inflate_member(&list->members[i], list->inflated));
    }
    return conversion_end(begun);
}

/* What is wrong is fatal. */
static struct conversion_seconds conversion_time_convert(const struct member_list *list)
{
    const struct convert_options options = {
        .input = list->folder,
        .format = "exorl",
        .output = list->output,
        .relabel = "",
        .tasks = "",
        .domain = "",
        .source = "",
    };
    struct convert_summary summary;
    struct conversion_seconds begun = conversion_begin();
    convert_run(&summary, &options);
    struct conversion_seconds span = conversion_end(begun);
    if (comm_rank() == 0) {
        unlink(list->output);
    }
    return span;
}

enum { CONVERT, INFLATE, RATIO, PROCESSOR_CONVERT, PROCESSOR_INFLATE, PROCESSOR_RATIO, QUANTITIES };

static void conversion_time(struct conversion *result, const struct member_list *list,
                            size_t repeats)
{
    struct samples samples;
    samples_open(&samples, QUANTITIES, repeats);
    for (size_t i = 0; i < repeats; i++) {
        struct conversion_seconds convert = conversion_time_convert(list);
        struct conversion_seconds inflate = conversion_time_inflate(list);
        samples_of(&samples, CONVERT)[i] = list->bytes / convert.elapsed;
        samples_of(&samples, INFLATE)[i] = list->bytes / inflate.elapsed;
        samples_of(&samples, RATIO)[i] = inflate.elapsed / convert.elapsed;
        samples_of(&samples, PROCESSOR_CONVERT)[i] = list->bytes / convert.processor;
        samples_of(&samples, PROCESSOR_INFLATE)[i] = list->bytes / inflate.processor;
        samples_of(&samples, PROCESSOR_RATIO)[i] = inflate.processor / convert.processor;
    }
    result->convert = samples_rates(&samples, CONVERT);
    result->inflate = samples_rates(&samples, INFLATE);
    result->ratio = samples_rates(&samples, RATIO);
    result->processor_convert = samples_rates(&samples, PROCESSOR_CONVERT);
    result->processor_inflate = samples_rates(&samples, PROCESSOR_INFLATE);
    result->processor_ratio = samples_rates(&samples, PROCESSOR_RATIO);
    samples_close(&samples);
}

/* --- What is called --------------------------------------------------------------------------- */

void conversion_measure(struct conversion *result, size_t repeats, struct failure *failure)
{
    enum { ROOM = FILE_PATH_MAX - 16 };
    struct random_store store;
    struct member_list list = {.count = 0};
    *result = (struct conversion){.episodes = EPISODES};
    random_store_make(&store, EPISODES, STEPS, failure);
    log_set_quiet(true); /* no progress of each repeat */
    snprintf(list.folder, sizeof list.folder, "%.*s-exorl", ROOM, store.path);
    snprintf(list.output, sizeof list.output, "%.*s-converted", ROOM, store.path);
    if (failure->code == EXIT_CODE_DONE && comm_rank() == 0) {
        conversion_write_folder(list.folder, store.path, failure);
    }
    comm_broadcast(failure, sizeof *failure);
    if (failure->code == EXIT_CODE_DONE) {
        member_list_read(&list, failure);
        comm_agree(failure);
        comm_sum_double(&list.bytes, 1);
        result->bytes = list.bytes;
        conversion_time(result, &list, repeats);
    }
    member_list_close(&list);
    log_set_quiet(false);
    random_store_remove(&store, failure);
}

void conversion_print(struct table_printer *printer, const struct conversion *result)
{
    static const struct table table = {
        .form = TABLE_FLAT,
        .title = "",
        .columns = {{"median", "", 1e-6, 0, ""},
                    {"best", "best", 1e-6, 0, ""},
                    {"by processor time", "processor", 1e-6, 0, ""}},
    };
    const struct table_row rows[] = {
        {.label = "convert, MB/s",
         .key = "convert_bytes_per_second",
         .values = {result->convert.median, result->convert.best,
                    result->processor_convert.median}},
        {.label = "zlib alone inflating as much, MB/s",
         .key = "inflate_bytes_per_second",
         .values = {result->inflate.median, result->inflate.best,
                    result->processor_inflate.median}},
        {.label = "ratio",
         .key = "convert_ratio",
         .values = {result->ratio.median, result->ratio.best, result->processor_ratio.median},
         .scale = 1.0,
         .decimals = 2},
    };
    table_say(printer, "\nan ExoRL folder of %zu episodes, %.0f MB inflated\n\n", result->episodes,
              1e-6 * result->bytes);
    table_print(printer, &table, rows, sizeof rows / sizeof rows[0]);
}

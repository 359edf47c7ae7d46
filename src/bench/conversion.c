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
#include "datasets/formats/npz.h"
#include "datasets/jobs/convert.h"

enum { EPISODES = 256, STEPS = 1000 };

/* The members of this rank's episodes as they lie in their zip files. */
struct member_list {
    char folder[FILE_PATH_MAX], output[FILE_PATH_MAX];
    struct member {
        unsigned char *bytes;
        size_t size, inflated_size;
    } * members;
    size_t count, capacity;
    unsigned char *inflated; /* the largest fits */
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

static bool member_list_add(struct member_list *list, struct npz *npz, size_t number,
                            struct failure *failure)
{
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 64;
        list->members = memory_grow(list->members, list->count, capacity, sizeof *list->members);
        list->capacity = capacity;
    }
    struct member *member = &list->members[list->count];
    if (!npz_size(&member->inflated_size, npz, number, failure) ||
        !npz_compressed_size(&member->size, npz, number, failure)) {
        return false;
    }
    member->bytes = memory_take(member->size, 1);
    list->count++;
    list->inflated =
        memory_reserve(list->inflated, &list->inflated_capacity, member->inflated_size);
    list->bytes += (double)member->inflated_size;
    return npz_read_compressed(member->bytes, member->size, npz, number, failure);
}

static void member_list_read(struct member_list *list, struct failure *failure)
{
    bool ok = true;
    for (size_t episode = comm_rank(); ok && episode < EPISODES; episode += comm_size()) {
        char name[64], path[FILE_PATH_MAX];
        snprintf(name, sizeof name, "episode_%06zu_%d.npz", episode, STEPS);
        struct npz *npz =
            file_join(path, list->folder, name, failure) ? npz_open(path, failure) : NULL;
        ok = npz != NULL;
        for (size_t i = 0; ok && i < npz_count(npz); i++) {
            ok = member_list_add(list, npz, i, failure);
        }
        if (npz) {
            npz_close(npz);
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

/* Seconds of the clock, from a moment when all ranks are ready to one when all are done, and of all
 * ranks' processors. */
enum { ELAPSED, PROCESSOR, CLOCKS };

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void conversion_begin(double seconds[CLOCKS])
{
    comm_barrier();
    seconds[ELAPSED] = clock_seconds();
    seconds[PROCESSOR] = processor_seconds();
}

static void conversion_end(double seconds[CLOCKS])
{
    seconds[PROCESSOR] = processor_seconds() - seconds[PROCESSOR];
    comm_barrier();
    seconds[ELAPSED] = clock_seconds() - seconds[ELAPSED];
    comm_sum_double(&seconds[PROCESSOR], 1);
}

static bool member_inflate(const struct member *member, unsigned char *into)
{
    enum { RAW = -15 }; /* no header of zlib's own around the bytes */
    z_stream stream = {.next_in = member->bytes,
                       .avail_in = (uInt)member->size,
                       .next_out = into,
                       .avail_out = (uInt)member->inflated_size};
    if (inflateInit2(&stream, RAW) != Z_OK) {
        return false;
    }
    int code = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return code == Z_STREAM_END && stream.total_out == member->inflated_size;
}

static void conversion_time_inflate(double seconds[CLOCKS], const struct member_list *list)
{
    conversion_begin(seconds);
    for (size_t i = 0; i < list->count; i++) {
        invariant(member_inflate(&list->members[i], list->inflated));
    }
    conversion_end(seconds);
}

static void conversion_time_convert(double seconds[CLOCKS], const struct member_list *list)
{
    const struct convert_options options = {
        .input = list->folder,
        .format = "exorl",
        .output = list->output,
        .relabel = "",
        .tasks = "",
        .domain = "",
        .source = "",
        .action_low = "",
        .action_high = "",
        .reading = {.observation_keys = "", .action_counts = ""},
    };
    struct convert_summary summary;
    struct failure failure = {0};
    conversion_begin(seconds);
    convert_run(&summary, &options, &failure);
    conversion_end(seconds);
    comm_agree(&failure);
    if (comm_rank() == 0) {
        unlink(list->output);
    }
}

static void conversion_time(struct conversion *result, const struct member_list *list,
                            size_t repeats)
{
    struct samples samples;
    samples_open(&samples, CONVERSION_QUANTITIES, repeats);
    for (size_t i = 0; i < repeats; i++) {
        double convert[CLOCKS], inflate[CLOCKS];
        conversion_time_convert(convert, list);
        conversion_time_inflate(inflate, list);
        for (size_t j = 0; j < CLOCKS; j++) {
            size_t first = j * CONVERSION_PROCESSOR;
            samples_of(&samples, first + CONVERSION_CONVERT)[i] = list->bytes / convert[j];
            samples_of(&samples, first + CONVERSION_INFLATE)[i] = list->bytes / inflate[j];
            samples_of(&samples, first + CONVERSION_RATIO)[i] = inflate[j] / convert[j];
        }
    }
    for (size_t i = 0; i < CONVERSION_QUANTITIES; i++) {
        result->rates[i] = samples_rates(&samples, i);
    }
    samples_close(&samples);
}

/* --- What is called --------------------------------------------------------------------------- */

void conversion_measure(struct conversion *result, size_t repeats, struct failure *failure)
{
    enum { ROOM = FILE_PATH_MAX - 16 };
    struct random_store store;
    struct member_list list = {.count = 0};
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
        .columns = {{"median", "", 1e-6, 0, ""},
                    {"best", "best", 1e-6, 0, ""},
                    {"by processor time", "processor", 1e-6, 0, ""}},
    };
    struct table_row rows[] = {
        {.label = "convert, MB/s", .key = "convert_bytes_per_second"},
        {.label = "zlib alone inflating as much, MB/s", .key = "inflate_bytes_per_second"},
        {.label = "ratio", .key = "convert_ratio", .scale = 1.0, .decimals = 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].values[0] = result->rates[i].median;
        rows[i].values[1] = result->rates[i].best;
        rows[i].values[2] = result->rates[CONVERSION_PROCESSOR + i].median;
    }
    table_say(printer, "\nan ExoRL folder of %d episodes, %.0f MB inflated\n\n", EPISODES,
              1e-6 * result->bytes);
    table_print(printer, &table, rows, sizeof rows / sizeof rows[0]);
}

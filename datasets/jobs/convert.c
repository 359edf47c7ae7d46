#include "datasets/jobs/convert.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "datasets/jobs/convert_input.h"

/* In each round every rank reads a batch of episodes, rank r of P every P-th from the r-th on; then
 * all learn their lengths, so that the position of each in the store is known before it is written,
 * and no rank holds more than a batch. Batches are large, so that ranks seldom wait for one
 * another, as far as they take little memory. */
enum { BATCH_MAX = 32, BATCH_BYTES = 16 << 20 };

/* What all ranks must know of a round, as numbers to be summed over ranks: of each episode its
 * length and variants (0: it is not kept), and these totals. */
enum { LENGTH, VARIANTS, COUNTS };
enum { FAILED, PARTIAL, BAD, CLIPPED, BYTES, TOTALS };

struct episode_failure {
    double episode; /* INFINITY: none */
    struct failure failure;
};

struct conversion {
    const struct convert_input *input;
    struct convert_summary *summary;
    struct store_writer *writer;
    struct store_capacity capacity, used;
    size_t batch_size; /* episodes that a rank reads in a round */
    struct converted_episode batch[BATCH_MAX];
    double *counts, *totals;           /* (batch_size * ranks, COUNTS), followed by (TOTALS) */
    struct store_index_entry *entries; /* (batch_size, variants) */
    double *moments;                   /* (batch_size, 2, observation_dim) */
    struct episode_failure failed;     /* the first that ends the job */
    struct episode_failure skipped;    /* the first bad episode that this rank has skipped */
};

/* --- When something is wrong ------------------------------------------------------------------ */

/* Where any rank has failed, the failure of the lowest episode ends the job and nothing is left of
 * the store. Collective. */
static void agree_on_failure(struct conversion *conversion)
{
    double first = -conversion->failed.episode;
    comm_max_double(&first, 1);
    if (isinf(first)) {
        return;
    }
    if (conversion->writer) {
        store_writer_discard(conversion->writer);
        conversion->writer = NULL;
    }
    if (-conversion->failed.episode < first) {
        conversion->failed.failure = (struct failure){0};
    }
    comm_barrier();
    comm_agree(&conversion->failed.failure);
}

/* The same after a failure that is not an episode's: that of the lowest rank ends the job. */
static void agree_on_rank_failure(struct conversion *conversion, const struct failure *failure)
{
    if (failure->code != EXIT_CODE_DONE) {
        conversion->failed =
            (struct episode_failure){.episode = (double)comm_rank(), .failure = *failure};
    }
    agree_on_failure(conversion);
}

/* --- The store -------------------------------------------------------------------------------- */

static void join_store(struct conversion *conversion, struct failure *failure)
{
    agree_on_rank_failure(conversion, failure);
    if (comm_rank() != 0) {
        conversion->writer =
            store_writer_join(conversion->input->options->output, &conversion->summary->spec,
                              conversion->capacity, failure);
    }
    agree_on_rank_failure(conversion, failure);
}

/* Rank 0 creates the file, the others join. */
static void create_store(struct conversion *conversion)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        conversion->writer =
            store_writer_open(conversion->input->options->output, &conversion->summary->spec,
                              conversion->capacity, &failure);
    }
    join_store(conversion, &failure);
}

/* Enlarge the store where it cannot hold the round. Collective. */
static void reserve_store(struct conversion *conversion, struct store_capacity needed)
{
    if (needed.episodes <= conversion->capacity.episodes &&
        needed.steps <= conversion->capacity.steps) {
        return;
    }
    struct failure failure = {0};
    conversion->capacity = store_capacity_grow(conversion->capacity, needed);
    if (comm_rank() == 0) {
        store_writer_resize(conversion->writer, conversion->capacity, &failure);
    } else {
        store_writer_discard(conversion->writer);
        conversion->writer = NULL;
    }
    join_store(conversion, &failure);
}

/* The others sync their bytes before rank 0 gives the file its name. Collective. */
static void commit_store(struct conversion *conversion)
{
    struct failure failure = {0};
    for (size_t phase = 0; phase < 2; phase++) {
        if ((phase == 0) == (comm_rank() != 0)) {
            store_writer_commit(conversion->writer, &failure);
            conversion->writer = NULL;
        }
        agree_on_rank_failure(conversion, &failure);
    }
}

/* --- A round ---------------------------------------------------------------------------------- */

/* The counts of the `i`th episode of a rank's batch. */
static double *counts_of(const struct conversion *conversion, size_t i, size_t rank)
{
    return conversion->counts + (i * comm_size() + rank) * COUNTS;
}

/* Keep the first failure. */
static void keep_failure(struct conversion *conversion, size_t episode,
                         const struct failure *failure)
{
    if (isinf(conversion->failed.episode)) {
        conversion->failed =
            (struct episode_failure){.episode = (double)episode, .failure = *failure};
        conversion->totals[FAILED] += 1.0;
    }
}

static void count_episode(struct conversion *conversion, size_t i, size_t index)
{
    const struct converted_episode *episode = &conversion->batch[i];
    const struct failure *failure = &episode->failure;
    double *totals = conversion->totals;
    if (failure->code == EXIT_CODE_DONE) {
        double *counts = counts_of(conversion, i, comm_rank());
        counts[LENGTH] = (double)episode->length;
        counts[VARIANTS] = (double)episode->variants;
        totals[PARTIAL] += episode->is_partial;
        totals[CLIPPED] += (double)episode->clipped;
        totals[BYTES] += (double)episode->bytes;
    } else if (failure->code == EXIT_CODE_DATA &&
               conversion->input->options->bad == CONVERT_SKIP_BAD) {
        totals[BAD] += 1.0;
        if (isinf(conversion->skipped.episode)) {
            conversion->skipped =
                (struct episode_failure){.episode = (double)index, .failure = *failure};
        }
    } else {
        keep_failure(conversion, index, failure);
    }
}

/* Read this rank's episodes of the round that begins with episode `first`. */
static void read_batch(struct conversion *conversion, size_t first, size_t end)
{
    for (size_t i = 0; i < conversion->batch_size && isinf(conversion->failed.episode); i++) {
        size_t index = first + i * comm_size() + comm_rank();
        if (index < end) {
            convert_input_read(conversion->input, index, &conversion->batch[i]);
            count_episode(conversion, i, index);
        }
    }
}

/* Write the variants of this rank's `i`th episode, the first at `position`. */
static void write_variants(struct conversion *conversion, size_t i, struct store_position position)
{
    const struct convert_input *input = conversion->input;
    const struct converted_episode *converted = &conversion->batch[i];
    double *moments = conversion->moments + i * 2 * input->spec->observation_dim;
    struct failure failure = {0};
    for (size_t variant = 0; variant < converted->variants; variant++) {
        struct store_episode episode = convert_input_variant(input, converted, variant);
        struct store_index_entry *entry = &conversion->entries[i * input->variants + variant];
        if (!store_writer_write(conversion->writer, position, &episode, entry, moments, &failure)) {
            keep_failure(conversion, position.episode, &failure);
            return;
        }
        position.episode++;
        position.step += converted->length;
    }
}

static void add_counts(struct store_capacity *used, const double *counts)
{
    used->episodes += (size_t)counts[VARIANTS];
    used->steps += (size_t)(counts[VARIANTS] * counts[LENGTH]);
}

/* Go through the round in the order of its episodes and write this rank's. */
static void write_batch(struct conversion *conversion)
{
    struct store_capacity used = conversion->used;
    for (size_t i = 0; i < conversion->batch_size; i++) {
        for (size_t rank = 0; rank < comm_size(); rank++) {
            const double *counts = counts_of(conversion, i, rank);
            if (rank == comm_rank() && counts[VARIANTS] > 0.0) {
                write_variants(
                    conversion, i,
                    (struct store_position){.episode = used.episodes, .step = used.steps});
            }
            add_counts(&used, counts);
        }
    }
}

/* Rank 0 appends the round to the index; the others send it what it needs. */
static void index_batch(struct conversion *conversion)
{
    const struct convert_input *input = conversion->input;
    size_t moments_count = 2 * input->spec->observation_dim;
    for (size_t i = 0; i < conversion->batch_size; i++) {
        struct store_index_entry *entries = &conversion->entries[i * input->variants];
        double *moments = conversion->moments + i * moments_count;
        for (size_t rank = 0; rank < comm_size(); rank++) {
            size_t variants = (size_t)counts_of(conversion, i, rank)[VARIANTS];
            if (variants == 0 || (comm_rank() != 0 && comm_rank() != rank)) {
                continue;
            }
            if (comm_rank() != 0) {
                comm_send(0, entries, variants * sizeof *entries);
                comm_send(0, moments, moments_count * sizeof *moments);
            } else if (rank != 0) {
                comm_receive(rank, entries, variants * sizeof *entries);
                comm_receive(rank, moments, moments_count * sizeof *moments);
            }
            for (size_t variant = 0; comm_rank() == 0 && variant < variants; variant++) {
                store_writer_append_index(conversion->writer, &entries[variant], moments);
            }
        }
    }
}

/* A round without failures has one collective sum; a failure to write is seen by the next. */
static void convert_round(struct conversion *conversion, size_t first, size_t end)
{
    struct convert_summary *summary = conversion->summary;
    double *totals = conversion->totals;
    size_t count = conversion->batch_size * comm_size();
    double failed = totals[FAILED];
    memset(conversion->counts, 0, (count * COUNTS + TOTALS) * sizeof *conversion->counts);
    totals[FAILED] = failed;
    read_batch(conversion, first, end);
    comm_sum_double(conversion->counts, count * COUNTS + TOTALS);
    if (totals[FAILED] > 0.0) {
        agree_on_failure(conversion);
    }
    struct store_capacity used = conversion->used;
    for (size_t i = 0; i < count; i++) {
        add_counts(&used, conversion->counts + i * COUNTS);
    }
    reserve_store(conversion, used);
    write_batch(conversion);
    index_batch(conversion);
    summary->partial += (size_t)totals[PARTIAL];
    summary->bad += (size_t)totals[BAD];
    summary->clipped += (size_t)totals[CLIPPED];
    summary->bytes += (uint64_t)totals[BYTES];
    summary->episodes = used.episodes;
    summary->steps = used.steps;
    conversion->used = used;
}

/* --- All of them ------------------------------------------------------------------------------ */

/* From the mean length of an episode; 1 where that is unknown. */
static size_t find_batch_size(const struct store_spec *spec, size_t episodes, size_t steps)
{
    size_t step_bytes =
        (spec->observation_dim + spec->action_dim + spec->task_count) * sizeof(float) +
        spec->physics_dim * sizeof(double);
    size_t bytes = steps * step_bytes / size_max(episodes, 1);
    return bytes > 0 ? size_min(size_max(BATCH_BYTES / bytes, 1), BATCH_MAX) : 1;
}

static void conversion_open(struct conversion *conversion, size_t episodes)
{
    const struct convert_input *input = conversion->input;
    size_t steps = input->format->step_count ? input->format->step_count(input->source) : 0;
    size_t batch_size = find_batch_size(input->spec, episodes, steps);
    size_t counts = batch_size * comm_size() * COUNTS;
    conversion->batch_size = batch_size;
    conversion->counts = memory_take(counts + TOTALS, sizeof *conversion->counts);
    conversion->totals = conversion->counts + counts;
    conversion->entries = memory_take(batch_size * input->variants, sizeof *conversion->entries);
    conversion->moments =
        memory_take(batch_size * 2 * input->spec->observation_dim, sizeof *conversion->moments);
    conversion->capacity = (struct store_capacity){.episodes = episodes * input->variants,
                                                   .steps = steps * input->variants};
    create_store(conversion);
}

static void conversion_close(struct conversion *conversion)
{
    for (size_t i = 0; i < conversion->batch_size; i++) {
        memory_free(conversion->batch[i].memory);
    }
    memory_free(conversion->counts);
    memory_free(conversion->entries);
    memory_free(conversion->moments);
}

/* The rank that has the lowest number; comm_size() where all have INFINITY. Collective. */
static size_t rank_of_lowest(double number)
{
    double highest = -number;
    comm_max_double(&highest, 1);
    double rank = highest == -number && !isinf(number) ? (double)comm_rank() : -1.0;
    comm_max_double(&rank, 1);
    return rank < 0.0 ? comm_size() : (size_t)rank;
}

/* Tell rank 0 what was wrong with the first bad episode. Collective. */
static void send_first_bad(const struct conversion *conversion)
{
    char *text = conversion->summary->first_bad;
    size_t size = sizeof conversion->summary->first_bad;
    size_t owner = rank_of_lowest(conversion->skipped.episode);
    snprintf(text, size, "%s", conversion->skipped.failure.text);
    if (owner == comm_size() || owner == 0) {
        return;
    }
    if (comm_rank() == owner) {
        comm_send(0, text, size);
    } else if (comm_rank() == 0) {
        comm_receive(owner, text, size);
    }
}

static void convert_all(struct convert_summary *summary, const struct convert_input *input)
{
    struct conversion conversion = {.input = input,
                                    .summary = summary,
                                    .failed = {.episode = (double)INFINITY},
                                    .skipped = {.episode = (double)INFINITY}};
    size_t count = input->format->episode_count(input->source);
    comm_same(count, "episodes of the input");
    conversion_open(&conversion, count);
    struct progress progress = progress_begin("convert", 0, count);
    size_t round = conversion.batch_size * comm_size();
    for (size_t first = 0; first < count; first += round) {
        char detail[64];
        convert_round(&conversion, first, count);
        double seconds = clock_seconds() - progress.begun;
        snprintf(detail, sizeof detail, "%.0f MB/s", 1e-6 * (double)summary->bytes / seconds);
        progress_show(&progress, size_min(first + round, count), detail);
    }
    agree_on_failure(&conversion);
    summary->numbers = summary->steps * summary->spec.action_dim;
    send_first_bad(&conversion);
    commit_store(&conversion);
    conversion_close(&conversion);
}

void convert_run(struct convert_summary *summary, const struct convert_options *options)
{
    *summary = (struct convert_summary){.format = ""};
    double begun = clock_seconds();
    struct failure failure = {.code = EXIT_CODE_DONE};
    struct convert_input input;
    if (!convert_input_open(&input, options, &summary->spec, &failure)) {
        convert_input_close(&input);
    }
    comm_agree(&failure);
    summary->format = input.format->name;
    convert_all(summary, &input);
    convert_input_close(&input);
    summary->seconds = clock_seconds() - begun;
}

#include "datasets/formats/convert_share.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"

/* Episodes that a rank reads in a round: many, so that ranks seldom wait for one another, as long
 * as they take little memory. */
enum { HAND_MAX = 32, HAND_BYTES = 16 << 20 };

/* What all ranks must know of a round, as numbers that can be summed: of each of its episodes the
 * length and the variants (0: it is not kept), and of all of them these. */
enum { LENGTH, VARIANTS, SLOT };
enum { FAILED, PARTIAL, BAD, CLIPPED, BYTES, TOTALS };

/* A failure, and the episode that has it. */
struct finding {
    double episode; /* INFINITY: none */
    struct failure failure;
};

struct share {
    const struct convert_input *input;
    struct convert_summary *summary;
    struct store_writer *writer;
    struct store_capacity room, used;
    size_t hand, variants_max;
    struct parcel parcels[HAND_MAX];
    double *slots, *totals;            /* (hand * ranks, SLOT) and (TOTALS) behind them */
    struct store_index_entry *entries; /* (hand, variants_max) */
    double *moments;                   /* (hand, 2, observation_dim) */
    struct finding failed;             /* what will end the job */
    struct finding bad;                /* the first that was passed over on this rank */
};

/* --- When something is wrong ------------------------------------------------------------------ */

/* Where any rank has failed, the failure of the lowest episode ends the job and nothing is left of
 * the store. Collective. */
static void agree(struct share *share)
{
    double first = -share->failed.episode;
    comm_max_double(&first, 1);
    if (isinf(first)) {
        return;
    }
    if (share->writer) {
        store_writer_discard(share->writer);
        share->writer = NULL;
    }
    if (-share->failed.episode < first) {
        share->failed.failure = (struct failure){0};
    }
    comm_barrier();
    comm_agree(&share->failed.failure);
}

/* The same after what has no episode: ranks stand for themselves. */
static void agree_here(struct share *share, const struct failure *failure)
{
    if (failure->code != EXIT_CODE_DONE) {
        share->failed = (struct finding){.episode = (double)comm_rank(), .failure = *failure};
    }
    agree(share);
}

/* --- The store -------------------------------------------------------------------------------- */

/* Rank 0 makes the file, the others join. */
static void open_store(struct share *share)
{
    const struct store_spec *spec = &share->summary->spec;
    const char *path = share->input->options->output;
    struct failure failure = {0};
    if (comm_rank() == 0) {
        share->writer = store_writer_open(path, spec, share->room, &failure);
    }
    agree_here(share, &failure);
    if (comm_rank() != 0) {
        share->writer = store_writer_join(path, spec, share->room, &failure);
    }
    agree_here(share, &failure);
}

/* Where the store has no room for the round, all go on in a larger one. */
static void make_room(struct share *share, struct store_capacity needed)
{
    if (needed.episodes <= share->room.episodes && needed.steps <= share->room.steps) {
        return;
    }
    struct failure failure = {0};
    share->room = store_capacity_grow(share->room, needed);
    if (comm_rank() == 0) {
        store_writer_resize(share->writer, share->room, &failure);
    } else {
        store_writer_discard(share->writer);
        share->writer = NULL;
    }
    agree_here(share, &failure);
    if (comm_rank() != 0) {
        share->writer = store_writer_join(share->input->options->output, &share->summary->spec,
                                          share->room, &failure);
    }
    agree_here(share, &failure);
}

/* The others' bytes are on the disk before rank 0 gives the file its name. */
static void close_store(struct share *share)
{
    struct failure failure = {0};
    for (size_t turn = 0; turn < 2; turn++) {
        if ((turn == 0) == (comm_rank() != 0)) {
            store_writer_commit(share->writer, &failure);
            share->writer = NULL;
        }
        agree_here(share, &failure);
    }
}

/* --- A round ---------------------------------------------------------------------------------- */

static double *slot_of(const struct share *share, size_t turn, size_t rank)
{
    return share->slots + (turn * comm_size() + rank) * SLOT;
}

/* Keep a failure, unless there is one of an episode before. */
static void fail(struct share *share, size_t index, const struct failure *failure)
{
    if (isinf(share->failed.episode)) {
        share->failed = (struct finding){.episode = (double)index, .failure = *failure};
        share->totals[FAILED] += 1.0;
    }
}

/* Count what came of an episode. */
static void count(struct share *share, size_t turn, size_t index)
{
    const struct parcel_note *note = &share->parcels[turn].note;
    const struct failure *failure = &note->failure;
    double *slot = slot_of(share, turn, comm_rank());
    if (failure->code == EXIT_CODE_DONE) {
        slot[LENGTH] = (double)note->length;
        slot[VARIANTS] = (double)note->variants;
        share->totals[PARTIAL] += note->is_partial;
        share->totals[CLIPPED] += (double)note->clipped;
        share->totals[BYTES] += (double)note->bytes;
    } else if (failure->code == EXIT_CODE_DATA && share->input->options->bad == CONVERT_SKIP_BAD) {
        share->totals[BAD] += 1.0;
        if (isinf(share->bad.episode)) {
            share->bad = (struct finding){.episode = (double)index, .failure = *failure};
        }
    } else {
        fail(share, index, failure);
    }
}

/* Read this rank's episodes of the round that begins with episode `first`. */
static void read_hand(struct share *share, size_t first, size_t end)
{
    for (size_t turn = 0; turn < share->hand && isinf(share->failed.episode); turn++) {
        size_t index = first + turn * comm_size() + comm_rank();
        if (index < end) {
            convert_episode(&share->parcels[turn], share->input, index);
            count(share, turn, index);
        }
    }
}

/* Write the variants of an episode of this rank's behind `end`. */
static void put(struct share *share, size_t turn, struct store_position end)
{
    const struct parcel *parcel = &share->parcels[turn];
    double *moments = share->moments + turn * 2 * parcel->spec.observation_dim;
    struct failure failure = {0};
    for (size_t variant = 0; variant < parcel->note.variants; variant++) {
        struct store_episode episode = parcel_episode(parcel, variant);
        struct store_index_entry *entry = &share->entries[turn * share->variants_max + variant];
        if (!store_writer_write(share->writer, end, &episode, entry, moments, &failure)) {
            fail(share, end.episode, &failure);
            return;
        }
        end.episode++;
        end.step += parcel->note.length;
    }
}

static void add_slot(struct store_capacity *end, const double *slot)
{
    end->episodes += (size_t)slot[VARIANTS];
    end->steps += (size_t)(slot[VARIANTS] * slot[LENGTH]);
}

/* What the store holds when the round is over. */
static struct store_capacity end_of_round(const struct share *share)
{
    struct store_capacity end = share->used;
    for (size_t slot = 0; slot < share->hand * comm_size(); slot++) {
        add_slot(&end, share->slots + slot * SLOT);
    }
    return end;
}

/* Go through the round in the order of its episodes and write this rank's. */
static void put_hand(struct share *share)
{
    struct store_capacity end = share->used;
    for (size_t turn = 0; turn < share->hand; turn++) {
        for (size_t rank = 0; rank < comm_size(); rank++) {
            const double *slot = slot_of(share, turn, rank);
            if (rank == comm_rank() && slot[VARIANTS] > 0.0) {
                const struct store_position place = {.episode = end.episodes, .step = end.steps};
                put(share, turn, place);
            }
            add_slot(&end, slot);
        }
    }
}

/* Rank 0 enters all of the round; the others send what it needs. */
static void enter_hand(struct share *share)
{
    size_t moments_bytes = 2 * share->summary->spec.observation_dim * sizeof(double);
    for (size_t turn = 0; turn < share->hand; turn++) {
        struct store_index_entry *entries = &share->entries[turn * share->variants_max];
        double *moments = share->moments + turn * 2 * share->summary->spec.observation_dim;
        for (size_t rank = 0; rank < comm_size(); rank++) {
            size_t variants = (size_t)slot_of(share, turn, rank)[VARIANTS];
            if (variants == 0 || (comm_rank() != 0 && comm_rank() != rank)) {
                continue;
            }
            if (comm_rank() != 0) {
                comm_send(0, entries, variants * sizeof *entries);
                comm_send(0, moments, moments_bytes);
            } else if (rank != 0) {
                comm_receive(rank, entries, variants * sizeof *entries);
                comm_receive(rank, moments, moments_bytes);
            }
            for (size_t variant = 0; comm_rank() == 0 && variant < variants; variant++) {
                store_writer_append_index(share->writer, &entries[variant], moments);
            }
        }
    }
}

static void add_totals(struct share *share, struct store_capacity end)
{
    struct convert_summary *summary = share->summary;
    summary->partial += (size_t)share->totals[PARTIAL];
    summary->bad += (size_t)share->totals[BAD];
    summary->clipped += (size_t)share->totals[CLIPPED];
    summary->bytes += (uint64_t)share->totals[BYTES];
    summary->episodes = end.episodes;
    summary->steps = end.steps;
    share->used = end;
}

/* Ranks meet once in a round that goes well: a failure to write waits for the next. */
static void play_round(struct share *share, size_t first, size_t count)
{
    size_t numbers = share->hand * comm_size() * SLOT + TOTALS;
    double failed = share->totals[FAILED];
    memset(share->slots, 0, numbers * sizeof *share->slots);
    share->totals[FAILED] = failed;
    read_hand(share, first, count);
    comm_sum_double(share->slots, numbers);
    if (share->totals[FAILED] > 0.0) {
        agree(share);
    }
    struct store_capacity end = end_of_round(share);
    make_room(share, end);
    put_hand(share);
    enter_hand(share);
    add_totals(share, end);
}

/* --- All of them ------------------------------------------------------------------------------ */

/* By the mean length of an episode; 1 where nobody knows it. */
static size_t find_hand(const struct store_spec *spec, size_t episodes, size_t steps)
{
    size_t step_bytes =
        (spec->observation_dim + spec->action_dim + spec->task_count) * sizeof(float) +
        spec->physics_dim * sizeof(double);
    size_t bytes = steps * step_bytes / (episodes > 0 ? episodes : 1);
    size_t hand = bytes > 0 ? HAND_BYTES / bytes : 1;
    return hand < 1 ? 1 : hand < HAND_MAX ? hand : HAND_MAX;
}

static void open_share(struct share *share, size_t count)
{
    const struct convert_input *input = share->input;
    const struct store_spec *spec = &share->summary->spec;
    size_t steps = input->format->step_count ? input->format->step_count(input->source) : 0;
    share->variants_max = input->relabel ? relabel_variants(input->relabel) : 1;
    share->hand = find_hand(spec, count, steps);
    size_t slots = share->hand * comm_size() * SLOT;
    share->slots = memory_take(slots + TOTALS, sizeof *share->slots);
    share->totals = share->slots + slots;
    share->entries = memory_take(share->hand * share->variants_max, sizeof *share->entries);
    share->moments = memory_take(share->hand * 2 * spec->observation_dim, sizeof *share->moments);
    for (size_t turn = 0; turn < share->hand; turn++) {
        parcel_open(&share->parcels[turn], spec);
    }
    share->room = (struct store_capacity){.episodes = count * share->variants_max,
                                          .steps = steps * share->variants_max};
    open_store(share);
}

static void close_share(struct share *share)
{
    for (size_t turn = 0; turn < share->hand; turn++) {
        parcel_close(&share->parcels[turn]);
    }
    memory_free(share->slots);
    memory_free(share->entries);
    memory_free(share->moments);
}

static void show(struct progress *progress, size_t done, const struct convert_summary *summary)
{
    char detail[64];
    double seconds = clock_seconds() - progress->begun;
    snprintf(detail, sizeof detail, "%.0f MB/s", 1e-6 * (double)summary->bytes / seconds);
    progress_show(progress, done, detail);
}

/* Which rank has the lowest number; comm_size() where all have INFINITY. */
static size_t rank_of_lowest(double number)
{
    double highest = -number;
    comm_max_double(&highest, 1);
    double rank = highest == -number && !isinf(number) ? (double)comm_rank() : -1.0;
    comm_max_double(&rank, 1);
    return rank < 0.0 ? comm_size() : (size_t)rank;
}

/* The words about the first episode that was passed over, to rank 0. */
static void tell_first_bad(const struct share *share)
{
    char *words = share->summary->first_bad;
    size_t size = sizeof share->summary->first_bad;
    size_t owner = rank_of_lowest(share->bad.episode);
    snprintf(words, size, "%s", share->bad.failure.text);
    if (owner == comm_size() || owner == 0) {
        return;
    }
    if (comm_rank() == owner) {
        comm_send(0, words, size);
    } else if (comm_rank() == 0) {
        comm_receive(owner, words, size);
    }
}

void convert_share(struct convert_summary *summary, const struct convert_input *input)
{
    struct share share = {.input = input,
                          .summary = summary,
                          .failed = {.episode = (double)INFINITY},
                          .bad = {.episode = (double)INFINITY}};
    size_t count = input->format->episode_count(input->source);
    comm_same(count, "episodes of the input");
    open_share(&share, count);
    struct progress progress = progress_begin("convert", 0, count);
    for (size_t first = 0; first < count; first += share.hand * comm_size()) {
        play_round(&share, first, count);
        size_t done = first + share.hand * comm_size();
        show(&progress, done < count ? done : count, summary);
    }
    agree(&share);
    summary->numbers = summary->steps * summary->spec.action_dim;
    tell_first_bad(&share);
    close_store(&share);
    close_share(&share);
}

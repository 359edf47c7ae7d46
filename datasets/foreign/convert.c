#include "datasets/foreign/convert.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "comm/comm.h"
#include "datasets/foreign/convert_episode.h"

struct converter {
    struct convert_input input;
    struct store_writer *writer; /* rank 0's */
    struct parcel parcel;        /* the episode at hand */
    struct convert_summary *summary;
};

/* --- What the store will say ------------------------------------------------------------------ */

/* Give the recorded rewards the names of a list, "walk,run". */
static bool name_tasks(struct store_spec *spec, const char *names, struct failure *failure)
{
    size_t count = 0;
    const char *at = names;
    for (; count < spec->task_count; count++) {
        size_t length = strcspn(at, ",");
        snprintf(spec->tasks[count], sizeof spec->tasks[count], "%.*s", (int)length, at);
        at += length;
        if (*at == '\0') {
            count++;
            break;
        }
        at++;
    }
    return (count == spec->task_count && *at == '\0') ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "convert.task: found \"%.200s\", expected the names of %zu tasks, separated "
                       "by commas, as the input has so many rewards",
                       names, spec->task_count);
}

/* The input's own name, without the folders it lies in, behind what its format is called. */
static void name_source(struct store_spec *spec, const char *input)
{
    char name[FOREIGN_NAME_MAX];
    size_t length = strlen(input);
    while (length > 1 && input[length - 1] == '/') {
        length--;
    }
    size_t begin = length;
    while (begin > 0 && input[begin - 1] != '/') {
        begin--;
    }
    snprintf(name, sizeof name, "%.*s", (int)(length - begin), input + begin);
    size_t used = strlen(spec->source);
    snprintf(spec->source + used, sizeof spec->source - used, ": %.150s", name);
}

static bool describe(struct store_spec *spec, const struct convert_options *options,
                     struct failure *failure)
{
    if (options->source[0] != '\0') {
        snprintf(spec->source, sizeof spec->source, "%.*s", STORE_TEXT_MAX - 1, options->source);
    } else {
        name_source(spec, options->input);
    }
    if (options->domain[0] != '\0') {
        snprintf(spec->domain, sizeof spec->domain, "%.*s", STORE_NAME_MAX - 1, options->domain);
    }
    if (options->control_timestep > 0.0) {
        spec->control_timestep = options->control_timestep;
    } else if (spec->control_timestep == 0.0) {
        spec->control_timestep = 1.0;
    }
    return options->tasks[0] == '\0' || name_tasks(spec, options->tasks, failure);
}

/* --- Opening and closing ---------------------------------------------------------------------- */

/* The same on every rank; rank 0 opens the store as well. */
static bool open_all(struct converter *converter, const struct convert_options *options,
                     struct failure *failure)
{
    struct convert_input *input = &converter->input;
    struct store_spec *spec = &converter->summary->spec;
    input->format = foreign_find(options->input, options->format, failure);
    if (!input->format) {
        return false;
    }
    input->source = input->format->open(options->input, &options->reading, spec, failure);
    if (!input->source || !describe(spec, options, failure)) {
        return false;
    }
    if (options->relabel[0] != '\0') {
        input->relabel =
            relabel_open(options->relabel, options->convention, options->inertia, spec, failure);
        if (!input->relabel) {
            return false;
        }
    }
    converter->writer = comm_rank() == 0 ? store_writer_open(options->output, spec, failure) : NULL;
    return converter->writer || comm_rank() != 0;
}

static void close_all(struct converter *converter)
{
    struct convert_input *input = &converter->input;
    if (converter->writer) {
        store_writer_discard(converter->writer);
        converter->writer = NULL;
    }
    if (input->relabel) {
        relabel_close(input->relabel);
        input->relabel = NULL;
    }
    if (input->source) {
        input->format->close(input->source);
        input->source = NULL;
    }
    parcel_close(&converter->parcel);
}

/* --- Episode by episode ----------------------------------------------------------------------- */

/* Count a bad episode, or end with what is wrong with it. */
static bool pass_over(struct converter *converter, const struct failure *why,
                      struct failure *failure)
{
    struct convert_summary *summary = converter->summary;
    if (why->code != EXIT_CODE_DATA || converter->input.options->bad == CONVERT_REFUSE_BAD) {
        *failure = *why;
        return false;
    }
    if (summary->bad++ == 0) {
        snprintf(summary->first_bad, sizeof summary->first_bad, "%s", why->text);
    }
    return true;
}

/* What came of an episode, into the store. */
static bool keep(struct converter *converter, struct failure *failure)
{
    const struct parcel_note *note = &converter->parcel.note;
    struct convert_summary *summary = converter->summary;
    if (note->failure.code != EXIT_CODE_DONE) {
        return pass_over(converter, &note->failure, failure);
    }
    summary->partial += note->is_partial;
    summary->clipped += note->clipped;
    summary->numbers += note->length * summary->spec.action_dim;
    summary->bytes += note->bytes;
    for (size_t variant = 0; variant < note->variants; variant++) {
        struct store_episode episode = parcel_episode(&converter->parcel, variant);
        if (!store_writer_add(converter->writer, &episode, failure)) {
            return false;
        }
        summary->episodes++;
        summary->steps += note->length;
    }
    return true;
}

static void show_progress(struct progress *progress, size_t done,
                          const struct convert_summary *summary)
{
    char detail[64];
    double seconds = clock_seconds() - progress->begun;
    snprintf(detail, sizeof detail, "%.0f MB/s", 1e-6 * (double)summary->bytes / seconds);
    progress_show(progress, done, detail);
}

/* Rank 0 takes the episodes in order, its own and the others'. */
static bool take_all(struct converter *converter, size_t count, struct failure *failure)
{
    struct progress progress = progress_begin("convert", 0, count);
    for (size_t index = 0; index < count; index++) {
        size_t rank = index % comm_size();
        if (rank == 0) {
            convert_episode(&converter->parcel, &converter->input, index);
        } else {
            parcel_receive(&converter->parcel, rank);
        }
        if (!keep(converter, failure)) {
            return false;
        }
        show_progress(&progress, index + 1, converter->summary);
    }
    struct store_writer *writer = converter->writer;
    converter->writer = NULL;
    return store_writer_commit(writer, failure);
}

static void send_own(struct converter *converter, size_t count)
{
    for (size_t index = comm_rank(); index < count; index += comm_size()) {
        convert_episode(&converter->parcel, &converter->input, index);
        parcel_send(&converter->parcel, 0);
    }
}

/* Rank 0 ends the job where it is: the others may be waiting to send it what it no longer wants. */
static void work(struct converter *converter)
{
    struct failure failure = {.code = EXIT_CODE_DONE};
    size_t count = converter->input.format->episode_count(converter->input.source);
    comm_same(count, "episodes of the input");
    parcel_open(&converter->parcel, &converter->summary->spec);
    if (comm_rank() != 0) {
        send_own(converter, count);
    } else if (!take_all(converter, count, &failure)) {
        close_all(converter);
        fatal_if_failed(&failure);
    }
}

void convert_run(struct convert_summary *summary, const struct convert_options *options)
{
    *summary = (struct convert_summary){.format = ""};
    double begun = clock_seconds();
    struct failure failure = {.code = EXIT_CODE_DONE};
    struct converter converter = {.input = {.options = options}, .summary = summary};
    if (!open_all(&converter, options, &failure)) {
        close_all(&converter);
    }
    comm_agree(&failure);
    summary->format = converter.input.format->name;
    work(&converter);
    close_all(&converter);
    comm_barrier();
    summary->seconds = clock_seconds() - begun;
}

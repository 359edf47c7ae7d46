#include "datasets/formats/convert.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "comm/comm.h"
#include "datasets/formats/convert_share.h"

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
    char name[FORMAT_NAME_MAX];
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

/* --- All of it -------------------------------------------------------------------------------- */

/* The same on every rank. */
static bool open_input(struct convert_input *input, struct store_spec *spec,
                       struct failure *failure)
{
    const struct convert_options *options = input->options;
    input->format = format_find_reader(options->input, options->format, failure);
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
    }
    return options->relabel[0] == '\0' || input->relabel;
}

static void close_input(struct convert_input *input)
{
    if (input->relabel) {
        relabel_close(input->relabel);
    }
    if (input->source) {
        input->format->close(input->source);
    }
}

void convert_run(struct convert_summary *summary, const struct convert_options *options)
{
    *summary = (struct convert_summary){.format = ""};
    double begun = clock_seconds();
    struct failure failure = {.code = EXIT_CODE_DONE};
    struct convert_input input = {.options = options};
    if (!open_input(&input, &summary->spec, &failure)) {
        close_input(&input);
    }
    comm_agree(&failure);
    summary->format = input.format->name;
    convert_share(summary, &input);
    close_input(&input);
    summary->seconds = clock_seconds() - begun;
}

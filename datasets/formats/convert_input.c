#include "datasets/formats/convert_input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/floating_point.h"
#include "base/memory.h"

/* --- What the store will say ------------------------------------------------------------------ */

/* Give the recorded rewards the names of a list, "walk,run". */
static bool name_rewards(struct store_spec *spec, const char *names, struct failure *failure)
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

/* Append the last component of the input's path to the source. */
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

static bool complete_spec(struct store_spec *spec, const struct convert_options *options,
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
    return options->tasks[0] == '\0' || name_rewards(spec, options->tasks, failure);
}

bool convert_input_open(struct convert_input *input, const struct convert_options *options,
                        struct store_spec *spec, struct failure *failure)
{
    *input = (struct convert_input){.options = options, .spec = spec, .variants = 1};
    input->format = format_find_reader(options->input, options->format, failure);
    if (!input->format) {
        return false;
    }
    input->source = input->format->open(options->input, &options->reading, spec, failure);
    if (!input->source || !complete_spec(spec, options, failure)) {
        return false;
    }
    if (options->relabel[0] == '\0') {
        return true;
    }
    input->relabel =
        relabel_open(options->relabel, options->convention, options->inertia, spec, failure);
    input->variants = input->relabel ? relabel_variants(input->relabel) : 0;
    return input->relabel;
}

void convert_input_close(struct convert_input *input)
{
    if (input->relabel) {
        relabel_close(input->relabel);
    }
    if (input->source) {
        input->format->close(input->source);
    }
}

/* --- NaN and infinity ------------------------------------------------------------------------- */

static bool refuse_number(const struct convert_input *input, const struct format_episode *episode,
                          const char *key, double found, size_t row, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: %s: found %s in row %zu, expected finite numbers; mend the data or "
                       "skip the episode with --convert.skip_bad",
                       input->options->input, episode->name, key, isnan(found) ? "NaN" : "infinity",
                       episode->first_row + row);
}

static bool check_singles(const struct convert_input *input, const struct format_episode *episode,
                          const char *key, const float *numbers, size_t rows, size_t columns,
                          struct failure *failure)
{
    size_t odd = finite_single(numbers, rows * columns);
    return odd == rows * columns ||
           refuse_number(input, episode, key, (double)numbers[odd], odd / columns, failure);
}

static bool check_doubles(const struct convert_input *input, const struct format_episode *episode,
                          const char *key, const double *numbers, size_t rows, size_t columns,
                          struct failure *failure)
{
    size_t odd = numbers ? finite_double(numbers, rows * columns) : rows * columns;
    return odd == rows * columns ||
           refuse_number(input, episode, key, numbers[odd], odd / columns, failure);
}

/* Check everything that will be stored or simulated. */
static bool check_episode_numbers(const struct convert_input *input,
                                  const struct format_episode *episode, struct failure *failure)
{
    const struct store_spec *spec = input->spec;
    const struct store_episode *data = &episode->data;
    size_t steps = data->length;
    if (steps == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found no steps, expected at least one; skip the episode with "
                           "--convert.skip_bad",
                           input->options->input, episode->name);
    }
    if (!check_singles(input, episode, "observation", data->observation, steps + 1,
                       spec->observation_dim, failure) ||
        !check_singles(input, episode, "action", data->action, steps, spec->action_dim, failure) ||
        !check_doubles(input, episode, "physics", data->physics, steps + 1, spec->physics_dim,
                       failure)) {
        return false;
    }
    for (size_t k = 0; k < spec->task_count && !input->relabel; k++) {
        if (!check_singles(input, episode, "reward", data->reward[k], steps, 1, failure)) {
            return false;
        }
    }
    return input->relabel ||
           check_doubles(input, episode, "hidden", data->hidden, 1, spec->hidden_dim, failure);
}

/* --- An episode ------------------------------------------------------------------------------- */

/* The arrays share one block of memory, each at a multiple of 64 bytes. */
static void reserve_arrays(struct converted_episode *episode, const struct store_spec *spec)
{
    enum { OBSERVATION, ACTION, REWARD, PHYSICS, HIDDEN, ARRAYS, ALIGNMENT = 64 };
    const size_t bytes[ARRAYS] = {
        [OBSERVATION] = (episode->length + 1) * spec->observation_dim * sizeof(float),
        [ACTION] = episode->length * spec->action_dim * sizeof(float),
        [REWARD] = episode->variants * spec->task_count * episode->length * sizeof(float),
        [PHYSICS] = (episode->length + 1) * spec->physics_dim * sizeof(double),
        [HIDDEN] = episode->variants * spec->hidden_dim * sizeof(double),
    };
    void *arrays[ARRAYS];
    for (size_t i = 0; i < ARRAYS; i++) {
        episode->bytes += round_up(bytes[i], ALIGNMENT);
    }
    episode->memory = memory_reserve(episode->memory, &episode->capacity, episode->bytes);
    unsigned char *at = episode->memory;
    for (size_t i = 0; i < ARRAYS; i++) {
        arrays[i] = bytes[i] > 0 ? at : NULL;
        at += round_up(bytes[i], ALIGNMENT);
    }
    episode->observation = arrays[OBSERVATION];
    episode->action = arrays[ACTION];
    episode->reward = arrays[REWARD];
    episode->physics = arrays[PHYSICS];
    episode->hidden = arrays[HIDDEN];
}

/* Clip every number to [-1, 1]; returns how many were outside. */
static size_t clip_actions(float *action, size_t count)
{
    size_t clipped = 0;
    for (size_t i = 0; i < count; i++) {
        float inside = action[i] > 1.0F ? 1.0F : action[i] < -1.0F ? -1.0F : action[i];
        clipped += inside != action[i];
        action[i] = inside;
    }
    return clipped;
}

/* Rewards and hidden numbers as recorded, or of the tasks of relabelling. */
static void convert_rewards(struct converted_episode *episode, const struct convert_input *input,
                            const struct store_episode *recorded)
{
    size_t steps = episode->length;
    if (input->relabel) {
        struct store_episode clipped = *recorded;
        clipped.action = episode->action;
        relabel_episode(episode->reward, episode->hidden, input->relabel, &clipped);
        return;
    }
    for (size_t k = 0; k < input->spec->task_count; k++) {
        memcpy(episode->reward + k * steps, recorded->reward[k], steps * sizeof(float));
    }
    if (episode->hidden) {
        memcpy(episode->hidden, recorded->hidden, input->spec->hidden_dim * sizeof(double));
    }
}

static void convert_arrays(struct converted_episode *episode, const struct convert_input *input,
                           const struct store_episode *recorded)
{
    const struct store_spec *spec = input->spec;
    size_t steps = recorded->length;
    episode->length = steps;
    episode->variants = input->variants;
    episode->group = recorded->group;
    episode->end = recorded->end;
    reserve_arrays(episode, spec);
    memcpy(episode->observation, recorded->observation,
           (steps + 1) * spec->observation_dim * sizeof(float));
    memcpy(episode->action, recorded->action, steps * spec->action_dim * sizeof(float));
    if (episode->physics) {
        memcpy(episode->physics, recorded->physics,
               (steps + 1) * spec->physics_dim * sizeof(double));
    }
    episode->clipped = clip_actions(episode->action, steps * spec->action_dim);
    convert_rewards(episode, input, recorded);
}

void convert_input_read(const struct convert_input *input, size_t index,
                        struct converted_episode *episode)
{
    struct format_episode read = {.is_partial = false};
    *episode = (struct converted_episode){.memory = episode->memory, .capacity = episode->capacity};
    if (!input->format->read(input->source, index, &read, &episode->failure)) {
        return;
    }
    episode->is_partial = read.is_partial;
    bool is_kept = !read.is_partial || input->options->partial == CONVERT_KEEP_PARTIAL;
    if (is_kept && check_episode_numbers(input, &read, &episode->failure)) {
        convert_arrays(episode, input, &read.data);
    }
}

struct store_episode convert_input_variant(const struct convert_input *input,
                                           const struct converted_episode *episode, size_t variant)
{
    const struct store_spec *spec = input->spec;
    struct store_episode result = {
        .length = episode->length,
        .observation = episode->observation,
        .action = episode->action,
        .physics = episode->physics,
        .hidden = episode->hidden ? episode->hidden + variant * spec->hidden_dim : NULL,
        .group = episode->variants > 1 ? (int64_t)variant : episode->group,
        .end = episode->end,
    };
    for (size_t k = 0; k < spec->task_count; k++) {
        result.reward[k] = episode->reward + (variant * spec->task_count + k) * episode->length;
    }
    return result;
}

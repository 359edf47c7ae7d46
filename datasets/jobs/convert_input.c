#include "datasets/jobs/convert_input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/floating_point.h"
#include "base/memory.h"
#include "datasets/formats/description.h"
#include "datasets/jobs/convert_actions.h"

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
    char whole[sizeof spec->source + 160];
    snprintf(whole, sizeof whole, "%s: %.150s", spec->source, name);
    description_copy_text(spec->source, sizeof spec->source, whole);
}

static bool complete_spec(struct store_spec *spec, const struct convert_options *options,
                          bool is_stored, struct failure *failure)
{
    if (options->source[0] != '\0') {
        snprintf(spec->source, sizeof spec->source, "%.*s", STORE_TEXT_MAX - 1, options->source);
    } else if (!is_stored) {
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

bool convert_refuse_option(const char *option, const char *found, const char *expected,
                           struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_CONFIG, "convert.%s: found it %s, expected %s", option,
                       found, expected);
}

/* Is every option of use for this input? What would be ignored is refused. */
static bool check_all_of_use(const struct convert_options *options,
                             const struct format_reader *format, struct failure *failure)
{
    static const char scaled[] = "for a store, whose actions are scaled or one-hot already";
    static const char original[] = "none; convert the original data with it";
    const struct format_options *reading = &options->reading;
    if (format->is_stored) {
        if (options->action_low[0] != '\0' || options->action_high[0] != '\0') {
            return convert_refuse_option(options->action_low[0] ? "action_low" : "action_high",
                                         scaled, original, failure);
        }
        if (reading->action_counts[0] != '\0' || options->actions == CONVERT_REFUSE_ACTIONS) {
            return convert_refuse_option(reading->action_counts[0] ? "action_counts" : "actions",
                                         scaled, original, failure);
        }
    }
    if (reading->observation_keys[0] != '\0' && !format->has_keys) {
        return convert_refuse_option(
            "observation_keys", "for an input whose observations have no names",
            "a Minari or robomimic data set; choose columns before converting", failure);
    }
    return options->relabel[0] == '\0' || options->tasks[0] == '\0' ||
           convert_refuse_option("task", "beside convert.relabel",
                                 "only one of them: relabelled rewards have their tasks' names",
                                 failure);
}

bool convert_input_open(struct convert_input *input, const struct convert_options *options,
                        struct store_spec *spec, struct failure *failure)
{
    *input = (struct convert_input){.options = options, .spec = spec, .variants = 1};
    input->format = format_find_reader(options->input, options->format, failure);
    if (!input->format || !check_all_of_use(options, input->format, failure)) {
        return false;
    }
    input->source = input->format->open(options->input, &options->reading, spec, failure);
    input->action_columns = input->source ? spec->action_dim : 0;
    if (!input->source || !complete_spec(spec, options, input->format->is_stored, failure) ||
        !convert_actions_describe(spec, options, input->format->is_stored, failure)) {
        return false;
    }
    if (options->relabel[0] != '\0') {
        input->relabel =
            relabel_open(options->relabel, options->convention, options->inertia, spec, failure);
        if (!input->relabel) {
            return false;
        }
        input->variants = relabel_variants(input->relabel);
    }
    if (options->expert.task) {
        input->labeller = labeller_open(&options->expert, spec, failure);
    }
    return !options->expert.task || input->labeller;
}

void convert_input_close(struct convert_input *input)
{
    if (input->relabel) {
        relabel_close(input->relabel);
    }
    labeller_close(input->labeller);
    if (input->source) {
        input->format->close(input->source);
    }
    memory_free(input->action);
    memory_free(input->choices);
    memory_free(input->reward);
    memory_free(input->hidden);
}

/* --- NaN and infinity ------------------------------------------------------------------------- */

/* An array of an episode, and where its first row is in the input. */
struct checked_array {
    const char *key;
    size_t rows, columns, first_row;
};

static bool refuse_number(const struct convert_input *input, const struct format_episode *episode,
                          const struct checked_array *array, size_t at, double found,
                          struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: %s: found %s in row %zu, expected finite numbers; mend the data or "
                       "skip the episode with --convert.skip_bad",
                       input->options->input, episode->name, array->key,
                       isnan(found) ? "NaN" : "infinity", array->first_row + at / array->columns);
}

static bool check_singles(const struct convert_input *input, const struct format_episode *episode,
                          const struct checked_array *array, const float *numbers,
                          struct failure *failure)
{
    size_t count = array->rows * array->columns;
    size_t odd = finite_single(numbers, count);
    return odd == count || refuse_number(input, episode, array, odd, (double)numbers[odd], failure);
}

static bool check_doubles(const struct convert_input *input, const struct format_episode *episode,
                          const struct checked_array *array, const double *numbers,
                          struct failure *failure)
{
    if (!numbers) {
        return true;
    }
    size_t count = array->rows * array->columns;
    size_t odd = finite_double(numbers, count);
    return odd == count || refuse_number(input, episode, array, odd, numbers[odd], failure);
}

/* Check everything that will be stored or simulated. */
static bool check_episode_numbers(const struct convert_input *input,
                                  const struct format_episode *episode, struct failure *failure)
{
    const struct store_spec *spec = input->spec;
    const struct store_episode *data = &episode->data;
    size_t steps = data->length;
    const struct checked_array observation = {"observation", steps + 1, spec->observation_dim,
                                              episode->state_row};
    const struct checked_array action = {"action", steps, input->action_columns, episode->step_row};
    const struct checked_array physics = {"physics", steps + 1, spec->physics_dim,
                                          episode->state_row};
    const struct checked_array reward = {"reward", steps, 1, episode->step_row};
    const struct checked_array hidden = {"hidden", 1, spec->hidden_dim, 0};
    if (steps == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found no steps, expected at least one; skip the episode with "
                           "--convert.skip_bad",
                           input->options->input, episode->name);
    }
    if (!check_singles(input, episode, &observation, data->observation, failure) ||
        !check_singles(input, episode, &action, data->action, failure) ||
        !check_doubles(input, episode, &physics, data->physics, failure)) {
        return false;
    }
    for (size_t k = 0; k < spec->task_count && !input->relabel; k++) {
        if (!check_singles(input, episode, &reward, data->reward[k], failure)) {
            return false;
        }
    }
    return input->relabel || check_doubles(input, episode, &hidden, data->hidden, failure);
}

/* --- An episode ------------------------------------------------------------------------------- */

/* The rewards and hidden numbers of every variant. */
static void relabel_data(struct convert_input *input, const struct store_episode *data)
{
    size_t rewards = input->variants * input->spec->task_count * data->length;
    size_t hidden = input->variants * input->spec->hidden_dim;
    input->reward = memory_reserve(input->reward, &input->reward_capacity, rewards * sizeof(float));
    input->hidden = memory_reserve(input->hidden, &input->hidden_capacity, hidden * sizeof(double));
    relabel_episode(input->reward, input->hidden, input->relabel, data);
}

bool convert_input_read(struct convert_input *input, size_t index,
                        struct converted_episode *episode, struct failure *failure)
{
    struct format_episode read = {.is_partial = false};
    *episode = (struct converted_episode){.is_kept = false};
    if (!input->format->read(input->source, index, &read, failure)) {
        return false;
    }
    episode->tally.partial = read.is_partial;
    if (read.is_partial && input->options->partial == CONVERT_DROP_PARTIAL) {
        return true;
    }
    if (!check_episode_numbers(input, &read, failure) ||
        (input->labeller &&
         !labeller_check_length(input->labeller, read.data.length, read.name, failure))) {
        return false;
    }
    episode->data = read.data;
    if (!convert_actions(input, episode, &read, failure)) {
        return false;
    }
    episode->is_kept = true;
    if (input->relabel) {
        relabel_data(input, &episode->data);
    }
    return true;
}

/* Rewarded for one of the hidden goals that there may be. */
static void reward_variant(struct store_episode *data, const struct convert_input *input,
                           size_t variant)
{
    const struct store_spec *spec = input->spec;
    data->group = input->variants > 1 ? (int64_t)variant : data->group;
    data->hidden = spec->hidden_dim > 0 ? input->hidden + variant * spec->hidden_dim : NULL;
    for (size_t k = 0; k < spec->task_count; k++) {
        data->reward[k] = input->reward + (variant * spec->task_count + k) * data->length;
    }
}

struct store_episode convert_input_variant(const struct convert_input *input,
                                           const struct converted_episode *episode, size_t variant,
                                           size_t number)
{
    struct store_episode result = episode->data;
    if (input->relabel) {
        reward_variant(&result, input, variant);
    }
    if (input->labeller) {
        result.label = labeller_label(input->labeller, &result, number);
    }
    return result;
}

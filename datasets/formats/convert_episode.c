#include "datasets/formats/convert_episode.h"

#include <math.h>
#include <string.h>

#include "base/finite.h"

/* --- Numbers that are not --------------------------------------------------------------------- */

static bool refuse(const struct convert_input *input, const struct format_episode *episode,
                   const char *key, double found, size_t row, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: %s: found %s in row %zu, expected finite numbers; mend the data or "
                       "skip the episode with --convert.skip_bad",
                       input->options->input, episode->name, key, isnan(found) ? "NaN" : "infinity",
                       row);
}

static bool check_singles(const struct convert_input *input, const struct format_episode *episode,
                          const char *key, const float *numbers, size_t rows, size_t columns,
                          struct failure *failure)
{
    size_t odd = finite_single(numbers, rows * columns);
    return odd == rows * columns ||
           refuse(input, episode, key, (double)numbers[odd], odd / columns, failure);
}

static bool check_doubles(const struct convert_input *input, const struct format_episode *episode,
                          const char *key, const double *numbers, size_t rows, size_t columns,
                          struct failure *failure)
{
    size_t odd = numbers ? finite_double(numbers, rows * columns) : rows * columns;
    return odd == rows * columns ||
           refuse(input, episode, key, numbers[odd], odd / columns, failure);
}

/* Everything that will be stored or simulated. */
static bool check(const struct convert_input *input, const struct format_episode *episode,
                  const struct store_spec *spec, struct failure *failure)
{
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

/* --- Into the parcel -------------------------------------------------------------------------- */

/* Put every number into [-1, 1]; how many were outside. */
static size_t clip(float *action, size_t count)
{
    size_t clipped = 0;
    for (size_t i = 0; i < count; i++) {
        float inside = action[i] > 1.0F ? 1.0F : action[i] < -1.0F ? -1.0F : action[i];
        clipped += inside != action[i];
        action[i] = inside;
    }
    return clipped;
}

/* Rewards and hidden numbers as recorded, or as the tasks say. */
static void pack_rewards(struct parcel *parcel, const struct convert_input *input,
                         const struct store_episode *episode)
{
    struct parcel_arrays arrays = parcel_arrays(parcel);
    size_t steps = parcel->note.length;
    if (input->relabel) {
        struct store_episode clipped = *episode;
        clipped.action = arrays.action;
        relabel_episode(arrays.reward, arrays.hidden, input->relabel, &clipped);
        return;
    }
    for (size_t k = 0; k < parcel->spec.task_count; k++) {
        memcpy(arrays.reward + k * steps, episode->reward[k], steps * sizeof(float));
    }
    if (arrays.hidden) {
        memcpy(arrays.hidden, episode->hidden, parcel->spec.hidden_dim * sizeof(double));
    }
}

static void pack(struct parcel *parcel, const struct convert_input *input,
                 const struct store_episode *episode)
{
    const struct store_spec *spec = &parcel->spec;
    struct parcel_note *note = &parcel->note;
    size_t steps = episode->length;
    note->length = steps;
    note->variants = input->relabel ? relabel_variants(input->relabel) : 1;
    note->group = episode->group;
    note->end = episode->end;
    parcel_make_room(parcel);
    struct parcel_arrays arrays = parcel_arrays(parcel);
    memcpy(arrays.observation, episode->observation,
           (steps + 1) * spec->observation_dim * sizeof(float));
    memcpy(arrays.action, episode->action, steps * spec->action_dim * sizeof(float));
    if (arrays.physics) {
        memcpy(arrays.physics, episode->physics, (steps + 1) * spec->physics_dim * sizeof(double));
    }
    note->clipped = clip(arrays.action, steps * spec->action_dim);
    pack_rewards(parcel, input, episode);
}

void convert_episode(struct parcel *parcel, const struct convert_input *input, size_t index)
{
    parcel->note = (struct parcel_note){.failure = {.code = EXIT_CODE_DONE}};
    struct failure *failure = &parcel->note.failure;
    struct format_episode episode = {.is_partial = false};
    if (!input->format->read(input->source, index, &episode, failure)) {
        return;
    }
    parcel->note.is_partial = episode.is_partial;
    bool is_wanted = !episode.is_partial || input->options->partial == CONVERT_KEEP_PARTIAL;
    if (is_wanted && check(input, &episode, &parcel->spec, failure)) {
        pack(parcel, input, &episode.data);
    }
}

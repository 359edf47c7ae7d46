#include "datasets/jobs/convert_actions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/formats/discrete.h"

/* --- Bounds ----------------------------------------------------------------------------------- */

/* Numbers separated by commas: one for each column, or one for all. */
static bool parse_bounds(double *bounds, size_t dim, const char *text, const char *option,
                         struct failure *failure)
{
    size_t count = 0;
    const char *at = text;
    for (;; at++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || !isfinite(value) || count == dim) {
            break;
        }
        bounds[count++] = value;
        at = end;
        if (*at != ',') {
            break;
        }
    }
    if (*at != '\0' || (count != 1 && count != dim)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "convert.%s: found \"%.200s\", expected a number, or %zu of them "
                           "separated by commas, as actions have so many",
                           option, text, dim);
    }
    for (size_t i = count; i < dim; i++) {
        bounds[i] = bounds[0];
    }
    return true;
}

static bool refuse_bounds(const struct convert_options *options, const char *found,
                          const char *expected, struct failure *failure)
{
    return convert_refuse_option(options->action_low[0] != '\0' ? "action_low" : "action_high",
                                 found, expected, failure);
}

static bool check_bounds_options(const struct convert_options *options, enum action_kind kind,
                                 struct failure *failure)
{
    bool has_low = options->action_low[0] != '\0', has_high = options->action_high[0] != '\0';
    if (has_low != has_high) {
        return refuse_bounds(options, "alone",
                             "convert.action_low and convert.action_high together", failure);
    }
    if (has_low && kind == ACTION_CATEGORICAL) {
        return refuse_bounds(options, "for discrete actions", "none, as choices have no bounds",
                             failure);
    }
    return !has_low || options->actions != CONVERT_REFUSE_ACTIONS ||
           refuse_bounds(options, "with convert.actions=refuse, which scales nothing",
                         "convert.actions=scale or clip", failure);
}

/* Where nobody knows a bound, or nothing may be changed, numbers stand for themselves. */
static void forget_unknown_bounds(struct action_space *space, bool forgets_all)
{
    for (size_t i = 0; i < space->dim; i++) {
        if (forgets_all || !isfinite(space->low[i]) || !isfinite(space->high[i])) {
            space->low[i] = -1.0;
            space->high[i] = 1.0;
        }
    }
}

static bool describe_bounds(struct store_spec *spec, const struct convert_options *options,
                            struct failure *failure)
{
    struct action_space *space = &spec->actions;
    size_t dim = spec->action_dim;
    if (dim > ACTION_DIM_MAX) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found actions of %zu numbers, expected at most %d: no policy can "
                           "be trained on more",
                           options->input, dim, ACTION_DIM_MAX);
    }
    if (space->dim == 0) {
        *space = action_space_continuous(dim);
    }
    if (options->action_low[0] != '\0' &&
        (!parse_bounds(space->low, dim, options->action_low, "action_low", failure) ||
         !parse_bounds(space->high, dim, options->action_high, "action_high", failure))) {
        return false;
    }
    forget_unknown_bounds(space, options->actions == CONVERT_REFUSE_ACTIONS);
    return action_space_check(space, "convert.action_low", EXIT_CODE_CONFIG, failure);
}

bool convert_actions_describe(struct store_spec *spec, const struct convert_options *options,
                              bool is_stored, struct failure *failure)
{
    const char *counts = options->reading.action_counts;
    if (is_stored) {
        return true;
    }
    if (spec->actions.kind == ACTION_CONTINUOUS && counts[0] != '\0') {
        if (!discrete_space(&spec->actions, spec->action_dim, NULL, counts, options->input,
                            failure)) {
            return false;
        }
        spec->action_dim = spec->actions.dim;
    }
    return check_bounds_options(options, spec->actions.kind, failure) &&
           (spec->actions.kind == ACTION_CATEGORICAL || describe_bounds(spec, options, failure));
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static bool is_scaled(const struct action_space *space)
{
    for (size_t i = 0; i < space->dim; i++) {
        if (space->low[i] != -1.0 || space->high[i] != 1.0) {
            return true;
        }
    }
    return false;
}

/* A number at a bound may be rounded beyond it. */
static void scale_rows(float *scaled, const float *actions, size_t count,
                       const struct action_space *space)
{
    const float tolerance = 1e-6F;
    for (size_t i = 0; i < count * space->dim; i++) {
        scaled[i] = (float)action_space_scale(space, i % space->dim, (double)actions[i]);
        if (fabsf(scaled[i]) > 1.0F && fabsf(scaled[i]) <= 1.0F + tolerance) {
            scaled[i] = copysignf(1.0F, scaled[i]);
        }
    }
}

/* Numbers outside [-1, 1], and which is the farthest. */
static size_t count_outside(size_t *farthest, const float *actions, size_t count)
{
    size_t outside = 0;
    float most = 1.0F;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(actions[i]);
        if (size > 1.0F) {
            outside++;
            *farthest = size > most ? i : *farthest;
            most = fmaxf(most, size);
        }
    }
    return outside;
}

static bool refuse_outside(const struct convert_input *input, const struct store_episode *data,
                           const struct format_episode *read, size_t outside, size_t farthest,
                           struct failure *failure)
{
    const struct action_space *space = &input->spec->actions;
    size_t column = farthest % space->dim;
    return failure_set(
        failure, EXIT_CODE_DATA,
        "%s: %s: action: found %zu of the episode's %zu numbers outside the bounds, as %g in "
        "column %zu of row %zu, expected %g to %g; name the producer's bounds with "
        "--convert.action_low and --convert.action_high, clip with "
        "--convert.actions=clip, or drop such episodes with --convert.skip_bad",
        input->options->input, read->name, outside, data->length * space->dim,
        (double)data->action[farthest], column, read->step_row + farthest / space->dim,
        space->low[column], space->high[column]);
}

/* Plain numbers of the input that the options have declared to be choices. */
static bool choose_categories(struct convert_input *input, struct store_episode *data,
                              const struct format_episode *read, struct failure *failure)
{
    char where[FORMAT_NAME_MAX + FILE_PATH_MAX];
    const struct action_space *space = &input->spec->actions;
    size_t count = data->length * input->action_columns;
    input->choices =
        memory_reserve(input->choices, &input->choices_capacity, count * sizeof(double));
    input->action = memory_reserve(input->action, &input->action_capacity,
                                   data->length * space->dim * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        input->choices[i] = (double)data->action[i];
    }
    snprintf(where, sizeof where, "%s: %s: action", input->options->input, read->name);
    data->action = input->action;
    return discrete_one_hot(input->action, input->choices, data->length, space, read->step_row,
                            where, failure);
}

static bool scale_actions(struct convert_input *input, struct converted_episode *episode,
                          const struct format_episode *read, struct failure *failure)
{
    const struct action_space *space = &input->spec->actions;
    struct store_episode *data = &episode->data;
    size_t numbers = data->length * space->dim;
    size_t farthest = 0;
    input->action = memory_reserve(input->action, &input->action_capacity, numbers * sizeof(float));
    const float *actions = data->action;
    if (is_scaled(space) && !input->format->is_stored) {
        scale_rows(input->action, data->action, data->length, space);
        actions = input->action;
    }
    size_t outside = count_outside(&farthest, actions, numbers);
    if (outside > 0 && input->options->actions != CONVERT_CLIP_ACTIONS) {
        return refuse_outside(input, data, read, outside, farthest, failure);
    }
    for (size_t i = 0; outside > 0 && i < numbers; i++) {
        input->action[i] = fmaxf(-1.0F, fminf(1.0F, actions[i]));
    }
    episode->tally.changed = outside;
    data->action = outside > 0 ? input->action : actions;
    return true;
}

bool convert_actions(struct convert_input *input, struct converted_episode *episode,
                     const struct format_episode *read, struct failure *failure)
{
    if (input->spec->actions.kind == ACTION_CONTINUOUS) {
        return scale_actions(input, episode, read, failure);
    }
    return input->action_columns == input->spec->action_dim ||
           choose_categories(input, &episode->data, read, failure);
}

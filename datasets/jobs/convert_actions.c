#include "datasets/jobs/convert_actions.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

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

bool convert_actions_describe(struct action_space *space, size_t dim,
                              const struct convert_options *options, struct failure *failure)
{
    bool has_low = options->action_low[0] != '\0';
    bool has_high = options->action_high[0] != '\0';
    if (dim > ACTION_DIM_MAX) {
        return failure_set(
            failure, EXIT_CODE_DATA,
            "%s: found actions of %zu numbers, expected at most %d: no policy can be "
            "trained on more",
            options->input, dim, ACTION_DIM_MAX);
    }
    if (space->dim == 0) {
        *space = action_space_continuous(dim);
    }
    if (has_low != has_high || (has_low && (space->kind == ACTION_CATEGORICAL ||
                                            options->actions == CONVERT_REFUSE_ACTIONS))) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "convert.%s: found it %s, expected convert.action_low and "
                           "convert.action_high together, for continuous actions that are scaled",
                           has_low ? "action_low" : "action_high",
                           has_low != has_high ? "alone" : "for actions that are not scaled");
    }
    if (space->kind == ACTION_CATEGORICAL) {
        return true;
    }
    if (has_low &&
        (!parse_bounds(space->low, dim, options->action_low, "action_low", failure) ||
         !parse_bounds(space->high, dim, options->action_high, "action_high", failure))) {
        return false;
    }
    for (size_t i = 0; i < dim; i++) {
        bool is_known = isfinite(space->low[i]) && isfinite(space->high[i]);
        if (!is_known || options->actions == CONVERT_REFUSE_ACTIONS) {
            space->low[i] = -1.0;
            space->high[i] = 1.0;
        }
    }
    return action_space_check(space, "convert.action_low", EXIT_CODE_CONFIG, failure);
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
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: action: found %zu of %zu numbers outside the bounds, as %g in row "
                       "%zu, expected %g to %g; name the producer's bounds with "
                       "--convert.action_low and --convert.action_high, clip with "
                       "--convert.actions=clip, or drop such episodes with --convert.skip_bad",
                       input->options->input, read->name, outside, data->length * space->dim,
                       (double)data->action[farthest], read->step_row + farthest / space->dim,
                       space->low[column], space->high[column]);
}

bool convert_actions(struct convert_input *input, struct converted_episode *episode,
                     const struct format_episode *read, struct failure *failure)
{
    const struct action_space *space = &input->spec->actions;
    struct store_episode *data = &episode->data;
    size_t numbers = data->length * space->dim;
    size_t farthest = 0;
    if (space->kind == ACTION_CATEGORICAL) {
        return true;
    }
    input->action = memory_reserve(input->action, &input->action_capacity, numbers * sizeof(float));
    const float *actions = data->action;
    if (is_scaled(space) && !input->format->is_stored) {
        scale_rows(input->action, data->action, data->length, space);
        actions = input->action;
    }
    episode->tally.changed = count_outside(&farthest, actions, numbers);
    if (episode->tally.changed > 0 && input->options->actions != CONVERT_CLIP_ACTIONS) {
        return refuse_outside(input, data, read, episode->tally.changed, farthest, failure);
    }
    for (size_t i = 0; episode->tally.changed > 0 && i < numbers; i++) {
        input->action[i] = fmaxf(-1.0F, fminf(1.0F, actions[i]));
    }
    data->action = episode->tally.changed > 0 ? input->action : actions;
    return true;
}

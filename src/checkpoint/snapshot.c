#include "checkpoint/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* The shape's numbers, in the order they are stored. */
enum shape_number {
    SHAPE_WIDTH,
    SHAPE_LAYERS,
    SHAPE_HEADS,
    SHAPE_HIDDEN,
    SHAPE_ACTIVATION,
    SHAPE_DROPOUT,
    SHAPE_OBSERVATION_DIM,
    SHAPE_ACTION_DIM,
    SHAPE_TIME_MAX,
    SHAPE_TRIAL_MAX,
    SHAPE_NUMBERS
};

static const char *const shape_names[SHAPE_NUMBERS] = {
    "model.width",   "model.layers",    "model.heads", "model.hidden", "model.activation",
    "model.dropout", "observation_dim", "action_dim",  "time_max",     "trial_max",
};

static void put_number(struct checkpoint_state *state, const char *name, double value)
{
    checkpoint_state_put_numbers(state, name, &value, 1);
}

static void put_tokens(struct checkpoint_state *state, const struct token_layout *layout)
{
    char text[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(layout, text);
    checkpoint_state_put_text(state, "context.tokens", text);
}

static void list_shape(double numbers[SHAPE_NUMBERS], const struct model_shape *shape)
{
    numbers[SHAPE_WIDTH] = (double)shape->width;
    numbers[SHAPE_LAYERS] = (double)shape->layers;
    numbers[SHAPE_HEADS] = (double)shape->heads;
    numbers[SHAPE_HIDDEN] = (double)shape->hidden;
    numbers[SHAPE_ACTIVATION] = (double)shape->activation;
    numbers[SHAPE_DROPOUT] = shape->dropout;
    numbers[SHAPE_OBSERVATION_DIM] = (double)shape->observation_dim;
    numbers[SHAPE_ACTION_DIM] = (double)shape->action_dim;
    numbers[SHAPE_TIME_MAX] = (double)shape->time_max;
    numbers[SHAPE_TRIAL_MAX] = (double)shape->trial_max;
}

void snapshot_put(struct checkpoint_state *state, const struct snapshot *snapshot)
{
    const struct model_shape *shape = &snapshot->shape;
    const struct scaling *scaling = &snapshot->scaling;
    double numbers[SHAPE_NUMBERS];
    list_shape(numbers, shape);
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        put_number(state, shape_names[i], numbers[i]);
    }
    put_tokens(state, &shape->layout);
    checkpoint_state_put_numbers(state, "observation_mean", scaling->observation_mean,
                                 scaling->observation_dim);
    checkpoint_state_put_numbers(state, "observation_deviation", scaling->observation_deviation,
                                 scaling->observation_dim);
    put_number(state, "return_scale", scaling->return_scale);
    put_number(state, "reward_scale", scaling->reward_scale);
    put_number(state, "target", snapshot->target);
    checkpoint_state_put_numbers(state, "return_range", snapshot->return_range, 2);
    checkpoint_state_put_text(state, "domain", snapshot->domain);
    checkpoint_state_put_text(state, "task", snapshot->task);
}

static bool refuse(const struct checkpoint_state *state, const char *what, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected what this program writes; take another checkpoint",
                       state->source, what);
}

/* A size: a whole number from 1 to 2^31. */
static bool get_size(size_t *size, double value, const struct checkpoint_state *state,
                     const char *name, struct failure *failure)
{
    if (!(value >= 1.0 && value <= 0x1p31 && value == floor(value))) {
        char what[128];
        snprintf(what, sizeof what, "%s = %g", name, value);
        return refuse(state, what, failure);
    }
    *size = (size_t)value;
    return true;
}

static bool get_shape(struct model_shape *shape, const struct checkpoint_state *state,
                      struct failure *failure)
{
    double numbers[SHAPE_NUMBERS];
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (!checkpoint_state_get_numbers(&numbers[i], state, shape_names[i], 1, failure)) {
            return false;
        }
    }
    size_t *const sizes[SHAPE_NUMBERS] = {
        [SHAPE_WIDTH] = &shape->width,
        [SHAPE_LAYERS] = &shape->layers,
        [SHAPE_HEADS] = &shape->heads,
        [SHAPE_HIDDEN] = &shape->hidden,
        [SHAPE_OBSERVATION_DIM] = &shape->observation_dim,
        [SHAPE_ACTION_DIM] = &shape->action_dim,
        [SHAPE_TIME_MAX] = &shape->time_max,
        [SHAPE_TRIAL_MAX] = &shape->trial_max,
    };
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (sizes[i] && !get_size(sizes[i], numbers[i], state, shape_names[i], failure)) {
            return false;
        }
    }
    bool is_relu = numbers[SHAPE_ACTIVATION] == (double)ACTIVATION_RELU;
    if (!is_relu && numbers[SHAPE_ACTIVATION] != (double)ACTIVATION_GELU) {
        return refuse(state, "an unknown model.activation", failure);
    }
    if (!(numbers[SHAPE_DROPOUT] >= 0.0 && numbers[SHAPE_DROPOUT] < 1.0)) {
        return refuse(state, "a model.dropout outside [0, 1)", failure);
    }
    if (shape->observation_dim > OBSERVATION_DIM_MAX || shape->action_dim > ACTION_DIM_MAX) {
        return refuse(state, "more observations or actions than there may be", failure);
    }
    shape->activation = is_relu ? ACTIVATION_RELU : ACTIVATION_GELU;
    shape->dropout = numbers[SHAPE_DROPOUT];
    const char *tokens = checkpoint_state_get_text(state, "context.tokens", failure);
    return tokens && token_layout_parse(&shape->layout, tokens, failure) &&
           model_shape_check(shape, failure);
}

/* What raw numbers are divided by. */
static bool check_divisors(const double *divisors, size_t count, const char *name,
                           const struct checkpoint_state *state, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        if (!(divisors[i] > 0.0 && isfinite(divisors[i]))) {
            char what[128];
            snprintf(what, sizeof what, "%s = %g", name, divisors[i]);
            return refuse(state, what, failure);
        }
    }
    return true;
}

static bool get_scaling(struct scaling *scaling, const struct checkpoint_state *state,
                        struct failure *failure)
{
    const struct {
        const char *name;
        double *values;
        size_t count;
    } divisors[] = {
        {"observation_deviation", scaling->observation_deviation, scaling->observation_dim},
        {"return_scale", &scaling->return_scale, 1},
        {"reward_scale", &scaling->reward_scale, 1},
    };
    for (size_t i = 0; i < sizeof divisors / sizeof divisors[0]; i++) {
        if (!checkpoint_state_get_numbers(divisors[i].values, state, divisors[i].name,
                                          divisors[i].count, failure) ||
            !check_divisors(divisors[i].values, divisors[i].count, divisors[i].name, state,
                            failure)) {
            return false;
        }
    }
    return checkpoint_state_get_numbers(scaling->observation_mean, state, "observation_mean",
                                        scaling->observation_dim, failure);
}

static bool get_name(char *name, const struct checkpoint_state *state, const char *key,
                     struct failure *failure)
{
    const char *text = checkpoint_state_get_text(state, key, failure);
    if (!text) {
        return false;
    }
    if (strlen(text) >= SNAPSHOT_NAME_MAX) {
        return refuse(state, "a name that is too long", failure);
    }
    memcpy(name, text, strlen(text) + 1);
    return true;
}

bool snapshot_get(struct snapshot *snapshot, const struct checkpoint_state *state,
                  struct failure *failure)
{
    *snapshot = (struct snapshot){0};
    if (!get_shape(&snapshot->shape, state, failure)) {
        return false;
    }
    snapshot->scaling.observation_dim = snapshot->shape.observation_dim;
    snapshot->return_range[0] = snapshot->return_range[1] = (double)NAN;
    return get_scaling(&snapshot->scaling, state, failure) &&
           checkpoint_state_get_numbers(&snapshot->target, state, "target", 1, failure) &&
           (checkpoint_state_count_numbers(state, "return_range") == 0 ||
            checkpoint_state_get_numbers(snapshot->return_range, state, "return_range", 2,
                                         failure)) &&
           get_name(snapshot->domain, state, "domain", failure) &&
           get_name(snapshot->task, state, "task", failure);
}

static bool differ(const char *what, const char *path, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: was made with %s; go on with the same, or give this run another "
                       "run.name",
                       path, what);
}

bool snapshot_agrees(const struct snapshot *saved, const struct snapshot *wanted, const char *path,
                     struct failure *failure)
{
    double found[SHAPE_NUMBERS];
    double expected[SHAPE_NUMBERS];
    char what[256];
    list_shape(found, &saved->shape);
    list_shape(expected, &wanted->shape);
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (found[i] != expected[i]) {
            snprintf(what, sizeof what, "%s = %g, found %g now", shape_names[i], found[i],
                     expected[i]);
            return differ(what, path, failure);
        }
    }
    char found_tokens[TOKEN_LAYOUT_TEXT_SIZE];
    char expected_tokens[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(&saved->shape.layout, found_tokens);
    token_layout_print(&wanted->shape.layout, expected_tokens);
    if (strcmp(found_tokens, expected_tokens) != 0) {
        snprintf(what, sizeof what, "context.tokens = %s, found %s now", found_tokens,
                 expected_tokens);
        return differ(what, path, failure);
    }
    if (strcmp(saved->task, wanted->task) != 0) {
        snprintf(what, sizeof what, "task %s, found %s now", saved->task, wanted->task);
        return differ(what, path, failure);
    }
    if (!scaling_equal(&saved->scaling, &wanted->scaling)) {
        return differ("data of other means, deviations or scales", path, failure);
    }
    return true;
}

struct tensor *snapshot_tensors(real *flat, const char *prefix, const struct model_shape *shape)
{
    size_t count = parameters_entries(NULL, shape);
    struct parameter_entry *entries = memory_take(count, sizeof *entries);
    struct tensor *tensors = memory_take(count, sizeof *tensors);
    parameters_entries(entries, shape);
    for (size_t i = 0; i < count; i++) {
        int length =
            snprintf(tensors[i].name, sizeof tensors[i].name, "%s%s", prefix, entries[i].name);
        invariant(length > 0 && (size_t)length < sizeof tensors[i].name);
        tensors[i].rows = entries[i].rows;
        tensors[i].columns = entries[i].columns;
        tensors[i].data = flat + entries[i].offset;
    }
    memory_free(entries);
    return tensors;
}

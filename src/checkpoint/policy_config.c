#include "checkpoint/policy_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/action_space.h"
#include "base/memory.h"
#include "context/steps.h"

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

/* What the state calls a number, and what a user would change: an option, or the data. */
static const struct {
    const char *name, *words;
} shape_numbers[SHAPE_NUMBERS] = {
    [SHAPE_WIDTH] = {"model.width", "model.width"},
    [SHAPE_LAYERS] = {"model.layers", "model.layers"},
    [SHAPE_HEADS] = {"model.heads", "model.heads"},
    [SHAPE_HIDDEN] = {"model.hidden", "model.hidden"},
    [SHAPE_ACTIVATION] = {"model.activation", "model.activation"},
    [SHAPE_DROPOUT] = {"model.dropout", "model.dropout"},
    [SHAPE_OBSERVATION_DIM] = {"observation_dim", "numbers in an observation of the data"},
    [SHAPE_ACTION_DIM] = {"action_dim", "numbers in an action of the data"},
    [SHAPE_TIME_MAX] = {"time_max", "steps in an episode of the data"},
    [SHAPE_TRIAL_MAX] = {"trial_max", "chain.trials"},
};

static const char *const head_names[] = {
    [ACTION_HEAD_TANH] = "tanh",
    [ACTION_HEAD_GAUSSIAN] = "gaussian",
};
static const char *const activation_names[] = {
    [ACTIVATION_RELU] = "relu",
    [ACTIVATION_GELU] = "gelu",
};

static void put_number(struct checkpoint_state *state, const char *name, double value)
{
    checkpoint_state_put_numbers(state, name, &value, 1);
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
    numbers[SHAPE_ACTION_DIM] = (double)shape->action_space.dim;
    numbers[SHAPE_TIME_MAX] = (double)shape->time_max;
    numbers[SHAPE_TRIAL_MAX] = (double)shape->trial_max;
}

/* Its size is one of the shape's numbers; its kind is said by what else there is. */
static void put_action_space(struct checkpoint_state *state, const struct action_space *space)
{
    if (space->kind == ACTION_CONTINUOUS) {
        checkpoint_state_put_numbers(state, "action_low", space->low, space->dim);
        checkpoint_state_put_numbers(state, "action_high", space->high, space->dim);
        return;
    }
    double categories[ACTION_CATEGORICALS_MAX];
    for (size_t k = 0; k < space->categorical_count; k++) {
        categories[k] = (double)space->categories[k];
    }
    checkpoint_state_put_numbers(state, "action_categories", categories, space->categorical_count);
}

/* What was made of the data, and what it began from. */
static void put_origin(struct checkpoint_state *state, const struct policy_config *policy)
{
    const double lengths[2] = {(double)policy->from_time_max, (double)policy->from_trial_max};
    if (isnan(policy->data_holdout)) {
        return;
    }
    put_number(state, "data.holdout", policy->data_holdout);
    checkpoint_state_put_text(state, "data.weights", policy->data_weights);
    checkpoint_state_put_text(state, "train.from", policy->from);
    checkpoint_state_put_text(state, "kernels", policy->kernels);
    checkpoint_state_put_numbers(state, "from_lengths", lengths, 2);
}

void policy_config_put(struct checkpoint_state *state, const struct policy_config *policy)
{
    const struct model_shape *shape = &policy->shape;
    const struct scaling *scaling = &policy->scaling;
    double numbers[SHAPE_NUMBERS];
    list_shape(numbers, shape);
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        put_number(state, shape_numbers[i].name, numbers[i]);
    }
    put_action_space(state, &shape->action_space);
    put_number(state, "model.head", (double)shape->head);
    char tokens[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(&shape->layout, tokens);
    checkpoint_state_put_text(state, "context.tokens", tokens);
    checkpoint_state_put_numbers(state, "observation_mean", scaling->observation_mean,
                                 scaling->observation_dim);
    checkpoint_state_put_numbers(state, "observation_deviation", scaling->observation_deviation,
                                 scaling->observation_dim);
    put_number(state, "return_scale", scaling->return_scale);
    put_number(state, "reward_scale", scaling->reward_scale);
    put_number(state, "window", (double)policy->window);
    put_number(state, "rewarded_trials", (double)policy->rewarded_trials);
    put_number(state, "target", policy->target);
    checkpoint_state_put_numbers(state, "return_range", policy->return_range, 2);
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, policy->data_hash);
    checkpoint_state_put_text(state, "data_hash", hash);
    put_origin(state, policy);
    checkpoint_state_put_text(state, "domain", policy->domain);
    checkpoint_state_put_text(state, "task", policy->task);
}

static bool refuse_state(const struct checkpoint_state *state, const char *what,
                         struct failure *failure)
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
        return refuse_state(state, what, failure);
    }
    *size = (size_t)value;
    return true;
}

static bool get_categories(struct action_space *space, const struct checkpoint_state *state,
                           size_t count, struct failure *failure)
{
    static const char *const name = "action_categories";
    double numbers[ACTION_CATEGORICALS_MAX];
    size_t categories[ACTION_CATEGORICALS_MAX];
    if (count > ACTION_CATEGORICALS_MAX) {
        return refuse_state(state, "more action_categories than there may be", failure);
    }
    if (!checkpoint_state_get_numbers(numbers, state, name, count, failure)) {
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        if (!get_size(&categories[k], numbers[k], state, name, failure)) {
            return false;
        }
    }
    size_t dim = space->dim;
    *space = action_space_categorical(categories, count);
    return space->dim == dim ||
           refuse_state(state, "action_categories that do not add up to action_dim", failure);
}

/* dim is there already. Older checkpoints say nothing more: theirs are continuous, as stored. */
static bool get_action_space(struct action_space *space, const struct checkpoint_state *state,
                             struct failure *failure)
{
    size_t count = checkpoint_state_count_numbers(state, "action_categories");
    if (count > 0) {
        return get_categories(space, state, count, failure);
    }
    *space = action_space_continuous(space->dim);
    return checkpoint_state_count_numbers(state, "action_low") == 0 ||
           (checkpoint_state_get_numbers(space->low, state, "action_low", space->dim, failure) &&
            checkpoint_state_get_numbers(space->high, state, "action_high", space->dim, failure));
}

/* Older checkpoints say nothing of it. */
static bool get_head(struct model_shape *shape, const struct checkpoint_state *state,
                     struct failure *failure)
{
    double head = (double)ACTION_HEAD_TANH;
    if (checkpoint_state_count_numbers(state, "model.head") > 0 &&
        !checkpoint_state_get_numbers(&head, state, "model.head", 1, failure)) {
        return false;
    }
    bool is_gaussian = head == (double)ACTION_HEAD_GAUSSIAN;
    shape->head = is_gaussian ? ACTION_HEAD_GAUSSIAN : ACTION_HEAD_TANH;
    return is_gaussian || head == (double)ACTION_HEAD_TANH ||
           refuse_state(state, "an unknown model.head", failure);
}

static bool get_shape(struct model_shape *shape, const struct checkpoint_state *state,
                      struct failure *failure)
{
    double numbers[SHAPE_NUMBERS];
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (!checkpoint_state_get_numbers(&numbers[i], state, shape_numbers[i].name, 1, failure)) {
            return false;
        }
    }
    size_t *const sizes[SHAPE_NUMBERS] = {
        [SHAPE_WIDTH] = &shape->width,
        [SHAPE_LAYERS] = &shape->layers,
        [SHAPE_HEADS] = &shape->heads,
        [SHAPE_HIDDEN] = &shape->hidden,
        [SHAPE_OBSERVATION_DIM] = &shape->observation_dim,
        [SHAPE_ACTION_DIM] = &shape->action_space.dim,
        [SHAPE_TIME_MAX] = &shape->time_max,
        [SHAPE_TRIAL_MAX] = &shape->trial_max,
    };
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (sizes[i] && !get_size(sizes[i], numbers[i], state, shape_numbers[i].name, failure)) {
            return false;
        }
    }
    bool is_relu = numbers[SHAPE_ACTIVATION] == (double)ACTIVATION_RELU;
    if (!is_relu && numbers[SHAPE_ACTIVATION] != (double)ACTIVATION_GELU) {
        return refuse_state(state, "an unknown model.activation", failure);
    }
    if (!(numbers[SHAPE_DROPOUT] >= 0.0 && numbers[SHAPE_DROPOUT] < 1.0)) {
        return refuse_state(state, "a model.dropout outside [0, 1)", failure);
    }
    if (shape->observation_dim > OBSERVATION_DIM_MAX || shape->action_space.dim > ACTION_DIM_MAX) {
        return refuse_state(state, "more observations or actions than there may be", failure);
    }
    if (shape->trial_max > CHAIN_TRIALS_MAX) {
        return refuse_state(state, "more trials of a context than there may be", failure);
    }
    shape->activation = is_relu ? ACTIVATION_RELU : ACTIVATION_GELU;
    shape->dropout = numbers[SHAPE_DROPOUT];
    const char *tokens = checkpoint_state_get_text(state, "context.tokens", failure);
    return tokens && token_layout_parse(&shape->layout, tokens, failure) &&
           get_action_space(&shape->action_space, state, failure) &&
           get_head(shape, state, failure) && model_shape_check(shape, failure);
}

/* What raw numbers are divided by. */
static bool check_divisors(const double *divisors, size_t count, const char *name,
                           const struct checkpoint_state *state, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        if (!(divisors[i] > 0.0 && isfinite(divisors[i]))) {
            char what[128];
            snprintf(what, sizeof what, "%s = %g", name, divisors[i]);
            return refuse_state(state, what, failure);
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

/* A text that fits into `size` characters. */
static bool get_text(char *copy, size_t size, const struct checkpoint_state *state, const char *key,
                     struct failure *failure)
{
    const char *text = checkpoint_state_get_text(state, key, failure);
    if (!text) {
        return false;
    }
    if (strlen(text) >= size) {
        return refuse_state(state, "a text that is too long", failure);
    }
    memcpy(copy, text, strlen(text) + 1);
    return true;
}

static bool get_data_hash(uint64_t *hash, const struct checkpoint_state *state,
                          struct failure *failure)
{
    const char *text = checkpoint_state_get_text(state, "data_hash", failure);
    if (!text) {
        return false;
    }
    *hash = strtoull(text, NULL, 16);
    return (strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16) ||
           refuse_state(state, "a data_hash that is not 16 digits", failure);
}

/* Older checkpoints have none. */
static bool get_size_or_zero(size_t *size, const struct checkpoint_state *state, const char *name,
                             struct failure *failure)
{
    double value = 0.0;
    if (checkpoint_state_count_numbers(state, name) > 0 &&
        !checkpoint_state_get_numbers(&value, state, name, 1, failure)) {
        return false;
    }
    *size = 0;
    return value == 0.0 || get_size(size, value, state, name, failure);
}

/* Older checkpoints say nothing of it. */
static bool get_origin(struct policy_config *policy, const struct checkpoint_state *state,
                       struct failure *failure)
{
    double lengths[2];
    policy->data_holdout = (double)NAN;
    if (checkpoint_state_count_numbers(state, "data.holdout") == 0) {
        return true;
    }
    if (!checkpoint_state_get_numbers(&policy->data_holdout, state, "data.holdout", 1, failure) ||
        !checkpoint_state_get_numbers(lengths, state, "from_lengths", 2, failure) ||
        !get_text(policy->data_weights, sizeof policy->data_weights, state, "data.weights",
                  failure) ||
        !get_text(policy->from, sizeof policy->from, state, "train.from", failure) ||
        !get_text(policy->kernels, sizeof policy->kernels, state, "kernels", failure)) {
        return false;
    }
    return policy->from[0] == '\0' ||
           (get_size(&policy->from_time_max, lengths[0], state, "from_lengths", failure) &&
            get_size(&policy->from_trial_max, lengths[1], state, "from_lengths", failure));
}

bool policy_config_get(struct policy_config *policy, const struct checkpoint_state *state,
                       struct failure *failure)
{
    *policy = (struct policy_config){0};
    if (!get_shape(&policy->shape, state, failure)) {
        return false;
    }
    policy->scaling.observation_dim = policy->shape.observation_dim;
    return get_scaling(&policy->scaling, state, failure) &&
           get_size_or_zero(&policy->window, state, "window", failure) &&
           get_size_or_zero(&policy->rewarded_trials, state, "rewarded_trials", failure) &&
           checkpoint_state_get_numbers(&policy->target, state, "target", 1, failure) &&
           checkpoint_state_get_numbers(policy->return_range, state, "return_range", 2, failure) &&
           get_data_hash(&policy->data_hash, state, failure) &&
           get_origin(policy, state, failure) &&
           get_text(policy->domain, sizeof policy->domain, state, "domain", failure) &&
           get_text(policy->task, sizeof policy->task, state, "task", failure);
}

/* --- Comparing -------------------------------------------------------------------------------- */

struct comparison {
    const char *path;   /* that the saved one was read from */
    const char *remedy; /* what to do where they differ */
    struct failure *failure;
};

static bool differ(const struct comparison *comparison, const char *what)
{
    return failure_set(comparison->failure, EXIT_CODE_DATA, "%s: was made with %s; %s",
                       comparison->path, what, comparison->remedy);
}

static bool texts_agree(const struct comparison *comparison, const char *words, const char *saved,
                        const char *wanted)
{
    char what[2 * ACTION_SPACE_TEXT_SIZE + 64];
    snprintf(what, sizeof what, "%s%s, found %s now", words, saved, wanted);
    return strcmp(saved, wanted) == 0 || differ(comparison, what);
}

static bool numbers_agree(const struct comparison *comparison, const char *words, double saved,
                          double wanted)
{
    char what[256];
    snprintf(what, sizeof what, "%s = %.15g, found %.15g now", words, saved, wanted);
    return saved == wanted || differ(comparison, what);
}

static bool shapes_agree(const struct comparison *comparison, const struct model_shape *saved,
                         const struct model_shape *wanted)
{
    double found[SHAPE_NUMBERS];
    double expected[SHAPE_NUMBERS];
    list_shape(found, saved);
    list_shape(expected, wanted);
    for (size_t i = 0; i < SHAPE_NUMBERS; i++) {
        if (i != SHAPE_ACTIVATION &&
            !numbers_agree(comparison, shape_numbers[i].words, found[i], expected[i])) {
            return false;
        }
    }
    return texts_agree(comparison, "model.activation = ", activation_names[saved->activation],
                       activation_names[wanted->activation]) &&
           texts_agree(comparison, "model.head = ", head_names[saved->head],
                       head_names[wanted->head]);
}

static bool layouts_agree(const struct comparison *comparison, const struct token_layout *saved,
                          const struct token_layout *wanted)
{
    char found[TOKEN_LAYOUT_TEXT_SIZE];
    char expected[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(saved, found);
    token_layout_print(wanted, expected);
    return texts_agree(comparison, "context.tokens = ", found, expected);
}

static bool action_spaces_agree(const struct comparison *comparison,
                                const struct action_space *saved, const struct action_space *wanted)
{
    char found[ACTION_SPACE_TEXT_SIZE];
    char expected[ACTION_SPACE_TEXT_SIZE];
    action_space_print(saved, found);
    action_space_print(wanted, expected);
    return texts_agree(comparison, "actions of the data = ", found, expected) &&
           (action_space_equal(saved, wanted) ||
            differ(comparison, "other bounds of the data's actions"));
}

static bool weights_agree(const struct comparison *comparison, const char *saved,
                          const char *wanted)
{
    char what[POLICY_CONFIG_TEXT_MAX];
    snprintf(what, sizeof what, "data.weights = \"%.200s\", found \"%.200s\" now", saved, wanted);
    return strcmp(saved, wanted) == 0 || differ(comparison, what);
}

/* The hash is of the options and the store; where the options are the same, it is the store. */
static bool data_agree(const struct comparison *comparison, const struct policy_config *saved,
                       const struct policy_config *wanted)
{
    bool is_known = !isnan(saved->data_holdout);
    if (saved->data_hash == wanted->data_hash) {
        return true;
    }
    if (is_known &&
        (!numbers_agree(comparison, "data.holdout", saved->data_holdout, wanted->data_holdout) ||
         !weights_agree(comparison, saved->data_weights, wanted->data_weights))) {
        return false;
    }
    return failure_set(comparison->failure, EXIT_CODE_DATA,
                       "%s: found a trajectory store whose index has the hash %016" PRIx64
                       ", expected %016" PRIx64 " as when this run was started; bring that store%s "
                       "back, or give this run another run.name",
                       comparison->path, wanted->data_hash, saved->data_hash,
                       is_known ? "" : ", data.holdout and data.weights");
}

/* A run that began from another took over its numbers. */
static bool scalings_agree(const struct comparison *comparison, const struct scaling *saved,
                           const struct scaling *wanted)
{
    return numbers_agree(comparison, "data.return_scale (its own or train.from's)",
                         saved->return_scale, wanted->return_scale) &&
           numbers_agree(comparison, "data.reward_scale (its own or train.from's)",
                         saved->reward_scale, wanted->reward_scale) &&
           (scaling_equal(saved, wanted) ||
            differ(comparison, "another data.normalize (its own or train.from's)"));
}

bool policy_config_agrees(const struct policy_config *saved, const struct policy_config *wanted,
                          const char *path, const char *remedy, struct failure *failure)
{
    const struct comparison comparison = {path, remedy, failure};
    return shapes_agree(&comparison, &saved->shape, &wanted->shape) &&
           numbers_agree(&comparison, "chain.window", (double)saved->window,
                         (double)wanted->window) &&
           numbers_agree(&comparison, "chain.rewarded_trials", (double)saved->rewarded_trials,
                         (double)wanted->rewarded_trials) &&
           action_spaces_agree(&comparison, &saved->shape.action_space,
                               &wanted->shape.action_space) &&
           layouts_agree(&comparison, &saved->shape.layout, &wanted->shape.layout) &&
           texts_agree(&comparison, "task ", saved->task, wanted->task) &&
           data_agree(&comparison, saved, wanted) &&
           scalings_agree(&comparison, &saved->scaling, &wanted->scaling);
}

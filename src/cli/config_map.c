#include "cli/config_map.h"

#include <math.h>
#include <string.h>

#include "cli/config_value.h"
#include "envs/camera.h"

/* AdamW's usual guard against division by nothing. */
static const double epsilon = 1e-8;

static struct model_shape shape_of(const struct config *config)
{
    struct model_shape shape = {
        .width = config->model.width,
        .layers = config->model.layers,
        .heads = config->model.heads,
        .hidden = config->model.hidden,
        .activation = (enum activation)config->model.activation,
        .dropout = config->model.dropout,
        .head = (enum action_head)config->model.head,
    };
    struct failure failure = {0};
    bool is_layout = token_layout_parse(&shape.layout, config->context.tokens, &failure);
    invariant(is_layout);
    return shape;
}

enum dtype config_dtype(int precision)
{
    return precision == CONFIG_BF16 ? DTYPE_BF16 : DTYPE_REAL;
}

enum dtype config_eval_dtype(const struct config *config)
{
    switch (config->eval.precision) {
    case CONFIG_EVAL_F32:
        return config_dtype(CONFIG_F32);
    case CONFIG_EVAL_BF16:
        return config_dtype(CONFIG_BF16);
    default:
        return config_dtype(config->train.precision);
    }
}

struct learner_options config_learner_options(const struct config *config)
{
    return (struct learner_options){
        .shape = shape_of(config),
        .split = (enum partition_rule)config->mesh.split,
        .attention = {.kernel = (enum attention_choice)config->attention.kernel,
                      .query_block = config->attention.query_block,
                      .key_block = config->attention.key_block},
        .dtype = config_dtype(config->train.precision),
        .adamw = {.beta1 = config->train.beta1,
                  .beta2 = config->train.beta2,
                  .epsilon = epsilon,
                  .weight_decay = config->train.weight_decay},
        .schedule = {.shape = (enum schedule_shape)config->train.schedule,
                     .rate = config->train.rate,
                     .floor = config->train.rate_floor,
                     .warmup = config->train.warmup,
                     .steps = config->train.steps},
        .clip = config->train.clip,
        .seed = config->run.seed,
    };
}

struct chain_sampler config_chain_sampler(const struct config *config)
{
    return (struct chain_sampler){
        .sampling = (enum chain_sampling)config->chain.sampling,
        .order = (enum chain_order)config->chain.order,
        .trials_min = config->chain.trials_min,
        .trials = config->chain.trials,
        .draws = config->chain.draws,
        .window = config->chain.window,
    };
}

bool config_evaluation_options(struct evaluation_options *options, const struct config *config,
                               const char *run, struct failure *failure)
{
    const struct config_eval *eval = &config->eval;
    *options = (struct evaluation_options){
        .run = run,
        .checkpoint = eval->checkpoint,
        .task = eval->task,
        .inertia = (enum inertia_rule)eval->inertia,
        .contexts = eval->contexts,
        .trials = eval->trials,
        .batch = eval->batch,
        .threads = eval->threads,
        .target_margin = eval->target_margin,
        .kernel = (enum attention_choice)config->attention.kernel,
        .dtype = config_eval_dtype(config),
        .seed = eval->seed,
    };
    return config_sample(options->samples, CHAIN_TRIALS_MAX, "eval.sample", eval->sample,
                         failure) &&
           config_target(&options->target, "eval.target", eval->target, failure) &&
           config_explore(options->explore, options->samples, CHAIN_TRIALS_MAX, "eval.explore",
                          eval->explore, failure);
}

static const double explore_max = 10.0;
static const double explore_usual = 0.5; /* in the first trial */

/* Read one deviation of `length` letters. */
static bool read_deviation(double *deviation, const char *text, size_t length)
{
    char item[40];
    if (length >= sizeof item) {
        return false;
    }
    memcpy(item, text, length);
    item[length] = '\0';
    return config_value_number(deviation, item) && *deviation >= 0.0 && *deviation <= explore_max;
}

bool config_explore(double *deviations, const bool *samples, size_t trials, const char *option,
                    const char *list, struct failure *failure)
{
    memset(deviations, 0, trials * sizeof *deviations);
    if (strcmp(list, "auto") == 0) {
        deviations[0] = samples[0] ? 0.0 : explore_usual;
        return true;
    }
    const char *at = list;
    for (size_t trial = 0; *list; trial++) {
        double deviation;
        size_t length = strcspn(at, ",");
        if (!read_deviation(&deviation, at, length)) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s: found \"%s\", expected auto, or numbers from 0 to %g "
                               "separated by commas, such as \"0.5,0.2\"",
                               option, list, explore_max);
        }
        if (trial < trials) {
            deviations[trial] = deviation;
        }
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    return true;
}

bool config_sample(bool *samples, size_t trials, const char *option, const char *list,
                   struct failure *failure)
{
    const char *at = list;
    for (size_t trial = 0;; trial++) {
        size_t length = strcspn(at, ",");
        bool is_yes = length == 3 && strncmp(at, "yes", length) == 0;
        if (!is_yes && !(length == 2 && strncmp(at, "no", length) == 0)) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s: found \"%s\", expected no, yes or a list of them such as "
                               "\"yes,yes,no\"",
                               option, list);
        }
        for (size_t rest = trial; rest < trials; rest++) {
            samples[rest] = is_yes;
        }
        if (at[length] == '\0') {
            return true;
        }
        at += length + 1;
    }
}

bool config_list_fits(const char *option, const char *list, size_t trials, const char *what,
                      struct failure *failure)
{
    size_t items = 1;
    for (const char *letter = list; *letter; letter++) {
        items += *letter == ',';
    }
    return items <= trials ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found %zu items in \"%s\", expected at most %zu, one for each %s; "
                       "shorten it",
                       option, items, list, trials, what);
}

bool config_target(double *target, const char *option, const char *text, struct failure *failure)
{
    static const double largest = 1e9;
    *target = (double)NAN;
    return strcmp(text, "best") == 0 ||
           (config_value_number(target, text) && *target >= -largest && *target <= largest) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found \"%s\", expected a return from -1e9 to 1e9, such as 17.5, or "
                       "\"best\", that of the training data",
                       option, text);
}

/* Read digits up to `end`; 0 is no size. */
static bool read_pixels(size_t *pixels, const char **at, char end)
{
    *pixels = 0;
    for (; **at >= '0' && **at <= '9' && *pixels <= CAMERA_PIXELS_MAX; (*at)++) {
        *pixels = 10 * *pixels + (size_t)(**at - '0');
    }
    return **at == end && *pixels > 0 && *pixels <= CAMERA_PIXELS_MAX;
}

bool config_size(size_t *width, size_t *height, const char *size, struct failure *failure)
{
    const char *at = size;
    bool is_read = read_pixels(width, &at, 'x');
    at++;
    return (is_read && read_pixels(height, &at, '\0')) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "render.size: found \"%s\", expected WIDTHxHEIGHT, such as 400x300, each "
                       "from 1 to %d",
                       size, CAMERA_PIXELS_MAX);
}

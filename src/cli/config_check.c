#include "cli/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/config_option.h"
#include "cli/config_place.h"
#include "cli/config_value.h"
#include "context/layout.h"
#include "envs/camera.h"
#include "math/attention.h"

static const double explore_max = 10.0;

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

bool config_explore(double *deviations, size_t trials, const char *option, const char *list,
                    struct failure *failure)
{
    memset(deviations, 0, trials * sizeof *deviations);
    const char *at = list;
    for (size_t trial = 0; *list; trial++) {
        double deviation;
        size_t length = strcspn(at, ",");
        if (!read_deviation(&deviation, at, length)) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s: found \"%s\", expected numbers from 0 to %g "
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

bool config_target(double *target, const char *option, const char *text, struct failure *failure)
{
    *target = (double)NAN;
    return strcmp(text, "best") == 0 || config_value_number(target, text) ||
           failure_set(
               failure, EXIT_CODE_CONFIG,
               "%s: found \"%s\", expected a return, such as 17.5, or \"best\", that of the "
               "training data",
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

/* "PLACE: WHY", with the code of the place. */
static bool refuse(const struct config_origins *origins, enum config_option_id id, const char *why,
                   struct failure *failure)
{
    char origin[CONFIG_ORIGIN_SIZE];
    config_origin_print(origin, sizeof origin, origins, config_option_at(id));
    enum exit_code code = config_source_code(origins->options[id].source);
    return failure_set(failure, code, "%s: %s", origin, why);
}

/* A misfit of two options is laid at the place that spoke last. */
static bool check_heads(const struct config *config, const struct config_origins *origins,
                        struct failure *failure)
{
    const enum config_option_id heads = CONFIG_OPTION_model_heads;
    const enum config_option_id width = CONFIG_OPTION_model_width;
    if (config->model.width % config->model.heads == 0) {
        return true;
    }
    char found[CONFIG_TEXT_SIZE];
    char wanted[CONFIG_ORIGIN_SIZE + CONFIG_TEXT_SIZE];
    char why[sizeof found + sizeof wanted + CONFIG_NAME_SIZE];
    config_describe(found, sizeof found, config, origins, heads);
    config_describe(wanted, sizeof wanted, config, origins, width);
    snprintf(why, sizeof why, "found %s, expected a divisor of %s", found, wanted);
    bool is_heads_last = origins->options[heads].source >= origins->options[width].source;
    return refuse(origins, is_heads_last ? heads : width, why, failure);
}

bool config_check(const struct config *config, const struct config_origins *origins,
                  struct failure *failure)
{
    const char *name = config->run.name;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return refuse(origins, CONFIG_OPTION_run_name,
                      "run.name: expected a folder's name without a slash; use run.folder for the "
                      "folder that it is in",
                      failure);
    }
    struct failure reason = {0};
    struct token_layout layout;
    if (!token_layout_parse(&layout, config->context.tokens, &reason)) {
        return refuse(origins, CONFIG_OPTION_context_tokens, reason.text, failure);
    }
    double first_deviation;
    if (!config_explore(&first_deviation, 1, "eval.explore", config->eval.explore, &reason)) {
        return refuse(origins, CONFIG_OPTION_eval_explore, reason.text, failure);
    }
    if (!config_explore(&first_deviation, 1, "collect.explore", config->collect.explore, &reason)) {
        return refuse(origins, CONFIG_OPTION_collect_explore, reason.text, failure);
    }
    if (!attention_runs((enum attention_choice)config->attention.kernel)) {
        return refuse(origins, CONFIG_OPTION_attention_kernel,
                      "attention.kernel: found instructions that this processor lacks, expected "
                      "auto, portable or blas",
                      failure);
    }
    size_t width, height;
    if (!config_size(&width, &height, config->render.size, &reason)) {
        return refuse(origins, CONFIG_OPTION_render_size, reason.text, failure);
    }
    return check_heads(config, origins, failure);
}

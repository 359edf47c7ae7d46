#include "cli/config.h"

#include <stdio.h>
#include <string.h>

#include "cli/config_map.h"
#include "cli/config_option.h"
#include "cli/config_value.h"
#include "context/layout.h"
#include "math/attention_block.h"

extern char **environ;

enum { ORIGIN_SIZE = CONFIG_TEXT_SIZE + 32, COMMENT_COLUMN = 29 };

void config_defaults(struct config *config, struct config_origins *origins)
{
    memset(config, 0, sizeof *config);
    memset(origins, 0, sizeof *origins);
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        config_value_initial(config, config_option_at(i));
    }
}

/* What the reader of a message knows the option by. */
static void print_location(char *text, size_t size, const struct config_option *option,
                           const struct config_location *location)
{
    char variable[CONFIG_NAME_SIZE + 16];
    switch (location->source) {
    case CONFIG_FILE:
        snprintf(text, size, "%s:%zu: %s", location->file, location->line, option->name);
        break;
    case CONFIG_ENVIRONMENT:
        config_option_environment(variable, sizeof variable, option);
        snprintf(text, size, "%s", variable);
        break;
    case CONFIG_COMMAND_LINE:
        snprintf(text, size, "--%s", option->name);
        break;
    case CONFIG_DEFAULT:
        snprintf(text, size, "%s", option->name);
        break;
    }
}

static enum exit_code code_of_source(enum config_source source)
{
    return source == CONFIG_COMMAND_LINE ? EXIT_CODE_USAGE : EXIT_CODE_CONFIG;
}

bool config_refuse(const struct config_option *option, const char *found,
                   const struct config_location *location, struct failure *failure)
{
    char expected[CONFIG_TEXT_SIZE];
    char where[CONFIG_TEXT_SIZE + 2 * CONFIG_NAME_SIZE];
    config_value_expected(expected, sizeof expected, option);
    print_location(where, sizeof where, option, location);
    return failure_set(failure, code_of_source(location->source), "%s: found %s, expected %s",
                       where, found, expected);
}

bool config_assign(struct config *config, struct config_origins *origins,
                   const struct config_option *option, const char *text,
                   const struct config_location *location, struct failure *failure)
{
    if (!config_value_set(config, option, text)) {
        char found[80];
        char quoted[sizeof found + 2];
        config_value_printable(found, sizeof found, text, strlen(text));
        snprintf(quoted, sizeof quoted, "\"%s\"", found);
        return config_refuse(option, quoted, location, failure);
    }
    origins->options[option->id].source = location->source;
    origins->options[option->id].line = location->line;
    return true;
}

/* The section that a variable's name names, when it is one of `sections`; *rest is its key. */
static const struct config_section *section_of_variable(const char *name, unsigned sections,
                                                        const char **rest)
{
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        const struct config_section *section = config_section_at(i);
        size_t length = strlen(section->name);
        if (sections & (1u << i) && strncmp(name, section->name, length) == 0 &&
            name[length] == '_') {
            *rest = name + length + 1;
            return section;
        }
    }
    return NULL;
}

/* One "NAME=value" of the environment. Names of other programs and of sections that are not asked
 * for are passed over. */
static bool read_variable(struct config *config, struct config_origins *origins,
                          const char *variable, unsigned sections, struct failure *failure)
{
    static const char prefix[] = "CHAINRING_";
    const char *equals = strchr(variable, '=');
    if (strncmp(variable, prefix, sizeof prefix - 1) != 0 || !equals) {
        return true;
    }
    char name[CONFIG_NAME_SIZE];
    const char *after = variable + sizeof prefix - 1;
    config_value_printable(name, sizeof name, after, (size_t)(equals - after));
    for (char *letter = name; *letter; letter++) {
        *letter = *letter >= 'A' && *letter <= 'Z' ? (char)(*letter - 'A' + 'a') : *letter;
    }
    const char *key;
    const struct config_section *section = section_of_variable(name, sections, &key);
    if (!section) {
        return true;
    }
    const struct config_option *option = config_option_find(section->name, key);
    if (option) {
        struct config_location location = {.source = CONFIG_ENVIRONMENT};
        return config_assign(config, origins, option, equals + 1, &location, failure);
    }
    char meant[CONFIG_NAME_SIZE + 16];
    const char *why;
    config_option_environment(meant, sizeof meant,
                              config_option_suggest(&why, section->name, key, sections));
    return failure_set(failure, EXIT_CODE_CONFIG, "environment: unknown variable %.*s; %s %s",
                       (int)(equals - variable < 80 ? equals - variable : 80), variable, why,
                       meant);
}

bool config_read_environment(struct config *config, struct config_origins *origins,
                             unsigned sections, struct failure *failure)
{
    for (char **variable = environ; variable && *variable; variable++) {
        if (!read_variable(config, origins, *variable, sections, failure)) {
            return false;
        }
    }
    return true;
}

/* "configs/x.yaml:7", "CHAINRING_TRAIN_STEPS", "command line" or "default". */
static void print_origin(char *text, size_t size, const struct config_origins *origins,
                         const struct config_option *option)
{
    switch (origins->options[option->id].source) {
    case CONFIG_FILE:
        snprintf(text, size, "%s:%zu", origins->file, origins->options[option->id].line);
        break;
    case CONFIG_ENVIRONMENT:
        config_option_environment(text, size, option);
        break;
    case CONFIG_COMMAND_LINE:
        snprintf(text, size, "command line");
        break;
    case CONFIG_DEFAULT:
        snprintf(text, size, "default");
        break;
    }
}

void config_describe(char *text, size_t size, const struct config *config,
                     const struct config_origins *origins, enum config_option_id id)
{
    const struct config_option *option = config_option_at(id);
    char value[CONFIG_TEXT_SIZE];
    char origin[ORIGIN_SIZE];
    config_value_print(value, config, option);
    print_origin(origin, sizeof origin, origins, option);
    snprintf(text, size, "%s = %s (%s)", option->name, value, origin);
}

/* --- Options that must fit together ----------------------------------------------------------- */

/* "ORIGIN: WHY", with the code of the origin. */
static bool refuse_misfit(const struct config_origins *origins, enum config_option_id id,
                          const char *why, struct failure *failure)
{
    char origin[ORIGIN_SIZE];
    print_origin(origin, sizeof origin, origins, config_option_at(id));
    enum exit_code code = code_of_source(origins->options[id].source);
    return failure_set(failure, code, "%s: %s", origin, why);
}

/* "found ONE, expected WHAT OTHER", blamed on the one that was set last. */
static bool refuse_pair(const struct config *config, const struct config_origins *origins,
                        enum config_option_id one, const char *expected,
                        enum config_option_id other, struct failure *failure)
{
    char found[CONFIG_TEXT_SIZE];
    char wanted[ORIGIN_SIZE + CONFIG_TEXT_SIZE];
    char why[sizeof found + sizeof wanted + CONFIG_NAME_SIZE];
    config_describe(found, sizeof found, config, origins, one);
    config_describe(wanted, sizeof wanted, config, origins, other);
    snprintf(why, sizeof why, "found %s, expected %s %s", found, expected, wanted);
    bool is_one_last = origins->options[one].source >= origins->options[other].source;
    return refuse_misfit(origins, is_one_last ? one : other, why, failure);
}

static bool kernel_runs(enum attention_choice kernel)
{
    return attention_runs(kernel, DTYPE_REAL) || attention_runs(kernel, DTYPE_BF16);
}

static bool refuse_kernel(const struct config *config, const struct config_origins *origins,
                          struct failure *failure)
{
    char found[CONFIG_TEXT_SIZE], why[2 * CONFIG_TEXT_SIZE];
    config_describe(found, sizeof found, config, origins, CONFIG_OPTION_attention_kernel);
    int used = snprintf(why, sizeof why, "found %s, which this processor lacks, expected ", found);
    const char *name = config_option_at(CONFIG_OPTION_attention_kernel)->unit;
    for (int kernel = 0; kernel < ATTENTION_CHOICES; kernel++, name += strcspn(name, "|") + 1) {
        if (kernel_runs((enum attention_choice)kernel)) {
            used += snprintf(why + used, sizeof why - (size_t)used, "%s%.*s",
                             kernel > 0 ? ", " : "", (int)strcspn(name, "|"), name);
        }
    }
    return refuse_misfit(origins, CONFIG_OPTION_attention_kernel, why, failure);
}

bool config_check(const struct config *config, const struct config_origins *origins,
                  struct failure *failure)
{
    const char *name = config->run.name;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return refuse_misfit(
            origins, CONFIG_OPTION_run_name,
            "run.name: expected a folder's name without a slash; use run.folder for the "
            "folder that it is in",
            failure);
    }
    struct failure reason = {0};
    struct token_layout layout;
    if (!token_layout_parse(&layout, config->context.tokens, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_context_tokens, reason.text, failure);
    }
    bool is_drawn;
    if (!config_sample(&is_drawn, 1, "eval.sample", config->eval.sample, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_eval_sample, reason.text, failure);
    }
    if (!config_sample(&is_drawn, 1, "collect.sample", config->collect.sample, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_collect_sample, reason.text, failure);
    }
    double deviation;
    if (!config_explore(&deviation, &is_drawn, 1, "eval.explore", config->eval.explore, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_eval_explore, reason.text, failure);
    }
    if (!config_explore(&deviation, &is_drawn, 1, "collect.explore", config->collect.explore,
                        &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_collect_explore, reason.text, failure);
    }
    double target;
    if (!config_target(&target, "eval.target", config->eval.target, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_eval_target, reason.text, failure);
    }
    if (!config_target(&target, "collect.target", config->collect.target, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_collect_target, reason.text, failure);
    }
    if (!kernel_runs((enum attention_choice)config->attention.kernel)) {
        return refuse_kernel(config, origins, failure);
    }
    size_t width, height;
    if (!config_size(&width, &height, config->render.size, &reason)) {
        return refuse_misfit(origins, CONFIG_OPTION_render_size, reason.text, failure);
    }
    return config->model.width % config->model.heads == 0 ||
           refuse_pair(config, origins, CONFIG_OPTION_model_heads, "a divisor of",
                       CONFIG_OPTION_model_width, failure);
}

/* Are rewards among what the tokens show? */
static bool shows_rewards(const struct config *config)
{
    struct token_layout layout;
    struct failure failure = {0};
    return token_layout_parse(&layout, config->context.tokens, &failure) &&
           (token_layout_has(&layout, FIELD_RETURN) || token_layout_has(&layout, FIELD_REWARD) ||
            token_layout_has(&layout, FIELD_DONE));
}

bool config_check_chains(const struct config *config, const struct config_origins *origins,
                         struct failure *failure)
{
    const enum config_option_id rewarded = CONFIG_OPTION_chain_rewarded_trials;
    const enum config_option_id trials = CONFIG_OPTION_chain_trials;
    if (config->chain.trials_min > config->chain.trials) {
        return refuse_pair(config, origins, CONFIG_OPTION_chain_trials_min, "at most", trials,
                           failure);
    }
    if (config->chain.rewarded_trials > config->chain.trials) {
        return refuse_pair(config, origins, rewarded, "at most", trials, failure);
    }
    return config->chain.rewarded_trials == 0 || shows_rewards(config) ||
           refuse_pair(config, origins, rewarded, "0, or R, r or d in",
                       CONFIG_OPTION_context_tokens, failure);
}

/* --- As a file -------------------------------------------------------------------------------- */

/* In double quotes a text that config_value_set has let through holds nothing else that must be
 * escaped. `quoted` has room for each byte twice. */
static void quote(char *quoted, const char *text)
{
    *quoted++ = '"';
    for (const char *letter = text; *letter; letter++) {
        if (*letter == '"' || *letter == '\\') {
            *quoted++ = '\\';
        }
        *quoted++ = *letter;
    }
    *quoted++ = '"';
    *quoted = '\0';
}

static void write_option(FILE *stream, const struct config *config,
                         const struct config_option *option)
{
    char value[CONFIG_TEXT_SIZE];
    char quoted[2 * CONFIG_TEXT_SIZE + 2];
    char range[CONFIG_TEXT_SIZE];
    config_value_print(value, config, option);
    quote(quoted, value);
    config_value_range(range, sizeof range, option);
    const char *written = option->type == CONFIG_TYPE_TEXT ? quoted : value;
    int used = fprintf(stream, "  %s: %s", option->key, written);
    fprintf(stream, "%*s # %s", used < COMMENT_COLUMN ? COMMENT_COLUMN - used : 0, "",
            option->help);
    fprintf(stream, range[0] ? " (%s)\n" : "%s\n", range);
}

bool config_write(FILE *stream, const struct config *config, unsigned sections)
{
    fprintf(stream, "# Chainring %s\n", CHAINRING_VERSION);
    const struct config_section *section = NULL;
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        if (!(sections & (1u << option->section_id))) {
            continue;
        }
        if (section != config_section_at(option->section_id)) {
            section = config_section_at(option->section_id);
            fprintf(stream, "\n%s: # %s\n", section->name, section->help);
        }
        write_option(stream, config, option);
    }
    return !ferror(stream);
}

void config_write_changes(FILE *stream, const struct config *before, const struct config *now,
                          unsigned sections)
{
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        char old[CONFIG_TEXT_SIZE];
        char new[CONFIG_TEXT_SIZE];
        const struct config_option *option = config_option_at(i);
        config_value_print(old, before, option);
        config_value_print(new, now, option);
        if (sections & (1u << option->section_id) && strcmp(old, new) != 0) {
            const char *quote = option->type == CONFIG_TYPE_TEXT ? "\"" : "";
            fprintf(stream, "%s was %s%s%s, is %s%s%s now\n", option->name, quote, old, quote,
                    quote, new, quote);
        }
    }
}

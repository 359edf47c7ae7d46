#include "cli/config.h"

#include <string.h>

#include "cli/config_option.h"
#include "cli/config_place.h"
#include "cli/config_value.h"

extern char **environ;

void config_defaults(struct config *config, struct config_origins *origins)
{
    memset(config, 0, sizeof *config);
    memset(origins, 0, sizeof *origins);
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        config_value_initial(config, config_option_at(i));
    }
}

/* What the reader of a message knows the option by. */
static void name_place(char *text, size_t size, const struct config_option *option,
                       const struct config_place *place)
{
    char variable[CONFIG_NAME_SIZE + 16];
    switch (place->source) {
    case CONFIG_FILE:
        snprintf(text, size, "%s:%zu: %s", place->file, place->line, option->name);
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

enum exit_code config_source_code(enum config_source source)
{
    return source == CONFIG_COMMAND_LINE ? EXIT_CODE_USAGE : EXIT_CODE_CONFIG;
}

bool config_refuse(const struct config_option *option, const char *found,
                   const struct config_place *place, struct failure *failure)
{
    char expected[CONFIG_TEXT_SIZE];
    char where[CONFIG_TEXT_SIZE + 2 * CONFIG_NAME_SIZE];
    config_value_expected(expected, sizeof expected, option);
    name_place(where, sizeof where, option, place);
    return failure_set(failure, config_source_code(place->source), "%s: found %s, expected %s",
                       where, found, expected);
}

bool config_assign(struct config *config, struct config_origins *origins,
                   const struct config_option *option, const char *text,
                   const struct config_place *place, struct failure *failure)
{
    if (!config_value_set(config, option, text)) {
        char found[80];
        char quoted[sizeof found + 2];
        config_value_printable(found, sizeof found, text, strlen(text));
        snprintf(quoted, sizeof quoted, "\"%s\"", found);
        return config_refuse(option, quoted, place, failure);
    }
    origins->options[option->id].source = place->source;
    origins->options[option->id].line = place->line;
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

/* One "NAME=value" of the environment. Names of other programs, and of sections that nobody asks
 * for, are passed over. */
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
        struct config_place place = {.source = CONFIG_ENVIRONMENT};
        return config_assign(config, origins, option, equals + 1, &place, failure);
    }
    char nearest[CONFIG_NAME_SIZE + 16];
    config_option_environment(nearest, sizeof nearest,
                              config_option_nearest(section->name, key, sections));
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "environment: unknown variable %.*s; the nearest is %s",
                       (int)(equals - variable < 80 ? equals - variable : 80), variable, nearest);
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

void config_origin_print(char *text, size_t size, const struct config_origins *origins,
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
    char origin[CONFIG_ORIGIN_SIZE];
    config_value_print(value, config, option);
    config_origin_print(origin, sizeof origin, origins, option);
    snprintf(text, size, "%s = %s (%s)", option->name, value, origin);
}

#include "cli/config.h"

#include "cli/config_option.h"
#include "cli/config_value.h"

enum { COMMENT_COLUMN = 29 };

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

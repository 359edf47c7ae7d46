#include "cli/command_line.h"

#include <string.h>

#include "cli/config_option.h"
#include "cli/config_value.h"

enum { OPTION_COLUMN = 34 };

static void print_option(FILE *stream, const struct config *defaults,
                         const struct config_option *option, bool is_own)
{
    char value[CONFIG_TEXT_SIZE];
    char left[2 * CONFIG_TEXT_SIZE];
    char range[CONFIG_TEXT_SIZE];
    config_value_print(value, defaults, option);
    const char *quote = value[0] == '\0' ? "\"" : "";
    snprintf(left, sizeof left, "  --%s=%s%s%s", is_own ? option->key : option->name, quote, value,
             quote);
    config_value_range(range, sizeof range, option);
    fprintf(stream, "%-*s %s", OPTION_COLUMN, left, option->help);
    fprintf(stream, range[0] ? " (%s)\n" : "%s\n", range);
}

static void print_section(FILE *stream, const struct config *defaults, enum config_section_id id,
                          bool is_own)
{
    const struct config_section *section = config_section_at(id);
    fprintf(stream, "\n%s: %s\n", section->name, section->help);
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        if (option->section_id == id) {
            print_option(stream, defaults, option, is_own);
        }
    }
}

static void print_command(FILE *stream, const struct command_entry *entry)
{
    struct config defaults;
    struct config_origins origins;
    config_defaults(&defaults, &origins);
    fprintf(stream, "Usage: chainring %s %s [--key=value ...]\n", entry->name, entry->positional);
    fprintf(stream, "  %s\n\n", entry->help);
    fprintf(stream, "Options and their defaults. Each may also be a variable of the environment,\n"
                    "CHAINRING_SECTION_KEY, and a line \"key: value\" below \"section:\" in a\n"
                    "configuration file; the command line goes before the environment, and that\n"
                    "before the file.\n");
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        if (entry->sections & (1u << i)) {
            bool is_own = strcmp(config_section_at(i)->name, entry->name) == 0;
            print_section(stream, &defaults, i, is_own);
        }
    }
}

static void print_commands(FILE *stream)
{
    fprintf(stream, "Chainring %s: agentic transformers on very long chains of trajectories\n\n",
            CHAINRING_VERSION);
    fprintf(stream, "Usage: [mpirun -n RANKS] chainring COMMAND ARGUMENT [--key=value ...]\n\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command_entry *entry = command_line_entry(i);
        fprintf(stream, "  %-8s %-14s %s\n", entry->name, entry->positional, entry->help);
    }
    fprintf(stream, "\nchainring COMMAND --help lists the options of a command.\n");
}

void command_line_help(FILE *stream, const struct command_line *line)
{
    switch (line->action) {
    case COMMAND_ACTION_VERSION:
        fprintf(stream, "chainring %s\n", CHAINRING_VERSION);
        break;
    case COMMAND_ACTION_COMMAND_HELP:
        print_command(stream, command_line_entry(line->command));
        break;
    case COMMAND_ACTION_HELP:
    case COMMAND_ACTION_RUN:
        print_commands(stream);
        break;
    }
}

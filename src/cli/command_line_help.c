#include "cli/command_line.h"

#include <string.h>

#include "cli/command_use.h"
#include "cli/config_option.h"
#include "cli/config_value.h"

enum { OPTION_COLUMN = 34 };

static const char *note_of(enum command_use use)
{
    return use == COMMAND_USE_ACTING     ? "; not with --store"
           : use == COMMAND_USE_RECORDED ? "; only with --store"
                                         : "";
}

static void print_option(FILE *stream, const struct config *defaults, enum command command,
                         const struct config_option *option)
{
    char value[CONFIG_TEXT_SIZE];
    char left[2 * CONFIG_TEXT_SIZE];
    char range[CONFIG_TEXT_SIZE];
    config_value_print(value, defaults, option);
    const char *quote = value[0] == '\0' ? "\"" : "";
    bool is_own = strcmp(option->section, command_line_entry(command)->name) == 0;
    snprintf(left, sizeof left, "  --%s=%s%s%s", is_own ? option->key : option->name, quote, value,
             quote);
    config_value_range(range, sizeof range, option);
    fprintf(stream, "%-*s %s%s", OPTION_COLUMN, left, option->help,
            note_of(command_use(command, option)));
    fprintf(stream, range[0] ? " (%s)\n" : "%s\n", range);
}

static void print_section(FILE *stream, const struct config *defaults, enum command command,
                          enum config_section_id id)
{
    const struct config_section *section = config_section_at(id);
    fprintf(stream, "\n%s: %s\n", section->name, section->help);
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        if (option->section_id == id && command_use(command, option) != COMMAND_USE_NEVER) {
            print_option(stream, defaults, command, option);
        }
    }
}

/* Where options may stand, and how they may be called. */
static void help_print_sources(FILE *stream, const struct command_entry *entry)
{
    fputs("Options and their defaults. Each may also be a variable of the environment,\n"
          "CHAINRING_SECTION_KEY",
          stream);
    if (entry->argument == COMMAND_ARGUMENT_OTHER) {
        fputs("; the command line goes before the environment.\n", stream);
    } else {
        bool is_run = entry->argument == COMMAND_ARGUMENT_RUN ||
                      entry->argument == COMMAND_ARGUMENT_OPTIONAL_RUN;
        fprintf(stream,
                ", and a line \"key: value\" below \"section:\" in\n"
                "%s; the command line goes before the environment, and that\n"
                "before the file.\n",
                is_run ? "the run's config.yaml" : "a configuration file");
    }
    fprintf(stream,
            "--%s.KEY may be written --KEY, and so may an option whose key no other section\n"
            "below has, or no other but another command's own.\n",
            entry->name);
}

static void print_command(FILE *stream, enum command command)
{
    struct config defaults;
    struct config_origins origins;
    const struct command_entry *entry = command_line_entry(command);
    config_defaults(&defaults, &origins);
    fprintf(stream, "Usage: chainring %s %s [--key=value ...]\n", entry->name, entry->positional);
    fprintf(stream, "  %s\n\n", entry->help);
    help_print_sources(stream, entry);
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        if (entry->sections & (1u << i)) {
            print_section(stream, &defaults, command, i);
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
        print_command(stream, line->command);
        break;
    case COMMAND_ACTION_HELP:
    case COMMAND_ACTION_RUN:
        print_commands(stream);
        break;
    }
}

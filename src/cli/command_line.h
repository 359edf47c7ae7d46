/* What the user asked for: the command, what it is about, and the resolved configuration.
 *
 * Puts the defaults, the configuration file, the environment and the command line over each other,
 * in this order, and prints help. Does not carry out anything. */
#ifndef CHAINRING_CLI_COMMAND_LINE_H
#define CHAINRING_CLI_COMMAND_LINE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fatal.h"
#include "cli/config.h"

enum command {
    COMMAND_TRAIN,
    COMMAND_EVAL,
    COMMAND_COLLECT,
    COMMAND_CONVERT,
    COMMAND_INSPECT,
    COMMAND_BENCH,
    COMMAND_RENDER,
    COMMANDS
};

/* What the command's positional argument is to the configuration. */
enum command_argument {
    COMMAND_ARGUMENT_CONFIG,          /* its file */
    COMMAND_ARGUMENT_OPTIONAL_CONFIG, /* its file, if given */
    COMMAND_ARGUMENT_RUN,             /* a folder that holds its file, config.yaml */
    COMMAND_ARGUMENT_OPTIONAL_RUN,    /* the same, if given */
    COMMAND_ARGUMENT_OTHER,           /* nothing */
    COMMAND_ARGUMENT_FILE, /* nothing, or with inspect.chains its file; left out where the options
                              ask for something else */
};

struct command_entry {
    const char *name; /* also of the command's own section */
    const char *help;
    const char *positional; /* "CONFIG.yaml" */
    enum command_argument argument;
    unsigned sections; /* that the environment and the command line may set (CONFIG_READS), but for
                          options that command_use.h says */
};

enum command_action {
    COMMAND_ACTION_RUN,
    COMMAND_ACTION_HELP,         /* about all commands */
    COMMAND_ACTION_COMMAND_HELP, /* about one */
    COMMAND_ACTION_VERSION,
};

/* Plain data, as struct config. */
struct command_line {
    enum command_action action;
    enum command command;              /* of COMMAND_ACTION_RUN and _COMMAND_HELP */
    char positional[CONFIG_TEXT_SIZE]; /* "" where an optional one was left out */
    struct config_origins origins;
};

const struct command_entry *command_line_entry(enum command command);

/* Read argv (argv[0] is the program). For COMMAND_ACTION_RUN, config is the resolved configuration,
 * checked (config_check), and a run without a name has that of its configuration file; for the
 * other actions it holds the defaults. An option is --section.key=value or --section.key value; the
 * command's own section may be left out, and any other where only one of those that the command
 * reads, or of those that are no other command's own, has such a key, as may the value of a no|yes
 * option when it is yes; of a repeated option the last value holds; -- ends the options. Refuses
 * unknown commands and options, options that the command does not read (command_use.h), bad values,
 * and positionals that are missing or too many (EXIT_CODE_USAGE); a bad file or environment as
 * config.h says. Local. */
bool command_line_parse(struct command_line *line, struct config *config, int argc, char **argv,
                        struct failure *failure);

/* Print what an action other than COMMAND_ACTION_RUN asks for. Local. */
void command_line_help(FILE *stream, const struct command_line *line);

#endif

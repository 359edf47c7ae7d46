/* A place that a value is read from, and what is said when the value is refused there.
 *
 * The one setter that files, the environment and the command line go through; it keeps the origin.
 * Within src/cli only. */
#ifndef CHAINRING_CLI_CONFIG_PLACE_H
#define CHAINRING_CLI_CONFIG_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/config.h"
#include "cli/config_option.h"

struct config_place {
    enum config_source source;
    const char *file; /* of CONFIG_FILE, fit to print; borrowed */
    size_t line;
};

enum { CONFIG_ORIGIN_SIZE = CONFIG_TEXT_SIZE + 32 };

/* EXIT_CODE_USAGE for the command line, EXIT_CODE_CONFIG else. Local, like all of this file. */
enum exit_code config_source_code(enum config_source source);

/* Set an option and its origin, or refuse the text with its place. */
bool config_assign(struct config *config, struct config_origins *origins,
                   const struct config_option *option, const char *text,
                   const struct config_place *place, struct failure *failure);

/* "PLACE: found FOUND, expected ...". Returns false. */
bool config_refuse(const struct config_option *option, const char *found,
                   const struct config_place *place, struct failure *failure);

/* "configs/x.yaml:7", "CHAINRING_TRAIN_STEPS", "command line" or "default". */
void config_origin_print(char *text, size_t size, const struct config_origins *origins,
                         const struct config_option *option);

#endif

/* Which options of its sections a command reads, and when: what it would ignore is refused.
 *
 * A command reads all options of its sections but for eval, which either acts or, with eval.store,
 * predicts what is recorded, and train, whose rollouts are not all that eval's are. Local, like all
 * of this file. */
#ifndef CHAINRING_CLI_COMMAND_USE_H
#define CHAINRING_CLI_COMMAND_USE_H

#include <stdbool.h>

#include "cli/command_line.h"
#include "cli/config_option.h"

enum command_use {
    COMMAND_USE_NEVER,
    COMMAND_USE_ALWAYS,
    COMMAND_USE_ACTING,   /* without eval.store */
    COMMAND_USE_RECORDED, /* with it */
};

enum command_use command_use(enum command command, const struct config_option *option);

/* Are all options of the command line read where the rest of the configuration is as it is? False
 * and a failure (EXIT_CODE_USAGE) otherwise. */
bool command_use_check(enum command command, const struct config *config,
                       const struct config_origins *origins, struct failure *failure);

#endif

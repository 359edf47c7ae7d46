/* The commands: each turns its part of the configuration into the options of one module below,
 * calls it and prints what comes back. */
#ifndef CHAINRING_CLI_COMMANDS_H
#define CHAINRING_CLI_COMMANDS_H

#include "base/fatal.h"
#include "cli/config.h"

/* All of them: `subject` is the positional argument; the result is the exit status of a run that
 * ended in order. Everything else is fatal. Collective over the job, with the same arguments. */
enum exit_code command_train(const struct config *config, const char *subject);
enum exit_code command_eval(const struct config *config, const char *subject);
enum exit_code command_collect(const struct config *config, const char *subject);
enum exit_code command_convert(const struct config *config, const char *subject);
enum exit_code command_inspect(const struct config *config, const char *subject);
enum exit_code command_bench(const struct config *config, const char *subject);
enum exit_code command_render(const struct config *config, const char *subject);

#endif

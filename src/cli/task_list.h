/* Lists all tasks with their sizes, for people and for programs. */
#ifndef CHAINRING_CLI_TASK_LIST_H
#define CHAINRING_CLI_TASK_LIST_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fatal.h"

/* Print a table, a line for each task, or one JSON object {"simulator", "tasks": [{"task",
 * "domain", "observation_dim", ...}]}, ended by a newline. Compiles every model. False and
 * EXIT_CODE_IO where `out` cannot be written, EXIT_CODE_DATA where a model does not compile.
 * Local. */
bool task_list_print(FILE *out, bool is_json, struct failure *failure);

#endif

/* How reports end, for people and for programs (private to datasets). */
#ifndef CHAINRING_DATASETS_REPORT_H
#define CHAINRING_DATASETS_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/fatal.h"

/* Print a value on lines of its own and give it back; NULL, where its text has no room in memory,
 * is fatal. */
void report_json(FILE *out, json_t *value);

/* Did all of it get out? False and EXIT_CODE_IO otherwise. */
bool report_finish(FILE *out, struct failure *failure);

#endif

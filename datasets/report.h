/* How reports end, for people and for programs. */
#ifndef CHAINRING_DATASETS_REPORT_H
#define CHAINRING_DATASETS_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/fatal.h"

enum { REPORT_ALL_DIGITS = 17 };

/* Print a value on lines of its own, with so many significant digits of each number
 * (REPORT_ALL_DIGITS: all), and release it. Fatal where there is no memory, also for a value of
 * NULL. Local. */
void report_json(FILE *out, json_t *value, size_t digits);

/* Was all of it written? False and EXIT_CODE_IO otherwise. Local. */
bool report_finish(FILE *out, struct failure *failure);

#endif

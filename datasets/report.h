/* What the reports about stores share: the returns of some episodes, values as JSON, and
 * how a report ends. All of this file is local. */
#ifndef CHAINRING_DATASETS_REPORT_H
#define CHAINRING_DATASETS_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"
#include "datasets/store.h"

enum { REPORT_ALL_DIGITS = 17 };

/* The returns in `task` of the episodes of sources [first, end), in the episodes' order, into
 * `returns` (as many as the store has episodes). Returns how many there are. */
size_t report_returns(double *returns, const struct store *store, size_t task, size_t first,
                      size_t end);

/* Append a member to a JSON object: a count, a number (null where it is not finite), a text (not
 * at all where it is not UTF-8, as a path may be), or an array of `length` counts or numbers. */
void report_count(json_t *object, const char *key, uint64_t count);
void report_number(json_t *object, const char *key, double number);
void report_text(json_t *object, const char *key, const char *text);
void report_counts(json_t *object, const char *key, const size_t *counts, size_t length);
void report_numbers(json_t *object, const char *key, const double *numbers, size_t length);

/* Print a value on lines of its own, with so many significant digits of each number
 * (REPORT_ALL_DIGITS: all), and release it. Fatal where there is no memory, also for a value of
 * NULL. */
void report_json(FILE *out, json_t *value, size_t digits);

/* Was all of it written? False and EXIT_CODE_IO otherwise. */
bool report_finish(FILE *out, struct failure *failure);

#endif

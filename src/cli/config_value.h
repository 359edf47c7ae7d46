/* One option's value, between its text and its place in struct config.
 *
 * Strict both ways: a text is taken whole or not at all, and a printed value reads back as the same
 * bits. Does not know where a text came from. */
#ifndef CHAINRING_CLI_CONFIG_VALUE_H
#define CHAINRING_CLI_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/config.h"
#include "cli/config_option.h"

/* The option's default. Local, like all of this file. */
void config_value_initial(struct config *config, const struct config_option *option);

/* False, and nothing is changed, for a text that config_value_expected does not describe. */
bool config_value_set(struct config *config, const struct config_option *option, const char *text);

/* text (CONFIG_TEXT_SIZE bytes) = what config_value_set takes to set the same value. */
void config_value_print(char *text, const struct config *config,
                        const struct config_option *option);

/* "a whole number from 1 to 1024 steps", in `size` bytes. */
void config_value_expected(char *text, size_t size, const struct config_option *option);

/* The same for a table: "1 to 1024 steps", "no|yes"; of a text "". */
void config_value_range(char *text, size_t size, const struct config_option *option);

/* A finite decimal number and nothing else: no blanks, no hexadecimal, no "nan". */
bool config_value_number(double *value, const char *text);

/* What may be printed of foreign bytes: `length` of them, without control characters, cut with
 * "..." where they do not fit in `size` bytes (at least 8). */
void config_value_printable(char *text, size_t size, const char *bytes, size_t length);

#endif

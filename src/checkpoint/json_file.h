/* JSON between this folder and its files: strict reading, one way of writing.
 *
 * Reading refuses duplicate keys and says where the text goes wrong; numbers are written with the
 * 17 digits that bring back the same double. Private to this folder: callers above never see
 * json_t. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_JSON_FILE_H
#define CHAINRING_CHECKPOINT_JSON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/fatal.h"

/* The text of an object, with a newline and a zero behind it; *size counts the newline. The caller
 * frees it with memory_free. */
char *json_file_print(size_t *size, const json_t *object);

/* The object that `size` bytes of text state; NULL and a failure (EXIT_CODE_DATA) naming `path`
 * where they state none. The caller gives it back with json_decref. */
json_t *json_file_parse(const char *text, size_t size, const char *path, struct failure *failure);

/* A file of at most size_max bytes that ends with a newline, as our own files do. */
json_t *json_file_read(const char *path, size_t size_max, struct failure *failure);

/* Are "format" and "version" of the object as given? */
bool json_file_check_format(const json_t *object, const char *path, const char *format,
                            json_int_t version, struct failure *failure);

/* A number of `object` that is not negative, or refusal. */
bool json_file_count(uint64_t *count, const json_t *object, const char *key, const char *path,
                     struct failure *failure);

/* A copy of a text from a file that can stand in a one-line message: at most size - 1 characters,
 * what cannot be printed as '?'. Returns copy. */
char *json_file_printable(char *copy, size_t size, const char *text);

#endif

/* Comma-separated text (RFC 4180), line by line (private to csv*.c).
 *
 * Only a part of the file is in memory. Local; failures are EXIT_CODE_DATA ("FILE: line N: COLUMN:
 * ...", the first line being 1) unless stated otherwise. */
#ifndef CHAINRING_DATASETS_FORMATS_CSV_TEXT_H
#define CHAINRING_DATASETS_FORMATS_CSV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"

struct csv_text {
    char *path;
    struct file_reader reader;
    bool is_open;
    char *bytes; /* of the file from `offset` on, followed by a zero */
    uint64_t offset;
    size_t size; /* bytes in memory */
    size_t used; /* of these, by lines that were taken */
    size_t line; /* where the line that was taken last begins, from 1 */
    size_t next_line;
};

/* A line or a cell. Valid until the next line is taken. */
struct csv_span {
    const char *at, *end; /* NULL: there is none */
};

/* Open a file; also EXIT_CODE_NO_INPUT. The caller closes it in either case. */
bool csv_text_open(struct csv_text *text, const char *path, struct failure *failure);
void csv_text_close(struct csv_text *text);

/* Take the next line that is not empty, without its end; line->at is NULL after the last. Refuses a
 * line of more than 1 MiB. */
bool csv_text_next_line(struct csv_span *line, struct csv_text *text, struct failure *failure);

/* Where a line that was just taken begins in the file, and a way back to it. */
uint64_t csv_text_offset(const struct csv_text *text, struct csv_span line);
void csv_text_seek(struct csv_text *text, uint64_t offset, size_t line);

/* Take the next cell of a line, without the quotes around it; false after the last. */
bool csv_next_cell(struct csv_span *cell, struct csv_span *line);

/* The decimal number that a cell is: NaN where it is empty, infinite where it is something else. */
double csv_number(struct csv_span cell);

/* The same of a flag, which may also be True, true, False or false. */
double csv_flag(struct csv_span cell);

/* Refuse something of the line that was taken last; `column` may be NULL. Returns false. */
bool csv_refuse(const struct csv_text *text, const char *column, const char *found,
                const char *expected, struct failure *failure);
bool csv_refuse_cell(const struct csv_text *text, const char *column, struct csv_span cell,
                     const char *expected, struct failure *failure);

#endif

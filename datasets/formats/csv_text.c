#include "datasets/formats/csv_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"

enum { LINE_MAX_BYTES = 1 << 20 };

bool csv_text_open(struct csv_text *text, const char *path, struct failure *failure)
{
    *text = (struct csv_text){.path = memory_copy_text(path), .line = 1, .next_line = 1};
    text->bytes = memory_take(LINE_MAX_BYTES + 1, 1);
    text->is_open = file_reader_open(&text->reader, text->path, failure);
    return text->is_open;
}

void csv_text_close(struct csv_text *text)
{
    if (text->is_open) {
        file_reader_close(&text->reader);
    }
    memory_free(text->bytes);
    memory_free(text->path);
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* The end of the cell that begins at `at`: a comma, a line's end, or `end`. Inside quotes these are
 * characters, and two quotes are one. */
static const char *find_cell_end(const char *at, const char *end)
{
    if (at < end && *at == '"') {
        do {
            at = memchr(at + 1, '"', (size_t)(end - at - 1));
            at = at ? at + 1 : end;
        } while (at < end && *at == '"');
    }
    while (at < end && *at != ',' && *at != '\n') {
        at++;
    }
    return at;
}

static const char *find_line_end(const char *at, const char *end)
{
    while ((at = find_cell_end(at, end)) < end && *at == ',') {
        at++;
    }
    return at;
}

/* The line that comes next, empty or not. Its end may lie beyond what is in memory: then the
 * memory is filled from its beginning on. */
static bool take_line(struct csv_span *line, struct csv_text *text, struct failure *failure)
{
    const char *end = NULL;
    for (bool is_filled = false;; is_filled = true) {
        const char *bytes_end = text->bytes + text->size;
        end = find_line_end(text->bytes + text->used, bytes_end);
        if (end < bytes_end || text->offset + text->size == text->reader.size) {
            break;
        }
        if (is_filled) {
            return csv_refuse(text, NULL, "more than 1 MiB without an end", "lines", failure);
        }
        text->offset += text->used;
        text->used = 0;
        text->size = size_min(text->reader.size - text->offset, LINE_MAX_BYTES);
        text->bytes[text->size] = '\0';
        if (!file_reader_read(&text->reader, text->bytes, text->size, text->offset, failure)) {
            return false;
        }
    }
    *line = (struct csv_span){.at = text->bytes + text->used, .end = end};
    text->used = size_min((size_t)(end - text->bytes) + 1, text->size);
    text->next_line++;
    for (const char *at = line->at; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        text->next_line++;
    }
    if (end > line->at && end[-1] == '\r') {
        line->end--;
    }
    return true;
}

bool csv_text_next_line(struct csv_span *line, struct csv_text *text, struct failure *failure)
{
    do {
        *line = (struct csv_span){0};
        if (text->offset + text->used == text->reader.size) {
            return true;
        }
        text->line = text->next_line;
        if (!take_line(line, text, failure)) {
            return false;
        }
    } while (line->at == line->end);
    return true;
}

uint64_t csv_text_offset(const struct csv_text *text, struct csv_span line)
{
    return text->offset + (uint64_t)(line.at - text->bytes);
}

void csv_text_seek(struct csv_text *text, uint64_t offset, size_t line)
{
    if (offset < text->offset || offset > text->offset + text->size) {
        text->offset = offset;
        text->size = 0;
    }
    text->used = (size_t)(offset - text->offset);
    text->next_line = line;
}

/* --- Cells ------------------------------------------------------------------------------------ */

bool csv_next_cell(struct csv_span *cell, struct csv_span *line)
{
    if (!line->at) {
        return false;
    }
    const char *end = find_cell_end(line->at, line->end);
    *cell = (struct csv_span){.at = line->at, .end = end};
    line->at = end < line->end ? end + 1 : NULL;
    if (end - cell->at >= 2 && *cell->at == '"' && end[-1] == '"') {
        cell->at++;
        cell->end--;
    }
    return true;
}

double csv_number(struct csv_span cell)
{
    size_t length = (size_t)(cell.end - cell.at);
    if (length == 0) {
        return (double)NAN;
    }
    char *end;
    double number = strtod(cell.at, &end);
    bool is_decimal = end == cell.end && !isnan(number) && !isspace((unsigned char)*cell.at) &&
                      !memchr(cell.at, 'x', length) && !memchr(cell.at, 'X', length);
    return is_decimal ? number : (double)INFINITY;
}

double csv_flag(struct csv_span cell)
{
    static const char *const words[] = {"False", "false", "True", "true"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (length == (size_t)(cell.end - cell.at) && memcmp(cell.at, words[i], length) == 0) {
            return i < 2 ? 0.0 : 1.0;
        }
    }
    return csv_number(cell);
}

bool csv_refuse(const struct csv_text *text, const char *column, const char *found,
                const char *expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: line %zu%s%s: found %s, expected %s; mend it",
                       text->path, text->line, column ? ": " : "", column ? column : "", found,
                       expected);
}

bool csv_refuse_cell(const struct csv_text *text, const char *column, struct csv_span cell,
                     const char *expected, struct failure *failure)
{
    char found[64];
    int length = (int)size_min((size_t)(cell.end - cell.at), sizeof found - 3);
    snprintf(found, sizeof found, "\"%.*s\"", length, cell.at);
    for (char *at = found; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    return csv_refuse(text, column, found, expected, failure);
}

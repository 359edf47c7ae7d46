#include "datasets/formats/csv_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"

enum { LINE_MAX_BYTES = 1 << 20, CELL_MAX = 64, COLUMNS_MAX = 1 << 16 };

bool csv_table_refuse(const struct csv_table *table, size_t line, const char *column,
                      const char *found, const char *expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: line %zu%s%s: found %s, expected %s; mend it",
                       table->path, line, column ? ": " : "", column ? column : "", found,
                       expected);
}

/* --- Lines and cells -------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

/* The end of the cell that begins at `at`: a comma, a line's end, or `end`. Inside quotes these are
 * characters, and two quotes are one (RFC 4180). */
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

/* The end of the line that begins at `at`. */
static const char *find_line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    newline = newline ? newline : end;
    if (!memchr(at, '"', (size_t)(newline - at))) {
        return newline;
    }
    while ((at = find_cell_end(at, end)) < end && *at == ',') {
        at++;
    }
    return at;
}

/* Take the next line, without its newline; false after the last, and for a line without a newline
 * unless `is_last`. */
static bool next_line(struct cursor *line, struct cursor *text, bool is_last)
{
    const char *end = find_line_end(text->at, text->end);
    if (text->at == text->end || (end == text->end && !is_last)) {
        return false;
    }
    *line = (struct cursor){.at = text->at, .end = end};
    text->at = end < text->end ? end + 1 : end;
    if (line->end > line->at && line->end[-1] == '\r') {
        line->end--;
    }
    return true;
}

/* Take the next cell of a line, without the quotes around it; false after the last, where line->at
 * is NULL. */
static bool next_cell(struct cursor *cell, struct cursor *line)
{
    if (!line->at) {
        return false;
    }
    const char *end = find_cell_end(line->at, line->end);
    *cell = (struct cursor){.at = line->at, .end = end};
    line->at = end < line->end ? end + 1 : NULL;
    if (end - cell->at >= 2 && *cell->at == '"' && end[-1] == '"') {
        cell->at++;
        cell->end--;
    }
    return true;
}

static size_t cell_length(const struct cursor *cell)
{
    return (size_t)(cell->end - cell->at);
}

/* "CELL" in printable characters. */
static void quote_cell(char shown[CELL_MAX], const struct cursor *cell)
{
    size_t length = 0;
    shown[length++] = '"';
    for (const char *at = cell->at; at < cell->end && length < CELL_MAX - 2; at++) {
        shown[length++] = *at < ' ' || *at > '~' ? '?' : *at;
    }
    shown[length++] = '"';
    shown[length] = '\0';
}

/* True or False, as pandas writes truth values. */
static bool csv_parse_truth(double *number, const struct cursor *cell)
{
    static const char *const words[] = {"False", "True", "false", "true", "FALSE", "TRUE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (cell_length(cell) == strlen(words[i]) &&
            memcmp(cell->at, words[i], strlen(words[i])) == 0) {
            *number = (double)(i % 2);
            return true;
        }
    }
    return false;
}

/* A decimal number and nothing else. */
static bool csv_parse_number(double *number, const struct cursor *cell)
{
    char text[CELL_MAX];
    size_t length = cell_length(cell);
    if (length == 0 || length >= sizeof text || memchr(cell->at, 'x', length) ||
        memchr(cell->at, 'X', length) || memchr(cell->at, '\0', length) || *cell->at == ' ' ||
        *cell->at == '\t') {
        return false;
    }
    memcpy(text, cell->at, length);
    text[length] = '\0';
    char *end;
    *number = strtod(text, &end);
    return *end == '\0';
}

/* --- The first line --------------------------------------------------------------------------- */

/* The kind of "observation_3", "reward", "reward_walk", "episode", ... . */
static enum csv_kind column_kind(const char *name)
{
    static const struct {
        const char *name;
        enum csv_kind kind;
        bool is_many; /* something follows the name */
    } known[] = {
        {"episode", CSV_EPISODE, false}, {"observation_", CSV_OBSERVATION, true},
        {"action_", CSV_ACTION, true},   {"reward_", CSV_REWARD, true},
        {"reward", CSV_REWARD, false},   {"physics_", CSV_PHYSICS, true},
        {"group", CSV_GROUP, false},     {"end", CSV_END, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].name);
        if (known[i].is_many ? strncmp(name, known[i].name, length) == 0 && name[length] != '\0'
                             : strcmp(name, known[i].name) == 0) {
            return known[i].kind;
        }
    }
    return CSV_OTHER;
}

/* Numbered columns of a kind must count up from 0. */
static bool check_column_number(const struct csv_table *table, const struct csv_column *column,
                                struct failure *failure)
{
    if (column->kind != CSV_OBSERVATION && column->kind != CSV_ACTION &&
        column->kind != CSV_PHYSICS) {
        return true;
    }
    char expected[sizeof column->name];
    size_t stem = (size_t)(strchr(column->name, '_') + 1 - column->name);
    snprintf(expected, sizeof expected, "%.*s%zu", (int)stem, column->name, column->index);
    return strcmp(column->name, expected) == 0 ||
           csv_table_refuse(table, 1, column->name, "this column", expected, failure);
}

static bool csv_add_column(struct csv_table *table, const struct cursor *cell,
                           struct failure *failure)
{
    struct csv_column *column = &table->columns[table->column_count];
    size_t length = cell_length(cell);
    if (length >= sizeof column->name) {
        length = sizeof column->name - 1; /* no known name is so long */
    }
    memcpy(column->name, cell->at, length);
    column->kind = column_kind(column->name);
    column->index = table->kinds[column->kind]++;
    bool is_single = column->kind == CSV_EPISODE || column->kind == CSV_GROUP ||
                     column->kind == CSV_END || strcmp(column->name, "reward") == 0;
    for (size_t i = 0; is_single && i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, column->name) == 0) {
            return csv_table_refuse(table, 1, column->name, "it twice", "it once", failure);
        }
    }
    table->column_count++;
    return check_column_number(table, column, failure);
}

static bool csv_read_header(struct csv_table *table, struct cursor line, struct failure *failure)
{
    static const struct {
        enum csv_kind kind;
        const char *name;
    } needed[] = {{CSV_EPISODE, "episode"},
                  {CSV_OBSERVATION, "observation_0"},
                  {CSV_ACTION, "action_0"},
                  {CSV_REWARD, "reward"}};
    static const char mark[] =
        "\xef\xbb\xbf"; /* the byte order mark of UTF-8, as spreadsheets write it */
    if (cell_length(&line) >= strlen(mark) && memcmp(line.at, mark, strlen(mark)) == 0) {
        line.at += strlen(mark);
    }
    size_t count = 1;
    for (const char *at = line.at; at < line.end; at++) {
        count += *at == ',';
    }
    if (count > COLUMNS_MAX) {
        return csv_table_refuse(table, 1, NULL, "too many columns", "at most 65536", failure);
    }
    table->columns = memory_take(count, sizeof *table->columns);
    struct cursor cell;
    while (next_cell(&cell, &line)) {
        if (!csv_add_column(table, &cell, failure)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (table->kinds[needed[i].kind] == 0) {
            return csv_table_refuse(table, 1, needed[i].name, "no such column", "one", failure);
        }
    }
    return table->kinds[CSV_REWARD] <= STORE_TASKS_MAX ||
           csv_table_refuse(table, 1, "reward", "more than 16", "at most 16", failure);
}

/* --- Where the episodes are ------------------------------------------------------------------- */

/* The number of the episode that a row belongs to. */
static bool csv_read_episode_number(int64_t *number, const struct csv_table *table,
                                    struct cursor line, size_t at_line, struct failure *failure)
{
    static const double exact_max = 0x1p53;
    struct cursor cell = {0};
    for (size_t i = 0; next_cell(&cell, &line); i++) {
        double value;
        if (i >= table->column_count || table->columns[i].kind != CSV_EPISODE) {
            continue;
        }
        if (csv_parse_number(&value, &cell) && fabs(value) <= exact_max && trunc(value) == value) {
            *number = (int64_t)value;
            return true;
        }
        break;
    }
    char shown[CELL_MAX];
    quote_cell(shown, &cell);
    return csv_table_refuse(table, at_line, "episode", shown, "a whole number", failure);
}

static void csv_add_episode(struct csv_table *table, const struct csv_episode *episode)
{
    if (table->count == table->capacity) {
        enum { FIRST_ROOM = 256 };
        size_t grown = table->capacity > 0 ? 2 * table->capacity : FIRST_ROOM;
        table->episodes =
            memory_grow(table->episodes, table->capacity, grown, sizeof *table->episodes);
        table->capacity = grown;
    }
    invariant(table->episodes);
    table->episodes[table->count++] = *episode;
}

/* Add a row of `bytes` bytes at `offset` to the last episode, or begin the next one. */
static void csv_add_row(struct csv_table *table, int64_t number, uint64_t offset, uint64_t bytes,
                        size_t line)
{
    if (table->count == 0 || table->episodes[table->count - 1].number != number) {
        struct csv_episode first = {.number = number, .offset = offset, .line = line};
        csv_add_episode(table, &first);
    }
    struct csv_episode *last = &table->episodes[table->count - 1];
    last->rows++;
    last->bytes = offset + bytes - last->offset;
    table->rows_max = size_max(table->rows_max, last->rows);
}

/* Index the whole lines of a chunk of the file that begins at `offset`; *used becomes their bytes.
 * The last line of the file needs no newline. */
static bool csv_index_chunk(struct csv_table *table, struct cursor chunk, uint64_t offset,
                            size_t *line, size_t *used, struct failure *failure)
{
    const char *begin = chunk.at;
    bool is_last = offset + cell_length(&chunk) == table->reader.size;
    struct cursor row;
    for (const char *row_begin = begin; next_line(&row, &chunk, is_last); row_begin = chunk.at) {
        int64_t number = 0;
        ++*line;
        if (*line == 1) {
            if (!csv_read_header(table, row, failure)) {
                return false;
            }
        } else if (cell_length(&row) > 0) {
            if (!csv_read_episode_number(&number, table, row, *line, failure)) {
                return false;
            }
            csv_add_row(table, number, offset + (uint64_t)(row_begin - begin),
                        (uint64_t)(chunk.at - row_begin), *line);
        }
    }
    *used = (size_t)(chunk.at - begin);
    return *used > 0 || csv_table_refuse(table, *line + 1, NULL, "more than 1 MiB without an end",
                                         "lines", failure);
}

static bool csv_index(struct csv_table *table, struct failure *failure)
{
    char *chunk = memory_take(LINE_MAX_BYTES, 1);
    uint64_t offset = 0;
    size_t line = 0;
    bool is_read = true;
    while (is_read && offset < table->reader.size) {
        uint64_t left = table->reader.size - offset;
        size_t size = size_min(left, LINE_MAX_BYTES);
        size_t used = 0;
        struct cursor text = {.at = chunk, .end = chunk + size};
        is_read = file_reader_read(&table->reader, chunk, size, offset, failure) &&
                  csv_index_chunk(table, text, offset, &line, &used, failure);
        offset += used;
    }
    memory_free(chunk);
    return is_read && (table->count > 0 || csv_table_refuse(table, line + 1, NULL, "no rows",
                                                            "a row for each step", failure));
}

static int compare_csv_episodes(const void *left, const void *right)
{
    const struct csv_episode *a = left;
    const struct csv_episode *b = right;
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return (a->line > b->line) - (a->line < b->line);
}

/* The rows of an episode must be together. */
static bool csv_check_episodes(const struct csv_table *table, struct failure *failure)
{
    struct csv_episode *sorted = memory_take(table->count, sizeof *sorted);
    memcpy(sorted, table->episodes, table->count * sizeof *sorted);
    qsort(sorted, table->count, sizeof *sorted, compare_csv_episodes);
    size_t i = 1;
    while (i < table->count && sorted[i].number != sorted[i - 1].number) {
        i++;
    }
    bool is_fine = i >= table->count;
    if (!is_fine) {
        char found[64];
        snprintf(found, sizeof found, "episode %lld again", (long long)sorted[i].number);
        csv_table_refuse(table, sorted[i].line, NULL, found, "its rows in one place", failure);
    }
    memory_free(sorted);
    return is_fine;
}

bool csv_table_open(struct csv_table *table, const char *path, struct failure *failure)
{
    *table = (struct csv_table){.path = memory_copy_text(path)};
    table->is_open = file_reader_open(&table->reader, table->path, failure);
    return table->is_open && csv_index(table, failure) && csv_check_episodes(table, failure);
}

void csv_table_close(struct csv_table *table)
{
    if (table->is_open) {
        file_reader_close(&table->reader);
    }
    memory_free(table->columns);
    memory_free(table->episodes);
    memory_free(table->path);
}

/* --- Rows ------------------------------------------------------------------------------------- */

static bool csv_read_row(double *cells, const struct csv_table *table, struct cursor line,
                         size_t at_line, struct failure *failure)
{
    struct cursor cell;
    size_t count = 0;
    for (; next_cell(&cell, &line); count++) {
        if (count >= table->column_count) {
            continue;
        }
        const struct csv_column *column = &table->columns[count];
        enum csv_kind kind = column->kind;
        /* The state after the last step has none of these. */
        bool may_be_empty =
            kind == CSV_ACTION || kind == CSV_REWARD || kind == CSV_GROUP || kind == CSV_END;
        bool is_empty = cell_length(&cell) == 0 && may_be_empty;
        cells[count] = (double)NAN;
        bool is_read = is_empty || csv_parse_number(&cells[count], &cell) ||
                       csv_parse_truth(&cells[count], &cell);
        if (kind != CSV_OTHER && !is_read) {
            char shown[CELL_MAX];
            quote_cell(shown, &cell);
            return csv_table_refuse(table, at_line, column->name, shown, "a number", failure);
        }
        if (is_empty) {
            cells[count] = (double)NAN;
        }
    }
    if (count != table->column_count) {
        char found[64];
        char expected[64];
        snprintf(found, sizeof found, "%zu cells", count);
        snprintf(expected, sizeof expected, "%zu as in line 1", table->column_count);
        return csv_table_refuse(table, at_line, NULL, found, expected, failure);
    }
    return true;
}

bool csv_table_read(double *cells, const struct csv_table *table, size_t episode,
                    struct failure *failure)
{
    const struct csv_episode *location = &table->episodes[episode];
    char *bytes = memory_take(location->bytes, 1);
    bool is_read =
        file_reader_read(&table->reader, bytes, location->bytes, location->offset, failure);
    struct cursor text = {.at = bytes, .end = bytes + location->bytes};
    struct cursor line;
    size_t at_line = location->line;
    size_t row = 0;
    for (; is_read && row < location->rows && next_line(&line, &text, true); at_line++) {
        if (cell_length(&line) > 0) {
            is_read =
                csv_read_row(cells + row++ * table->column_count, table, line, at_line, failure);
        }
    }
    memory_free(bytes);
    return is_read;
}

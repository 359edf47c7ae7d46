/* A table of steps as comma-separated text, whose first line names the columns.
 *
 * A row is a step: the state before it, its action and its rewards. An episode's last row without
 * action and reward is the state after the last step; without such a row that state is the last one
 * again. Opening reads the file once to locate the episodes; their rows are parsed when an episode
 * is read. */
#include "datasets/formats/formats.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/csv_text.h"

enum csv_kind {
    CSV_EPISODE,
    CSV_OBSERVATION,
    CSV_ACTION,
    CSV_REWARD,
    CSV_PHYSICS,
    CSV_GROUP,
    CSV_END,
    CSV_TERMINATED,
    CSV_TRUNCATED,
    CSV_OTHER, /* passed over */
    CSV_KINDS
};

struct csv_column {
    char name[STORE_NAME_MAX + 16];
    enum csv_kind kind;
    size_t index; /* among the columns of its kind */
};

struct csv_episode {
    int64_t number;  /* in the table */
    uint64_t offset; /* of its first row, in bytes */
    size_t line;     /* of its first row */
    size_t rows;
};

struct csv {
    struct csv_text text;
    struct csv_column *columns;
    size_t column_count;
    size_t kinds[CSV_KINDS]; /* columns of each kind */
    struct csv_episode *episodes;
    size_t count, capacity;
    struct store_spec spec;
    struct episode_buffer buffer;
    double once[CSV_KINDS]; /* what the row read last says of its episode; 0: nothing */
};

/* --- The first line --------------------------------------------------------------------------- */

static const struct csv_heading {
    const char *name; /* or its beginning, where a number or a task's name follows */
    enum csv_kind kind;
    enum { HEADING_SINGLE, HEADING_NUMBERED, HEADING_NAMED } form;
} headings[] = {
    {"episode", CSV_EPISODE, HEADING_SINGLE},
    {"observation_", CSV_OBSERVATION, HEADING_NUMBERED},
    {"action_", CSV_ACTION, HEADING_NUMBERED},
    {"reward", CSV_REWARD, HEADING_SINGLE},
    {"reward_", CSV_REWARD, HEADING_NAMED},
    {"physics_", CSV_PHYSICS, HEADING_NUMBERED},
    {"group", CSV_GROUP, HEADING_SINGLE},
    {"end", CSV_END, HEADING_SINGLE},
    {"terminated", CSV_TERMINATED, HEADING_SINGLE},
    {"truncated", CSV_TRUNCATED, HEADING_SINGLE},
    {"terminals", CSV_TERMINATED, HEADING_SINGLE},
    {"timeouts", CSV_TRUNCATED, HEADING_SINGLE},
};

/* The heading of a column; NULL where the column is passed over. */
static const struct csv_heading *find_heading(const char *name)
{
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
        size_t length = strlen(headings[i].name);
        if (strncmp(name, headings[i].name, length) == 0 &&
            (name[length] == '\0') == (headings[i].form == HEADING_SINGLE)) {
            return &headings[i];
        }
    }
    return NULL;
}

/* Numbered columns count up from 0, others with a name of their own stand there once. */
static bool csv_check_column(const struct csv *csv, const struct csv_column *column,
                             const struct csv_heading *heading, struct failure *failure)
{
    if (heading->form == HEADING_NUMBERED) {
        char expected[sizeof column->name];
        snprintf(expected, sizeof expected, "%s%zu", heading->name, column->index);
        return strcmp(column->name, expected) == 0 ||
               csv_refuse(&csv->text, column->name, "this column", expected, failure);
    }
    for (const struct csv_column *other = csv->columns; other < column; other++) {
        bool is_same = strcmp(other->name, column->name) == 0 ||
                       (other->kind == column->kind && column->kind != CSV_REWARD);
        if (heading->form == HEADING_SINGLE && is_same) {
            return csv_refuse(&csv->text, column->name, "such a column twice", "it once", failure);
        }
    }
    return true;
}

static bool csv_add_column(struct csv *csv, struct csv_span cell, struct failure *failure)
{
    struct csv_column *column = &csv->columns[csv->column_count++];
    snprintf(column->name, sizeof column->name, "%.*s", (int)(cell.end - cell.at), cell.at);
    const struct csv_heading *heading = find_heading(column->name);
    column->kind = heading ? heading->kind : CSV_OTHER;
    column->index = csv->kinds[column->kind]++;
    return !heading || csv_check_column(csv, column, heading, failure);
}

static bool csv_check_kinds(const struct csv *csv, struct failure *failure)
{
    static const char *const needed[] = {[CSV_EPISODE] = "episode",
                                         [CSV_OBSERVATION] = "observation_0",
                                         [CSV_ACTION] = "action_0",
                                         [CSV_REWARD] = "reward"};
    for (size_t kind = 0; kind < sizeof needed / sizeof *needed; kind++) {
        if (csv->kinds[kind] == 0) {
            return csv_refuse(&csv->text, needed[kind], "no such column", "one", failure);
        }
    }
    return csv->kinds[CSV_REWARD] <= STORE_TASKS_MAX ||
           csv_refuse(&csv->text, "reward", "more than 16", "at most 16", failure);
}

static bool csv_read_header(struct csv *csv, struct failure *failure)
{
    /* The byte order mark of UTF-8, as spreadsheets write it. */
    static const char mark[] = "\xef\xbb\xbf";
    struct csv_span line;
    struct csv_span cell;
    if (!csv_text_next_line(&line, &csv->text, failure)) {
        return false;
    }
    if (line.at && strncmp(line.at, mark, strlen(mark)) == 0) {
        line.at += strlen(mark);
    }
    size_t cells = 0;
    for (struct csv_span rest = line; csv_next_cell(&cell, &rest);) {
        cells++;
    }
    csv->columns = memory_take(cells, sizeof *csv->columns);
    while (csv_next_cell(&cell, &line)) {
        if (!csv_add_column(csv, cell, failure)) {
            return false;
        }
    }
    return csv_check_kinds(csv, failure);
}

/* --- Cells ------------------------------------------------------------------------------------ */

/* What a column's cells may hold. What an episode has once need not stand in every row. */
static const struct csv_rule {
    const char *expected;
    double maximum;
    bool is_whole, may_be_empty;
    bool is_flag; /* not negative, and may be a word */
} rules[CSV_KINDS] = {
    [CSV_EPISODE] = {"a whole number", 0x1p53, true, false, false},
    [CSV_OBSERVATION] = {"a number of single precision", (double)FLT_MAX, false, false, false},
    [CSV_ACTION] = {"a number of single precision", (double)FLT_MAX, false, true, false},
    [CSV_REWARD] = {"a number of single precision", (double)FLT_MAX, false, true, false},
    [CSV_PHYSICS] = {"a number", DBL_MAX, false, false, false},
    [CSV_GROUP] = {"a whole number", 0x1p53, true, true, false},
    [CSV_END] = {"0 unknown, 1 terminated or 2 truncated", 2.0, true, true, true},
    [CSV_TERMINATED] = {"0, 1, False or True", 1.0, true, true, true},
    [CSV_TRUNCATED] = {"0, 1, False or True", 1.0, true, true, true},
};

/* The number in a cell; NaN where that is empty. */
static bool csv_read_cell(double *number, const struct csv *csv, const struct csv_column *column,
                          struct csv_span cell, struct failure *failure)
{
    const struct csv_rule *rule = &rules[column->kind];
    *number = rule->is_flag ? csv_flag(cell) : csv_number(cell);
    double minimum = rule->is_flag ? 0.0 : -rule->maximum;
    bool is_fine = isnan(*number) ? rule->may_be_empty
                                  : *number >= minimum && *number <= rule->maximum &&
                                        (!rule->is_whole || trunc(*number) == *number);
    return is_fine || csv_refuse_cell(&csv->text, column->name, cell, rule->expected, failure);
}

/* --- Where the episodes are ------------------------------------------------------------------- */

/* The number of the episode that a row belongs to. */
static bool csv_read_episode_number(double *number, const struct csv *csv, struct csv_span line,
                                    struct failure *failure)
{
    struct csv_span cell;
    for (size_t i = 0; csv_next_cell(&cell, &line); i++) {
        if (csv->columns[i].kind == CSV_EPISODE) {
            return csv_read_cell(number, csv, &csv->columns[i], cell, failure);
        }
    }
    return csv_refuse(&csv->text, "episode", "no cell", "one", failure);
}

/* Add a row to the last episode, or begin the next one with it. */
static void csv_add_row(struct csv *csv, int64_t number, struct csv_span line)
{
    if (csv->count == 0 || csv->episodes[csv->count - 1].number != number) {
        if (csv->count == csv->capacity) {
            size_t grown = 2 * csv->capacity + 256;
            csv->episodes = memory_grow(csv->episodes, csv->capacity, grown, sizeof *csv->episodes);
            csv->capacity = grown;
        }
        csv->episodes[csv->count++] = (struct csv_episode){
            .number = number, .offset = csv_text_offset(&csv->text, line), .line = csv->text.line};
    }
    csv->episodes[csv->count - 1].rows++;
}

static bool csv_find_episodes(struct csv *csv, struct failure *failure)
{
    struct csv_span line;
    double number = 0.0;
    while (csv_text_next_line(&line, &csv->text, failure) && line.at) {
        if (!csv_read_episode_number(&number, csv, line, failure)) {
            return false;
        }
        csv_add_row(csv, (int64_t)number, line);
    }
    return !line.at && (csv->count > 0 || csv_refuse(&csv->text, NULL, "no rows after it",
                                                     "a row for each step", failure));
}

static int compare_csv_episodes(const void *left, const void *right)
{
    const struct csv_episode *a = left;
    const struct csv_episode *b = right;
    int order = (a->number > b->number) - (a->number < b->number);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* The rows of an episode must be together. */
static bool csv_check_episodes(struct csv *csv, struct failure *failure)
{
    struct csv_episode *sorted = memory_take(csv->count, sizeof *sorted);
    memcpy(sorted, csv->episodes, csv->count * sizeof *sorted);
    qsort(sorted, csv->count, sizeof *sorted, compare_csv_episodes);
    size_t i = 1;
    while (i < csv->count && sorted[i].number != sorted[i - 1].number) {
        i++;
    }
    bool is_fine = i >= csv->count;
    if (!is_fine) {
        char found[64];
        snprintf(found, sizeof found, "episode %lld again", (long long)sorted[i].number);
        csv->text.line = sorted[i].line;
        csv_refuse(&csv->text, NULL, found, "its rows in one place", failure);
    }
    memory_free(sorted);
    return is_fine;
}

/* --- The format ------------------------------------------------------------------------------- */

static void csv_close(void *source)
{
    struct csv *csv = source;
    csv_text_close(&csv->text);
    memory_free(csv->columns);
    memory_free(csv->episodes);
    episode_buffer_free(&csv->buffer);
    memory_free(csv);
}

/* A column reward_TASK has the rewards of TASK. */
static void csv_name_tasks(struct store_spec *spec, const struct csv *csv)
{
    format_name_rewards(spec, csv->kinds[CSV_REWARD]);
    for (size_t i = 0; i < csv->column_count; i++) {
        const struct csv_column *column = &csv->columns[i];
        const char *task = column->kind == CSV_REWARD ? strchr(column->name, '_') : NULL;
        if (task) {
            snprintf(spec->tasks[column->index], STORE_NAME_MAX, "%.*s", STORE_NAME_MAX - 1,
                     task + 1);
        }
    }
}

static void *csv_open(const char *path, const struct format_options *options,
                      struct store_spec *spec, struct failure *failure)
{
    (void)options;
    struct csv *csv = memory_take(1, sizeof *csv);
    if (!csv_text_open(&csv->text, path, failure) || !csv_read_header(csv, failure) ||
        !csv_find_episodes(csv, failure) || !csv_check_episodes(csv, failure)) {
        csv_close(csv);
        return NULL;
    }
    csv->spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .source = "table",
        .observation_dim = csv->kinds[CSV_OBSERVATION],
        .action_dim = csv->kinds[CSV_ACTION],
        .physics_dim = csv->kinds[CSV_PHYSICS],
    };
    csv_name_tasks(&csv->spec, csv);
    *spec = csv->spec;
    return csv;
}

static bool csv_recognise(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".csv") == 0;
}

static size_t csv_episode_count(const void *source)
{
    const struct csv *csv = source;
    return csv->count;
}

/* --- One episode ------------------------------------------------------------------------------ */

static void csv_store_cell(struct csv *csv, const struct csv_column *column, size_t row,
                           double number)
{
    struct episode_buffer *buffer = &csv->buffer;
    size_t at = row * csv->kinds[column->kind] + column->index;
    switch (column->kind) {
    case CSV_OBSERVATION:
        buffer->observation[at] = (float)number;
        break;
    case CSV_ACTION:
        buffer->action[at] = (float)number;
        break;
    case CSV_REWARD:
        buffer->reward[column->index][row] = (float)number;
        break;
    case CSV_PHYSICS:
        buffer->physics[at] = number;
        break;
    default:
        csv->once[column->kind] = isnan(number) ? 0.0 : number;
    }
}

/* Store a row, which is a step where it has actions and rewards, and then has all of them. */
static bool csv_read_row(struct csv *csv, size_t row, bool *is_step, struct failure *failure)
{
    struct csv_span line;
    struct csv_span cell;
    size_t cells = 0;
    const struct csv_column *empty = NULL;
    *is_step = false;
    if (!csv_text_next_line(&line, &csv->text, failure)) {
        return false;
    }
    for (; csv_next_cell(&cell, &line); cells++) {
        const struct csv_column *column = &csv->columns[cells];
        if (cells >= csv->column_count || column->kind == CSV_OTHER) {
            continue;
        }
        double number;
        if (!csv_read_cell(&number, csv, column, cell, failure)) {
            return false;
        }
        csv_store_cell(csv, column, row, number);
        if (column->kind == CSV_ACTION || column->kind == CSV_REWARD) {
            empty = isnan(number) ? column : empty;
            *is_step = *is_step || !isnan(number);
        }
    }
    if (cells != csv->column_count) {
        char found[64];
        char expected[64];
        snprintf(found, sizeof found, "%zu cells", cells);
        snprintf(expected, sizeof expected, "%zu as in line 1", csv->column_count);
        return csv_refuse(&csv->text, NULL, found, expected, failure);
    }
    return !*is_step || !empty ||
           csv_refuse(&csv->text, empty->name, "no number", "one, as in the step's other cells",
                      failure);
}

/* How the episode of the row read last ends. */
static enum store_end csv_end(const struct csv *csv)
{
    const double *once = csv->once;
    return once[CSV_END] > 0.0          ? (enum store_end)once[CSV_END]
           : once[CSV_TERMINATED] > 0.0 ? STORE_END_TERMINATED
           : once[CSV_TRUNCATED] > 0.0  ? STORE_END_TRUNCATED
                                        : STORE_END_UNKNOWN;
}

static bool csv_read(void *source, size_t index, struct format_episode *episode,
                     struct failure *failure)
{
    struct csv *csv = source;
    const struct csv_episode *location = &csv->episodes[index];
    size_t steps = 0;
    int64_t group = 0;
    enum store_end end = STORE_END_UNKNOWN;
    episode_buffer_reserve(&csv->buffer, &csv->spec, location->rows);
    csv_text_seek(&csv->text, location->offset, location->line);
    for (size_t row = 0; row < location->rows; row++) {
        bool is_step;
        if (!csv_read_row(csv, row, &is_step, failure)) {
            return false;
        }
        if (steps < row) {
            return csv_refuse(&csv->text, NULL, "a row behind the last state of its episode",
                              "another episode", failure);
        }
        if (is_step) {
            steps = row + 1;
            group = (int64_t)csv->once[CSV_GROUP];
            end = csv_end(csv);
        }
    }
    if (steps == 0) {
        return csv_refuse(&csv->text, NULL, "an episode of no steps", "actions and rewards",
                          failure);
    }
    if (steps == location->rows) {
        episode_buffer_repeat_last_state(&csv->buffer, &csv->spec, steps);
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(&csv->buffer, &csv->spec, steps)};
    episode->data.group = group;
    episode->data.end = end;
    snprintf(episode->name, sizeof episode->name, "episode %lld", (long long)location->number);
    return true;
}

const struct format_reader format_csv = {
    .name = "csv",
    .help = "csv: a table with columns episode, observation_0, ..., action_0, ..., reward",
    .recognises = csv_recognise,
    .open = csv_open,
    .close = csv_close,
    .episode_count = csv_episode_count,
    .read = csv_read,
};

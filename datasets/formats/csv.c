#include "datasets/formats/formats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/csv_table.h"
#include "datasets/formats/number.h"

/* A row is a step: the state before it, its action and its rewards. An episode's last row without
 * action and reward is the state after the last step; without such a row that state is the last one
 * again. */
struct csv {
    struct csv_table table;
    struct store_spec spec;
    double *cells; /* (rows_max, columns) */
    struct episode_buffer buffer;
};

/* Is an action or reward cell empty? */
static bool is_missing(double cell)
{
    return isnan(cell);
}

/* --- The table -------------------------------------------------------------------------------- */

static void csv_close(void *source)
{
    struct csv *csv = source;
    csv_table_close(&csv->table);
    memory_free(csv->cells);
    episode_buffer_free(&csv->buffer);
    memory_free(csv);
}

/* A column reward_TASK has the rewards of TASK. */
static void csv_name_tasks(struct store_spec *spec, const struct csv_table *table)
{
    format_name_rewards(spec, table->kinds[CSV_REWARD]);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct csv_column *column = &table->columns[i];
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
    if (!csv_table_open(&csv->table, path, failure)) {
        csv_close(csv);
        return NULL;
    }
    const struct csv_table *table = &csv->table;
    const size_t *kinds = table->kinds;
    csv->cells = memory_take(table->rows_max * table->column_count, sizeof(double));
    csv->spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .source = "table",
        .observation_dim = kinds[CSV_OBSERVATION],
        .action_dim = kinds[CSV_ACTION],
        .physics_dim = kinds[CSV_PHYSICS],
    };
    csv_name_tasks(&csv->spec, table);
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
    return csv->table.count;
}

/* At most: an episode may have one more row than steps. */
static size_t csv_step_count(const void *source)
{
    const struct csv *csv = source;
    size_t rows = 0;
    for (size_t i = 0; i < csv->table.count; i++) {
        rows += csv->table.episodes[i].rows;
    }
    return rows;
}

/* --- One episode ------------------------------------------------------------------------------ */

/* The line of a row, without counting blank lines. */
static size_t csv_line_of(const struct csv *csv, size_t index, size_t row)
{
    return csv->table.episodes[index].line + row;
}

static bool csv_refuse_cell(const struct csv *csv, size_t index, size_t row, size_t column,
                            const char *expected, struct failure *failure)
{
    char found[64];
    double cell = csv->cells[row * csv->table.column_count + column];
    if (isnan(cell)) {
        snprintf(found, sizeof found, "no number");
    } else {
        snprintf(found, sizeof found, "\"%g\"", cell);
    }
    return csv_table_refuse(&csv->table, csv_line_of(csv, index, row),
                            csv->table.columns[column].name, found, expected, failure);
}

/* Has the row neither action nor reward? */
static bool is_state_only(const struct csv *csv, size_t row)
{
    const struct csv_table *table = &csv->table;
    for (size_t i = 0; i < table->column_count; i++) {
        enum csv_kind kind = table->columns[i].kind;
        if ((kind == CSV_ACTION || kind == CSV_REWARD) &&
            !is_missing(csv->cells[row * table->column_count + i])) {
            return false;
        }
    }
    return true;
}

/* Store a cell of an episode of `steps` steps in the buffer. */
static bool csv_store_cell(struct csv *csv, size_t index, size_t row, size_t column, size_t steps,
                           struct failure *failure)
{
    const struct csv_table *table = &csv->table;
    const struct csv_column *described = &table->columns[column];
    const double *cell = &csv->cells[row * table->column_count + column];
    size_t kind_columns = table->kinds[described->kind];
    size_t at = row * kind_columns + described->index;
    float *single = NULL;
    switch (described->kind) {
    case CSV_OBSERVATION:
        single = &csv->buffer.observation[at];
        break;
    case CSV_PHYSICS:
        csv->buffer.physics[at] = *cell;
        return true;
    case CSV_ACTION:
        single = row < steps ? &csv->buffer.action[at] : NULL;
        break;
    case CSV_REWARD:
        single = row < steps ? &csv->buffer.reward[described->index][row] : NULL;
        break;
    default:
        return true;
    }
    if (single && described->kind != CSV_OBSERVATION && is_missing(*cell)) {
        return csv_refuse_cell(csv, index, row, column, "one, as in the step's other cells",
                               failure);
    }
    return !single || number_to_single(single, cell, NUMBER_F64, 1) == 1 ||
           csv_refuse_cell(csv, index, row, column, "a number of single precision", failure);
}

/* A group or an end, of the last step's row; 0 where the cell is empty or there is no such column.
 */
static bool csv_read_integer(int64_t *value, const struct csv *csv, size_t index, size_t row,
                             enum csv_kind kind, struct failure *failure)
{
    const struct csv_table *table = &csv->table;
    *value = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const double *cell = &csv->cells[row * table->column_count + i];
        if (table->columns[i].kind == kind && !is_missing(*cell) &&
            (number_to_integer(value, cell, NUMBER_F64, 1) != 1 ||
             (kind == CSV_END && (*value < STORE_END_UNKNOWN || *value > STORE_END_TRUNCATED)))) {
            return csv_refuse_cell(csv, index, row, i, "a whole number in its range", failure);
        }
    }
    return true;
}

static bool csv_store_rows(struct csv *csv, size_t index, size_t *steps, struct failure *failure)
{
    const struct csv_table *table = &csv->table;
    size_t rows = table->episodes[index].rows;
    *steps = is_state_only(csv, rows - 1) ? rows - 1 : rows;
    episode_buffer_reserve(&csv->buffer, &csv->spec, *steps);
    for (size_t row = 0; row < rows; row++) {
        if (row + 1 < rows && is_state_only(csv, row)) {
            return csv_table_refuse(table, csv_line_of(csv, index, row + 1), NULL,
                                    "a row behind the last state of its episode", "another episode",
                                    failure);
        }
        for (size_t column = 0; column < table->column_count; column++) {
            if (!csv_store_cell(csv, index, row, column, *steps, failure)) {
                return false;
            }
        }
    }
    if (*steps == rows) {
        episode_buffer_repeat_last_state(&csv->buffer, &csv->spec, *steps);
    }
    return true;
}

static bool csv_read(void *source, size_t index, struct format_episode *episode,
                     struct failure *failure)
{
    struct csv *csv = source;
    size_t steps;
    if (!csv_table_read(csv->cells, &csv->table, index, failure) ||
        !csv_store_rows(csv, index, &steps, failure)) {
        return false;
    }
    int64_t group;
    int64_t end;
    size_t last = size_max(steps, 1) - 1;
    if (!csv_read_integer(&group, csv, index, last, CSV_GROUP, failure) ||
        !csv_read_integer(&end, csv, index, last, CSV_END, failure)) {
        return false;
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(&csv->buffer, &csv->spec, steps)};
    episode->data.group = group;
    episode->data.end = (enum store_end)end;
    snprintf(episode->name, sizeof episode->name, "episode %lld",
             (long long)csv->table.episodes[index].number);
    return true;
}

const struct format_reader format_csv = {
    .name = "csv",
    .help = "csv: a table with columns episode, observation_0, ..., action_0, ..., reward",
    .recognises = csv_recognise,
    .open = csv_open,
    .close = csv_close,
    .episode_count = csv_episode_count,
    .step_count = csv_step_count,
    .read = csv_read,
};

/* A table of steps as comma-separated text: the kinds of its columns and the locations of its
 * episodes (private to csv*.c).
 *
 * The first line names the columns. Opening reads the file once to locate the episodes; rows are
 * parsed when an episode is read. Local; failures are EXIT_CODE_DATA ("FILE: line N: COLUMN:
 * ...") unless stated otherwise. */
#ifndef CHAINRING_DATASETS_FORMATS_CSV_TABLE_H
#define CHAINRING_DATASETS_FORMATS_CSV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"
#include "datasets/store.h"

enum csv_kind {
    CSV_OTHER, /* ignored */
    CSV_EPISODE,
    CSV_OBSERVATION,
    CSV_ACTION,
    CSV_REWARD,
    CSV_PHYSICS,
    CSV_GROUP,
    CSV_END,
    CSV_KINDS
};

struct csv_column {
    char name[STORE_NAME_MAX + 16];
    enum csv_kind kind;
    size_t index; /* among the columns of its kind */
};

struct csv_episode {
    int64_t number; /* in the table */
    uint64_t offset, bytes;
    size_t line; /* of its first row, from 1 */
    size_t rows;
};

struct csv_table {
    char *path;
    struct file_reader reader;
    bool is_open;
    struct csv_column *columns;
    size_t column_count;
    size_t kinds[CSV_KINDS]; /* columns of each kind */
    struct csv_episode *episodes;
    size_t count, capacity;
    size_t rows_max; /* of an episode */
};

/* Open a table; also EXIT_CODE_NO_INPUT. The caller closes it in either case. */
bool csv_table_open(struct csv_table *table, const char *path, struct failure *failure);
void csv_table_close(struct csv_table *table);

/* The rows of an episode as (rows, column_count) numbers. A cell that is not a number is
 * refused; an empty action, reward, group or end is NaN, and so are columns of other kinds. */
bool csv_table_read(double *cells, const struct csv_table *table, size_t episode,
                    struct failure *failure);

/* "PATH: line N: COLUMN: found FOUND, expected EXPECTED; ...". Returns false. */
bool csv_table_refuse(const struct csv_table *table, size_t line, const char *column,
                      const char *found, const char *expected, struct failure *failure);

#endif

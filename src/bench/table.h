/* What a bench found, declared once and printed as text for people or as one JSON object for
 * programs. All of this file is local. */
#ifndef CHAINRING_BENCH_TABLE_H
#define CHAINRING_BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 14 };

struct table_printer {
    FILE *stream; /* NULL: prints nothing */
    bool is_json;
    bool has_members; /* the JSON object that is open */
};

/* Text shows a value times `scale`. */
struct table_column {
    const char *title; /* NULL: only in JSON */
    const char *key;   /* NULL: only in text; "" adds nothing to the row's */
    double scale;
    int decimals;
    const char *suffix; /* behind each value */
};

/* How cells lie in JSON: members "ROW_COLUMN" of the object, members "ROW": {"COLUMN": ...}, or
 * an array of objects {"COLUMN": ...}, one for each row. */
enum table_form { TABLE_FLAT, TABLE_NESTED, TABLE_LIST };

struct table {
    enum table_form form;
    const char *title;                              /* over the rows' labels; NULL: none */
    const char *list_key, *label_key;               /* of a list, and its rows' labels or NULL */
    struct table_column columns[TABLE_COLUMNS_MAX]; /* up to one without title and key */
};

struct table_row {
    const char *label;
    const char *key;                  /* a list does not read it */
    double values[TABLE_COLUMNS_MAX]; /* NaN: none; a dash, null */
    double scale;                     /* other than 0: with `decimals`, in place of the columns' */
    int decimals;
};

void table_print(struct table_printer *printer, const struct table *table,
                 const struct table_row *rows, size_t row_count);

/* A sentence: only in text. */
void table_say(struct table_printer *printer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A member of the JSON object: only there. `word` holds nothing that JSON escapes. */
void table_word(struct table_printer *printer, const char *key, const char *word);
void table_number(struct table_printer *printer, const char *key, double number);

/* Close the JSON object, where anything has been printed. */
void table_finish(struct table_printer *printer);

#endif

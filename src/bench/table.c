#include "bench/table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/arithmetic.h"

static bool table_has_column(const struct table *table, size_t i)
{
    return i < TABLE_COLUMNS_MAX && (table->columns[i].title || table->columns[i].key);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void table_key(struct table_printer *printer, const char *key)
{
    fprintf(printer->stream, "%s\"%s\": ", printer->has_members ? ", " : "{", key);
    printer->has_members = true;
}

void table_word(struct table_printer *printer, const char *key, const char *word)
{
    if (printer->stream && printer->is_json) {
        table_key(printer, key);
        fprintf(printer->stream, "\"%s\"", word);
    }
}

void table_number(struct table_printer *printer, const char *key, double number)
{
    if (!printer->stream || !printer->is_json) {
        return;
    }
    table_key(printer, key);
    if (!isfinite(number)) {
        fprintf(printer->stream, "null");
    } else if (number == rint(number) && fabs(number) < 1e15) {
        fprintf(printer->stream, "%.0f", number);
    } else {
        fprintf(printer->stream, "%.9g", number);
    }
}

/* Members that a row's cells are, each with `row_key` before its own. */
static void table_json_cells(struct table_printer *printer, const struct table *table,
                             const struct table_row *row, const char *row_key)
{
    for (size_t i = 0; table_has_column(table, i); i++) {
        const char *column_key = table->columns[i].key;
        if (column_key) {
            char key[96];
            (void)snprintf(key, sizeof key, "%s%s%s", row_key,
                           row_key[0] && column_key[0] ? "_" : "", column_key);
            table_number(printer, key, row->values[i]);
        }
    }
}

static void table_json_object(struct table_printer *printer, const struct table *table,
                              const struct table_row *row)
{
    printer->has_members = false;
    if (table->label_key) {
        table_word(printer, table->label_key, row->label);
    }
    table_json_cells(printer, table, row, "");
    fprintf(printer->stream, "}");
}

static void table_print_json(struct table_printer *printer, const struct table *table,
                             const struct table_row *rows, size_t row_count)
{
    if (table->form == TABLE_LIST) {
        table_key(printer, table->list_key);
        fprintf(printer->stream, "[");
    }
    for (size_t i = 0; i < row_count; i++) {
        if (table->form == TABLE_FLAT) {
            table_json_cells(printer, table, &rows[i], rows[i].key);
        } else if (table->form == TABLE_NESTED) {
            table_key(printer, rows[i].key);
            table_json_object(printer, table, &rows[i]);
        } else {
            fprintf(printer->stream, "%s", i > 0 ? ", " : "");
            table_json_object(printer, table, &rows[i]);
        }
    }
    if (table->form == TABLE_LIST) {
        fprintf(printer->stream, "]");
    }
}

void table_finish(struct table_printer *printer)
{
    if (printer->stream && printer->has_members) {
        fprintf(printer->stream, "}\n");
    }
}

/* --- Text ------------------------------------------------------------------------------------- */

void table_say(struct table_printer *printer, const char *format, ...)
{
    if (printer->stream && !printer->is_json) {
        va_list arguments;
        va_start(arguments, format);
        vfprintf(printer->stream, format, arguments);
        va_end(arguments);
    }
}

/* The heading where `row` is NULL. */
static void table_text_line(FILE *stream, const struct table *table, const struct table_row *row,
                            size_t label_width)
{
    enum { GAP = 2, WIDTH_MIN = 9 };
    const char *title = table->title ? table->title : "";
    fprintf(stream, "%-*s", (int)label_width, row ? row->label : title);
    for (size_t i = 0; table_has_column(table, i); i++) {
        const struct table_column *column = &table->columns[i];
        if (!column->title) {
            continue;
        }
        size_t width = size_max(strlen(column->title), WIDTH_MIN) + GAP;
        char text[64] = "-";
        if (!row) {
            (void)snprintf(text, sizeof text, "%s", column->title);
        } else if (row->scale > 0.0 && !isnan(row->values[i])) {
            (void)snprintf(text, sizeof text, "%.*f", row->decimals, row->scale * row->values[i]);
        } else if (!isnan(row->values[i])) {
            (void)snprintf(text, sizeof text, "%.*f%s", column->decimals,
                           column->scale * row->values[i], column->suffix);
        }
        fprintf(stream, "%*s", (int)width, text);
    }
    fprintf(stream, "\n");
}

void table_print(struct table_printer *printer, const struct table *table,
                 const struct table_row *rows, size_t row_count)
{
    if (printer->stream && printer->is_json) {
        table_print_json(printer, table, rows, row_count);
    } else if (printer->stream) {
        size_t label_width = table->title ? strlen(table->title) : 0;
        for (size_t i = 0; i < row_count; i++) {
            label_width = size_max(label_width, strlen(rows[i].label));
        }
        table_text_line(printer->stream, table, NULL, label_width);
        for (size_t i = 0; i < row_count; i++) {
            table_text_line(printer->stream, table, &rows[i], label_width);
        }
    }
}

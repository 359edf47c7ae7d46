#include "datasets/report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

size_t report_returns(double *returns, const struct store *store, size_t task, size_t first,
                      size_t end)
{
    size_t count = 0;
    for (size_t e = 0; e < store_episode_count(store); e++) {
        if (store_source(store, e) >= first && store_source(store, e) < end) {
            returns[count++] = store_return(store, task, e);
        }
    }
    return count;
}

void report_count(json_t *object, const char *key, uint64_t count)
{
    json_object_set_new(object, key, json_integer((json_int_t)count));
}

static json_t *number_json(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

void report_number(json_t *object, const char *key, double number)
{
    json_object_set_new(object, key, number_json(number));
}

void report_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

void report_counts(json_t *object, const char *key, const size_t *counts, size_t length)
{
    json_t *array = json_array();
    for (size_t i = 0; i < length; i++) {
        json_array_append_new(array, json_integer((json_int_t)counts[i]));
    }
    json_object_set_new(object, key, array);
}

void report_numbers(json_t *object, const char *key, const double *numbers, size_t length)
{
    json_t *array = json_array();
    for (size_t i = 0; i < length; i++) {
        json_array_append_new(array, number_json(numbers[i]));
    }
    json_object_set_new(object, key, array);
}

void report_json(FILE *out, json_t *value, size_t digits)
{
    bool is_done =
        value && json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(digits)) == 0;
    if (!is_done && !ferror(out)) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused room for a JSON text");
    }
    fputc('\n', out);
    json_decref(value);
}

bool report_finish(FILE *out, struct failure *failure)
{
    return (fflush(out) == 0 && !ferror(out)) ||
           failure_set(
               failure, EXIT_CODE_IO,
               "the output cannot be written (%s), expected room for it; check where it goes",
               strerror(errno));
}

#include "datasets/report.h"

#include <errno.h>
#include <string.h>

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

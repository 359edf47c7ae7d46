/* What check_h5py.py needs of the store: `write PATH` makes the sample, `write_labels PATH` makes
 * it with labels and sources, `verify PATH` opens a store and compares its hashes. A failure is the
 * one line and the exit code, as in the program. */
#include <stdio.h>
#include <string.h>

#include "datasets/inspect.h"
#include "datasets/store.h"
#include "tests/datasets/sample.h"

static void verify(const char *path, struct failure *failure)
{
    struct store *store = store_open(path, failure);
    if (store) {
        inspect_verify(stdout, store, INSPECT_TEXT, failure);
        store_close(store);
    }
}

int main(int count, char **arguments)
{
    struct failure failure = {0};
    if (count == 3 && strcmp(arguments[1], "write") == 0) {
        struct store_spec spec = sample_spec();
        sample_write(arguments[2], &spec, &failure);
    } else if (count == 3 && strcmp(arguments[1], "write_labels") == 0) {
        struct store_spec spec = sample_spec();
        spec.has_label = true;
        spec.source_count = 3;
        snprintf(spec.sources[0], STORE_NAME_MAX, "chance");
        snprintf(spec.sources[1], STORE_NAME_MAX, "script, skill 1");
        snprintf(spec.sources[2], STORE_NAME_MAX, "nobody");
        sample_write(arguments[2], &spec, &failure);
    } else if (count == 3 && strcmp(arguments[1], "verify") == 0) {
        verify(arguments[2], &failure);
    } else {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "expected: write PATH, write_labels PATH, or verify PATH");
    }
    fatal_if_failed(&failure);
    return 0;
}

/* What the tests of this folder share: a scratch folder for each test, a small model's tensors,
 * files to damage, and failures to expect. */
#ifndef CHAINRING_TESTS_CHECKPOINT_EXAMPLE_H
#define CHAINRING_TESTS_CHECKPOINT_EXAMPLE_H

#include "tests/support/support.h"

#include <stdbool.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"

/* cmocka setup and teardown: *state is the path of a fresh folder, removed afterwards. Warnings go
 * to the file "warnings" in it and not to the terminal. */
int example_setup(void **state);
int example_teardown(void **state);

/* folder/name; valid until the eighth call from now. */
const char *example_path(const char *folder, const char *name);

/* All warnings of this test so far; the caller frees it with memory_free. */
char *example_warnings(const char *folder);

enum { EXAMPLE_MODEL_TENSORS = 3, EXAMPLE_OPTIMIZER_TENSORS = 6 };

/* A model of three tensors and its moments, with a state. */
struct example {
    struct named_tensor model[EXAMPLE_MODEL_TENSORS];
    struct named_tensor optimizer[EXAMPLE_OPTIMIZER_TENSORS];
    struct checkpoint_tensors tensors;
    struct checkpoint_state checkpoint;
};

/* Numbers differ from step to step. */
void example_open(struct example *example, size_t width, uint64_t step);
void example_close(struct example *example);

/* Write the example of a step into RUN with `keep`; must succeed. */
void example_save(const char *run, uint64_t step, size_t keep);

/* The newest checkpoint must be the example of this step, to the bit. */
void example_expect_newest(const char *run, uint64_t step);

bool example_exists(const char *path);

/* The call must have failed with this code and a line that contains `words`. */
void example_expect_failure(bool result, const struct failure *failure, int code,
                            const char *words);

/* Whole files, without the care of base/file.h. */
char *example_read(const char *path, size_t *size);
void example_write(const char *path, const void *bytes, size_t size);

#endif

/* What fuzz targets promise: a promise that does not hold ends the process, which libFuzzer keeps.
 */
#ifndef CHAINRING_TESTS_FUZZ_NEED_H
#define CHAINRING_TESTS_FUZZ_NEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

/* What each target defines and libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

void need(bool holds);

/* A refusal is of the data, and one line. */
void need_line(const struct failure *failure);

#endif

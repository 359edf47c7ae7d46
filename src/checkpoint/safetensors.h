/* Tensors in the safetensors format: 8 bytes of header length, a JSON header, float32 numbers.
 *
 * What is written here is read by every safetensors library; what is read here must be float32
 * matrices that fill the file without holes. Reading is exact: the file has the tensors that are
 * asked for, with their shapes, and no others. The header is checked whole before a number is
 * read. This module does not know what the tensors mean. */
#ifndef CHAINRING_CHECKPOINT_SAFETENSORS_H
#define CHAINRING_CHECKPOINT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "checkpoint/digest.h"
#include "checkpoint/named_tensor.h"

/* Write `count` tensors with different names under a temporary name, sync, rename. `digest` says
 * what was written; it may be NULL. Failures are EXIT_CODE_IO. Local. */
bool safetensors_write(struct digest *digest, const char *path, const struct named_tensor *tensors,
                       size_t count, struct failure *failure);

/* Read into the numbers of the given tensors. Failures: EXIT_CODE_NO_INPUT, EXIT_CODE_DATA (the
 * numbers are as before), EXIT_CODE_IO (the numbers may be a mixture). Local. */
bool safetensors_read(const char *path, const struct named_tensor *tensors, size_t count,
                      struct failure *failure);

#endif

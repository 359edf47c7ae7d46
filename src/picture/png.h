/* A picture as a PNG file; the only door to libpng. */
#ifndef CHAINRING_PICTURE_PNG_H
#define CHAINRING_PICTURE_PNG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "picture/picture.h"

/* Write a picture, replacing a file of that name; size (bytes) may be NULL. False and a failure
 * (EXIT_CODE_IO), with nothing left behind, where it cannot be written. Local. */
bool png_write(const char *path, const struct picture *picture, size_t *size,
               struct failure *failure);

#endif

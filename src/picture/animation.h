/* Pictures one after the other as an animated WebP file; the only door to libwebp.
 *
 * Each picture is encoded when it comes, so that a video takes no more memory than its file. */
#ifndef CHAINRING_PICTURE_ANIMATION_H
#define CHAINRING_PICTURE_ANIMATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "picture/picture.h"

enum { ANIMATION_PIXELS_MAX = 16383 }; /* of the width and of the height */

struct animation;

struct animation_options {
    size_t width, height;   /* of all pictures, at most ANIMATION_PIXELS_MAX */
    double seconds_a_frame; /* more than 0 */
    double quality;         /* 0 to 100 */
};

/* An animation that repeats for ever. NULL and a failure (EXIT_CODE_SYSTEM) where libwebp has no
 * memory. The caller closes it. Local, like all of this file. */
struct animation *animation_open(const struct animation_options *options, struct failure *failure);
void animation_close(struct animation *animation);

/* Append a picture, which is borrowed for the duration of the call. */
bool animation_add(struct animation *animation, const struct picture *picture,
                   struct failure *failure);

/* Write what has been added, at least one picture, replacing a file of that name; size (bytes) may
 * be NULL. False and a failure (EXIT_CODE_IO), with nothing left behind, where it cannot be
 * written. */
bool animation_write(struct animation *animation, const char *path, size_t *size,
                     struct failure *failure);

#endif

/* A picture: rows of pixels in memory, and how pictures stand side by side.
 *
 * Does not know files (png.h, animation.h) or what is seen. */
#ifndef CHAINRING_PICTURE_PICTURE_H
#define CHAINRING_PICTURE_PICTURE_H

#include <stddef.h>

enum { PICTURE_CHANNELS = 3 };

struct picture {
    size_t width, height;  /* pixels */
    unsigned char *pixels; /* (height, width, 3): red, green, blue; the top row first */
};

/* A black picture; the caller closes it. Local, like all of this file. */
void picture_open(struct picture *picture, size_t width, size_t height);
void picture_close(struct picture *picture);

/* Copy `part` into `picture`, its upper left corner at (left, top). It must fit. */
void picture_paste(struct picture *picture, const struct picture *part, size_t left, size_t top);

/* A strip for `count` pictures (at least 1) of one size, from left to right, white lines of `gap`
 * pixels between them; they are pasted at picture_strip_left. The caller closes it. */
void picture_open_strip(struct picture *strip, size_t count, size_t width, size_t height,
                        size_t gap);
size_t picture_strip_left(size_t index, size_t width, size_t gap);

#endif

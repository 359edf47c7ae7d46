#include "picture/picture.h"

#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"

void picture_open(struct picture *picture, size_t width, size_t height)
{
    invariant(width > 0 && height > 0);
    *picture = (struct picture){
        .width = width,
        .height = height,
        .pixels = memory_take(width * height, PICTURE_CHANNELS),
    };
}

void picture_close(struct picture *picture)
{
    memory_free(picture->pixels);
    *picture = (struct picture){0};
}

void picture_paste(struct picture *picture, const struct picture *part, size_t left, size_t top)
{
    invariant(left + part->width <= picture->width && top + part->height <= picture->height);
    size_t row = part->width * PICTURE_CHANNELS;
    for (size_t y = 0; y < part->height; y++) {
        size_t at = ((top + y) * picture->width + left) * PICTURE_CHANNELS;
        memcpy(picture->pixels + at, part->pixels + y * row, row);
    }
}

size_t picture_strip_left(size_t index, size_t width, size_t gap)
{
    return index * (width + gap);
}

void picture_open_strip(struct picture *strip, size_t count, size_t width, size_t height,
                        size_t gap)
{
    invariant(count > 0);
    picture_open(strip, picture_strip_left(count, width, gap) - gap, height);
    memset(strip->pixels, 0xff, strip->width * height * PICTURE_CHANNELS);
}

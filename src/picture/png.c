#include "picture/png.h"

#include <png.h>

#include "base/file.h"
#include "base/memory.h"

bool png_write(const char *path, const struct picture *picture, size_t *size,
               struct failure *failure)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)picture->width,
        .height = (png_uint_32)picture->height,
        .format = PNG_FORMAT_RGB,
    };
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image); /* whatever the colours */
    void *encoded = memory_take(bytes, 1);
    bool is_encoded =
        png_image_write_to_memory(&image, encoded, &bytes, 0, picture->pixels, 0, NULL) != 0;
    bool is_written =
        is_encoded ? file_write(path, encoded, bytes, failure)
                   : failure_set(failure, EXIT_CODE_IO,
                                 "%s: found \"%s\" of libpng, expected a picture that it can write",
                                 path, image.message);
    memory_free(encoded);
    if (is_written && size) {
        *size = bytes;
    }
    return is_written;
}

/* What is written as PNG is read back by libpng, colour by colour. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/fatal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "picture/png.h"

static void paint_noise(struct picture *picture)
{
    struct random random = random_stream(1, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < picture->width * picture->height * PICTURE_CHANNELS; i++) {
        picture->pixels[i] = (unsigned char)random_below(&random, 256);
    }
}

static void expect_same(const char *path, const struct picture *picture)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_not_equal(png_image_begin_read_from_file(&image, path), 0);
    assert_int_equal(image.width, picture->width);
    assert_int_equal(image.height, picture->height);
    image.format = PNG_FORMAT_RGB;
    size_t bytes = PNG_IMAGE_SIZE(image);
    unsigned char *found = memory_take(bytes, 1);
    assert_int_not_equal(png_image_finish_read(&image, NULL, found, 0, NULL), 0);
    assert_int_equal(bytes, picture->width * picture->height * PICTURE_CHANNELS);
    assert_memory_equal(found, picture->pixels, bytes);
    memory_free(found);
}

static void test_png_round_trip_keeps_every_colour(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {7, 5}, {64, 48}, {257, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/a.png", support_scratch_folder());
        struct picture picture;
        picture_open(&picture, sizes[i][0], sizes[i][1]);
        paint_noise(&picture);
        struct failure failure = {0};
        size_t written = 0, read = 0;
        assert_true(png_write(path, &picture, &written, &failure));
        expect_same(path, &picture);
        char *bytes = file_read(path, (size_t)1 << 20, &read, &failure);
        assert_non_null(bytes);
        assert_int_equal(written, read);
        memory_free(bytes);
        picture_close(&picture);
    }
}

static void test_png_where_no_folder_is_refused(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/none/a.png", support_scratch_folder());
    struct picture picture;
    picture_open(&picture, 2, 2);
    struct failure failure = {0};
    assert_false(png_write(path, &picture, NULL, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    assert_non_null(strstr(failure.text, "none/a.png"));
    picture_close(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_round_trip_keeps_every_colour),
        cmocka_unit_test(test_png_where_no_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pictures side by side. */
#include "tests/support/support.h"

#include <string.h>

#include "picture/picture.h"

enum { WIDTH = 3, HEIGHT = 2, GAP = 2, COUNT = 3 };

static const unsigned char *pixel(const struct picture *picture, size_t x, size_t y)
{
    return picture->pixels + (y * picture->width + x) * PICTURE_CHANNELS;
}

/* Every pixel says where it is and whose. */
static void paint(struct picture *picture, size_t index)
{
    for (size_t y = 0; y < picture->height; y++) {
        for (size_t x = 0; x < picture->width; x++) {
            unsigned char *at = picture->pixels + (y * picture->width + x) * PICTURE_CHANNELS;
            at[0] = (unsigned char)x;
            at[1] = (unsigned char)y;
            at[2] = (unsigned char)(10 + index);
        }
    }
}

static void expect_part(const struct picture *strip, size_t index)
{
    size_t left = picture_strip_left(index, WIDTH, GAP);
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < WIDTH; x++) {
            const unsigned char wanted[] = {(unsigned char)x, (unsigned char)y,
                                            (unsigned char)(10 + index)};
            assert_memory_equal(pixel(strip, left + x, y), wanted, sizeof wanted);
        }
    }
}

static void test_strip_has_its_pictures_side_by_side_with_white_between(void **state)
{
    (void)state;
    static const unsigned char white[PICTURE_CHANNELS] = {255, 255, 255};
    struct picture strip, part;
    picture_open_strip(&strip, COUNT, WIDTH, HEIGHT, GAP);
    assert_int_equal(strip.width, COUNT * WIDTH + (COUNT - 1) * GAP);
    assert_int_equal(strip.height, HEIGHT);
    picture_open(&part, WIDTH, HEIGHT);
    for (size_t i = 0; i < COUNT; i++) {
        paint(&part, i);
        picture_paste(&strip, &part, picture_strip_left(i, WIDTH, GAP), 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        expect_part(&strip, i);
    }
    for (size_t x = WIDTH; x < WIDTH + GAP; x++) {
        assert_memory_equal(pixel(&strip, x, 1), white, sizeof white);
    }
    picture_close(&part);
    picture_close(&strip);
}

static void test_strip_of_one_has_no_gap(void **state)
{
    (void)state;
    struct picture strip;
    picture_open_strip(&strip, 1, WIDTH, HEIGHT, GAP);
    assert_int_equal(strip.width, WIDTH);
    picture_close(&strip);
}

static void paste_outside(void *argument)
{
    (void)argument;
    struct picture picture, part;
    picture_open(&picture, WIDTH, HEIGHT);
    picture_open(&part, WIDTH, HEIGHT);
    picture_paste(&picture, &part, 1, 0);
}

static void test_paste_outside_is_a_bug(void **state)
{
    (void)state;
    support_expect_exit(paste_outside, NULL, 70, "left + part->width");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strip_has_its_pictures_side_by_side_with_white_between),
        cmocka_unit_test(test_strip_of_one_has_no_gap),
        cmocka_unit_test(test_paste_outside_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

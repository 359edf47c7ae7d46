/* What is written as an animated WebP is read back by libwebp: frames, times and colours. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webp/demux.h>

#include "base/fatal.h"
#include "base/file.h"
#include "base/memory.h"
#include "picture/animation.h"

enum { WIDTH = 48, HEIGHT = 32, FRAMES = 7, RGBA = 4 };

/* A bar that wanders to the right over a plain ground. */
static void paint(struct picture *picture, size_t frame)
{
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        bool is_bar = i % WIDTH / 6 == frame;
        unsigned char *pixel = picture->pixels + i * PICTURE_CHANNELS;
        pixel[0] = is_bar ? 220 : 40;
        pixel[1] = 90;
        pixel[2] = is_bar ? 30 : 160;
    }
}

static size_t write_example(const char *path, double seconds_a_frame)
{
    const struct animation_options options = {
        .width = WIDTH, .height = HEIGHT, .seconds_a_frame = seconds_a_frame, .quality = 95.0};
    struct failure failure = {0};
    struct picture picture;
    struct animation *animation = animation_open(&options, &failure);
    assert_non_null(animation);
    picture_open(&picture, WIDTH, HEIGHT);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        paint(&picture, frame);
        assert_true(animation_add(animation, &picture, &failure));
    }
    size_t bytes = 0;
    assert_true(animation_write(animation, path, &bytes, &failure));
    picture_close(&picture);
    animation_close(animation);
    return bytes;
}

/* The largest difference of a colour in the middles of the bars, away from their blurred edges. */
static int worst_colour(const unsigned char *found, const struct picture *wanted)
{
    int worst = 0;
    for (size_t y = 2; y < HEIGHT - 2; y++) {
        for (size_t x = 3; x < WIDTH; x += 6) {
            for (size_t c = 0; c < PICTURE_CHANNELS; c++) {
                size_t at = y * WIDTH + x;
                int gap = abs(found[at * RGBA + c] - wanted->pixels[at * PICTURE_CHANNELS + c]);
                worst = gap > worst ? gap : worst;
            }
        }
    }
    return worst;
}

static void expect_frames(WebPAnimDecoder *decoder, const int *ends)
{
    struct picture picture;
    picture_open(&picture, WIDTH, HEIGHT);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        uint8_t *pixels;
        int end;
        assert_true(WebPAnimDecoderGetNext(decoder, &pixels, &end));
        assert_int_equal(end, ends[frame]);
        paint(&picture, frame);
        assert_true(worst_colour(pixels, &picture) <= 24);
    }
    picture_close(&picture);
}

static void expect_animation(const char *path, size_t written, const int *ends)
{
    struct failure failure = {0};
    WebPData data = {0};
    char *bytes = file_read(path, (size_t)1 << 20, &data.size, &failure);
    assert_non_null(bytes);
    assert_int_equal(data.size, written);
    data.bytes = (const uint8_t *)bytes;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    WebPAnimInfo info;
    assert_non_null(decoder);
    assert_true(WebPAnimDecoderGetInfo(decoder, &info));
    assert_int_equal(info.canvas_width, WIDTH);
    assert_int_equal(info.canvas_height, HEIGHT);
    assert_int_equal(info.frame_count, FRAMES);
    assert_int_equal(info.loop_count, 0); /* for ever */
    expect_frames(decoder, ends);
    WebPAnimDecoderDelete(decoder);
    memory_free(bytes);
}

static void test_webp_round_trip_keeps_frames_times_and_colours(void **state)
{
    (void)state;
    static const int ends[FRAMES] = {40, 80, 120, 160, 200, 240, 280};
    char path[512];
    snprintf(path, sizeof path, "%s/a.webp", support_scratch_folder());
    expect_animation(path, write_example(path, 0.04), ends);
}

/* Rounding does not add up. */
static void test_webp_times_are_rounded_from_the_beginning(void **state)
{
    (void)state;
    static const int ends[FRAMES] = {33, 67, 100, 133, 167, 200, 233};
    char path[512];
    snprintf(path, sizeof path, "%s/b.webp", support_scratch_folder());
    expect_animation(path, write_example(path, 1.0 / 30.0), ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webp_round_trip_keeps_frames_times_and_colours),
        cmocka_unit_test(test_webp_times_are_rounded_from_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

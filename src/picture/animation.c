#include "picture/animation.h"

#include <math.h>

#include <webp/encode.h>
#include <webp/mux.h>

#include "base/file.h"
#include "base/memory.h"

/* Every so many frames one that stands alone, for players that jump. */
enum { KEY_FRAMES_MIN = 50, KEY_FRAMES_MAX = 100 };

struct animation {
    struct animation_options options;
    WebPAnimEncoder *encoder;
    WebPConfig config;
    size_t count; /* frames so far */
};

struct animation *animation_open(const struct animation_options *options, struct failure *failure)
{
    invariant(options->width <= ANIMATION_PIXELS_MAX && options->height <= ANIMATION_PIXELS_MAX);
    WebPAnimEncoderOptions encoding;
    struct animation *animation = memory_take(1, sizeof *animation);
    animation->options = *options;
    if (WebPConfigPreset(&animation->config, WEBP_PRESET_DRAWING, (float)options->quality) &&
        WebPAnimEncoderOptionsInit(&encoding)) {
        animation->config.method = 2; /* of 0 (fast) to 6 (small) */
        encoding.kmin = KEY_FRAMES_MIN;
        encoding.kmax = KEY_FRAMES_MAX;
        animation->encoder =
            WebPAnimEncoderNew((int)options->width, (int)options->height, &encoding);
    }
    if (!animation->encoder) {
        memory_free(animation);
        failure_set(failure, EXIT_CODE_SYSTEM, "libwebp: the system refused it an encoder");
        return NULL;
    }
    return animation;
}

void animation_close(struct animation *animation)
{
    if (animation) {
        WebPAnimEncoderDelete(animation->encoder);
        memory_free(animation);
    }
}

/* Milliseconds from the beginning, rounded once and not frame by frame. */
static int time_of(const struct animation *animation, size_t frame)
{
    return (int)lround(1000.0 * animation->options.seconds_a_frame * (double)frame);
}

static bool animation_refuse(const struct animation *animation, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_SYSTEM,
                       "libwebp: found \"%s\" in frame %zu, expected one that it can encode",
                       WebPAnimEncoderGetError(animation->encoder), animation->count);
}

bool animation_add(struct animation *animation, const struct picture *picture,
                   struct failure *failure)
{
    invariant(picture->width == animation->options.width &&
              picture->height == animation->options.height);
    WebPPicture frame;
    bool is_added = false;
    if (WebPPictureInit(&frame)) {
        frame.use_argb = 1;
        frame.width = (int)picture->width;
        frame.height = (int)picture->height;
        int row = (int)(picture->width * PICTURE_CHANNELS);
        is_added = WebPPictureImportRGB(&frame, picture->pixels, row) &&
                   WebPAnimEncoderAdd(animation->encoder, &frame,
                                      time_of(animation, animation->count), &animation->config);
        WebPPictureFree(&frame);
    }
    if (!is_added) {
        return animation_refuse(animation, failure);
    }
    animation->count++;
    return true;
}

bool animation_write(struct animation *animation, const char *path, size_t *size,
                     struct failure *failure)
{
    invariant(animation->count > 0);
    WebPData data;
    WebPDataInit(&data);
    bool is_encoded =
        WebPAnimEncoderAdd(animation->encoder, NULL, time_of(animation, animation->count), NULL) &&
        WebPAnimEncoderAssemble(animation->encoder, &data);
    bool is_written = is_encoded ? file_write(path, data.bytes, data.size, failure)
                                 : animation_refuse(animation, failure);
    if (is_written && size) {
        *size = data.size;
    }
    WebPDataClear(&data);
    return is_written;
}

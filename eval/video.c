#include "eval/video.h"

#include <math.h>
#include <stdio.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "envs/camera.h"
#include "picture/animation.h"
#include "picture/picture.h"
#include "picture/png.h"

enum { STRIP_GAP = 4 };                 /* pixels */
static const double default_fps = 25.0; /* eyes take it for motion */

/* All that lives while a video is rendered. */
struct renderer {
    struct video *video;
    const struct recording *recording;
    const struct video_options *options;
    struct env_task *task;
    struct env *env;
    struct camera *camera;
    struct animation *animation;
    struct picture frame;
    size_t rows, every; /* of the recording: how many are rendered, and which of them */
};

/* --- Opening ---------------------------------------------------------------------------------- */

static size_t renderer_frame_count(const struct renderer *renderer)
{
    return (renderer->rows - 1) / renderer->every + 1;
}

static void renderer_plan(struct renderer *renderer)
{
    const struct video_options *options = renderer->options;
    double timestep = env_task_spec(renderer->task)->control_timestep;
    size_t steps = renderer->recording->rows - 1;
    renderer->rows = 1 + (options->steps > 0 && options->steps < steps ? options->steps : steps);
    renderer->every = options->every > 0 ? options->every
                                         : (size_t)fmax(1.0, round(1.0 / (default_fps * timestep)));
    renderer->video->seconds_a_frame =
        options->fps > 0.0 ? 1.0 / options->fps : timestep * (double)renderer->every;
}

/* path = FOLDER/TASK and an ending. */
static bool renderer_path(char *path, const struct renderer *renderer, const char *ending,
                          struct failure *failure)
{
    char name[STORE_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "%s%s", renderer->recording->task, ending);
    return file_join(path, renderer->options->folder, name, failure);
}

static bool renderer_open(struct renderer *renderer, struct failure *failure)
{
    const struct video_options *options = renderer->options;
    renderer->task = env_task_open(renderer->recording->task, failure);
    if (!renderer->task) {
        return false;
    }
    renderer_plan(renderer);
    renderer->env = env_open(renderer->task);
    renderer->camera = camera_open(renderer->env, options->width, options->height, failure);
    if (!renderer->camera) {
        return false;
    }
    const struct animation_options animation = {
        .width = options->width,
        .height = options->height,
        .seconds_a_frame = renderer->video->seconds_a_frame,
        .quality = options->quality,
    };
    renderer->animation = animation_open(&animation, failure);
    picture_open(&renderer->frame, options->width, options->height);
    return renderer->animation && file_make_folder(options->folder, failure);
}

static void renderer_close(struct renderer *renderer)
{
    picture_close(&renderer->frame);
    animation_close(renderer->animation);
    camera_close(renderer->camera);
    env_close(renderer->env);
    env_task_close(renderer->task);
}

/* --- Rendering -------------------------------------------------------------------------------- */

static void render_row(struct renderer *renderer, size_t row)
{
    const struct recording *recording = renderer->recording;
    env_set_physics(renderer->env, recording->physics + row * recording->physics_dim);
    camera_render(renderer->frame.pixels, renderer->camera, renderer->env);
}

static bool render_frame_file(struct renderer *renderer, size_t row, struct failure *failure)
{
    char name[32], path[FILE_PATH_MAX];
    size_t bytes;
    struct video_file *frames = &renderer->video->frames;
    (void)snprintf(name, sizeof name, "%05zu.png", row);
    if (!file_join(path, frames->path, name, failure) ||
        !png_write(path, &renderer->frame, &bytes, failure)) {
        return false;
    }
    frames->frames++;
    frames->bytes += bytes;
    return true;
}

static bool renderer_begin_frames(struct renderer *renderer, struct failure *failure)
{
    struct video_file *frames = &renderer->video->frames;
    frames->width = renderer->frame.width;
    frames->height = renderer->frame.height;
    return renderer_path(frames->path, renderer, "", failure) &&
           file_make_folder(frames->path, failure);
}

static bool render_video(struct renderer *renderer, struct failure *failure)
{
    struct video_file *file = &renderer->video->animation;
    bool keeps_frames = renderer->options->frames == VIDEO_WITH_FRAMES;
    if (keeps_frames && !renderer_begin_frames(renderer, failure)) {
        return false;
    }
    struct progress progress = progress_begin("render", 0, renderer_frame_count(renderer));
    for (size_t row = 0; row < renderer->rows; row += renderer->every) {
        render_row(renderer, row);
        if (!animation_add(renderer->animation, &renderer->frame, failure) ||
            (keeps_frames && !render_frame_file(renderer, row, failure))) {
            return false;
        }
        progress_show(&progress, row / renderer->every + 1, "frames");
    }
    file->width = renderer->frame.width;
    file->height = renderer->frame.height;
    file->frames = renderer_frame_count(renderer);
    return renderer_path(file->path, renderer, ".webp", failure) &&
           animation_write(renderer->animation, file->path, &file->bytes, failure);
}

/* The first row and the last, and others at even distances between. */
static size_t strip_row(const struct renderer *renderer, size_t index, size_t count)
{
    return count == 1 ? 0 : (index * (renderer->rows - 1) + (count - 1) / 2) / (count - 1);
}

static bool render_strip(struct renderer *renderer, struct failure *failure)
{
    struct video_file *file = &renderer->video->strip;
    size_t count = size_min(renderer->options->strip, renderer->rows);
    if (count == 0) {
        return true;
    }
    struct picture strip;
    size_t width = renderer->frame.width;
    picture_open_strip(&strip, count, width, renderer->frame.height, STRIP_GAP);
    for (size_t i = 0; i < count; i++) {
        render_row(renderer, strip_row(renderer, i, count));
        picture_paste(&strip, &renderer->frame, picture_strip_left(i, width, STRIP_GAP), 0);
    }
    file->width = strip.width;
    file->height = strip.height;
    file->frames = count;
    bool is_written = renderer_path(file->path, renderer, ".png", failure) &&
                      png_write(file->path, &strip, &file->bytes, failure);
    picture_close(&strip);
    return is_written;
}

bool video_write(struct video *video, const struct recording *recording,
                 const struct video_options *options, struct failure *failure)
{
    invariant(recording->rows > 0 && options->strip <= VIDEO_STRIP_MAX);
    *video = (struct video){0};
    struct renderer renderer = {.video = video, .recording = recording, .options = options};
    bool is_made = renderer_open(&renderer, failure);
    if (is_made) {
        /* The first row's observation says where a target is that is no part of the physics. */
        env_set_hidden(renderer.env, recording->hidden);
        env_set_record(renderer.env, recording->physics, recording->observation);
        is_made = render_video(&renderer, failure) && render_strip(&renderer, failure);
    }
    renderer_close(&renderer);
    return is_made;
}

#include "eval/film.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "envs/camera.h"
#include "picture/animation.h"
#include "picture/picture.h"
#include "picture/png.h"

enum { STRIP_GAP = 4 };                /* pixels */
static const double usual_rate = 25.0; /* frames a second, that eyes take for motion */

/* All that lives while a film is made. */
struct studio {
    struct film *film;
    const struct recording *recording;
    const struct film_options *options;
    struct env_task *task;
    struct env *env;
    struct camera *camera;
    struct animation *animation;
    struct picture frame;
    size_t rows, every; /* of the recording: how many are shown, and which of them */
};

/* --- Opening ---------------------------------------------------------------------------------- */

static size_t frame_count(const struct studio *studio)
{
    return (studio->rows - 1) / studio->every + 1;
}

static void plan(struct studio *studio)
{
    const struct film_options *options = studio->options;
    double timestep = env_task_spec(studio->task)->control_timestep;
    size_t steps = studio->recording->rows - 1;
    studio->rows = 1 + (options->steps > 0 && options->steps < steps ? options->steps : steps);
    studio->every = options->every > 0 ? options->every
                                       : (size_t)fmax(1.0, round(1.0 / (usual_rate * timestep)));
    studio->film->seconds_a_frame =
        options->fps > 0.0 ? 1.0 / options->fps : timestep * (double)studio->every;
}

/* path = FOLDER/TASK and an ending. */
static bool name_file(char *path, const struct studio *studio, const char *ending,
                      struct failure *failure)
{
    char name[STORE_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "%s%s", studio->recording->task, ending);
    return file_join(path, studio->options->folder, name, failure);
}

static bool studio_open(struct studio *studio, struct failure *failure)
{
    const struct film_options *options = studio->options;
    studio->task = env_task_open(studio->recording->task, failure);
    if (!studio->task) {
        return false;
    }
    plan(studio);
    studio->env = env_open(studio->task);
    studio->camera = camera_open(studio->env, options->width, options->height, failure);
    if (!studio->camera) {
        return false;
    }
    const struct animation_options animation = {
        .width = options->width,
        .height = options->height,
        .seconds_a_frame = studio->film->seconds_a_frame,
        .quality = options->quality,
    };
    studio->animation = animation_open(&animation, failure);
    picture_open(&studio->frame, options->width, options->height);
    return studio->animation && file_make_folder(options->folder, failure);
}

static void studio_close(struct studio *studio)
{
    picture_close(&studio->frame);
    animation_close(studio->animation);
    camera_close(studio->camera);
    env_close(studio->env);
    env_task_close(studio->task);
}

/* --- Shooting --------------------------------------------------------------------------------- */

/* The first row's observation says where a target is that is no part of the physics. */
static void prepare(struct studio *studio)
{
    const struct recording *recording = studio->recording;
    env_set_hidden(studio->env, recording->hidden);
    env_set_record(studio->env, recording->physics, recording->observation);
}

static void shoot(struct studio *studio, size_t row)
{
    const struct recording *recording = studio->recording;
    env_set_physics(studio->env, recording->physics + row * recording->physics_dim);
    camera_shoot(studio->frame.colours, studio->camera, studio->env);
}

static bool write_frame(struct studio *studio, size_t row, struct failure *failure)
{
    char name[32], path[FILE_PATH_MAX];
    size_t bytes;
    struct film_file *frames = &studio->film->frames;
    (void)snprintf(name, sizeof name, "%05zu.png", row);
    if (!file_join(path, frames->path, name, failure) ||
        !png_write(path, &studio->frame, &bytes, failure)) {
        return false;
    }
    frames->frames++;
    frames->bytes += bytes;
    return true;
}

static bool begin_frames(struct studio *studio, struct failure *failure)
{
    struct film_file *frames = &studio->film->frames;
    frames->width = studio->frame.width;
    frames->height = studio->frame.height;
    return name_file(frames->path, studio, "", failure) && file_make_folder(frames->path, failure);
}

static bool shoot_film(struct studio *studio, struct failure *failure)
{
    struct film_file *film = &studio->film->film;
    bool keeps_frames = studio->options->frames == FILM_WITH_FRAMES;
    if (keeps_frames && !begin_frames(studio, failure)) {
        return false;
    }
    struct progress progress = progress_begin("render", 0, frame_count(studio));
    for (size_t row = 0; row < studio->rows; row += studio->every) {
        shoot(studio, row);
        if (!animation_add(studio->animation, &studio->frame, failure) ||
            (keeps_frames && !write_frame(studio, row, failure))) {
            return false;
        }
        progress_show(&progress, row / studio->every + 1, "frames");
    }
    film->width = studio->frame.width;
    film->height = studio->frame.height;
    film->frames = frame_count(studio);
    return name_file(film->path, studio, ".webp", failure) &&
           animation_write(studio->animation, film->path, &film->bytes, failure);
}

/* The first row and the last, and others at even distances between. */
static size_t strip_row(const struct studio *studio, size_t index, size_t count)
{
    return count == 1 ? 0 : (index * (studio->rows - 1) + (count - 1) / 2) / (count - 1);
}

static bool shoot_strip(struct studio *studio, struct failure *failure)
{
    struct film_file *file = &studio->film->strip;
    size_t count = studio->options->strip < studio->rows ? studio->options->strip : studio->rows;
    if (count == 0) {
        return true;
    }
    struct picture strip;
    size_t width = studio->frame.width;
    picture_open_strip(&strip, count, width, studio->frame.height, STRIP_GAP);
    for (size_t i = 0; i < count; i++) {
        shoot(studio, strip_row(studio, i, count));
        picture_paste(&strip, &studio->frame, picture_strip_left(i, width, STRIP_GAP), 0);
    }
    file->width = strip.width;
    file->height = strip.height;
    file->frames = count;
    bool is_written = name_file(file->path, studio, ".png", failure) &&
                      png_write(file->path, &strip, &file->bytes, failure);
    picture_close(&strip);
    return is_written;
}

bool film_make(struct film *film, const struct recording *recording,
               const struct film_options *options, struct failure *failure)
{
    invariant(recording->rows > 0 && options->strip <= FILM_STRIP_MAX);
    *film = (struct film){0};
    struct studio studio = {.film = film, .recording = recording, .options = options};
    bool is_made = studio_open(&studio, failure);
    if (is_made) {
        prepare(&studio);
        is_made = shoot_film(&studio, failure) && shoot_strip(&studio, failure);
    }
    studio_close(&studio);
    return is_made;
}

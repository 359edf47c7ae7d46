/* An episode as pictures: a video, a strip of the whole as one picture, and single frames.
 *
 * Videos are made after the episode, from its recording, so that playing does not wait for drawing
 * and a strip knows where its middle is. */
#ifndef CHAINRING_EVAL_VIDEO_H
#define CHAINRING_EVAL_VIDEO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "base/file.h"
#include "eval/recording.h"

enum video_frames { VIDEO_WITHOUT_FRAMES, VIDEO_WITH_FRAMES };

enum { VIDEO_STRIP_MAX = 64 };

struct video_options {
    const char *folder;   /* made where it is not there */
    size_t width, height; /* pixels */
    size_t steps;         /* of the episode at most; 0: all */
    size_t every;   /* control steps from one frame to the next; 0: about 25 frames a second */
    double fps;     /* frames a second; 0: as fast as it happened */
    double quality; /* of the video, 0 to 100 */
    size_t strip;   /* frames of the strip, spread evenly over the episode; 0: no strip */
    enum video_frames frames; /* single frames as well? */
};

/* A file, or a folder of single frames, that has been written; path[0] is 0: it was not. */
struct video_file {
    char path[FILE_PATH_MAX];
    size_t width, height; /* pixels */
    size_t frames;        /* in it */
    size_t bytes;
};

struct video {
    double seconds_a_frame;
    struct video_file animation; /* FOLDER/TASK.webp */
    struct video_file strip;     /* FOLDER/TASK.png */
    struct video_file frames;    /* FOLDER/TASK/00000.png, ... by control step */
};

/* Write what the options ask for, replacing files of those names. False and a failure where this
 * machine cannot draw (EXIT_CODE_SYSTEM) or where files cannot be written (EXIT_CODE_IO). Progress
 * goes to the log. Local. */
bool video_write(struct video *video, const struct recording *recording,
                 const struct video_options *options, struct failure *failure);

#endif

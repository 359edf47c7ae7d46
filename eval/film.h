/* An episode as pictures: a film, a strip of the whole as one picture, and single frames.
 *
 * Films are made after the episode, from its recording, so that playing does not wait for drawing
 * and a strip knows where its middle is. */
#ifndef CHAINRING_EVAL_FILM_H
#define CHAINRING_EVAL_FILM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "base/file.h"
#include "eval/recording.h"

enum film_frames { FILM_WITHOUT_FRAMES, FILM_WITH_FRAMES };

enum { FILM_STRIP_MAX = 64 };

struct film_options {
    const char *folder;   /* made where it is not there */
    size_t width, height; /* pixels */
    size_t steps;         /* of the episode at most; 0: all */
    size_t every;   /* control steps from one frame to the next; 0: about 25 frames a second */
    double fps;     /* frames a second; 0: as fast as it happened */
    double quality; /* of the film, 0 to 100 */
    size_t strip;   /* frames of the strip, spread evenly over the episode; 0: no strip */
    enum film_frames frames; /* single frames as well? */
};

/* A file, or a folder of single frames, that has been written; path[0] is 0: it was not. */
struct film_file {
    char path[FILE_PATH_MAX];
    size_t width, height; /* pixels */
    size_t frames;        /* in it */
    size_t bytes;
};

struct film {
    double seconds_a_frame;
    struct film_file film;   /* FOLDER/TASK.webp */
    struct film_file strip;  /* FOLDER/TASK.png */
    struct film_file frames; /* FOLDER/TASK/00000.png, ... by control step */
};

/* Write what the options ask for, replacing files of those names. False and a failure where this
 * machine cannot draw (EXIT_CODE_SYSTEM) or where files cannot be written (EXIT_CODE_IO). Progress
 * goes to the log. Local. */
bool film_make(struct film *film, const struct recording *recording,
               const struct film_options *options, struct failure *failure);

#endif

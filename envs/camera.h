/* A camera that looks at an environment: its state as an array of pixels.
 *
 * Sees the environment as its model's camera "picture" does, and the goal of its task, whether the
 * agent may observe it or not. It only looks: what happens afterwards is the same to the bit. Draws
 * without a screen (gl_context.h). Local: a camera belongs to the thread that opened it, and a
 * thread has one at a time. */
#ifndef CHAINRING_ENVS_CAMERA_H
#define CHAINRING_ENVS_CAMERA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "envs/env.h"

enum { CAMERA_PIXELS_MAX = 4096 };

struct camera;

/* Can this machine draw? If not, gl_context_open's failure. */
bool camera_check(struct failure *failure);

/* For pictures of width x height pixels (1 to CAMERA_PIXELS_MAX each) of environments of `env`'s
 * task. NULL and a failure (gl_context_open's) where this machine cannot draw. The caller closes
 * it. */
struct camera *camera_open(const struct env *env, size_t width, size_t height,
                           struct failure *failure);
void camera_close(struct camera *camera);

/* pixels (height, width, 3): red, green and blue of each pixel, the top row first. */
void camera_render(unsigned char *pixels, struct camera *camera, const struct env *env);

#endif

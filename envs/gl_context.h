/* A place for OpenGL to draw where there is no screen.
 *
 * Two libraries can give one, and both are looked for only now, at run time, so that nothing that
 * does not draw needs them: EGL, which draws on Mesa's processor or on a graphics card, and then
 * OSMesa. The variable MUJOCO_GL ("egl" or "osmesa") asks for one of the two. This module does not
 * know what is drawn. */
#ifndef CHAINRING_ENVS_GL_CONTEXT_H
#define CHAINRING_ENVS_GL_CONTEXT_H

#include "base/fatal.h"

struct gl_context;

/* Make a context and make it the calling thread's, for whoever draws next. NULL and a failure
 * (EXIT_CODE_SYSTEM) naming the packages to install where neither library gives one, and
 * (EXIT_CODE_USAGE) where MUJOCO_GL asks for something else. The same thread closes it. Local. */
struct gl_context *gl_context_open(struct failure *failure);
void gl_context_close(struct gl_context *context);

/* "EGL" or "OSMesa". */
const char *gl_context_library(const struct gl_context *context);

#endif

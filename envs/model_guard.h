/* What a model may not ask of MuJoCo: other files and foreign code.
 *
 * A model is one text. MuJoCo would open whatever files that text names, wherever they are, and run
 * plugins; so every text passes here before it is compiled. Does not know what else makes a model
 * good: MuJoCo says that itself. Local. */
#ifndef CHAINRING_ENVS_MODEL_GUARD_H
#define CHAINRING_ENVS_MODEL_GUARD_H

#include <stdbool.h>

#include "base/fatal.h"

/* May `text` be compiled? `name` is for messages ("cartpole"). False and a failure (EXIT_CODE_DATA)
 * with the line where it includes a text, names a file, leads out of the model's folder or has a
 * plugin, and where it is no text that model_text.h walks. */
bool model_guard_check(const char *name, const char *text, struct failure *failure);

/* Does a relative path stay in the folder that it starts from, whatever system reads it? Not where
 * it is absolute, goes up by "..", or has a backslash, a colon or a control character. */
bool model_guard_stays_inside(const char *path);

#endif

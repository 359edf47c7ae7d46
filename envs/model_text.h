/* The text of a model (MJCF), walked element by element; the only door to expat.
 *
 * Refuses what is no well-formed XML in UTF-8, what is larger or deeper than any model, and
 * document types, the only way by which a text can grow while it is read or can name other files.
 * Does not know what elements mean. Local. */
#ifndef CHAINRING_ENVS_MODEL_TEXT_H
#define CHAINRING_ENVS_MODEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"

enum { MODEL_TEXT_BYTES_MAX = 1 << 20, MODEL_TEXT_DEPTH_MAX = 64 };

/* An element, borrowed for the duration of a call. */
struct model_element {
    const char *name;
    const char *const *attributes; /* name, value, name, value, ..., NULL */
    size_t line;                   /* where it stands, from 1 */
    size_t begin, end;             /* bytes of its opening tag in the text */
};

/* The value of an attribute; NULL where the element has none of that name. */
const char *model_element_value(const struct model_element *element, const char *attribute);

/* Who is told of elements, in the order of the text; close may be NULL. */
struct model_visitor {
    /* False, having set the failure, ends the walk. */
    bool (*open)(void *context, const struct model_element *element, struct failure *failure);
    void (*close)(void *context, const char *element);
    void *context;
};

/* Walk through `text`, called `name` in messages ("cartpole"). False and a failure: of the visitor,
 * or EXIT_CODE_DATA where the text is none that can be walked. */
bool model_text_walk(const char *name, const char *text, const struct model_visitor *visitor,
                     struct failure *failure);

#endif

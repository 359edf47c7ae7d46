/* Every layout of tokens that the parser accepts. */
#ifndef CHAINRING_TESTS_LAYOUTS_H
#define CHAINRING_TESTS_LAYOUTS_H

#include <stddef.h>

#include "context/layout.h"

enum { LAYOUTS_COUNT = 932, LAYOUTS_MAX = LAYOUTS_COUNT + 1 };

/* Write them as texts, each once, however the fields of a token could be ordered; returns how many
 * there are. */
size_t layouts_all(char texts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE]);

#endif

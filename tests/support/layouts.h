/* Every layout of tokens that the parser accepts. */
#ifndef CHAINRING_TESTS_LAYOUTS_H
#define CHAINRING_TESTS_LAYOUTS_H

#include <stddef.h>

#include "context/layout.h"

enum { LAYOUTS_MAX = 128 };

/* Write them as texts, of all ordered choices of kinds; returns how many there are. */
size_t layouts_all(char texts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE]);

#endif

/* How far a name that was mistyped is from one that exists. */
#ifndef CHAINRING_BASE_NEAREST_H
#define CHAINRING_BASE_NEAREST_H

#include <stddef.h>

/* Letters to insert, delete or replace to make one out of the other (Levenshtein), looking at no
 * more than the first 127 of each. Local. */
size_t nearest_edits(const char *one, const char *other);

#endif

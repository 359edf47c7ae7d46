/* Memory with three lifetimes.
 *
 * memory_take/memory_free: a block that lives as long as the object that owns it.
 * struct arena: everything a run needs, bound once at start. The same bind code runs twice, first
 * on a measuring arena (which only counts) and then on a real one, so sizes cannot drift from
 * pointers; arena_mark/arena_release give scratch back within a step. Nothing else in the program
 * calls malloc. */
#ifndef CHAINRING_BASE_MEMORY_H
#define CHAINRING_BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory for count items of item_size bytes, 64-byte aligned; fatal when there is none.
 * A count of zero is allowed. The caller frees with memory_free. Local. */
void *memory_take(size_t count, size_t item_size);
void memory_free(void *block);

/* How many blocks and arenas all threads have taken so far: code that promises to take none can
 * check that. */
size_t memory_taken(void);

/* A block grown to count items, its first old_count items kept and the rest zeroed. */
void *memory_grow(void *block, size_t old_count, size_t count, size_t item_size);

/* A block of at least `bytes`: `block` itself where its *capacity suffices, else a new one in its
 * place, zeroed. For a buffer that is used again and again. */
void *memory_reserve(void *block, size_t *capacity, size_t bytes);

/* Ask for large pages under memory that has not been touched yet: they spare address translation. A
 * system that refuses is only slower. Local. */
void memory_prefer_large_pages(void *block, size_t bytes);

/* A copy of a string; the caller frees with memory_free. */
char *memory_copy_text(const char *text);

struct arena {
    char *base;       /* NULL: measuring, arena_take returns NULL and only counts */
    size_t used;      /* bytes */
    size_t peak;      /* largest `used` so far */
    size_t capacity;  /* bytes at `base`; unlimited while measuring */
    size_t elsewhere; /* bytes that a binding takes from other sources */
};

/* Take `bytes` from the system, zeroed; the arena owns them until arena_close. */
void arena_open(struct arena *arena, size_t bytes);
void arena_close(struct arena *arena);

/* Zeroed at open (not again after a release), 64-byte aligned; NULL while measuring. Running out
 * is a bug: the measuring pass asked for less. */
void *arena_take(struct arena *arena, size_t count, size_t item_size);

/* Memory that a binding takes from somewhere else, so that what it needs in all is known. */
void arena_count_elsewhere(struct arena *arena, size_t count, size_t item_size);

/* Release what was taken after the mark. */
size_t arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, size_t mark);

#endif

#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arithmetic.h"
#include "base/fatal.h"

enum { ALIGNMENT = 64 };
static const size_t huge_page = (size_t)2 << 20;

static size_t product(size_t count, size_t item_size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_size, &bytes)) {
        fatal(EXIT_CODE_SYSTEM, "cannot hold %zu items of %zu bytes in memory", count, item_size);
    }
    return bytes;
}

static atomic_size_t taken;

size_t memory_taken(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed);
}

static void *take_block(size_t alignment, size_t bytes)
{
    atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    return aligned_alloc(alignment, bytes);
}

void *memory_take(size_t count, size_t item_size)
{
    size_t bytes = round_up(product(count, item_size) + 1, ALIGNMENT);
    void *block = take_block(ALIGNMENT, bytes);
    if (!block) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused %zu bytes", bytes);
    }
    memset(block, 0, bytes);
    return block;
}

void memory_free(void *block)
{
    free(block);
}

void *memory_grow(void *block, size_t old_count, size_t count, size_t item_size)
{
    invariant(count >= old_count);
    void *grown = memory_take(count, item_size);
    if (old_count > 0) {
        memcpy(grown, block, old_count * item_size);
    }
    memory_free(block);
    return grown;
}

void *memory_reserve(void *block, size_t *capacity, size_t bytes)
{
    if (block && bytes <= *capacity) {
        return block;
    }
    memory_free(block);
    *capacity = bytes;
    return memory_take(bytes, 1);
}

void memory_prefer_large_pages(void *block, size_t bytes)
{
    uintptr_t first = round_up((uintptr_t)block, huge_page);
    uintptr_t end = ((uintptr_t)block + bytes) / huge_page * huge_page;
    if (first < end) {
        (void)madvise((char *)block + (first - (uintptr_t)block), end - first, MADV_HUGEPAGE);
    }
}

char *memory_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_take(size, 1);
    memcpy(copy, text, size);
    return copy;
}

void arena_open(struct arena *arena, size_t bytes)
{
    size_t capacity = round_up(bytes + 1, huge_page);
    void *base = take_block(huge_page, capacity);
    if (!base) {
        fatal(EXIT_CODE_SYSTEM,
              "out of memory: the system refused %zu MiB; use a smaller model, fewer or shorter "
              "contexts at once, or more ranks",
              capacity >> 20);
    }
    memory_prefer_large_pages(base, capacity);
    memset(base, 0, capacity);
    *arena = (struct arena){.base = base, .capacity = capacity};
}

void arena_close(struct arena *arena)
{
    free(arena->base);
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t count, size_t item_size)
{
    size_t bytes = round_up(product(count, item_size), ALIGNMENT);
    void *block = NULL;
    if (arena->base) {
        invariant(bytes <= arena->capacity - arena->used);
        block = arena->base + arena->used;
    }
    arena->used += bytes;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
    return block;
}

void arena_count_elsewhere(struct arena *arena, size_t count, size_t item_size)
{
    arena->elsewhere += round_up(product(count, item_size), ALIGNMENT);
}

size_t arena_mark(const struct arena *arena)
{
    return arena->used;
}

void arena_release(struct arena *arena, size_t mark)
{
    invariant(mark <= arena->used);
    arena->used = mark;
}

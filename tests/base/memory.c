#include "base/memory.h"

#include "tests/support/support.h"

#include <string.h>

#include "base/fatal.h"

static size_t count_nonzero(const unsigned char *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += bytes[i] != 0;
    }
    return count;
}

static void expect_aligned(const void *block)
{
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static void test_block_is_zeroed_and_aligned(void **state)
{
    (void)state;
    size_t sizes[] = {0, 1, 63, 64, 65, 4097};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *dirty = memory_take(sizes[i], 1);
        memset(dirty, 0xff, sizes[i]);
        memory_free(dirty);
        unsigned char *block = memory_take(sizes[i], 1);
        expect_aligned(block);
        assert_int_equal(count_nonzero(block, sizes[i]), 0);
        memory_free(block);
    }
}

static void test_freeing_nothing_is_allowed(void **state)
{
    (void)state;
    memory_free(NULL);
}

static void test_grown_block_keeps_its_items_and_zeroes_the_rest(void **state)
{
    (void)state;
    int *items = memory_grow(NULL, 0, 2, sizeof *items);
    items[0] = 11;
    items[1] = 22;
    items = memory_grow(items, 2, 1000, sizeof *items);
    expect_aligned(items);
    assert_int_equal(items[0], 11);
    assert_int_equal(items[1], 22);
    assert_int_equal(count_nonzero((unsigned char *)(items + 2), 998 * sizeof *items), 0);
    memory_free(items);
}

static void test_copied_text_is_its_own(void **state)
{
    (void)state;
    char text[] = "walker";
    char *copy = memory_copy_text(text);
    text[0] = 'X';
    assert_string_equal(copy, "walker");
    memory_free(copy);
}

static void take_more_than_a_size_holds(void *argument)
{
    (void)argument;
    memory_take(SIZE_MAX / 4, 8);
}

static void take_more_than_there_is(void *argument)
{
    (void)argument;
    memory_take((size_t)1 << 60, 1);
}

static void shrink(void *argument)
{
    (void)argument;
    memory_grow(memory_take(2, 1), 2, 1, 1);
}

static void test_impossible_sizes_are_fatal(void **state)
{
    (void)state;
    support_expect_exit(take_more_than_a_size_holds, NULL, EXIT_CODE_SYSTEM, "cannot hold");
    support_expect_exit(take_more_than_there_is, NULL, EXIT_CODE_SYSTEM, "out of memory");
    support_expect_exit(shrink, NULL, EXIT_CODE_BUG, "count >= old_count");
}

/* --- The arena -------------------------------------------------------------------------------- */

struct parts {
    char *odd;
    double *wide;
    char *scratch;
    char *last;
};

static struct parts bind(struct arena *arena)
{
    struct parts parts = {.odd = arena_take(arena, 3, 1)};
    parts.wide = arena_take(arena, 1001, sizeof *parts.wide);
    size_t mark = arena_mark(arena);
    parts.scratch = arena_take(arena, 5000, 1);
    arena_release(arena, mark);
    parts.last = arena_take(arena, 10, 1);
    return parts;
}

static void test_measuring_counts_what_binding_uses(void **state)
{
    (void)state;
    struct arena measure = {0};
    struct parts nothing = bind(&measure);
    assert_null(nothing.odd);
    assert_null(nothing.last);
    struct arena arena;
    arena_open(&arena, measure.peak);
    bind(&arena);
    assert_int_equal(arena.used, measure.used);
    assert_int_equal(arena.peak, measure.peak);
    assert_true(measure.peak >= 3 + 1001 * sizeof(double) + 5000);
    arena_close(&arena);
    assert_null(arena.base);
}

static void test_arena_blocks_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena measure = {0};
    bind(&measure);
    struct arena arena;
    arena_open(&arena, measure.peak);
    struct parts parts = bind(&arena);
    expect_aligned(parts.odd);
    expect_aligned(parts.wide);
    expect_aligned(parts.last);
    assert_int_equal(count_nonzero((unsigned char *)parts.wide, 1001 * sizeof(double)), 0);
    memset(parts.odd, 1, 3);
    memset(parts.last, 1, 10);
    assert_int_equal(count_nonzero((unsigned char *)parts.wide, 1001 * sizeof(double)), 0);
    arena_close(&arena);
}

static void test_released_memory_is_taken_again(void **state)
{
    (void)state;
    struct arena measure = {0};
    bind(&measure);
    struct arena arena;
    arena_open(&arena, measure.peak);
    struct parts parts = bind(&arena);
    assert_ptr_equal(parts.scratch, parts.last);
    arena_close(&arena);
}

static void take_beyond_the_end(void *argument)
{
    struct arena *arena = argument;
    arena_take(arena, arena->capacity - arena->used + 1, 1);
}

static void release_beyond_use(void *argument)
{
    struct arena *arena = argument;
    arena_release(arena, arena->used + 1);
}

static void open_impossible_arena(void *argument)
{
    (void)argument;
    struct arena arena;
    arena_open(&arena, (size_t)1 << 60);
}

static void test_memory_from_elsewhere_is_counted_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_take(&arena, 10, 1);
    arena_count_elsewhere(&arena, 3, 64);
    assert_int_equal(arena.elsewhere, 3 * 64);
    assert_int_equal(arena.peak, 64);
}

static void test_arena_misuse_ends_the_process(void **state)
{
    (void)state;
    struct arena arena;
    arena_open(&arena, 100);
    arena_take(&arena, 100, 1);
    support_expect_exit(take_beyond_the_end, &arena, EXIT_CODE_BUG, "capacity");
    support_expect_exit(release_beyond_use, &arena, EXIT_CODE_BUG, "mark <= arena->used");
    support_expect_exit(open_impossible_arena, NULL, EXIT_CODE_SYSTEM, "out of memory");
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_zeroed_and_aligned),
        cmocka_unit_test(test_freeing_nothing_is_allowed),
        cmocka_unit_test(test_grown_block_keeps_its_items_and_zeroes_the_rest),
        cmocka_unit_test(test_copied_text_is_its_own),
        cmocka_unit_test(test_impossible_sizes_are_fatal),
        cmocka_unit_test(test_measuring_counts_what_binding_uses),
        cmocka_unit_test(test_arena_blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_released_memory_is_taken_again),
        cmocka_unit_test(test_memory_from_elsewhere_is_counted_apart),
        cmocka_unit_test(test_arena_misuse_ends_the_process),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

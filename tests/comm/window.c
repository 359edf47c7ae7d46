#include "comm/window.h"

#include "tests/support/support.h"

#include "comm/comm.h"
#include "tests/support/support_mpi.h"

enum { COUNT = 1000, ROUNDS = 200 };

/* A value that tells writer, round and position apart; exact in float. */
static real mark(size_t place, size_t round, size_t i)
{
    return (real)((place * ROUNDS + round) * COUNT + i);
}

static void test_pieces_begin_zeroed_and_aligned(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct window *window = window_open(ring, COUNT * sizeof(real));
    for (size_t place = 0; place < ring_size(ring); place++) {
        const real *piece = window_at(window, place);
        assert_int_equal((uintptr_t)piece % 64, 0);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(piece[i] == 0);
        }
    }
    window_close(window);
    ring_close(ring);
}

/* Each rank writes, the next one reads what the wait promised, and says so before the next round
 * overwrites it. */
static void test_who_has_waited_sees_what_was_written(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct window *window = window_open(ring, COUNT * sizeof(real));
    size_t place = ring_rank(ring);
    size_t previous = (place + ring_size(ring) - 1) % ring_size(ring);
    size_t next = (place + 1) % ring_size(ring);
    for (size_t round = 0; round < ROUNDS; round++) {
        real *own = window_at(window, place);
        for (size_t i = 0; i < COUNT; i++) {
            own[i] = mark(place, round, i);
        }
        window_advance(window, 2 * round + 1);
        assert_true(window_await(window, previous, 2 * round + 1) >= 0.0);
        const real *other = window_at(window, previous);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(other[i] == mark(previous, round, i));
        }
        window_advance(window, 2 * round + 2);
        window_await(window, next, 2 * round + 2);
    }
    window_close(window);
    ring_close(ring);
}

static void test_groups_have_windows_of_their_own(void **state)
{
    (void)state;
    if (comm_size() % 2 != 0) {
        skip();
    }
    struct ring *ring = ring_open(comm_size() / 2, 0);
    struct window *window = window_open(ring, sizeof(real));
    *(real *)window_at(window, ring_rank(ring)) = (real)(1 + comm_rank());
    window_advance(window, 1);
    for (size_t place = 0; place < ring_size(ring); place++) {
        window_await(window, place, 1);
        assert_true(*(real *)window_at(window, place) ==
                    (real)(1 + ring_group(ring) * ring_size(ring) + place));
    }
    window_close(window);
    ring_close(ring);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_begin_zeroed_and_aligned),
        cmocka_unit_test(test_who_has_waited_sees_what_was_written),
        cmocka_unit_test(test_groups_have_windows_of_their_own),
    };
    return support_mpi_run(argc, argv, "window", tests, sizeof tests / sizeof tests[0]);
}

/* Whose cores are whose: sets of cores in, threads out; and the cores of real ranks. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "comm/cores.h"

#include "tests/support/support.h"

#include <sched.h>
#include <string.h>

#include "base/random.h"
#include "comm/comm.h"
#include "tests/support/support_mpi.h"

enum { RANKS_MAX = 64 };

static struct cores sets[RANKS_MAX];

static void take_all_cores_away(void)
{
    memset(sets, 0, sizeof sets);
}

static void give(size_t rank, size_t first, size_t count)
{
    for (size_t core = first; core < first + count; core++) {
        sets[rank].has[core] = true;
    }
}

/* Every share is a sum of fractions that must not end a hair below a whole number. */
static void test_ranks_with_the_same_cores_divide_them(void **state)
{
    (void)state;
    for (size_t ranks = 1; ranks <= RANKS_MAX; ranks++) {
        for (size_t cores = 0; cores <= 3 * ranks; cores++) {
            take_all_cores_away();
            for (size_t rank = 0; rank < ranks; rank++) {
                give(rank, 5, cores);
            }
            size_t wanted = cores < ranks ? 1 : cores / ranks;
            assert_int_equal(cores_share(sets, ranks, 0), wanted);
            assert_int_equal(cores_share(sets, ranks, ranks - 1), wanted);
        }
    }
}

static void test_a_rank_keeps_the_cores_that_are_its_own(void **state)
{
    (void)state;
    take_all_cores_away();
    give(0, 0, 4);
    give(1, 4, 7);
    give(2, CORES_MAX - 1, 1);
    assert_int_equal(cores_share(sets, 3, 0), 4);
    assert_int_equal(cores_share(sets, 3, 1), 7);
    assert_int_equal(cores_share(sets, 3, 2), 1);
}

static void test_only_cores_in_common_are_divided(void **state)
{
    (void)state;
    take_all_cores_away();
    give(0, 0, 6); /* 2 of its own, 2 of two ranks, 2 of three */
    give(1, 2, 4);
    give(2, 4, 6);
    assert_int_equal(cores_share(sets, 3, 0), 3); /* 2 + 2/2 + 2/3 */
    assert_int_equal(cores_share(sets, 3, 1), 1); /* 2/2 + 2/3 */
    assert_int_equal(cores_share(sets, 3, 2), 4); /* 2/3 + 4 */
}

static void test_a_rank_without_cores_has_one_thread(void **state)
{
    (void)state;
    take_all_cores_away();
    give(1, 0, 3);
    assert_int_equal(cores_share(sets, 2, 0), 1);
    assert_int_equal(cores_share(sets, 2, 1), 3);
}

/* Ranks that have a core each to themselves, and any others. */
static void test_threads_are_never_more_than_cores(void **state)
{
    (void)state;
    enum { CORES = 96 };
    struct random random = random_stream(1, RANDOM_TEST, 0, 0);
    for (size_t trial = 0; trial < 50; trial++) {
        take_all_cores_away();
        size_t ranks = 1 + random_below(&random, 16);
        size_t threads = 0;
        for (size_t rank = 0; rank < ranks; rank++) {
            give(rank, CORES + rank, 1);
            for (size_t core = 0; core < CORES; core++) {
                sets[rank].has[core] = random_below(&random, 3) == 0;
            }
        }
        for (size_t rank = 0; rank < ranks; rank++) {
            threads += cores_share(sets, ranks, rank);
        }
        assert_true(threads >= ranks && threads <= CORES + ranks);
    }
}

static size_t count_cores(const struct cores *cores)
{
    size_t count = 0;
    for (size_t core = 0; core < CORES_MAX; core++) {
        count += cores->has[core];
    }
    return count;
}

/* The cores of one number after the other, by turns. */
static void keep_own_part(cpu_set_t *part, const struct cores *cores)
{
    size_t number = 0;
    CPU_ZERO(part);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (cores->has[core] && number++ % comm_size() == comm_rank()) {
            CPU_SET(core, part);
        }
    }
}

/* Collective: binds every rank to a part of the cores that no other has, and looks again. */
static void test_ranks_bound_apart_use_all_their_cores(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t part;
    struct cores all;
    struct cores own;
    cores_of_process(&all);
    size_t count = count_cores(&all);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(comm_threads(0), count < comm_size() ? 1 : count / comm_size());
    assert_int_equal(comm_threads(7), 7);

    keep_own_part(&part, &all);
    bool is_bound = CPU_COUNT(&part) > 0 && sched_setaffinity(0, sizeof part, &part) == 0;
    size_t threads = cores_threads(MPI_COMM_WORLD);
    cores_of_process(&own);
    if (is_bound) {
        assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
        assert_int_equal(count_cores(&own), CPU_COUNT(&part));
        assert_int_equal(threads, comm_size() <= count ? CPU_COUNT(&part) : 1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_with_the_same_cores_divide_them),
        cmocka_unit_test(test_a_rank_keeps_the_cores_that_are_its_own),
        cmocka_unit_test(test_only_cores_in_common_are_divided),
        cmocka_unit_test(test_a_rank_without_cores_has_one_thread),
        cmocka_unit_test(test_threads_are_never_more_than_cores),
        cmocka_unit_test(test_ranks_bound_apart_use_all_their_cores),
    };
    return support_mpi_run(argc, argv, "cores", tests, sizeof tests / sizeof tests[0]);
}

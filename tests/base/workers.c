/* Threads that share work: every item once, one voice in trouble. */
#include "tests/support/support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/workers.h"

enum { ITEMS = 1000 };

static struct workers *open_workers(size_t count)
{
    struct failure failure = {0};
    struct workers *workers = workers_open(count, &failure);
    fatal_if_failed(&failure);
    return workers;
}

/* Counts the calls of each item; squares are written without any lock. */
struct counting {
    atomic_int calls[ITEMS];
    size_t squares[ITEMS];
};

static void count_call(void *self, size_t item, size_t thread)
{
    assert_true(thread < 5);
    struct counting *counting = self;
    atomic_fetch_add(&counting->calls[item], 1);
    counting->squares[item] = item * item;
}

static void test_every_item_is_done_once_for_any_number_of_threads(void **state)
{
    (void)state;
    static const size_t items[] = {0, 1, 2, 3, 64, ITEMS};
    for (size_t threads = 1; threads <= 5; threads++) {
        struct workers *workers = open_workers(threads);
        for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
            struct counting *counting = memory_take(1, sizeof *counting);
            workers_run(workers, items[i], count_call, counting);
            for (size_t item = 0; item < ITEMS; item++) {
                bool is_due = item < items[i];
                assert_int_equal(atomic_load(&counting->calls[item]), is_due);
                assert_int_equal(counting->squares[item], is_due ? item * item : 0);
            }
            memory_free(counting);
        }
        workers_close(workers);
    }
}

static void add(void *self, size_t item, size_t thread)
{
    (void)thread;
    size_t *sums = self;
    sums[item] += item + 1;
}

/* Threads that wake late, leave late or sleep on must not mix one work with the next. */
static void test_thousands_of_works_follow_one_another(void **state)
{
    (void)state;
    enum { WORKS = 20000, FEW = 7 };
    struct workers *workers = open_workers(4);
    size_t sums[FEW] = {0};
    for (size_t i = 0; i < WORKS; i++) {
        workers_run(workers, 1 + i % FEW, add, sums);
    }
    for (size_t item = 0; item < FEW; item++) {
        size_t works = 0;
        for (size_t i = 0; i < WORKS; i++) {
            works += item < 1 + i % FEW;
        }
        assert_int_equal(sums[item], works * (item + 1));
    }
    workers_close(workers);
}

/* Each of two items waits for the other: only two threads together can do them. */
static void meet(void *self, size_t item, size_t thread)
{
    atomic_int *arrived = self;
    (void)item;
    (void)thread;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 2) {
        sched_yield();
    }
}

static void test_threads_work_at_the_same_time(void **state)
{
    (void)state;
    struct workers *workers = open_workers(2);
    atomic_int arrived = 0;
    workers_run(workers, 2, meet, &arrived);
    workers_close(workers);
}

struct awaited {
    struct workers *workers;
    atomic_int arrived;
    atomic_size_t turn;
    size_t order[ITEMS];
};

/* Written without a lock: each call waits for the one before. */
static void take_turn(void *self, size_t item, size_t thread)
{
    struct awaited *awaited = self;
    workers_await(awaited->workers, thread, &awaited->turn, item);
    awaited->order[item] = item == 0 ? 1 : awaited->order[item - 1] + 1;
    atomic_store(&awaited->turn, item + 1);
}

static void test_items_in_order_may_wait_for_earlier_ones(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= 5; threads++) {
        struct awaited *awaited = memory_take(1, sizeof *awaited);
        awaited->workers = open_workers(threads);
        assert_int_equal(workers_count(awaited->workers), threads);
        workers_run_in_order(awaited->workers, ITEMS, take_turn, awaited);
        assert_int_equal(awaited->order[ITEMS - 1], ITEMS);
        workers_close(awaited->workers);
        memory_free(awaited);
    }
}

static void test_closing_without_work_ends_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < 50; i++) {
        workers_close(open_workers(1 + i % 5));
    }
    workers_close(NULL);
}

static void meet_and_fail(void *self, size_t item, size_t thread)
{
    meet(self, item, thread);
    fatal(EXIT_CODE_IO, "found an item that fails, expected none; this is a test");
}

/* At least one of them is not the first thread. */
static void fail_in_two_threads(void *argument)
{
    (void)argument;
    atomic_int arrived = 0;
    workers_run(open_workers(2), 2, meet_and_fail, &arrived);
}

struct one_fails {
    atomic_int arrived;
    pthread_t opener;
};

static void fail_elsewhere(void *self, size_t item, size_t thread)
{
    struct one_fails *one = self;
    meet(&one->arrived, item, thread);
    assert_int_equal(thread == 0, pthread_equal(pthread_self(), one->opener) != 0);
    if (thread > 0) {
        invariant(item > ITEMS);
    }
}

/* An opening thread that waits for one that fails. */
static void fail_or_wait(void *self, size_t item, size_t thread)
{
    struct awaited *awaited = self;
    meet(&awaited->arrived, item, thread);
    invariant(thread == 0 || item > ITEMS);
    workers_await(awaited->workers, thread, &awaited->turn, ITEMS);
}

static void wait_for_a_thread_that_fails(void *argument)
{
    (void)argument;
    struct awaited awaited = {.workers = open_workers(2)};
    workers_run_in_order(awaited.workers, 2, fail_or_wait, &awaited);
}

static void fail_in_another_thread(void *argument)
{
    (void)argument;
    struct one_fails one = {.opener = pthread_self()};
    workers_run(open_workers(2), 2, fail_elsewhere, &one);
}

static void test_what_is_fatal_in_a_thread_ends_the_rank_with_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        support_expect_exit(fail_in_two_threads, NULL, EXIT_CODE_IO, "an item that fails");
        support_expect_exit(fail_in_another_thread, NULL, EXIT_CODE_BUG, "item > ITEMS");
        support_expect_exit(wait_for_a_thread_that_fails, NULL, EXIT_CODE_BUG, "item > ITEMS");
    }
}

/* A signal that the first thread holds back for now must not reach another. */
static void test_signals_are_left_to_the_first_thread(void **state)
{
    (void)state;
    struct workers *workers = open_workers(4);
    sigset_t own, pending;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &own, NULL);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    workers_close(workers);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGUSR1), 1);
    assert_true(signal(SIGUSR1, SIG_IGN) == SIG_DFL); /* forgets it */
    assert_true(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &own, NULL);
}

static void open_too_many(void *argument)
{
    (void)argument;
    struct rlimit room = {.rlim_cur = (rlim_t)256 << 20, .rlim_max = (rlim_t)256 << 20};
    assert_int_equal(setrlimit(RLIMIT_AS, &room), 0);
    struct failure failure = {0};
    assert_null(workers_open(1000, &failure));
    fatal_if_failed(&failure);
}

static void test_refused_threads_are_a_failure(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their own memory would not fit either */
#endif
    support_expect_exit(open_too_many, NULL, EXIT_CODE_SYSTEM, "expected 1000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_is_done_once_for_any_number_of_threads),
        cmocka_unit_test(test_thousands_of_works_follow_one_another),
        cmocka_unit_test(test_threads_work_at_the_same_time),
        cmocka_unit_test(test_items_in_order_may_wait_for_earlier_ones),
        cmocka_unit_test(test_closing_without_work_ends_at_once),
        cmocka_unit_test(test_what_is_fatal_in_a_thread_ends_the_rank_with_one_line),
        cmocka_unit_test(test_signals_are_left_to_the_first_thread),
        cmocka_unit_test(test_refused_threads_are_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

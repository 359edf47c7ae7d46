#include "base/workers.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/subnormal.h"
#include "base/thread.h"

/* Waking a thread takes tens of microseconds; where work follows work, asking a while for the next
 * spares it, and each time others are let go first. */
enum { ASK_BEFORE_SLEEP = 64 };

/* A thread and its own share of the items. Work after work it begins with the same ones, whose
 * memory its core still holds; then it helps the others with theirs. */
struct lane {
    struct workers *workers;
    pthread_t thread;
    atomic_size_t next; /* of the share, not taken yet */
    size_t end;
    char apart[64]; /* lanes do not disturb one another's cache lines */
};

struct workers {
    size_t count;       /* threads that run, the opening one included */
    struct lane *lanes; /* (count): the opening thread's first */

    /* The work at hand; it stays as it is while it is open or any thread is inside. */
    workers_call *work;
    void *self;
    atomic_size_t round;  /* how many works have begun */
    atomic_bool is_open;  /* may be joined: a thread that wakes too late is not waited for */
    atomic_size_t inside; /* other threads that are at it, or are finding out that it is over */

    /* Who sleeps says so first and then looks once more; who has news looks for sleepers after
     * that. So neither misses the other, and where nobody sleeps no lock is taken. */
    pthread_mutex_t mutex;
    pthread_cond_t has_work, is_left;
    atomic_size_t sleepers; /* of the other threads */
    atomic_bool is_waiting; /* the opening thread sleeps */
    atomic_bool is_closing;
    struct failure failure; /* the first of the other threads', under the mutex */
    atomic_bool has_failed; /* it is there */
};

static void take_items(struct workers *workers, size_t own)
{
    for (size_t i = 0; i < workers->count; i++) {
        struct lane *lane = &workers->lanes[(own + i) % workers->count];
        size_t item;
        while ((item = atomic_fetch_add(&lane->next, 1)) < lane->end) {
            workers->work(workers->self, item, own);
        }
    }
}

/* --- The other threads ------------------------------------------------------------------------ */

/* The opening thread acts on it; this one is at its end. */
static void hand_over(void *self, const struct failure *failure)
{
    struct workers *workers = self;
    pthread_mutex_lock(&workers->mutex);
    failure_set(&workers->failure, failure->code, "%s", failure->text);
    atomic_store(&workers->has_failed, true);
    pthread_cond_signal(&workers->is_left);
    pthread_mutex_unlock(&workers->mutex);
    for (;;) {
        pause();
    }
}

/* Is there something to do for a thread that has seen `round` works? */
static bool has_news(struct workers *workers, size_t round)
{
    return atomic_load(&workers->is_closing) ||
           (atomic_load(&workers->is_open) && atomic_load(&workers->round) != round);
}

static void wait_for_news(struct workers *workers, size_t round)
{
    for (size_t i = 0; i < ASK_BEFORE_SLEEP; i++) {
        if (has_news(workers, round)) {
            return;
        }
        sched_yield();
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_fetch_add(&workers->sleepers, 1);
    while (!has_news(workers, round)) {
        pthread_cond_wait(&workers->has_work, &workers->mutex);
    }
    atomic_fetch_sub(&workers->sleepers, 1);
    pthread_mutex_unlock(&workers->mutex);
}

static void leave(struct workers *workers)
{
    if (atomic_fetch_sub(&workers->inside, 1) == 1 && atomic_load(&workers->is_waiting)) {
        pthread_mutex_lock(&workers->mutex);
        pthread_cond_signal(&workers->is_left);
        pthread_mutex_unlock(&workers->mutex);
    }
}

static void *serve(void *self)
{
    const struct lane *lane = self;
    struct workers *workers = lane->workers;
    size_t round = 0;
    subnormal_flush();
    fatal_set_hand_over(hand_over, workers);
    for (;;) {
        wait_for_news(workers, round);
        if (atomic_load(&workers->is_closing)) {
            return NULL;
        }
        atomic_fetch_add(&workers->inside, 1);
        if (atomic_load(&workers->is_open)) {
            round = atomic_load(&workers->round);
            take_items(workers, (size_t)(lane - workers->lanes));
        }
        leave(workers);
    }
}

/* --- The opening thread ----------------------------------------------------------------------- */

static bool start(struct workers *workers, size_t count, struct failure *failure)
{
    int error = 0;
    for (workers->count = 1; workers->count < count; workers->count++) {
        struct lane *lane = &workers->lanes[workers->count];
        lane->workers = workers;
        error = thread_start(&lane->thread, serve, lane);
        if (error != 0) {
            break;
        }
    }
    return error == 0 || failure_set(failure, EXIT_CODE_SYSTEM,
                                     "threads: found that the system starts %zu, expected %zu (%s);"
                                     " ask for fewer",
                                     workers->count, count, strerror(error));
}

struct workers *workers_open(size_t count, struct failure *failure)
{
    invariant(count > 0);
    struct workers *workers = memory_take(1, sizeof *workers);
    workers->lanes = memory_take(count, sizeof *workers->lanes);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->has_work, NULL);
    pthread_cond_init(&workers->is_left, NULL);
    if (!start(workers, count, failure)) {
        workers_close(workers);
        return NULL;
    }
    return workers;
}

void workers_close(struct workers *workers)
{
    if (!workers) {
        return;
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_store(&workers->is_closing, true);
    pthread_cond_broadcast(&workers->has_work);
    pthread_mutex_unlock(&workers->mutex);
    for (size_t i = 1; i < workers->count; i++) {
        pthread_join(workers->lanes[i].thread, NULL);
    }
    pthread_cond_destroy(&workers->is_left);
    pthread_cond_destroy(&workers->has_work);
    pthread_mutex_destroy(&workers->mutex);
    memory_free(workers->lanes);
    memory_free(workers);
}

static void open_work(struct workers *workers)
{
    atomic_fetch_add(&workers->round, 1);
    atomic_store(&workers->is_open, true);
    if (atomic_load(&workers->sleepers) > 0) {
        pthread_mutex_lock(&workers->mutex);
        pthread_cond_broadcast(&workers->has_work);
        pthread_mutex_unlock(&workers->mutex);
    }
}

/* All items are taken: nobody joins any more, and those inside finish what they have. */
static void end_work(struct workers *workers)
{
    atomic_store(&workers->is_open, false);
    for (size_t i = 0; i < ASK_BEFORE_SLEEP; i++) {
        if (atomic_load(&workers->inside) == 0) {
            return;
        }
        sched_yield();
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_store(&workers->is_waiting, true);
    while (atomic_load(&workers->inside) > 0 && workers->failure.code == EXIT_CODE_DONE) {
        pthread_cond_wait(&workers->is_left, &workers->mutex);
    }
    atomic_store(&workers->is_waiting, false);
    pthread_mutex_unlock(&workers->mutex);
    fatal_if_failed(&workers->failure);
}

/* The lanes have their shares. */
static void run(struct workers *workers, bool is_shared, workers_call *work, void *self)
{
    workers->work = work;
    workers->self = self;
    if (is_shared) {
        open_work(workers);
    }
    take_items(workers, 0);
    if (is_shared) {
        end_work(workers);
    }
}

static bool is_shared(const struct workers *workers, size_t items)
{
    return workers->count > 1 && items > 1;
}

static void give_share(struct lane *lane, size_t first, size_t end)
{
    atomic_store(&lane->next, first);
    lane->end = end;
}

void workers_run(struct workers *workers, size_t items, workers_call *work, void *self)
{
    size_t sharers = is_shared(workers, items) ? workers->count : 1;
    for (size_t i = 0; i < sharers; i++) {
        give_share(&workers->lanes[i], items * i / sharers, items * (i + 1) / sharers);
    }
    run(workers, sharers > 1, work, self);
}

void workers_run_in_order(struct workers *workers, size_t items, workers_call *work, void *self)
{
    give_share(&workers->lanes[0], 0, items);
    for (size_t i = 1; i < workers->count; i++) {
        give_share(&workers->lanes[i], 0, 0);
    }
    run(workers, is_shared(workers, items), work, self);
}

void workers_await(struct workers *workers, size_t thread, const atomic_size_t *turn, size_t wanted)
{
    while (atomic_load(turn) != wanted) {
        if (thread == 0 && atomic_load(&workers->has_failed)) {
            fatal_if_failed(&workers->failure);
        }
        sched_yield();
    }
}

size_t workers_count(const struct workers *workers)
{
    return workers->count;
}

#include "base/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/floating_point.h"
#include "base/memory.h"

/* Waking a thread takes tens of microseconds, so one that waits first looks again this many times
 * and lets others run in between. */
enum { YIELDS_BEFORE_SLEEP = 64 };

/* A thread and its queue of items. It takes the items of its own queue first, the same ones every
 * time, whose memory its core still holds; then it takes from the others' queues. */
struct queue {
    struct workers *workers;
    pthread_t thread;
    atomic_size_t next; /* item that nobody has taken */
    size_t end;
    char padding[64]; /* queues do not share cache lines */
};

struct workers {
    size_t count;         /* threads that run, the opening one included */
    struct queue *queues; /* (count): the opening thread's first */

    /* The current work; unchanged while it is open or any thread is inside. */
    workers_call *work;
    void *self;
    atomic_size_t round;  /* works begun so far */
    atomic_bool is_open;  /* may be joined: a thread that wakes too late is not waited for */
    atomic_size_t inside; /* other threads that work on it, or are about to see that it is closed */

    /* A thread counts itself as a sleeper before it looks for work a last time; a thread that
     * brings work looks for sleepers afterwards. So none sleeps through it, and where none sleeps
     * no lock is taken. */
    pthread_mutex_t mutex;
    pthread_cond_t work_opened, is_left;
    atomic_size_t sleepers; /* of the other threads */
    atomic_bool is_waiting; /* the opening thread sleeps */
    atomic_bool is_closing;
    struct failure failure; /* the first of the other threads', under the mutex */
    atomic_bool has_failed; /* `failure` is set */
};

static void take_items(struct workers *workers, size_t own)
{
    for (size_t i = 0; i < workers->count; i++) {
        struct queue *queue = &workers->queues[(own + i) % workers->count];
        size_t item;
        while ((item = atomic_fetch_add(&queue->next, 1)) < queue->end) {
            workers->work(workers->self, item, own);
        }
    }
}

/* --- The other threads ------------------------------------------------------------------------ */

/* The opening thread acts on the failure; this thread does nothing more. */
static void report_to_opener(void *self, const struct failure *failure)
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

/* Is there something to do for a thread that took part in work number `round` last? */
static bool has_work(struct workers *workers, size_t round)
{
    return atomic_load(&workers->is_closing) ||
           (atomic_load(&workers->is_open) && atomic_load(&workers->round) != round);
}

static void wait_for_work(struct workers *workers, size_t round)
{
    for (size_t i = 0; i < YIELDS_BEFORE_SLEEP; i++) {
        if (has_work(workers, round)) {
            return;
        }
        sched_yield();
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_fetch_add(&workers->sleepers, 1);
    while (!has_work(workers, round)) {
        pthread_cond_wait(&workers->work_opened, &workers->mutex);
    }
    atomic_fetch_sub(&workers->sleepers, 1);
    pthread_mutex_unlock(&workers->mutex);
}

static void leave_work(struct workers *workers)
{
    if (atomic_fetch_sub(&workers->inside, 1) == 1 && atomic_load(&workers->is_waiting)) {
        pthread_mutex_lock(&workers->mutex);
        pthread_cond_signal(&workers->is_left);
        pthread_mutex_unlock(&workers->mutex);
    }
}

static void *worker_main(void *self)
{
    const struct queue *queue = self;
    struct workers *workers = queue->workers;
    size_t round = 0;
    subnormal_flush();
    fatal_set_thread_handler(report_to_opener, workers);
    for (;;) {
        wait_for_work(workers, round);
        if (atomic_load(&workers->is_closing)) {
            return NULL;
        }
        atomic_fetch_add(&workers->inside, 1);
        if (atomic_load(&workers->is_open)) {
            round = atomic_load(&workers->round);
            take_items(workers, (size_t)(queue - workers->queues));
        }
        leave_work(workers);
    }
}

/* --- The opening thread ----------------------------------------------------------------------- */

/* All signals are blocked in the new thread: they are for the thread that started the program.
 * Returns 0 or the system's error number. */
static int start_thread(struct queue *queue)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&queue->thread, NULL, worker_main, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static bool start_threads(struct workers *workers, size_t count, struct failure *failure)
{
    int error = 0;
    for (workers->count = 1; workers->count < count; workers->count++) {
        struct queue *queue = &workers->queues[workers->count];
        queue->workers = workers;
        error = start_thread(queue);
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
    workers->queues = memory_take(count, sizeof *workers->queues);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->work_opened, NULL);
    pthread_cond_init(&workers->is_left, NULL);
    if (!start_threads(workers, count, failure)) {
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
    pthread_cond_broadcast(&workers->work_opened);
    pthread_mutex_unlock(&workers->mutex);
    for (size_t i = 1; i < workers->count; i++) {
        pthread_join(workers->queues[i].thread, NULL);
    }
    pthread_cond_destroy(&workers->is_left);
    pthread_cond_destroy(&workers->work_opened);
    pthread_mutex_destroy(&workers->mutex);
    memory_free(workers->queues);
    memory_free(workers);
}

static void open_work(struct workers *workers)
{
    atomic_fetch_add(&workers->round, 1);
    atomic_store(&workers->is_open, true);
    if (atomic_load(&workers->sleepers) > 0) {
        pthread_mutex_lock(&workers->mutex);
        pthread_cond_broadcast(&workers->work_opened);
        pthread_mutex_unlock(&workers->mutex);
    }
}

/* All items are taken: no thread joins any more; wait for those inside. */
static void close_work(struct workers *workers)
{
    atomic_store(&workers->is_open, false);
    for (size_t i = 0; i < YIELDS_BEFORE_SLEEP; i++) {
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

/* Work on what is in the queues until all of it is done. */
static void run_queues(struct workers *workers, bool is_shared, workers_call *work, void *self)
{
    workers->work = work;
    workers->self = self;
    if (is_shared) {
        open_work(workers);
    }
    take_items(workers, 0);
    if (is_shared) {
        close_work(workers);
    }
}

static bool is_shared(const struct workers *workers, size_t items)
{
    return workers->count > 1 && items > 1;
}

static void fill_queue(struct queue *queue, size_t first, size_t end)
{
    atomic_store(&queue->next, first);
    queue->end = end;
}

void workers_run(struct workers *workers, size_t items, workers_call *work, void *self)
{
    size_t threads = is_shared(workers, items) ? workers->count : 1;
    for (size_t i = 0; i < threads; i++) {
        fill_queue(&workers->queues[i], items * i / threads, items * (i + 1) / threads);
    }
    run_queues(workers, threads > 1, work, self);
}

void workers_run_in_order(struct workers *workers, size_t items, workers_call *work, void *self)
{
    fill_queue(&workers->queues[0], 0, items);
    for (size_t i = 1; i < workers->count; i++) {
        fill_queue(&workers->queues[i], 0, 0);
    }
    run_queues(workers, is_shared(workers, items), work, self);
}

void workers_await(struct workers *workers, size_t thread, const atomic_size_t *ticket,
                   size_t wanted)
{
    while (atomic_load(ticket) != wanted) {
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

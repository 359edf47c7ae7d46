#include "datasets/prefetch.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/thread.h"

/* What the thread is asked for. */
struct order {
    size_t batch; /* which of the two */
    uint64_t step;
    size_t pass;
};

enum stage {
    STAGE_IDLE,    /* nothing is ordered */
    STAGE_ORDERED, /* the thread is filling, or will be soon */
    STAGE_FILLED,  /* or has failed: see failure */
    STAGE_DEAD,    /* the thread has said its last words, which are in failure */
};

struct prefetch {
    struct loader *loader;
    struct batch *batches;
    size_t group, groups;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below; order and failure are the thread's while ordered */
    pthread_cond_t has_changed;
    enum stage stage;
    bool is_closing;
    struct order order;
    struct failure failure;
};

/* --- The thread ------------------------------------------------------------------------------- */

static void change_stage(struct prefetch *prefetch, enum stage stage)
{
    pthread_mutex_lock(&prefetch->mutex);
    prefetch->stage = stage;
    pthread_cond_broadcast(&prefetch->has_changed);
    pthread_mutex_unlock(&prefetch->mutex);
}

/* The opening thread acts on it; this one is at its end. */
static void hand_over(void *self, const struct failure *failure)
{
    struct prefetch *prefetch = self;
    prefetch->failure = *failure;
    change_stage(prefetch, STAGE_DEAD);
    for (;;) {
        pause();
    }
}

/* False when it is time to end. */
static bool await_order(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->mutex);
    while (prefetch->stage != STAGE_ORDERED && !prefetch->is_closing) {
        pthread_cond_wait(&prefetch->has_changed, &prefetch->mutex);
    }
    bool is_closing = prefetch->is_closing;
    pthread_mutex_unlock(&prefetch->mutex);
    return !is_closing;
}

static void *serve(void *self)
{
    struct prefetch *prefetch = self;
    fatal_set_hand_over(hand_over, prefetch);
    while (await_order(prefetch)) {
        const struct loader_slice slice = {
            .group = prefetch->group, .groups = prefetch->groups, .pass = prefetch->order.pass};
        loader_fill(prefetch->loader, &prefetch->batches[prefetch->order.batch],
                    prefetch->order.step, slice, &prefetch->failure);
        change_stage(prefetch, STAGE_FILLED);
    }
    return NULL;
}

/* --- The opening thread ----------------------------------------------------------------------- */

/* Wait until the thread has nothing to do; then order, and failure, are this thread's again. */
static void await_thread(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->mutex);
    while (prefetch->stage == STAGE_ORDERED) {
        pthread_cond_wait(&prefetch->has_changed, &prefetch->mutex);
    }
    enum stage stage = prefetch->stage;
    pthread_mutex_unlock(&prefetch->mutex);
    if (stage == STAGE_DEAD) {
        fatal_if_failed(&prefetch->failure);
    }
}

/* The thread must have nothing to do. */
static void place_order(struct prefetch *prefetch, struct order order)
{
    prefetch->order = order;
    prefetch->failure = (struct failure){0};
    change_stage(prefetch, STAGE_ORDERED);
}

struct prefetch *prefetch_open(struct loader *loader, struct batch batches[PREFETCH_BATCHES],
                               size_t group, size_t groups, struct failure *failure)
{
    struct prefetch *prefetch = memory_take(1, sizeof *prefetch);
    *prefetch =
        (struct prefetch){.loader = loader, .batches = batches, .group = group, .groups = groups};
    pthread_mutex_init(&prefetch->mutex, NULL);
    pthread_cond_init(&prefetch->has_changed, NULL);
    int error = thread_start(&prefetch->thread, serve, prefetch);
    if (error == 0) {
        return prefetch;
    }
    failure_set(failure, EXIT_CODE_SYSTEM,
                "threads: found that the system starts none for reading ahead, expected one (%s); "
                "allow this process more",
                strerror(error));
    pthread_cond_destroy(&prefetch->has_changed);
    pthread_mutex_destroy(&prefetch->mutex);
    memory_free(prefetch);
    return NULL;
}

void prefetch_close(struct prefetch *prefetch)
{
    if (!prefetch) {
        return;
    }
    await_thread(prefetch);
    pthread_mutex_lock(&prefetch->mutex);
    prefetch->is_closing = true;
    pthread_cond_broadcast(&prefetch->has_changed);
    pthread_mutex_unlock(&prefetch->mutex);
    pthread_join(prefetch->thread, NULL);
    pthread_cond_destroy(&prefetch->has_changed);
    pthread_mutex_destroy(&prefetch->mutex);
    memory_free(prefetch);
}

/* The pass after this one. */
static struct order following(const struct prefetch *prefetch, const struct order *order)
{
    bool is_last = order->pass + 1 == loader_pass_count(prefetch->loader, prefetch->groups);
    return (struct order){
        .batch = (order->batch + 1) % PREFETCH_BATCHES,
        .step = is_last ? order->step + 1 : order->step,
        .pass = is_last ? 0 : order->pass + 1,
    };
}

struct batch *prefetch_take(struct prefetch *prefetch, uint64_t step, size_t pass,
                            struct failure *failure)
{
    await_thread(prefetch);
    struct order order = prefetch->order;
    if (prefetch->stage == STAGE_IDLE || order.step != step || order.pass != pass) {
        order = (struct order){.batch = order.batch, .step = step, .pass = pass};
        place_order(prefetch, order);
        await_thread(prefetch);
    }
    if (prefetch->failure.code != EXIT_CODE_DONE) {
        failure_set(failure, prefetch->failure.code, "%s", prefetch->failure.text);
        return NULL;
    }
    place_order(prefetch, following(prefetch, &order));
    return &prefetch->batches[order.batch];
}

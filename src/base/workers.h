/* Threads of this rank that share the items of one piece of work after another.
 *
 * They are started once and sleep in between. The thread that asks for work takes part in it and
 * goes on when all of it is done, so that from outside nothing runs in parallel; which thread does
 * which item is left to chance. What is fatal in a thread becomes the last words of the one that
 * asked: a rank speaks with one voice, and only its first thread meets MPI. */
#ifndef CHAINRING_BASE_WORKERS_H
#define CHAINRING_BASE_WORKERS_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/fatal.h"

struct workers;

/* `count` (at least 1) threads, the caller's own included: 1 starts none. NULL and a failure
 * (EXIT_CODE_SYSTEM) where the system refuses one. Only the opening thread may use and close them.
 * Local, like all of this file. */
struct workers *workers_open(size_t count, struct failure *failure);
void workers_close(struct workers *workers);

/* `thread` is the number of the one that calls, below workers_count; 0: the opening one. */
typedef void workers_call(void *self, size_t item, size_t thread);

/* Call work(self, item, thread) once for each item below `items`, in any order, in any of the
 * threads, and return when all calls have. Takes no memory. What the caller wrote before, the calls
 * see; what they write, the caller sees afterwards. A call must not ask for more work. */
void workers_run(struct workers *workers, size_t items, workers_call *work, void *self);

/* The same, but no item begins before those of lower numbers have begun, so that a call may wait
 * for what they do. */
void workers_run_in_order(struct workers *workers, size_t items, workers_call *work, void *self);

/* Within a call of workers_run_in_order: return when a call for an earlier item has set `turn` to
 * `wanted`, and see what it wrote before. */
void workers_await(struct workers *workers, size_t thread, const atomic_size_t *turn,
                   size_t wanted);

size_t workers_count(const struct workers *workers);

#endif

/* A pool of this rank's threads: parallel loops over items.
 *
 * The threads are started once and sleep between loops. The thread that calls a loop takes part in
 * it and returns when all of it is done; which thread does which item is not fixed. What is fatal
 * in another thread is reported by the caller's: only a rank's first thread uses MPI, and a rank
 * prints one line. */
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

/* `thread`: the number of the calling thread, below workers_count; 0: the opening one. */
typedef void workers_call(void *self, size_t item, size_t thread);

/* Call work(self, item, thread) once for each item below `items`, in any order, in any of the
 * threads, and return when all calls have. Takes no memory. What the caller wrote before, the calls
 * see; what they write, the caller sees afterwards. A call must not ask for more work. */
void workers_run(struct workers *workers, size_t items, workers_call *work, void *self);

/* The same, but no item begins before those of lower numbers have begun, so that a call may wait
 * for what they do. */
void workers_run_in_order(struct workers *workers, size_t items, workers_call *work, void *self);

/* Within a call of workers_run_in_order: return when a call for an earlier item has set `ticket` to
 * `wanted`, and see what it wrote before. */
void workers_await(struct workers *workers, size_t thread, const atomic_size_t *ticket,
                   size_t wanted);

size_t workers_count(const struct workers *workers);

#endif

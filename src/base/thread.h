/* How this program starts a thread. */
#ifndef CHAINRING_BASE_THREAD_H
#define CHAINRING_BASE_THREAD_H

#include <pthread.h>

/* Start run(self) in a new thread, which the caller joins. All signals are blocked in it: they are
 * for the thread that started the program. Returns 0 or the system's error number. Local. */
int thread_start(pthread_t *thread, void *(*run)(void *self), void *self);

#endif

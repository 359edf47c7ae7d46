/* Whatever is on its way between ranks, moved along while they compute.
 *
 * MPI moves non-blocking messages only inside its calls, so whoever computes calls comm_progress
 * now and then. Rings and reductions enter themselves here when they are opened. Only the thread
 * that started MPI may call any of this. */
#ifndef CHAINRING_COMM_PROGRESS_H
#define CHAINRING_COMM_PROGRESS_H

/* Move everything along without waiting. Cheap; call about every half millisecond. Local. */
void comm_progress(void);

/* move(self) is called by comm_progress from now on, and no more after progress_remove. Local. */
void progress_add(void (*move)(void *self), void *self);
void progress_remove(const void *self);

#endif

/* The wish to stop early: SIGTERM, SIGINT or SIGUSR1 (which mpirun hands on without
 * killing anybody), noticed between steps. */
#ifndef CHAINRING_TRAIN_STOP_H
#define CHAINRING_TRAIN_STOP_H

#include <stdbool.h>

/* From now on the first such signal only sets a mark; a second one ends the process. Local. */
void stop_listen(void);

/* Has one come? Local: ranks may answer differently until they have asked each other. */
bool stop_wanted(void);

#endif

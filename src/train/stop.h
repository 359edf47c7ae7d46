/* A request to stop early, by SIGTERM, SIGINT or SIGUSR1 (which mpirun passes on to the ranks
 * without killing them). It takes effect between steps. */
#ifndef CHAINRING_TRAIN_STOP_H
#define CHAINRING_TRAIN_STOP_H

#include <stdbool.h>

/* From now on the first such signal only sets a flag; a second one ends the process. Local. */
void stop_listen(void);

/* Has one come? Local: ranks differ until they compare. */
bool stop_wanted(void);

#endif

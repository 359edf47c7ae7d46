/* Elapsed time, unaffected by changes of the wall clock. */
#ifndef CHAINRING_BASE_CLOCK_H
#define CHAINRING_BASE_CLOCK_H

/* Seconds since an arbitrary moment. Local. */
double clock_seconds(void);

#endif

/* How much memory of this process is resident, as Linux counts it (/proc/self/status, VmHWM). */
#ifndef CHAINRING_BENCH_RESIDENT_H
#define CHAINRING_BENCH_RESIDENT_H

/* Begin to look for a new peak: the peak becomes what is resident now. Returns that, in bytes; NaN
 * where the system does not say or does not let a process begin anew. Local. */
double resident_begin(void);

/* The most bytes resident at once since then; NaN where the system does not say. Local. */
double resident_peak(void);

#endif

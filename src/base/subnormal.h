/* Numbers too small for a full mantissa, which processors compute with many times slower. */
#ifndef CHAINRING_BASE_SUBNORMAL_H
#define CHAINRING_BASE_SUBNORMAL_H

/* From now on they count as zero in the calling thread, in operands and in results. Every thread
 * that computes calls this once: main and those of base/workers. Local. */
void subnormal_flush(void);

#endif

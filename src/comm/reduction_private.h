/* What a ring does with the sum that it carries. */
#ifndef CHAINRING_COMM_REDUCTION_PRIVATE_H
#define CHAINRING_COMM_REDUCTION_PRIVATE_H

struct reduction;

/* Collective over the job. */
struct reduction *reduction_open(void);
void reduction_close(struct reduction *reduction);

/* Without waiting. Local. */
void reduction_progress(struct reduction *reduction);

#endif

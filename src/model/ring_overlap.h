/* Are shards large enough for computing to hide their messages? Predicted before a run begins.
 *
 * While a shard of c tokens of width d is met, the next one of 2 c d reals comes in. A hop computes
 * 4 c^2 d operations where nothing is masked, and half of that under the zigzag rule's causal mask;
 * so at F operations and B bytes a second the messages are hidden from c = 2 F / B (zigzag: 4 F /
 * B) tokens on (arXiv 2310.01889, section 3, for reals of four bytes). Backward asks for less. */
#ifndef CHAINRING_MODEL_RING_OVERLAP_H
#define CHAINRING_MODEL_RING_OVERLAP_H

#include "comm/ring.h"
#include "context/partition.h"

struct ring_overlap {
    double bandwidth;     /* B of the slowest rank; 0 where no message is sent */
    double tokens_needed; /* c from which on messages are hidden; 0 as above */
};

/* Measure B on the ring; `rate` is F of one rank. Collective over the job. */
struct ring_overlap ring_overlap_predict(struct ring *ring, enum partition_rule rule, double rate);

/* Say it in one line, and warn where contexts put fewer than tokens_needed tokens on a rank. */
void ring_overlap_say(const struct ring_overlap *overlap, double tokens);

#endif

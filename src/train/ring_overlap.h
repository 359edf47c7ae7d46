/* Are shards large enough for computing to hide their messages? Predicted before a run begins.
 *
 * While a shard of c tokens of width d is met, the next one of 2 c d reals comes in. A ring step
 * computes 4 c^2 d operations where nothing is masked, and half of that under the zigzag rule's
 * causal mask; so at F operations and B bytes a second the messages are hidden from c = 2 F / B
 * (zigzag: 4 F / B) tokens on (arXiv 2310.01889, section 3, for reals of four bytes). A ring step
 * of backward computes 10 c^2 d operations beside twice the messages, as the gradient of the shard
 * before goes on: from 1.6 F / B (zigzag: 3.2 F / B) tokens on. With fewer the share c over that is
 * hidden. */
#ifndef CHAINRING_TRAIN_RING_OVERLAP_H
#define CHAINRING_TRAIN_RING_OVERLAP_H

#include "comm/ring.h"
#include "context/partition.h"

struct ring_overlap {
    double bandwidth;      /* B of the slowest rank; 0 where no message is sent */
    double tokens_forward; /* c from which on messages are hidden; 0 as above */
    double tokens_backward;
};

/* Measure B on the ring; `rate` is F of one rank. Collective over the job. */
struct ring_overlap ring_overlap_predict(struct ring *ring, enum partition_rule rule, double rate);

/* The share of messages that `tokens` tokens hide where `needed` hide all. Local. */
double ring_overlap_share(double tokens, double needed);

/* Say it in one line, and warn where contexts put fewer tokens on a rank than both passes need. */
void ring_overlap_log(const struct ring_overlap *overlap, double tokens);

#endif

/* What a training step is measured on: a learner, and a store of random numbers to learn from. */
#ifndef CHAINRING_BENCH_STEP_SUBJECT_H
#define CHAINRING_BENCH_STEP_SUBJECT_H

#include "bench/step.h"

struct step_subject {
    struct learner_options options; /* with the sizes of the data */
    struct scaling scaling;
    struct ring *ring;
    struct workers *workers;
    struct store *store;
    struct loader *loader;
};

/* The same numbers on every call; the store is in no folder any more. A failure leaves what can be
 * closed. The caller closes it. Collective over the job. */
void step_subject_open(struct step_subject *subject, const struct bench_step_options *options,
                       struct failure *failure);
void step_subject_close(struct step_subject *subject);

#endif

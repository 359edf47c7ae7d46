/* The learning rate over the steps of a run: a linear warm-up, then constant, or half a cosine down
 * to a floor (arXiv 1608.03983, one cycle). */
#ifndef CHAINRING_OPTIM_SCHEDULE_H
#define CHAINRING_OPTIM_SCHEDULE_H

#include <stdint.h>

enum schedule_shape { SCHEDULE_COSINE, SCHEDULE_CONSTANT };

struct schedule {
    enum schedule_shape shape;
    double rate;     /* after the warm-up */
    double floor;    /* of the cosine, as a fraction of rate */
    uint64_t warmup; /* steps */
    uint64_t steps;  /* of the whole run */
};

/* The rate of a step, counted from 1. Local. */
double schedule_rate(const struct schedule *schedule, uint64_t step);

#endif

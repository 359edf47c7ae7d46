/* Where the time of training steps goes, part by part.
 *
 * Every second since step_timer_start is counted for one part, so that the parts add up to all of
 * it. */
#ifndef CHAINRING_TRAIN_STEP_TIMER_H
#define CHAINRING_TRAIN_STEP_TIMER_H

#include <stddef.h>

enum step_timer_part {
    STEP_TIMER_COMPUTE,   /* forward and backward */
    STEP_TIMER_MESSAGES,  /* communication that no computing hides */
    STEP_TIMER_RANKS,     /* waiting for slower ranks */
    STEP_TIMER_DATA,      /* waiting for the loader */
    STEP_TIMER_OPTIMIZER, /* norm of the gradient, AdamW */
    STEP_TIMER_OTHER,     /* reports, checkpoints and whatever else lies between */
    STEP_TIMER_PARTS,
};

struct step_timer {
    double seconds[STEP_TIMER_PARTS];
    double since; /* the clock at the last lap */
};

/* The name of a part in metrics, and in a sentence for people. */
const char *step_timer_key(enum step_timer_part part);
const char *step_timer_words(enum step_timer_part part);

/* Nothing is counted yet; time runs from now. Local, like all of this file. */
void step_timer_start(struct step_timer *timer);

/* All time since the last lap goes to a part. */
void step_timer_lap(struct step_timer *timer, enum step_timer_part part);

/* Seconds that were counted for one part belong to another. */
void step_timer_move(struct step_timer *timer, enum step_timer_part from, enum step_timer_part to,
                     double seconds);

/* timer += other, part by part. */
void step_timer_add(struct step_timer *timer, const struct step_timer *other);
double step_timer_total(const struct step_timer *timer);

#endif

/* Where the time of training steps goes, part by part.
 *
 * Every second since ledger_begin is charged to one part, so that the parts add up to all of it. */
#ifndef CHAINRING_TRAIN_LEDGER_H
#define CHAINRING_TRAIN_LEDGER_H

#include <stddef.h>

enum ledger_part {
    LEDGER_COMPUTE,   /* forward and backward */
    LEDGER_MESSAGES,  /* communication that no computing hides */
    LEDGER_RANKS,     /* waiting for slower ranks */
    LEDGER_DATA,      /* waiting for the loader */
    LEDGER_OPTIMIZER, /* norm of the gradient, AdamW */
    LEDGER_OTHER,     /* reports, checkpoints and whatever else lies between */
    LEDGER_PARTS,
};

struct ledger {
    double seconds[LEDGER_PARTS];
    double since; /* the clock when seconds were last charged */
};

/* The name of a part in metrics, and in a sentence for people. */
const char *ledger_key(enum ledger_part part);
const char *ledger_words(enum ledger_part part);

/* Nothing is charged yet; time runs from now. Local, like all of this file. */
void ledger_begin(struct ledger *ledger);

/* All time since the last charge goes to a part. */
void ledger_charge(struct ledger *ledger, enum ledger_part part);

/* Seconds that were charged to one part belong to another. */
void ledger_move(struct ledger *ledger, enum ledger_part from, enum ledger_part to, double seconds);

/* ledger += other, part by part. */
void ledger_add(struct ledger *ledger, const struct ledger *other);
double ledger_total(const struct ledger *ledger);

#endif

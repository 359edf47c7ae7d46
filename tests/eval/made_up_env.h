/* A made-up environment, linked in the place of the real ones: its trials end early, late, or in
 * failure, as the first state says, and its rewards depend on what is hidden and what was done. */
#ifndef CHAINRING_TESTS_MADE_UP_ENV_H
#define CHAINRING_TESTS_MADE_UP_ENV_H

enum { MADE_UP_OBSERVATION_DIM = 3, MADE_UP_ACTION_DIM = 5, MADE_UP_STEPS_MAX = 7 };

/* The part of the trials that fail, from 0 to 1, from the next reset on. */
void made_up_env_set_failing(double part);

#endif

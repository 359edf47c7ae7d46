/* A trained policy as a behaviour: what it does can be collected as data.
 *
 * The episodes of a group are the trials of one context, so a store of them holds learning within
 * contexts, trial after trial. One context at a time; exploration noise as in an evaluation. */
#ifndef CHAINRING_EVAL_POLICY_BEHAVIOUR_H
#define CHAINRING_EVAL_POLICY_BEHAVIOUR_H

#include <stddef.h>

#include "behaviours/behaviour.h"
#include "math/attention_block.h"

/* Counts are at least 1; what is pointed at is borrowed while the behaviour lives. */
struct policy_behaviour_options {
    const char *run;        /* its folder */
    const char *checkpoint; /* a folder RUN/ckpt/step-N; "": the run's newest whole one */
    size_t trials;          /* episodes of a group */
    double target;          /* target return; 0: the training data's best */
    double target_scale;    /* multiplies it */
    const double *explore;  /* (trials): deviation of the action noise in each */
    enum attention_choice kernel;
};

/* The caller closes the behaviour. Fatal on all ranks: EXIT_CODE_NO_INPUT where there is no
 * checkpoint, EXIT_CODE_DATA where it is damaged, EXIT_CODE_CONFIG where the policy cannot act in
 * the task or was not trained on that many trials. Collective over the job. */
void policy_behaviour_open(struct behaviour *behaviour, const struct env_spec *spec,
                           const struct policy_behaviour_options *options);

#endif

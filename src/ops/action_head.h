/* The action predicted at each state token, tanh(norm(x) W + b), and its loss. */
#ifndef CHAINRING_OPS_ACTION_HEAD_H
#define CHAINRING_OPS_ACTION_HEAD_H

#include "base/real.h"
#include "context/steps.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* action (steps x action_dim) from x (tokens x width). Local, like all of this file. */
void action_head_forward(struct executor *executor, real *action, const real *x,
                         const struct head_weights *w);

/* The sum over steps of weight |action - steps' action|^2, in double; d_action (steps x action_dim)
 * becomes its gradient before the tanh. */
double action_head_loss(struct executor *executor, real *d_action, const real *action,
                        const struct steps *steps);

/* d_x (tokens x width) is set and gradients += , given d_action as action_head_loss left it. */
void action_head_backward(struct executor *executor, real *d_x,
                          const struct head_weights *gradients, const real *d_action, const real *x,
                          const struct head_weights *w);

#endif

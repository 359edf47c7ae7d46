/* The action predicted at each state token, and its loss.
 *
 * Continuous: tanh(norm(x) W + b), and squared error; or, where the shape's head is Gaussian, a
 * mean like that and a log-deviation of each number, and their likelihood. Categorical: norm(x) W +
 * b are logits, one for each category of each component, and cross-entropy. A row is what
 * base/action_space.h says. */
#ifndef CHAINRING_OPS_ACTION_HEAD_H
#define CHAINRING_OPS_ACTION_HEAD_H

#include "base/real.h"
#include "context/steps.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* action (steps x model_prediction_dim) from x (tokens x width). Local, like
 * all of this file. */
void action_head_forward(struct executor *executor, real *action, const struct tensor *x,
                         const struct head_weights *w);

/* The sum over steps of weight |action - steps' label|^2, or of weight times the components' -log
 * of the probability of the label's category, in double, and each step's in step_losses (steps),
 * unless that is NULL; d_action (steps x dim) becomes the sum's gradient before the tanh, or with
 * respect to the logits. */
double action_head_loss(struct executor *executor, real *d_action, const real *action,
                        const struct steps *steps, double *step_losses);

/* d_x (tokens x width) is set and gradients += , given d_action as action_head_loss left it. */
void action_head_backward(struct executor *executor, real *d_x,
                          const struct head_weights *gradients, const real *d_action,
                          const struct tensor *x, const struct head_weights *w);

#endif

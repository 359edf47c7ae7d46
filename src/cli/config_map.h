/* Parts of the configuration as the structs and numbers of the modules that they are for. Local,
 * like all of this file. */
#ifndef CHAINRING_CLI_CONFIG_MAP_H
#define CHAINRING_CLI_CONFIG_MAP_H

#include "cli/config.h"
#include "datasets/chain.h"
#include "eval/evaluation.h"
#include "train/learner.h"

/* How activations are kept: of train.precision and the like (enum config_precision); and in
 * rollouts of a run whose configuration has been read. */
enum dtype config_dtype(int precision);
enum dtype config_eval_dtype(const struct config *config);

/* The shape's sizes of the data are left 0. config must have been checked (config_check). */
struct learner_options config_learner_options(const struct config *config);

/* How chains are drawn. */
struct chain_sampler config_chain_sampler(const struct config *config);

/* How `chainring eval` plays the policy of a run, borrowed as is config; whoever plays it otherwise
 * changes what differs. False and a failure (EXIT_CODE_CONFIG) where a list cannot be read. */
bool config_evaluation_options(struct evaluation_options *options, const struct config *config,
                               const char *run, struct failure *failure);

/* In which of `trials` trials actions are drawn, read from eval.sample: "no", "yes" or a list of
 * these, whose last one holds for the rest. False and a failure (EXIT_CODE_CONFIG) otherwise. */
bool config_sample(bool *samples, size_t trials, const char *option, const char *list,
                   struct failure *failure);

/* The deviation of action noise in each of `trials` trials (at least 1), read from eval.explore: 0
 * where the list is shorter; "auto" is the usual one in the first trial, unless that is sampled.
 * False and a failure (EXIT_CODE_CONFIG) where it is neither that nor a list of numbers. */
bool config_explore(double *deviations, const bool *samples, size_t trials, const char *option,
                    const char *list, struct failure *failure);

/* Has a list no more items than there are trials? False and a failure (EXIT_CODE_CONFIG) otherwise,
 * which calls a trial `what`. */
bool config_list_fits(const char *option, const char *list, size_t trials, const char *what,
                      struct failure *failure);

/* The target return, read from eval.target: a number, or NaN for "best". False and a failure
 * (EXIT_CODE_CONFIG) where it is neither. */
bool config_target(double *target, const char *option, const char *text, struct failure *failure);

/* Width and height, read from render.size. False and a failure (EXIT_CODE_CONFIG) where it is not
 * two numbers of pixels that a camera can have. */
bool config_size(size_t *width, size_t *height, const char *size, struct failure *failure);

#endif

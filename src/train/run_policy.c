#include "train/run_policy.h"

#include <math.h>
#include <stdio.h>

#include "base/action_space.h"
#include "base/log.h"
#include "base/memory.h"

static bool check_dims(const struct dataset *dataset, struct failure *failure)
{
    const struct store_spec *spec = dataset_spec(dataset);
    return (spec->observation_dim <= OBSERVATION_DIM_MAX && spec->action_dim <= ACTION_DIM_MAX) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %zu observations and %zu actions, expected at most %d and %d",
                       store_path(dataset->stores[0].store), spec->observation_dim,
                       spec->action_dim, OBSERVATION_DIM_MAX, ACTION_DIM_MAX);
}

static void choose_scaling(struct scaling *scaling, const struct trainer_options *options,
                           const struct dataset *dataset, const double return_range[2])
{
    size_t dim = dataset_spec(dataset)->observation_dim;
    double largest = fmax(fabs(return_range[0]), fabs(return_range[1]));
    *scaling = scaling_identity(dim);
    scaling->reward_scale = options->reward_scale;
    scaling->return_scale = options->return_scale;
    if (options->return_scale <= 0.0) {
        scaling->return_scale = largest > 0.0 ? largest : 1.0;
    }
    if (options->observations == TRAINER_OBSERVATIONS_NORMALISED) {
        double *moments = memory_take(2 * dim, sizeof *moments);
        dataset_moments(moments, moments + dim, dataset);
        scaling_set_observations(scaling, moments, moments + dim);
        memory_free(moments);
    }
}

static void describe_model(struct model_shape *shape, const struct trainer_options *options,
                           const struct dataset *dataset, size_t trials)
{
    const struct store_spec *spec = dataset_spec(dataset);
    *shape = options->learner.shape;
    shape->observation_dim = spec->observation_dim;
    shape->action_space = spec->actions;
    shape->time_max = dataset_length_max(dataset);
    shape->trial_max = trials;
}

bool run_policy_describe(struct policy_config *policy, const struct trainer_options *options,
                         const struct dataset *dataset, size_t trials, struct failure *failure)
{
    if (!check_dims(dataset, failure)) {
        return false;
    }
    const struct store_spec *spec = dataset_spec(dataset);
    *policy = (struct policy_config){
        .window = options->loader.chain.window,
        .rewarded_trials = options->loader.reward_mask.shown_trials,
        .target = dataset_best(dataset),
        .data_hash = dataset_fingerprint(dataset),
        .data_holdout = options->data.holdout,
    };
    describe_model(&policy->shape, options, dataset, trials);
    dataset_return_range(policy->return_range, dataset);
    choose_scaling(&policy->scaling, options, dataset, policy->return_range);
    snprintf(policy->domain, sizeof policy->domain, "%s", spec->domain);
    snprintf(policy->task, sizeof policy->task, "%s", spec->tasks[dataset->stores[0].task]);
    snprintf(policy->data_weights, sizeof policy->data_weights, "%s", options->data_weights);
    return true;
}

void run_policy_warn(const struct policy_config *policy, const struct trainer_options *options)
{
    const struct scaling *scaling = &policy->scaling;
    char normalize[32] = "", returns[64] = "", rewards[64] = "";
    if (policy->from[0] == '\0') {
        return;
    }
    if (options->observations == TRAINER_OBSERVATIONS_RAW && scaling_moves_observations(scaling)) {
        snprintf(normalize, sizeof normalize, " data.normalize=no");
    }
    if (options->return_scale > 0.0 && options->return_scale != scaling->return_scale) {
        snprintf(returns, sizeof returns, " data.return_scale=%.15g", options->return_scale);
    }
    if (options->reward_scale != 1.0 && options->reward_scale != scaling->reward_scale) {
        snprintf(rewards, sizeof rewards, " data.reward_scale=%.15g", options->reward_scale);
    }
    if (normalize[0] || returns[0] || rewards[0]) {
        log_warning("train.from: found%s%s%s, but this run scales its data as %s does, which it "
                    "began from; leave these options out",
                    normalize, returns, rewards, policy->from);
    }
}

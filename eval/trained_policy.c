#include "eval/trained_policy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "datasets/store_format.h"
#include "eval/policy_behaviour.h"
#include "eval/trial_list.h"
#include "parameters/parameter_store.h"

void trained_policy_find(struct saved_policy *trained, const char *run, const char *checkpoint)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        saved_policy_find(trained, run, checkpoint, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(trained, sizeof *trained);
}

/* The task has `found` of what the policy was trained on. */
static bool refuse_task(const struct saved_policy *trained, const struct env_spec *spec,
                        const char *what, size_t found, size_t expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %zu %s, expected %zu, which the policy in %s was trained "
                       "on; choose a task like %s",
                       spec->task, found, what, expected, trained->path, trained->policy.task);
}

bool trained_policy_check(const struct saved_policy *trained, const struct env_spec *spec,
                          struct failure *failure)
{
    const struct model_shape *shape = &trained->policy.shape;
    if (spec->observation_dim != shape->observation_dim) {
        return refuse_task(trained, spec, "observations", spec->observation_dim,
                           shape->observation_dim, failure);
    }
    if (!action_space_fits(&spec->actions, &shape->action_space)) {
        char found[ACTION_SPACE_TEXT_SIZE], expected[ACTION_SPACE_TEXT_SIZE];
        action_space_print(&spec->actions, found);
        action_space_print(&shape->action_space, expected);
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "task %s: found %zu action elements (%s), expected %zu (%s), which the "
                           "policy in %s was trained on; choose a task like %s",
                           spec->task, spec->action_dim, found, shape->action_space.dim, expected,
                           trained->path, trained->policy.task);
    }
    if (spec->steps_max > shape->time_max) {
        log_warning("task %s has %zu steps in a trial, but the policy in %s was trained on %zu: "
                    "later ones are shown to it as the last of these",
                    spec->task, spec->steps_max, trained->path, shape->time_max);
    }
    if (strcmp(spec->domain, trained->policy.domain) != 0) {
        log_warning("task %s is of domain %s, but the policy in %s was trained on domain %s",
                    spec->task, spec->domain, trained->path, trained->policy.domain);
    }
    return true;
}

bool trained_policy_check_exploration(const struct saved_policy *trained,
                                      const struct trained_policy_options *options,
                                      const char *section, struct failure *failure)
{
    const struct model_shape *shape = &trained->policy.shape;
    bool is_categorical = shape->action_space.kind == ACTION_CATEGORICAL;
    for (size_t trial = 0; trial < options->trials; trial++) {
        if (options->samples[trial] && !is_categorical && shape->head != ACTION_HEAD_GAUSSIAN) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s.sample: found yes, expected no: the policy in %s predicts "
                               "actions without probabilities; explore with noise, or train with "
                               "model.head=gaussian",
                               section, trained->path);
        }
        if (options->explore[trial] > 1.0 && is_categorical) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s.explore: found %g, expected at most 1, as it is the share of "
                               "random actions where they are categorical",
                               section, options->explore[trial]);
        }
    }
    return true;
}

double trained_policy_target(double *added, const struct saved_policy *trained, double target,
                             double margin)
{
    const struct policy_config *policy = &trained->policy;
    *added = (double)NAN;
    if (!isnan(target)) {
        return target;
    }
    *added = margin * (policy->return_range[1] - policy->return_range[0]);
    return policy->target + *added;
}

/* --- Acting ----------------------------------------------------------------------------------- */

struct acting_policy {
    struct policy_behaviour policy; /* first: the behaviour's self is both */
    struct arena arena;
    struct parameter_store parameters;
};

void trained_policy_load(struct parameter_store *parameters, const struct saved_policy *trained)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        saved_policy_load(parameters, trained, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(parameters->master.flat, parameters->layout.count * sizeof(real));
}

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void acting_policy_bind(struct acting_policy *acting, const struct policy_config *config,
                               const struct env_spec *spec,
                               const struct trained_policy_options *options)
{
    size_t steps = steps_in_context_max(options->trials, spec->steps_max, config->window);
    struct policy_behaviour_options policy = {
        .shape = &config->shape,
        .scaling = &config->scaling,
        .parameters = &acting->parameters,
        .window = config->window,
        .reward_mask = {config->rewarded_trials},
        .target = options->target,
        .explore = options->explore,
        .samples = options->samples,
        .decoder = {.context_max = options->contexts,
                    .steps_max = steps,
                    .kernel = options->kernel,
                    .dtype = options->dtype,
                    .workers = options->workers},
    };
    parameter_store_bind(&acting->parameters, &acting->arena, &config->shape, 0, NULL);
    policy_behaviour_bind(&acting->policy, &acting->arena, &policy);
}

static void acting_policy_close(const struct behaviour *behaviour)
{
    struct acting_policy *acting = behaviour->self;
    arena_close(&acting->arena);
    memory_free(acting);
}

/* "policy runs/x/ckpt/step-9 (weights 0123456789abcdef), target 17.6, noise 0.5, 0, 0.2" */
static void describe_source(char *text, size_t capacity, const struct saved_policy *trained,
                            const struct parameter_store *parameters,
                            const struct trained_policy_options *options)
{
    size_t bytes = parameters->layout.count * sizeof(real);
    size_t noisy = 1; /* trials up to the last one with noise */
    for (size_t trial = 0; trial < options->trials; trial++) {
        noisy = options->explore[trial] > 0.0 ? trial + 1 : noisy;
    }
    char sampled[128], drawn[sizeof sampled + 16] = "";
    if (trial_list_any(options->samples, options->trials)) {
        trial_list_print(sampled, sizeof sampled, options->samples, options->trials);
        snprintf(drawn, sizeof drawn, ", sampled in %s", sampled);
    }
    int used = snprintf(text, capacity, "policy %s (weights %016" PRIx64 "), target %.17g%s, noise",
                        trained->path, store_hash_of(parameters->master.flat, bytes),
                        options->target, drawn);
    for (size_t trial = 0; trial < noisy && used > 0 && (size_t)used < capacity; trial++) {
        used += snprintf(text + used, capacity - (size_t)used, "%s %g", trial > 0 ? "," : "",
                         options->explore[trial]);
    }
}

void trained_policy_open(struct behaviour *behaviour, const struct saved_policy *trained,
                         const struct env_spec *spec, const struct trained_policy_options *options)
{
    struct acting_policy *acting = memory_take(1, sizeof *acting);
    acting_policy_bind(acting, &trained->policy, spec, options);
    arena_open(&acting->arena, acting->arena.peak);
    acting_policy_bind(acting, &trained->policy, spec, options);
    trained_policy_load(&acting->parameters, trained);
    *behaviour = policy_behaviour_of(&acting->policy);
    behaviour->close = acting_policy_close;
    describe_source(behaviour->source, sizeof behaviour->source, trained, &acting->parameters,
                    options);
}

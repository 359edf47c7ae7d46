#include "eval/trained_policy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/best_checkpoint.h"
#include "checkpoint/checkpoint.h"
#include "comm/comm.h"
#include "datasets/store_format.h"
#include "eval/policy_behaviour.h"
#include "eval/trial_list.h"
#include "parameters/parameter_store.h"

/* path = the folder of the newest whole checkpoint of a run. */
static bool find_newest_checkpoint(char *path, const char *run, struct failure *failure)
{
    uint64_t step;
    switch (checkpoint_find_newest(path, &step, run, failure)) {
    case CHECKPOINT_FOUND:
        return true;
    case CHECKPOINT_REFUSED:
        return false;
    case CHECKPOINT_NONE:
        break;
    }
    return failure_set(failure, EXIT_CODE_NO_INPUT,
                       "%s: found no checkpoint, expected one in %s/ckpt; train the run first or "
                       "name another",
                       run, run);
}

static bool find_best_checkpoint(char *path, const char *run, struct failure *failure)
{
    struct best_checkpoint best;
    if (!best_checkpoint_read(&best, run, failure)) {
        return false;
    }
    if (best.step == 0) {
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found no best checkpoint, expected one; train with "
                           "train.evaluate_every and something to measure (data.holdout, "
                           "train.evaluate_contexts), or leave the checkpoint out",
                           run);
    }
    if (!best_checkpoint_path(path, &best, run, failure)) {
        return false;
    }
    if (access(path, F_OK) != 0) {
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found best.json, but no %s, which it names; leave the checkpoint "
                           "out to take the newest, or repeat the run's training command, which "
                           "evaluates anew",
                           run, path);
    }
    return checkpoint_verify(path, failure);
}

/* "step-20, step-40": the newest of the run's checkpoints. */
static void list_checkpoints(char *text, size_t size, const char *folder)
{
    enum { SHOWN = 8 };
    uint64_t *steps = NULL;
    size_t count = 0;
    struct failure failure = {0};
    file_list_numbered(&steps, &count, folder, "step-", &failure);
    size_t first = count > SHOWN ? count - SHOWN : 0;
    int used = snprintf(text, size, "%s", count == 0 ? "none" : first > 0 ? "..., " : "");
    for (size_t i = first; i < count; i++) {
        used += snprintf(text + used, size - (size_t)used, "%sstep-%" PRIu64, i > first ? ", " : "",
                         steps[i]);
    }
    memory_free(steps);
}

/* A name without a slash is one of the run's. */
static bool find_named_checkpoint(char *path, const char *run, const char *checkpoint,
                                  struct failure *failure)
{
    char folder[FILE_PATH_MAX], there[512];
    if (strchr(checkpoint, '/')) {
        snprintf(path, FILE_PATH_MAX, "%s", checkpoint);
        return checkpoint_verify(path, failure);
    }
    if (!file_join(folder, run, "ckpt", failure) || !file_join(path, folder, checkpoint, failure)) {
        return false;
    }
    if (access(path, F_OK) != 0) {
        list_checkpoints(there, sizeof there, folder);
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found no such checkpoint, expected one of those in %s: %s", path,
                           folder, there);
    }
    return checkpoint_verify(path, failure);
}

static bool read_state(struct trained_policy *trained, struct failure *failure)
{
    struct checkpoint_state state;
    if (!checkpoint_load_state(&state, trained->path, failure)) {
        return false;
    }
    trained->step = state.step;
    bool is_read = policy_config_get(&trained->policy, &state, failure);
    checkpoint_state_close(&state);
    return is_read;
}

void trained_policy_find(struct trained_policy *trained, const char *run, const char *checkpoint)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        *trained = (struct trained_policy){0};
        bool is_found = checkpoint[0] == '\0' ? find_newest_checkpoint(trained->path, run, &failure)
                        : strcmp(checkpoint, "best") == 0
                            ? find_best_checkpoint(trained->path, run, &failure)
                            : find_named_checkpoint(trained->path, run, checkpoint, &failure);
        if (is_found) {
            read_state(trained, &failure);
        }
    }
    comm_agree(&failure);
    comm_broadcast(trained, sizeof *trained);
}

/* The task has `found` of what the policy was trained on. */
static bool refuse_task(const struct trained_policy *trained, const struct env_spec *spec,
                        const char *what, size_t found, size_t expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found %zu %s, expected %zu, which the policy in %s was trained "
                       "on; choose a task like %s",
                       spec->task, found, what, expected, trained->path, trained->policy.task);
}

bool trained_policy_check(const struct trained_policy *trained, const struct env_spec *spec,
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

bool trained_policy_check_exploration(const struct trained_policy *trained,
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

double trained_policy_target(double *added, const struct trained_policy *trained, double target,
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

void trained_policy_load(struct parameter_store *parameters, const struct trained_policy *trained)
{
    struct failure failure = {0};
    const struct parameter_layout *layout = &parameters->layout;
    if (comm_rank() == 0) {
        struct named_tensor *tensors = memory_take(layout->entry_count, sizeof *tensors);
        named_tensors_append(tensors, "", parameters->master.flat, layout);
        struct checkpoint_tensors expected = {
            .model = tensors,
            .model_count = layout->entry_count,
        };
        checkpoint_load_tensors(&expected, trained->path, &failure);
        memory_free(tensors);
    }
    comm_agree(&failure);
    comm_broadcast(parameters->master.flat, layout->count * sizeof(real));
}

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void acting_policy_bind(struct acting_policy *acting, const struct policy_config *config,
                               const struct env_spec *spec,
                               const struct trained_policy_options *options)
{
    size_t steps = options->trials * spec->steps_max;
    steps = config->window > 0 ? size_min(steps, config->window) : steps;
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
static void describe_source(char *text, size_t capacity, const struct trained_policy *trained,
                            const struct parameter_store *parameters,
                            const struct trained_policy_options *options)
{
    size_t bytes = parameters->layout.count * sizeof(real);
    size_t noisy = 1; /* trials up to the last one with noise */
    for (size_t trial = 0; trial < options->trials; trial++) {
        noisy = options->explore[trial] > 0.0 ? trial + 1 : noisy;
    }
    char sampled[128], drawn[sizeof sampled + 16] = "";
    if (memchr(options->samples, true, options->trials)) {
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

void trained_policy_open(struct behaviour *behaviour, const struct trained_policy *trained,
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

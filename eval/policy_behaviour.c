#include "eval/policy_behaviour.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/workers.h"
#include "comm/comm.h"
#include "eval/policy_actor.h"
#include "eval/trained_policy.h"

struct policy_behaviour {
    struct trained_policy trained;
    struct workers *workers;
    struct arena arena;
    struct parameter_store parameters;
    struct policy_actor policy;
    struct actor actor;
    double target;

    /* The one context. */
    struct actor_row row;
    float *action;        /* (action_dim) */
    double return_so_far; /* in this trial, before the step that begins */
};

static void policy_behaviour_begin(const struct behaviour *behaviour,
                                   struct behaviour_episode *episode)
{
    struct policy_behaviour *self = behaviour->self;
    if (episode->trial == 0) {
        self->actor.begin(&self->actor, 1);
        self->row.previous = (struct actor_previous){0};
        memset(self->action, 0, self->actor.action_dim * sizeof *self->action);
    } else {
        self->row.previous.reward = episode->reward;
        self->row.previous.is_done = self->return_so_far + (double)episode->reward >= self->target;
    }
    self->return_so_far = 0.0;
    self->row.env = episode->env;
    self->row.random = *episode->random;
    self->row.trial = episode->trial;
    self->actor.begin_trial(&self->actor, &self->row);
}

static void policy_behaviour_act(const struct behaviour *behaviour,
                                 struct behaviour_episode *episode, float *action)
{
    struct policy_behaviour *self = behaviour->self;
    if (episode->time > 0) {
        self->return_so_far += (double)episode->reward;
        self->row.previous.reward = episode->reward;
        self->row.previous.is_done = false;
    }
    self->row.time = episode->time;
    self->row.return_to_go = self->target - self->return_so_far;
    self->row.observation = episode->observation;
    self->row.action = self->action;
    self->actor.act(&self->actor, &self->row, 1);
    memcpy(action, self->action, self->actor.action_dim * sizeof *action);
    self->row.previous = (struct actor_previous){.trial = episode->trial, .time = episode->time};
}

static void policy_behaviour_close(const struct behaviour *behaviour)
{
    struct policy_behaviour *self = behaviour->self;
    arena_close(&self->arena);
    workers_close(self->workers);
    memory_free(self->action);
    memory_free(self);
}

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void policy_behaviour_bind(struct policy_behaviour *self, const struct env_spec *spec,
                                  const struct policy_behaviour_options *options)
{
    const struct policy_config *policy = &self->trained.policy;
    struct policy_actor_options actor = {
        .shape = &policy->shape,
        .scaling = &policy->scaling,
        .parameters = &self->parameters,
        .explore = options->explore,
        .decoder = {.context_max = 1,
                    .steps_max = options->trials * spec->steps_max,
                    .kernel = options->kernel,
                    .workers = self->workers},
    };
    parameter_store_bind(&self->parameters, &self->arena, &policy->shape, 0, NULL);
    policy_actor_bind(&self->policy, &self->arena, &actor);
}

static bool policy_behaviour_check_trials(const struct trained_policy *trained, size_t trials,
                                          struct failure *failure)
{
    return trials <= trained->policy.shape.trial_max ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu episodes in a group, expected at most %zu, the longest contexts "
                       "that the policy in %s was trained on; lower their number",
                       trials, (size_t)trained->policy.shape.trial_max, trained->path);
}

/* "policy runs/x/ckpt/step-9, target 17.6, noise 0.5, 0.2" */
static void policy_behaviour_describe(struct behaviour *behaviour,
                                      const struct policy_behaviour *self,
                                      const struct policy_behaviour_options *options)
{
    char *text = behaviour->source;
    size_t capacity = sizeof behaviour->source;
    int used = snprintf(text, capacity, "policy %.120s, target %g, noise", self->trained.path,
                        self->target);
    snprintf(behaviour->name, sizeof behaviour->name, "policy");
    for (size_t trial = 0; trial < options->trials; trial++) {
        if (used > 0 && (size_t)used < capacity && (trial == 0 || options->explore[trial] > 0.0)) {
            used += snprintf(text + used, capacity - (size_t)used, "%s %g", trial > 0 ? "," : "",
                             options->explore[trial]);
        }
    }
}

void policy_behaviour_open(struct behaviour *behaviour, const struct env_spec *spec,
                           const struct policy_behaviour_options *options)
{
    struct policy_behaviour *self = memory_take(1, sizeof *self);
    struct failure failure = {0};
    trained_policy_find(&self->trained, options->run, options->checkpoint);
    if (trained_policy_check(&self->trained, spec, &failure)) {
        policy_behaviour_check_trials(&self->trained, options->trials, &failure);
    }
    self->workers = workers_open(1, &failure);
    comm_agree(&failure);
    policy_behaviour_bind(self, spec, options);
    arena_open(&self->arena, self->arena.peak);
    policy_behaviour_bind(self, spec, options);
    trained_policy_load(&self->parameters, &self->trained);
    self->actor = policy_actor_of(&self->policy);
    self->action = memory_take(spec->action_dim, sizeof *self->action);
    double best = self->trained.policy.target;
    self->target = options->target_scale * (options->target != 0.0 ? options->target : best);
    *behaviour = (struct behaviour){
        .self = self,
        .curriculum = BEHAVIOUR_TRIALS,
        .begin = policy_behaviour_begin,
        .act = policy_behaviour_act,
        .close = policy_behaviour_close,
    };
    policy_behaviour_describe(behaviour, self, options);
}

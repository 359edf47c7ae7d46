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
    struct parameters parameters;
    struct policy_actor policy;
    struct actor actor;
    double target;

    /* The one context. */
    struct actor_row row;
    float *action; /* (action_dim) */
    double earned; /* in this trial, before the step that begins */
};

static void begin(const struct behaviour *behaviour, struct behaviour_episode *episode)
{
    struct policy_behaviour *self = behaviour->self;
    if (episode->trial == 0) {
        self->actor.begin(&self->actor, 1);
        self->row.before = (struct actor_before){0};
        memset(self->action, 0, self->actor.action_dim * sizeof *self->action);
    } else {
        self->row.before.reward = episode->reward;
        self->row.before.is_done = self->earned + (double)episode->reward >= self->target;
    }
    self->earned = 0.0;
    self->row.env = episode->env;
    self->row.random = *episode->random;
    self->row.trial = episode->trial;
    self->actor.begin_trial(&self->actor, &self->row);
}

static void act(const struct behaviour *behaviour, struct behaviour_episode *episode, float *action)
{
    struct policy_behaviour *self = behaviour->self;
    if (episode->time > 0) {
        self->earned += (double)episode->reward;
        self->row.before.reward = episode->reward;
        self->row.before.is_done = false;
    }
    self->row.time = episode->time;
    self->row.wanted = self->target - self->earned;
    self->row.observation = episode->observation;
    self->row.action = self->action;
    self->actor.act(&self->actor, &self->row, 1);
    memcpy(action, self->action, self->actor.action_dim * sizeof *action);
    self->row.before = (struct actor_before){.trial = episode->trial, .time = episode->time};
}

static void close_policy(const struct behaviour *behaviour)
{
    struct policy_behaviour *self = behaviour->self;
    arena_close(&self->arena);
    workers_close(self->workers);
    memory_free(self->action);
    memory_free(self);
}

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void bind_all(struct policy_behaviour *self, const struct env_spec *spec,
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
    parameters_bind(&self->parameters, &self->arena, &policy->shape);
    policy_actor_bind(&self->policy, &self->arena, &actor);
}

static bool check_trials(const struct trained_policy *trained, size_t trials,
                         struct failure *failure)
{
    return trials <= trained->policy.shape.trial_max ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu episodes in a group, expected at most %zu, the longest contexts "
                       "that the policy in %s was trained on; lower their number",
                       trials, (size_t)trained->policy.shape.trial_max, trained->path);
}

/* "policy runs/x/ckpt/step-9, wanted 17.6, noise 0.5, 0.2" */
static void describe(struct behaviour *behaviour, const struct policy_behaviour *self,
                     const struct policy_behaviour_options *options)
{
    char *text = behaviour->source;
    size_t room = sizeof behaviour->source;
    int used =
        snprintf(text, room, "policy %.120s, wanted %g, noise", self->trained.path, self->target);
    snprintf(behaviour->name, sizeof behaviour->name, "policy");
    for (size_t trial = 0; trial < options->trials; trial++) {
        if (used > 0 && (size_t)used < room && (trial == 0 || options->explore[trial] > 0.0)) {
            used += snprintf(text + used, room - (size_t)used, "%s %g", trial > 0 ? "," : "",
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
        check_trials(&self->trained, options->trials, &failure);
    }
    self->workers = workers_open(1, &failure);
    comm_agree(&failure);
    bind_all(self, spec, options);
    arena_open(&self->arena, self->arena.peak);
    bind_all(self, spec, options);
    trained_policy_load(&self->parameters, &self->trained);
    self->actor = policy_actor_of(&self->policy);
    self->action = memory_take(spec->action_dim, sizeof *self->action);
    double best = self->trained.policy.target;
    self->target = options->target_scale * (options->target != 0.0 ? options->target : best);
    *behaviour = (struct behaviour){
        .self = self,
        .ladder = BEHAVIOUR_TRIALS,
        .begin = begin,
        .act = act,
        .close = close_policy,
    };
    describe(behaviour, self, options);
}

#include "envs/env.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "envs/domain.h"
#include "envs/registry.h"
#include "envs/simulation.h"

struct env_task {
    const struct domain_task *task;
    struct simulation_source source; /* the domain's, under the rule of inertia asked for */
    struct simulation_model *model;
    struct env_spec spec;
};

struct env {
    const struct env_task *task;
    struct simulation *simulation;
    const struct simulation_view *view;
    double *control; /* (action_dim) scratch, in the model's units */
    size_t steps;    /* done in this episode */
    size_t substeps; /* of the simulation in a control step */
    enum env_end end;
    bool hidden_known, script_known;
    double hidden[DOMAIN_HIDDEN_MAX];
    double script[DOMAIN_SCRIPT_MAX];
};

/* --- Tasks ------------------------------------------------------------------------------------ */

const char *env_simulator(void)
{
    return simulation_engine();
}

const char *env_task_name(size_t index)
{
    const struct domain_task *task = registry_at(index).task;
    return task ? task->name : NULL;
}

const char *env_task_of_domain(const char *domain)
{
    struct registry_entry entry;
    for (size_t i = 0; (entry = registry_at(i)).task; i++) {
        if (strcmp(entry.domain->source.name, domain) == 0 && !entry.task->hidden) {
            return entry.task->name;
        }
    }
    return NULL;
}

static struct action_space actions_of(const struct simulation_sizes *sizes)
{
    return sizes->choices > 0 ? action_space_categorical(&sizes->choices, 1)
                              : action_space_continuous(sizes->control);
}

static struct env_spec spec_of(const struct registry_entry *entry,
                               const struct simulation_sizes *sizes)
{
    static const struct env_planning usual = {
        .samples = 32, .horizon = 0.5, .points = 4, .deviation = 1.4};
    const struct domain_task *task = entry->task;
    double reward_max = task->reward_max > 0.0 ? task->reward_max : 1.0;
    double most = reward_max * (double)task->steps_max;
    return (struct env_spec){
        .task = task->name,
        .domain = entry->domain->source.name,
        .simulator = simulation_engine_of(&entry->domain->source),
        .observation_dim = task->observation_dim,
        .action_dim = sizes->control,
        .actions = actions_of(sizes),
        .position_dim = sizes->position,
        .velocity_dim = sizes->velocity,
        .physics_dim = sizes->position + sizes->velocity + sizes->activation,
        .hidden_dim = task->hidden ? task->hidden->dim : 0,
        .hidden_count = task->hidden ? task->hidden->count : 0,
        .steps_max = task->steps_max,
        .control_timestep = sizes->timestep * (double)task->substeps,
        .reward_max = reward_max,
        .return_max = task->return_max > 0.0 ? task->return_max : most,
        .has_script = task->script,
        .search = task->search,
        .grid = task->grid,
        .planning = entry->domain->planning ? *entry->domain->planning : usual,
    };
}

struct env_task *env_task_open(const char *name, struct failure *failure)
{
    return env_task_open_by(name, INERTIA_EXACT, failure);
}

struct env_task *env_task_open_by(const char *name, enum inertia_rule inertia,
                                  struct failure *failure)
{
    struct registry_entry entry = registry_find(name, failure);
    if (!entry.task) {
        return NULL;
    }
    struct env_task *task = memory_take(1, sizeof *task);
    task->task = entry.task;
    task->source = entry.domain->source;
    task->source.inertia = inertia;
    task->model = simulation_compile(&task->source, failure);
    if (!task->model) {
        memory_free(task);
        return NULL;
    }
    task->spec = spec_of(&entry, simulation_model_sizes(task->model));
    /* Rules have no capsules. */
    task->spec.inertia = entry.domain->source.rules ? INERTIA_EXACT : inertia;
    invariant(task->spec.hidden_dim <= DOMAIN_HIDDEN_MAX);
    return task;
}

void env_task_close(struct env_task *task)
{
    if (task) {
        simulation_model_close(task->model);
        memory_free(task);
    }
}

const struct env_spec *env_task_spec(const struct env_task *task)
{
    return &task->spec;
}

/* --- Environments ----------------------------------------------------------------------------- */

struct env *env_open(const struct env_task *task)
{
    struct env *env = memory_take(1, sizeof *env);
    env->task = task;
    env->simulation = simulation_open(task->model);
    env->view = simulation_view(env->simulation);
    env->substeps = task->task->substeps;
    if (task->task->prepare) {
        task->task->prepare(env->simulation);
    }
    env->control = memory_take(task->spec.action_dim, sizeof *env->control);
    env->end = ENV_TRUNCATED; /* no episode has begun */
    return env;
}

void env_close(struct env *env)
{
    if (env) {
        simulation_close(env->simulation);
        memory_free(env->control);
        memory_free(env);
    }
}

void env_coarsen(struct env *env, double timestep)
{
    invariant(timestep > 0.0);
    double control_timestep = env->task->spec.control_timestep;
    /* So that rounding does not make 3 steps of 2. */
    double needed = ceil(control_timestep / timestep - 1e-9);
    double exact = (double)env->task->task->substeps;
    env->substeps = (size_t)fmin(fmax(needed, 1.0), exact);
    simulation_coarsen(env->simulation, control_timestep / (double)env->substeps);
}

const struct env_spec *env_spec(const struct env *env)
{
    return &env->task->spec;
}

/* A simulation is changed only where it must be: planners set the same task again and again. */
static void env_change_hidden(struct env *env, const double *hidden)
{
    const struct domain_hidden *kind = env->task->task->hidden;
    size_t bytes = kind->dim * sizeof *hidden;
    bool is_same = env->hidden_known && memcmp(env->hidden, hidden, bytes) == 0;
    memcpy(env->hidden, hidden, bytes);
    env->hidden_known = true;
    if (kind->apply && !is_same) {
        kind->apply(env->simulation, env->hidden);
    }
}

void env_draw_hidden(struct env *env, enum env_split split, struct random *random)
{
    const struct domain_hidden *hidden = env->task->task->hidden;
    bool wants_held_out = split == ENV_SPLIT_HELD_OUT;
    if (hidden) {
        double drawn[DOMAIN_HIDDEN_MAX];
        do {
            hidden->draw(drawn, random);
        } while (hidden->is_held_out && hidden->is_held_out(drawn) != wants_held_out);
        env_change_hidden(env, drawn);
    }
}

void env_set_hidden(struct env *env, const double *hidden)
{
    if (env->task->task->hidden) {
        env_change_hidden(env, hidden);
    }
}

void env_get_hidden(const struct env *env, double *hidden)
{
    size_t dim = env->task->spec.hidden_dim;
    if (dim > 0) {
        invariant(env->hidden_known);
        memcpy(hidden, env->hidden, dim * sizeof *hidden);
    }
}

/* The simulation stands where the episode starts. */
static void env_begin_episode(struct env *env)
{
    simulation_forward(env->simulation);
    env->steps = 0;
    env->end = ENV_RUNNING;
}

void env_reset(struct env *env, struct random *random)
{
    const struct domain_task *task = env->task->task;
    simulation_reset(env->simulation);
    task->reset(env->simulation, task->hidden ? env->hidden : NULL, random);
    env_begin_episode(env);
}

void env_get_physics(const struct env *env, double *physics)
{
    simulation_get_physics(env->simulation, physics);
}

void env_set_physics(struct env *env, const double *physics)
{
    simulation_reset(env->simulation);
    simulation_set_physics(env->simulation, physics);
    env_begin_episode(env);
}

void env_set_record(struct env *env, const double *physics, const float *observation)
{
    env_set_physics(env, physics);
    if (env->task->task->restore) {
        env->task->task->restore(env->simulation, observation);
        env_set_physics(env, physics); /* so that no trace of the earlier target stays */
    }
}

void env_observe(const struct env *env, float *observation)
{
    env->task->task->observe(observation, env->view);
}

float env_reward(const struct env *env)
{
    const struct domain_task *task = env->task->task;
    invariant(!task->hidden || env->hidden_known);
    return (float)task->reward(env->view, task->hidden ? env->hidden : NULL);
}

bool env_goal(const struct env *env, struct env_goal *goal)
{
    const struct domain_task *task = env->task->task;
    if (task->goal) {
        *goal = *task->goal;
    } else if (task->find_goal) {
        invariant(!task->hidden || env->hidden_known);
        task->find_goal(goal, env->view, task->hidden ? env->hidden : NULL);
    }
    return task->goal || task->find_goal;
}

const struct simulation *env_simulation(const struct env *env)
{
    return env->simulation;
}

/* From [-1, 1] to the model's range in single precision, as the recorded data was made
 * (dm_control's action scaling under numpy 1). */
static double control_of(float action, const double *range)
{
    float low = (float)range[0], high = (float)range[1];
    float clipped = action < -1.0f ? -1.0f : action > 1.0f ? 1.0f : action;
    float raised = clipped + 1.0f;
    return (double)(low + (high - low) / 2.0f * raised);
}

/* False where an action is not a number. */
static bool set_control(struct env *env, const float *action)
{
    for (size_t i = 0; i < env->task->spec.action_dim; i++) {
        if (isnan(action[i])) {
            return false;
        }
        env->control[i] = control_of(action[i], env->view->control_range + 2 * i);
    }
    return true;
}

/* The state that a step has led to, as the task sees it. */
static void env_finish_step(struct env *env)
{
    const struct domain_task *task = env->task->task;
    const double *hidden = task->hidden ? env->hidden : NULL;
    env->steps++;
    if (task->settle) {
        task->settle(env->simulation, hidden);
    }
    if (task->is_over && task->is_over(env->view, hidden)) {
        env->end = ENV_TERMINATED;
    } else if (env->steps == env->task->spec.steps_max) {
        env->end = ENV_TRUNCATED;
    }
}

struct env_outcome env_step(struct env *env, const float *action)
{
    invariant(env->end == ENV_RUNNING);
    if (!set_control(env, action) ||
        !simulation_step(env->simulation, env->control, env->substeps)) {
        env->end = ENV_FAILED;
        return (struct env_outcome){.reward = 0.0f, .end = ENV_FAILED};
    }
    env_finish_step(env);
    return (struct env_outcome){.reward = env_reward(env), .end = env->end};
}

float env_relabel(struct env *env, const double *physics, const float *action)
{
    env_set_physics(env, physics);
    if (action) {
        if (!set_control(env, action)) {
            return 0.0f;
        }
        simulation_set_control(env->simulation, env->control);
    }
    return env_reward(env);
}

/* --- Scripted behaviour ----------------------------------------------------------------------- */

static void script_draw(struct env *env, const double *hidden, double expertise,
                        struct random *random)
{
    invariant(expertise >= 0.0 && expertise <= 1.0);
    env->task->task->script->draw(env->script, hidden, expertise, random);
    env->script_known = true;
}

void env_script_draw(struct env *env, double expertise, struct random *random)
{
    const struct domain_task *task = env->task->task;
    invariant(task->script && (!task->hidden || env->hidden_known));
    script_draw(env, task->hidden ? env->hidden : task->script->known, expertise, random);
}

void env_script_aim(struct env *env, const double *hidden, struct random *random)
{
    invariant(env->task->task->script);
    script_draw(env, hidden, 1.0, random);
}

void env_script_act(const struct env *env, float *action)
{
    invariant(env->script_known);
    env->task->task->script->act(action, env->script, env->view);
}

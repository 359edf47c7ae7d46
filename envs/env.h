/* An environment: a simulated task that a policy acts in, one control step at a time.
 *
 * A struct env_task is what never changes (the compiled model, the reward, the sizes) and is shared
 * by any number of environments; a struct env is one running instance. Neither knows MPI, data
 * sets or policies. Nothing here is global: tasks and environments may be used from any thread as
 * long as each environment is used by one thread at a time. */
#ifndef CHAINRING_ENVS_ENV_H
#define CHAINRING_ENVS_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/action_space.h"
#include "base/fatal.h"
#include "base/random.h"
#include "envs/inertia.h"

struct env_task;
struct env;
struct simulation;

/* What may be known of a goal on a table that pays within its disc alone: a ring around the centre,
 * radius and angle uniform. An observation begins with x, y and their velocities, scaled; an action
 * pushes along x and y. */
struct env_search {
    double nearest, farthest; /* metres from the centre to the goal */
    double radius;            /* metres: of the goal's disc */
    double speed;             /* metres along an axis in a control step, by the largest push */
    double position_scale;    /* of the observation, per metre */
    double velocity_scale;    /* the same, per metre and second */
};

/* A square grid with something to be found on it. An observation begins with row and column, from
 * -1 to 1. */
struct env_grid {
    size_t side;   /* cells */
    size_t stages; /* of a trial: cells that pay one after the other */
};

/* The choices of a step on a grid, by one cell; up is towards row 0, left towards column 0. */
enum grid_move { GRID_STAY, GRID_UP, GRID_DOWN, GRID_LEFT, GRID_RIGHT, GRID_MOVES };

struct env_cell {
    int row, column; /* from 0 at the top left */
};

/* What suits a planner that tries noisy plans, found by trying. */
struct env_planning {
    size_t samples;   /* plans tried at a step */
    double horizon;   /* seconds */
    size_t points;    /* of a plan's spline */
    double deviation; /* the noise's largest */
};

struct env_spec {
    const char *task;      /* "point_mass_hidden" */
    const char *domain;    /* "point_mass" */
    const char *simulator; /* "MuJoCo 2.2.2", as linked, or "rules" */
    size_t observation_dim;
    size_t action_dim;           /* of `actions` */
    struct action_space actions; /* continuous within [-1, 1], or categorical */
    size_t physics_dim;          /* qpos, qvel, act */
    size_t hidden_dim;   /* numbers that say which hidden task holds; 0: nothing is hidden */
    size_t hidden_count; /* of hidden tasks: 0 to count - 1 in the one number; 0: not numbered */
    size_t steps_max;    /* control steps of an episode */
    double control_timestep;         /* seconds */
    double reward_max;               /* no step's reward is larger */
    double return_max;               /* no episode's return is larger */
    bool has_script;                 /* env_script_* work */
    const struct env_search *search; /* NULL: there is nothing to search for on a table */
    const struct env_grid *grid;     /* NULL: nor on a grid */
    struct env_planning planning;    /* of its domain */

    enum inertia_rule inertia;         /* of the capsules */
    size_t position_dim, velocity_dim; /* how many numbers of physics are qpos, then qvel */
};

/* Which hidden tasks are drawn, where there are so few that evaluation would meet those of training
 * again: they fall in two parts for good. Continua are whole in both. */
enum env_split { ENV_SPLIT_TRAINING, ENV_SPLIT_HELD_OUT };

enum env_end {
    ENV_RUNNING,
    ENV_TERMINATED, /* the task is over */
    ENV_TRUNCATED,  /* the time is over */
    ENV_FAILED,     /* the simulation became unstable; the episode's return means nothing */
};

/* Where a task wants something to be: a ball in the world, as pictures show it. */
struct env_goal {
    double position[3]; /* metres */
    double radius;
};

struct env_outcome {
    float reward;
    enum env_end end;
};

/* "MuJoCo 2.2.2", as linked. */
const char *env_simulator(void);

/* The names of all tasks, in order; NULL after the last. */
const char *env_task_name(size_t index);

/* A task of a domain that hides nothing; NULL where there is none. */
const char *env_task_of_domain(const char *domain);

/* Compile a task's model. NULL and a failure (EXIT_CODE_CONFIG, naming the nearest task) when there
 * is no such task. The caller closes it, after its environments. Local, like all of this file. */
struct env_task *env_task_open(const char *name, struct failure *failure);
/* The same, the mass and inertia of its capsules, where it has any, by `inertia`; env_task_open has
 * the exact rule. */
struct env_task *env_task_open_by(const char *name, enum inertia_rule inertia,
                                  struct failure *failure);
void env_task_close(struct env_task *task);
const struct env_spec *env_task_spec(const struct env_task *task);

/* An instance, not yet reset. The caller closes it. */
struct env *env_open(const struct env_task *task);
void env_close(struct env *env);

/* Make an instance cheap and less exact, for predictions: from now on it simulates a control step
 * in as few equal steps as are each of at most `timestep` seconds (above 0) and not shorter than
 * the model's own, by Euler's method where its own is Runge-Kutta's (a quarter of the cost). */
void env_coarsen(struct env *env, double timestep);

const struct env_spec *env_spec(const struct env *env); /* of its task */

/* Which hidden task holds, until it is drawn or set again; resets keep it. Where it is the dynamics
 * that are hidden, they hold from the next reset or set physics on. */
void env_draw_hidden(struct env *env, enum env_split split, struct random *random);
void env_set_hidden(struct env *env, const double *hidden); /* (hidden_dim) */
void env_get_hidden(const struct env *env, double *hidden); /* (hidden_dim) */

/* Begin an episode from the task's distribution of initial states. Where the simulation becomes
 * unstable on the way there (the cheetah's settling), the first step fails the episode. */
void env_reset(struct env *env, struct random *random);

/* One control step. action (action_dim) in [-1, 1]; values outside are clipped, NaN fails the
 * episode. Of categorical actions the largest number of a component is chosen, the first of equals:
 * one-hot rows mean what they say. Stepping an episode that has ended is a bug. */
struct env_outcome env_step(struct env *env, const float *action);

void env_observe(const struct env *env, float *observation); /* (observation_dim) */

/* The cell that an observation of a task with a grid tells. */
struct env_cell env_grid_cell(const struct env_grid *grid, const float *observation);

/* The reward of the state that holds now and of the control that led to it. */
float env_reward(const struct env *env);

/* Where the goal is in the state that holds, also where it is hidden from the agent. False where
 * the task has no such place, or one that the model itself shows. */
bool env_goal(const struct env *env, struct env_goal *goal);

/* For those of this folder who look at the simulation itself. */
const struct simulation *env_simulation(const struct env *env);

/* The simulator's state. Setting it begins an episode there, under no control: observation and
 * reward follow at once, and what comes after depends on nothing but this state and what is no
 * part of it. That is kept: the hidden task, and the target of reacher_easy and _hard and of
 * finger_turn_*, which stays where the last reset or record has put it. */
void env_get_physics(const struct env *env, double *physics); /* (physics_dim) */
void env_set_physics(struct env *env, const double *physics); /* (physics_dim) */

/* Set the physics of a recorded row and bring the target back, where it is no part of the physics,
 * to the single precision of the row's observation (observation_dim). It then stays for the
 * episode's other rows, until the next reset. A hidden task is not observed: env_set_hidden. */
void env_set_record(struct env *env, const double *physics, const float *observation);

/* The reward of a recorded state; sets the physics and keeps the target (env_set_physics). With
 * action NULL no control acts, which is how relabelled data sets (ExoRL, arXiv 2201.13425) reward a
 * state; with the action (action_dim) that led there, its control does, as while it was recorded. A
 * hidden task must be known. */
float env_relabel(struct env *env, const double *physics, const float *action);

/* Scripted behaviour, where the task has one: expertise 1 is its expert, expertise 0 acts as if it
 * had to guess what is hidden. Draw once per episode, then ask for an action at each step. */
void env_script_draw(struct env *env, double expertise, struct random *random);
void env_script_act(const struct env *env, float *action); /* (action_dim) */

/* Instead of drawing: act as the expert would if `hidden` (hidden_dim) were hidden, from now on. */
void env_script_aim(struct env *env, const double *hidden, struct random *random);

#endif

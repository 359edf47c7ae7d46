/* What a domain brings: its model, MuJoCo's or a few rules, and its tasks, as one table of data and
 * functions.
 *
 * The functions see a running simulation through struct simulation_view and know nothing else: no
 * MuJoCo, no episode, no step count. Adding a domain is a folder with such a table and one line in
 * registry.c (README.md). */
#ifndef CHAINRING_ENVS_DOMAIN_H
#define CHAINRING_ENVS_DOMAIN_H

#include <stddef.h>

#include "base/random.h"
#include "envs/env.h"
#include "envs/simulation.h"

enum { DOMAIN_HIDDEN_MAX = 8, DOMAIN_SCRIPT_MAX = 8 };

/* A task's own behaviour. `script` (DOMAIN_SCRIPT_MAX) is what it keeps within an episode. */
struct domain_script {
    /* expertise in [0, 1]: 1 knows what is hidden, 0 guesses. */
    void (*draw)(double *script, const double *hidden, double expertise, struct random *random);
    void (*act)(float *action, const double *script, const struct simulation_view *view);
    const double *known; /* what `draw` is told where the task hides nothing; NULL: nothing */
};

/* What a task may not observe. */
struct domain_hidden {
    size_t dim;
    size_t count; /* of hidden tasks, numbered 0, 1, ... by the one number; 0: not numbered */
    void (*draw)(double *hidden, struct random *random);
    /* Is it kept for evaluation? Depends on nothing but `hidden`. NULL: nothing is kept apart, as a
     * continuum has no need to. */
    bool (*is_held_out)(const double *hidden);
    /* Make a simulation that of the hidden task, before it is reset; NULL: that differs by its
     * reward alone. */
    void (*apply)(struct simulation *simulation, const double *hidden);
};

struct domain_task {
    const char *name; /* with the domain's in front: "cartpole_swingup" */
    size_t observation_dim;
    size_t substeps;   /* physics steps of a control step */
    size_t steps_max;  /* control steps of an episode */
    double reward_max; /* no step's reward is larger; 0: it is 1 */
    double return_max; /* no episode's return is larger; 0: the largest reward for each step */

    /* Make a new simulation that of the task, where the task changes the model; NULL: as it is. */
    void (*prepare)(struct simulation *simulation);
    /* Bring a simulation from the reference pose, at rest, into an initial state; hidden: NULL
     * where nothing is. simulation_forward follows. */
    void (*reset)(struct simulation *simulation, const double *hidden, struct random *random);
    void (*observe)(float *observation, const struct simulation_view *view);
    /* Restore what a reset sets outside the physics, from what `observe` has told of it in the
     * state that holds; NULL: the physics is all. simulation_forward follows. */
    void (*restore)(struct simulation *simulation, const float *observation);
    /* What the hidden task changes in a state that a step has led to, such as a key that is picked
     * up; NULL: nothing. */
    void (*settle)(struct simulation *simulation, const double *hidden);
    /* In [0, reward_max], for the state and the control that led to it. hidden: NULL where nothing
     * is. */
    double (*reward)(const struct simulation_view *view, const double *hidden);
    /* Does the state that a step has led to end the episode? NULL: only time does. */
    bool (*is_over)(const struct simulation_view *view, const double *hidden);

    /* For pictures: where the goal always is, or how to find it; both NULL: the task has no such
     * place, or the model shows it. hidden: NULL where nothing is. */
    const struct env_goal *goal;
    void (*find_goal)(struct env_goal *goal, const struct simulation_view *view,
                      const double *hidden);

    const struct domain_hidden *hidden; /* NULL: nothing is hidden */
    const struct domain_script *script; /* NULL: none */
    const struct env_search *search;    /* NULL: nothing that a searcher knows how to find */
    const struct env_grid *grid;        /* likewise */
};

struct domain {
    struct simulation_source source;     /* its name is the domain's */
    const struct env_planning *planning; /* NULL: the usual */
    const struct domain_task *tasks;
    size_t task_count;
};

/* A random pose, the control suite's way to begin an episode anywhere. Set every slide and hinge
 * joint, in the model's order: a limited one uniformly within its limits, an unlimited hinge at any
 * angle in [-pi, pi), an unlimited slide stays where it is. For models without ball and free
 * joints. Draws one number for each joint that is set. Local. */
void domain_randomise_joints(struct simulation *simulation, struct random *random);

/* A world that works differently in each hidden task: four factors on the model's masses, joint
 * damping, gravity and friction (simulation_scale), in this order and on their own, uniform in
 * their logarithm between 2/3 and 3/2; all 1: the model as it is. Beyond a tenth and ten they act
 * as these, so that no record can break the simulation. */
extern const struct domain_hidden domain_hidden_dynamics;

#endif

/* The only door to MuJoCo: compiled models and running simulations.
 *
 * A struct simulation_model comes from the text of an XML file, or from a few rules in C that need
 * no MuJoCo, and never changes; a struct simulation is one running copy. Physics passes through as
 * flat arrays of doubles, controls in the model's own units. This module does not know tasks,
 * rewards or random numbers, and its callers do not know mujoco.h. All of it is Local, and
 * different simulations may run in different threads. */
#ifndef CHAINRING_ENVS_SIMULATION_H
#define CHAINRING_ENVS_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "envs/inertia.h"

enum { SIMULATION_SENSORS_MAX = 48 };

struct simulation_model;
struct simulation;
struct mjModel_; /* MuJoCo's own; only for those who must speak to the engine themselves */
struct mjData_;

/* What a task may look at by name. */
enum simulation_quantity {
    SIMULATION_BODY_POSITION,         /* (3), in the world */
    SIMULATION_BODY_ROTATION,         /* (3, 3), to the world */
    SIMULATION_BODY_INERTIA_POSITION, /* (3): centre of mass of the body alone */
    SIMULATION_GEOM_POSITION,
    SIMULATION_GEOM_ROTATION,
    SIMULATION_SITE_POSITION,
    SIMULATION_SITE_ROTATION,
    SIMULATION_MODEL_SENSOR,   /* (its dimension) */
    SIMULATION_BODY_COM,       /* (3): centre of mass of the body and all that hangs on it */
    SIMULATION_BODY_MOMENTUM,  /* (3): angular momentum of the same about that centre; follows
                                  from velocities where the model has a subtree sensor */
    SIMULATION_GEOM_SIZE,      /* (3), of the model */
    SIMULATION_JOINT_POSITION, /* from the joint's first number in qpos on */
    SIMULATION_JOINT_VELOCITY, /* the same in qvel */
};

struct simulation_sensor {
    enum simulation_quantity quantity;
    const char *name; /* in the model */
};

/* A world that moves by one choice a step, without MuJoCo: qpos and nothing else, from zeros on.
 * What asks for bodies, joints, contacts or sites below is for MuJoCo's models only. */
struct simulation_rules {
    size_t position; /* numbers of qpos */
    size_t choices;  /* as many controls: the largest is the choice, the first of equals */
    double timestep; /* seconds */
    /* False, and nothing moved, where the position is none that these rules lead to. */
    bool (*move)(double *position, size_t choice);
};

/* What is compiled. Everything is borrowed for the life of the model. */
struct simulation_source {
    const char *name;                        /* for messages: "cartpole" */
    const char *xml[INERTIA_RULES];          /* MJCF; NULL: not known under that rule */
    const struct simulation_rules *rules;    /* instead of MJCF; NULL: MuJoCo simulates */
    const struct simulation_sensor *sensors; /* what the view shows by name */
    size_t sensor_count;
    enum inertia_rule inertia; /* of capsules; the exact one unless said otherwise */
};

struct simulation_sizes {
    size_t position;   /* qpos */
    size_t velocity;   /* qvel */
    size_t activation; /* act */
    size_t control;    /* ctrl */
    size_t choices;    /* 0: controls are continuous; else as many as controls: one is chosen */
    size_t joints;
    double timestep; /* seconds of one physics step */
};

/* Where a simulation's numbers lie; valid until it is closed. Positions and velocities are in the
 * order of qpos and qvel, everything is in metres, radians and seconds. */
struct simulation_view {
    const double *position;                       /* qpos (nq) */
    const double *velocity;                       /* qvel (nv) */
    const double *activation;                     /* act (na) */
    const double *control;                        /* ctrl (nu) */
    const double *control_range;                  /* lowest and highest (nu, 2) */
    const double *joint_range;                    /* lowest and highest (njnt, 2) */
    const double *sensor[SIMULATION_SENSORS_MAX]; /* of the source, in its order */
};

/* One joint of a model. */
enum simulation_joint_kind {
    SIMULATION_JOINT_FREE,
    SIMULATION_JOINT_BALL,
    SIMULATION_JOINT_SLIDE,
    SIMULATION_JOINT_HINGE,
};

struct simulation_joint {
    enum simulation_joint_kind kind;
    bool is_limited;
    double low, high; /* where it is limited */
    size_t position;  /* of its first number in qpos */
};

/* Two geoms that touch. */
struct simulation_contact {
    const char *geoms[2]; /* their names in the model, "" without one; valid as the view is */
    double distance;      /* metres; negative: how deep one is in the other */
};

/* "MuJoCo 2.2.2", as linked. */
const char *simulation_engine(void);

/* The same, or "rules": what a source is simulated by. */
const char *simulation_engine_of(const struct simulation_source *source);

/* Compile a model. NULL and a failure (EXIT_CODE_DATA) with MuJoCo's words when it does not
 * compile. A rule that its source has no text for, and a sensor of what the model lacks, are bugs.
 * The caller closes it, after its simulations. */
struct simulation_model *simulation_compile(const struct simulation_source *source,
                                            struct failure *failure);
void simulation_model_close(struct simulation_model *model);
const struct simulation_sizes *simulation_model_sizes(const struct simulation_model *model);
const struct mjModel_ *simulation_model_mj_model(const struct simulation_model *model);

/* A simulation in the model's reference pose. The caller closes it. */
struct simulation *simulation_open(const struct simulation_model *model);
void simulation_close(struct simulation *simulation);
const struct simulation_view *simulation_view(const struct simulation *simulation);
const struct simulation_sizes *simulation_sizes(const struct simulation *simulation);

/* MuJoCo's own model, as its task has changed it, and data, for a camera; NULL where rules
 * simulate. To be read only, though older versions of MuJoCo ask for data that could be written. */
const struct mjModel_ *simulation_mj_model(const struct simulation *simulation);
struct mjData_ *simulation_mj_data(const struct simulation *simulation);

/* Back to the reference pose: at rest, no control, no activation, no warnings. */
void simulation_reset(struct simulation *simulation);

/* qpos and qvel for a task to write after a reset; simulation_forward computes all that depends on
 * them (mj_forward), with the actuators switched off. */
void simulation_state(struct simulation *simulation, double **position, double **velocity);
void simulation_forward(struct simulation *simulation);

/* Joint `index` (below sizes.joints). */
struct simulation_joint simulation_joint(const struct simulation *simulation, size_t index);

/* How many contacts the state has, as of the last forward or step. */
size_t simulation_contact_count(const struct simulation *simulation);

/* Contact `index` (below the count): which geoms, by name, and how far apart. */
struct simulation_contact simulation_contact(const struct simulation *simulation, size_t index);

/* Where bodies, geoms and sites are (mj_kinematics, mj_comPos); faster than simulation_forward, and
 * all that the two below need. */
void simulation_kinematics(struct simulation *simulation);

/* How the site of a sensor (SIMULATION_SITE_POSITION) moves and turns in the world with each number
 * of qvel: jacobian (6, nv), first three rows of metres, then three of radians. */
void simulation_site_jacobian(const struct simulation *simulation, size_t sensor, double *jacobian);

/* The rotation in the world, about its direction by its length in radians (at most pi), that brings
 * the site of a sensor (SIMULATION_SITE_POSITION) into an orientation: a quaternion, w first. */
void simulation_site_rotation_error(const struct simulation *simulation, size_t sensor,
                                    const double orientation[4], double rotation[3]);

/* Move the geom of a sensor (SIMULATION_GEOM_POSITION) within its body, in this simulation only;
 * stays until it is moved again, a reset keeps it. Needs simulation_forward. */
void simulation_move_geom(struct simulation *simulation, size_t sensor, const double position[3]);

/* The same for the site of a sensor (SIMULATION_SITE_POSITION). */
void simulation_move_site(struct simulation *simulation, size_t sensor, const double position[3]);

/* Set the damping of a hinge or slide (SIMULATION_JOINT_VELOCITY), per unit of velocity, in this
 * simulation only; a reset keeps it. */
void simulation_set_damping(struct simulation *simulation, size_t sensor, double damping);

/* What the model's own numbers are multiplied by; all 1: the model as it was compiled. */
struct simulation_factors {
    double mass;    /* of all bodies, and with it their inertia */
    double damping; /* of all joints */
    double gravity;
    double friction; /* of all geoms: sliding, torsional and rolling */
};

/* Multiply the compiled model's numbers, in this simulation only, and bring what follows from them
 * up to date; a reset keeps them. They act from the next reset or set physics on. */
void simulation_scale(struct simulation *simulation, const struct simulation_factors *factors);

/* Seconds of one physics step, in this simulation only, and Euler's method in place of Runge-Kutta;
 * a reset keeps both. Nothing where rules simulate. */
void simulation_coarsen(struct simulation *simulation, double timestep);

/* One control step of `substeps` physics steps under `control` (nu). False when MuJoCo has found
 * numbers that it cannot go on with (it then resets itself) or has dropped contacts, and when rules
 * do not know the position. */
bool simulation_step(struct simulation *simulation, const double *control, size_t substeps);

/* Controls that act from now on, without a step. */
void simulation_set_control(struct simulation *simulation, const double *control);

/* `count` of the engine's own steps under `control` (nu), with nothing of ours around them: what
 * speeds are measured against. */
void simulation_step_bare(struct simulation *simulation, const double *control, size_t count);

/* qpos, qvel and act, one after the other. Setting them needs simulation_forward. */
void simulation_get_physics(const struct simulation *simulation, double *physics);
void simulation_set_physics(struct simulation *simulation, const double *physics);

#endif

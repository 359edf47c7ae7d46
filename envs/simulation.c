#include "envs/simulation.h"

#include <string.h>

#include "base/memory.h"
#include "envs/simulation_model.h"

_Static_assert(sizeof(mjtNum) == sizeof(double), "physics is stored in double");

/* Where the numbers of a simulation lie: MuJoCo's own, or the simulation's where rules simulate. */
struct simulation_numbers {
    double *position, *velocity, *activation, *control;
};

/* Each simulation has a model of its own, because switching the actuators off is an option of the
 * model, and so that a task may change its model without the others seeing it. */
struct simulation {
    const struct simulation_model *shared;
    mjModel *model; /* NULL where rules simulate, as is data */
    mjData *data;
    double *own; /* what rules move: qpos, ctrl and its range; NULL where MuJoCo simulates */
    struct simulation_numbers numbers;
    struct simulation_view view;
};

/* The engine counts these; any of them means that the state is no longer to be believed. */
static const int fatal_warnings[] = {mjWARN_INERTIA, mjWARN_CONTACTFULL, mjWARN_CNSTRFULL,
                                     mjWARN_BADQPOS, mjWARN_BADQVEL,     mjWARN_BADQACC,
                                     mjWARN_BADCTRL};

/* --- Simulations ------------------------------------------------------------------------------ */

static const double *find_quantity(const struct simulation *simulation,
                                   enum simulation_quantity quantity, size_t id)
{
    const mjModel *model = simulation->model;
    const mjData *data = simulation->data;
    switch (quantity) {
    case SIMULATION_BODY_POSITION:
        return data->xpos + 3 * id;
    case SIMULATION_BODY_ROTATION:
        return data->xmat + 9 * id;
    case SIMULATION_BODY_INERTIA_POSITION:
        return data->xipos + 3 * id;
    case SIMULATION_GEOM_POSITION:
        return data->geom_xpos + 3 * id;
    case SIMULATION_GEOM_ROTATION:
        return data->geom_xmat + 9 * id;
    case SIMULATION_SITE_POSITION:
        return data->site_xpos + 3 * id;
    case SIMULATION_SITE_ROTATION:
        return data->site_xmat + 9 * id;
    case SIMULATION_MODEL_SENSOR:
        return data->sensordata + model->sensor_adr[id];
    case SIMULATION_BODY_COM:
        return data->subtree_com + 3 * id;
    case SIMULATION_BODY_MOMENTUM:
        return data->subtree_angmom + 3 * id;
    case SIMULATION_GEOM_SIZE:
        return model->geom_size + 3 * id;
    case SIMULATION_JOINT_POSITION:
        return data->qpos + model->jnt_qposadr[id];
    case SIMULATION_JOINT_VELOCITY:
        return data->qvel + model->jnt_dofadr[id];
    }
    return NULL;
}

/* A simulation of MuJoCo's. */
static void open_engine(struct simulation *simulation)
{
    mjModel *model = mj_copyModel(NULL, simulation->shared->engine);
    mjData *data = model ? mj_makeData(model) : NULL;
    if (!data) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused %s another simulation",
              simulation_engine());
    }
    simulation->model = model;
    simulation->data = data;
    simulation->numbers = (struct simulation_numbers){.position = data->qpos,
                                                      .velocity = data->qvel,
                                                      .activation = data->act,
                                                      .control = data->ctrl};
    simulation->view.control_range = model->actuator_ctrlrange;
    simulation->view.joint_range = model->jnt_range;
}

/* A simulation by rules: its controls lie in [-1, 1], as actions do. */
static void open_rules(struct simulation *simulation)
{
    const struct simulation_sizes *sizes = &simulation->shared->sizes;
    simulation->own = memory_take(sizes->position + 3 * sizes->control, sizeof(double));
    double *control = simulation->own + sizes->position;
    double *range = control + sizes->control;
    for (size_t i = 0; i < sizes->control; i++) {
        range[2 * i] = -1.0;
        range[2 * i + 1] = 1.0;
    }
    simulation->numbers =
        (struct simulation_numbers){.position = simulation->own, .control = control};
    simulation->view.control_range = range;
}

static void bind_view(struct simulation *simulation, const struct simulation_model *model)
{
    simulation->view.position = simulation->numbers.position;
    simulation->view.velocity = simulation->numbers.velocity;
    simulation->view.activation = simulation->numbers.activation;
    simulation->view.control = simulation->numbers.control;
    for (size_t i = 0; i < model->source->sensor_count; i++) {
        simulation->view.sensor[i] = find_quantity(simulation, model->source->sensors[i].quantity,
                                                   (size_t)model->sensors[i]);
    }
}

struct simulation *simulation_open(const struct simulation_model *model)
{
    struct simulation *simulation = memory_take(1, sizeof *simulation);
    simulation->shared = model;
    if (model->source->rules) {
        open_rules(simulation);
    } else {
        open_engine(simulation);
    }
    bind_view(simulation, model);
    simulation_reset(simulation);
    return simulation;
}

void simulation_close(struct simulation *simulation)
{
    if (simulation) {
        mj_deleteData(simulation->data);
        mj_deleteModel(simulation->model);
        memory_free(simulation->own);
        memory_free(simulation);
    }
}

const struct simulation_view *simulation_view(const struct simulation *simulation)
{
    return &simulation->view;
}

const struct simulation_sizes *simulation_sizes(const struct simulation *simulation)
{
    return &simulation->shared->sizes;
}

const struct mjModel_ *simulation_mj_model(const struct simulation *simulation)
{
    return simulation->model;
}

struct mjData_ *simulation_mj_data(const struct simulation *simulation)
{
    return simulation->data;
}

void simulation_reset(struct simulation *simulation)
{
    if (simulation->own) {
        const struct simulation_sizes *sizes = &simulation->shared->sizes;
        memset(simulation->own, 0, (sizes->position + sizes->control) * sizeof(double));
        return;
    }
    mj_resetData(simulation->model, simulation->data);
    simulation_forward(simulation);
}

void simulation_state(struct simulation *simulation, double **position, double **velocity)
{
    *position = simulation->numbers.position;
    *velocity = simulation->numbers.velocity;
}

void simulation_forward(struct simulation *simulation)
{
    if (simulation->own) {
        return; /* nothing follows from the numbers but what is asked of them */
    }
    int flags = simulation->model->opt.disableflags;
    simulation->model->opt.disableflags = flags | mjDSBL_ACTUATION;
    mj_forward(simulation->model, simulation->data);
    simulation->model->opt.disableflags = flags;
    /* MuJoCo 3 leaves the actuators' velocities, which servos act on, at 0 where they are off. */
    mj_fwdVelocity(simulation->model, simulation->data);
}

struct simulation_joint simulation_joint(const struct simulation *simulation, size_t index)
{
    static const enum simulation_joint_kind kinds[] = {
        [mjJNT_FREE] = SIMULATION_JOINT_FREE,
        [mjJNT_BALL] = SIMULATION_JOINT_BALL,
        [mjJNT_SLIDE] = SIMULATION_JOINT_SLIDE,
        [mjJNT_HINGE] = SIMULATION_JOINT_HINGE,
    };
    const mjModel *model = simulation->model;
    invariant(index < (size_t)model->njnt);
    return (struct simulation_joint){
        .kind = kinds[model->jnt_type[index]],
        .is_limited = model->jnt_limited[index] != 0,
        .low = model->jnt_range[2 * index],
        .high = model->jnt_range[2 * index + 1],
        .position = (size_t)model->jnt_qposadr[index],
    };
}

size_t simulation_contact_count(const struct simulation *simulation)
{
    return (size_t)simulation->data->ncon;
}

/* MuJoCo's number of what a sensor names, which must be one of `quantity`. */
static size_t sensor_id(const struct simulation *simulation, size_t sensor,
                        enum simulation_quantity quantity)
{
    const struct simulation_model *shared = simulation->shared;
    invariant(sensor < shared->source->sensor_count);
    invariant(shared->source->sensors[sensor].quantity == quantity);
    return (size_t)shared->sensors[sensor];
}

static const char *geom_name(const mjModel *model, int geom)
{
    const char *name = mj_id2name(model, mjOBJ_GEOM, geom);
    return name ? name : "";
}

struct simulation_contact simulation_contact(const struct simulation *simulation, size_t index)
{
    const mjModel *model = simulation->model;
    invariant(index < simulation_contact_count(simulation));
    const mjContact *contact = &simulation->data->contact[index];
    return (struct simulation_contact){
        .geoms = {geom_name(model, contact->geom1), geom_name(model, contact->geom2)},
        .distance = contact->dist,
    };
}

void simulation_kinematics(struct simulation *simulation)
{
    mj_kinematics(simulation->model, simulation->data);
    mj_comPos(simulation->model, simulation->data);
}

void simulation_site_jacobian(const struct simulation *simulation, size_t sensor, double *jacobian)
{
    const mjModel *model = simulation->model;
    mj_jacSite(model, simulation->data, jacobian, jacobian + (size_t)3 * (size_t)model->nv,
               (int)sensor_id(simulation, sensor, SIMULATION_SITE_POSITION));
}

void simulation_site_rotation_error(const struct simulation *simulation, size_t sensor,
                                    const double orientation[4], double rotation[3])
{
    size_t site = sensor_id(simulation, sensor, SIMULATION_SITE_POSITION);
    mjtNum found[4], missing[4];
    mju_mat2Quat(found, simulation->data->site_xmat + 9 * site);
    mju_negQuat(found, found);
    mju_mulQuat(missing, orientation, found);
    mju_quat2Vel(rotation, missing, 1.0);
}

void simulation_move_geom(struct simulation *simulation, size_t sensor, const double position[3])
{
    size_t geom = sensor_id(simulation, sensor, SIMULATION_GEOM_POSITION);
    memcpy(simulation->model->geom_pos + 3 * geom, position, 3 * sizeof *position);
}

void simulation_move_site(struct simulation *simulation, size_t sensor, const double position[3])
{
    size_t site = sensor_id(simulation, sensor, SIMULATION_SITE_POSITION);
    memcpy(simulation->model->site_pos + 3 * site, position, 3 * sizeof *position);
}

void simulation_set_control(struct simulation *simulation, const double *control)
{
    memcpy(simulation->numbers.control, control,
           simulation->shared->sizes.control * sizeof *control);
}

void simulation_set_damping(struct simulation *simulation, size_t sensor, double damping)
{
    size_t joint = sensor_id(simulation, sensor, SIMULATION_JOINT_VELOCITY);
    int type = simulation->model->jnt_type[joint];
    invariant(type == mjJNT_HINGE || type == mjJNT_SLIDE);
    simulation->model->dof_damping[simulation->model->jnt_dofadr[joint]] = damping;
}

static void scale_numbers(mjtNum *scaled, const mjtNum *numbers, double factor, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scaled[i] = factor * numbers[i];
    }
}

/* As the compiler does: effective masses of bodies, joints and tendons, and their mean, which says
 * when the solver is done. Not for the camera: sizes stay. */
static void update_constants(struct simulation *simulation)
{
    mjModel *model = simulation->model;
    mjData *scratch = mj_makeData(model); /* so that the state stays as it is */
    if (!scratch) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused %s another simulation",
              simulation_engine());
    }
    mjStatistic statistic = model->stat;
    mj_setConst(model, scratch);
    statistic.meaninertia = model->stat.meaninertia;
    statistic.meanmass = model->stat.meanmass;
    model->stat = statistic;
    mj_deleteData(scratch);
}

void simulation_scale(struct simulation *simulation, const struct simulation_factors *factors)
{
    const mjModel *compiled = simulation->shared->engine;
    mjModel *model = simulation->model;
    size_t bodies = (size_t)model->nbody, numbers = (size_t)model->nv, geoms = (size_t)model->ngeom;
    scale_numbers(model->body_mass, compiled->body_mass, factors->mass, bodies);
    scale_numbers(model->body_inertia, compiled->body_inertia, factors->mass, 3 * bodies);
    scale_numbers(model->dof_damping, compiled->dof_damping, factors->damping, numbers);
    scale_numbers(model->geom_friction, compiled->geom_friction, factors->friction, 3 * geoms);
    scale_numbers(model->opt.gravity, compiled->opt.gravity, factors->gravity, 3);
    update_constants(simulation);
}

void simulation_coarsen(struct simulation *simulation, double timestep)
{
    if (!simulation->model) {
        return;
    }
    mjOption *options = &simulation->model->opt;
    options->timestep = timestep;
    if (options->integrator == mjINT_RK4) {
        options->integrator = mjINT_EULER;
    }
}

static bool is_sound(const mjData *data)
{
    for (size_t i = 0; i < sizeof fatal_warnings / sizeof fatal_warnings[0]; i++) {
        if (data->warning[fatal_warnings[i]].number > 0) {
            return false;
        }
    }
    return true;
}

/* In dm_control's order of calls: a step begins in the middle of MuJoCo's own, so that it ends
 * with positions, velocities and what follows from them being those of the new state. Runge-Kutta
 * has no such middle. */
static bool step_engine(const struct simulation *simulation, size_t substeps)
{
    const mjModel *model = simulation->model;
    mjData *data = simulation->data;
    size_t done = 0;
    if (model->opt.integrator != mjINT_RK4) {
        mj_step2(model, data);
        done = 1;
    }
    for (; done < substeps; done++) {
        mj_step(model, data);
    }
    mj_step1(model, data);
    return is_sound(data);
}

static bool step_rules(const struct simulation *simulation, size_t count)
{
    const struct simulation_rules *rules = simulation->shared->source->rules;
    const double *control = simulation->numbers.control;
    size_t choice = 0;
    for (size_t i = 1; i < rules->choices; i++) {
        choice = control[i] > control[choice] ? i : choice;
    }
    bool is_known = true;
    for (size_t i = 0; is_known && i < count; i++) {
        is_known = rules->move(simulation->numbers.position, choice);
    }
    return is_known;
}

bool simulation_step(struct simulation *simulation, const double *control, size_t substeps)
{
    simulation_set_control(simulation, control);
    return simulation->own ? step_rules(simulation, substeps) : step_engine(simulation, substeps);
}

void simulation_step_bare(struct simulation *simulation, const double *control, size_t count)
{
    simulation_set_control(simulation, control);
    if (simulation->own) {
        step_rules(simulation, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        mj_step(simulation->model, simulation->data);
    }
}

/* MuJoCo and rules have no array where there are no numbers. */
static void copy_numbers(double *to, const double *from, size_t count)
{
    if (count > 0) {
        memcpy(to, from, count * sizeof *to);
    }
}

void simulation_get_physics(const struct simulation *simulation, double *physics)
{
    const struct simulation_sizes *sizes = &simulation->shared->sizes;
    const struct simulation_numbers *numbers = &simulation->numbers;
    double *velocity = physics + sizes->position;
    copy_numbers(physics, numbers->position, sizes->position);
    copy_numbers(velocity, numbers->velocity, sizes->velocity);
    copy_numbers(velocity + sizes->velocity, numbers->activation, sizes->activation);
}

void simulation_set_physics(struct simulation *simulation, const double *physics)
{
    const struct simulation_sizes *sizes = &simulation->shared->sizes;
    const struct simulation_numbers *numbers = &simulation->numbers;
    const double *velocity = physics + sizes->position;
    copy_numbers(numbers->position, physics, sizes->position);
    copy_numbers(numbers->velocity, velocity, sizes->velocity);
    copy_numbers(numbers->activation, velocity + sizes->velocity, sizes->activation);
}

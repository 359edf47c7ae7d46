#include "envs/simulation.h"

#include <stdio.h>
#include <string.h>
#include <threads.h>

#include <mujoco/mujoco.h>

#include "base/memory.h"

_Static_assert(sizeof(mjtNum) == sizeof(double), "physics is stored in double");

struct simulation_model {
    mjModel *engine;
    struct simulation_sizes sizes;
    const struct simulation_source *source;
    int sensors[SIMULATION_SENSORS_MAX]; /* MuJoCo's number of what each sensor names */
};

/* Each simulation has a model of its own, because switching the actuators off is an option of the
 * model, and so that a task may change its model without the others seeing it. */
struct simulation {
    const struct simulation_model *shared;
    mjModel *model;
    mjData *data;
    struct simulation_view view;
};

/* The engine counts these; any of them means that the state is no longer to be believed. */
static const int fatal_warnings[] = {mjWARN_INERTIA, mjWARN_CONTACTFULL, mjWARN_CNSTRFULL,
                                     mjWARN_BADQPOS, mjWARN_BADQVEL,     mjWARN_BADQACC,
                                     mjWARN_BADCTRL};

/* --- The library as a whole ------------------------------------------------------------------- */

/* MuJoCo's messages may have several lines; ours have one. */
static void join_lines(char *text)
{
    for (char *at = text; *at; at++) {
        if (*at == '\n' || *at == '\r') {
            *at = ' ';
        }
    }
}

/* MuJoCo's own handler asks for a key, exits and leaves a log file in the current folder. */
static void mujoco_error_handler(const char *text)
{
    char line[512];
    (void)snprintf(line, sizeof line, "%s", text);
    join_lines(line);
    fatal(EXIT_CODE_SYSTEM,
          "MuJoCo: found \"%s\", expected a simulation that it can compute; check the memory of "
          "this machine and the installation of %s",
          line, simulation_engine());
}

/* The counters in mjData say the same (simulation_step); MuJoCo would also write a file. */
static void mujoco_warning_handler(const char *text)
{
    (void)text;
}

static char engine_name[64];

static void prepare_engine(void)
{
    (void)snprintf(engine_name, sizeof engine_name, "MuJoCo %s", mj_versionString());
    if (mj_version() != mjVERSION_HEADER) {
        fatal(EXIT_CODE_SYSTEM,
              "MuJoCo: found library version %d, expected %d as when this program was compiled; "
              "install that version or compile again",
              mj_version(), mjVERSION_HEADER);
    }
    mju_user_error = mujoco_error_handler;
    mju_user_warning = mujoco_warning_handler;
}

/* The handlers belong to the whole process: set once, before the first call of any thread. */
static void need_engine(void)
{
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, prepare_engine);
}

const char *simulation_engine(void)
{
    need_engine();
    return engine_name;
}

/* --- Models ----------------------------------------------------------------------------------- */

/* Files that exist only in memory; mjVFS is up to megabytes, too much for a stack. */
static bool add_to_files(mjVFS *files, const char *name, const char *xml)
{
    int size = (int)strlen(xml);
#if mjVERSION_HEADER >= 313
    return mj_addBufferVFS(files, name, xml, size) == 0;
#else
    if (mj_makeEmptyFileVFS(files, name, size) != 0) {
        return false;
    }
    memcpy(files->filedata[mj_findFileVFS(files, name)], xml, (size_t)size);
    return true;
#endif
}

static mjModel *compile_text(const struct simulation_source *source, struct failure *failure)
{
    static const char file_name[] = "model.xml";
    const char *xml = source->xml[source->inertia];
    invariant(xml);
    char words[512] = "";
    mjModel *engine = NULL;
    mjVFS *files = memory_take(1, sizeof *files);
    mj_defaultVFS(files);
    if (add_to_files(files, file_name, xml)) {
        engine = mj_loadXML(file_name, files, words, (int)sizeof words);
    }
    mj_deleteVFS(files);
    memory_free(files);
    if (!engine) {
        join_lines(words);
        failure_set(failure, EXIT_CODE_DATA,
                    "%s.xml: found \"%s\", expected a model that %s compiles; correct the file",
                    source->name, words, simulation_engine());
    }
    return engine;
}

static mjtObj object_of(enum simulation_quantity quantity)
{
    switch (quantity) {
    case SIMULATION_BODY_POSITION:
    case SIMULATION_BODY_ROTATION:
    case SIMULATION_BODY_INERTIA_POSITION:
    case SIMULATION_BODY_COM:
    case SIMULATION_BODY_MOMENTUM:
        return mjOBJ_BODY;
    case SIMULATION_GEOM_POSITION:
    case SIMULATION_GEOM_ROTATION:
    case SIMULATION_GEOM_SIZE:
        return mjOBJ_GEOM;
    case SIMULATION_SITE_POSITION:
    case SIMULATION_SITE_ROTATION:
        return mjOBJ_SITE;
    case SIMULATION_MODEL_SENSOR:
        return mjOBJ_SENSOR;
    case SIMULATION_JOINT_POSITION:
    case SIMULATION_JOINT_VELOCITY:
        return mjOBJ_JOINT;
    }
    return mjOBJ_UNKNOWN;
}

static void find_sensors(struct simulation_model *model, const struct simulation_source *source)
{
    invariant(source->sensor_count <= SIMULATION_SENSORS_MAX);
    for (size_t i = 0; i < source->sensor_count; i++) {
        const struct simulation_sensor *sensor = &source->sensors[i];
        model->sensors[i] = mj_name2id(model->engine, object_of(sensor->quantity), sensor->name);
        invariant(model->sensors[i] >= 0);
    }
    model->source = source;
}

struct simulation_model *simulation_compile(const struct simulation_source *source,
                                            struct failure *failure)
{
    need_engine();
    mjModel *engine = compile_text(source, failure);
    if (!engine) {
        return NULL;
    }
    struct simulation_model *model = memory_take(1, sizeof *model);
    model->engine = engine;
    model->sizes = (struct simulation_sizes){.position = (size_t)engine->nq,
                                             .velocity = (size_t)engine->nv,
                                             .activation = (size_t)engine->na,
                                             .control = (size_t)engine->nu,
                                             .joints = (size_t)engine->njnt,
                                             .timestep = engine->opt.timestep};
    find_sensors(model, source);
    return model;
}

void simulation_model_close(struct simulation_model *model)
{
    if (model) {
        mj_deleteModel(model->engine);
        memory_free(model);
    }
}

const struct simulation_sizes *simulation_model_sizes(const struct simulation_model *model)
{
    return &model->sizes;
}

const struct mjModel_ *simulation_model_mj_model(const struct simulation_model *model)
{
    return model->engine;
}

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

static void bind_view(struct simulation *simulation, const struct simulation_model *model)
{
    const mjData *data = simulation->data;
    simulation->view = (struct simulation_view){
        .position = data->qpos,
        .velocity = data->qvel,
        .activation = data->act,
        .control = data->ctrl,
        .control_range = simulation->model->actuator_ctrlrange,
        .joint_range = simulation->model->jnt_range,
    };
    for (size_t i = 0; i < model->source->sensor_count; i++) {
        simulation->view.sensor[i] = find_quantity(simulation, model->source->sensors[i].quantity,
                                                   (size_t)model->sensors[i]);
    }
}

struct simulation *simulation_open(const struct simulation_model *model)
{
    struct simulation *simulation = memory_take(1, sizeof *simulation);
    simulation->model = mj_copyModel(NULL, model->engine);
    simulation->data = simulation->model ? mj_makeData(simulation->model) : NULL;
    if (!simulation->data) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused %s another simulation",
              simulation_engine());
    }
    simulation->shared = model;
    bind_view(simulation, model);
    simulation_reset(simulation);
    return simulation;
}

void simulation_close(struct simulation *simulation)
{
    if (simulation) {
        mj_deleteData(simulation->data);
        mj_deleteModel(simulation->model);
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
    mj_resetData(simulation->model, simulation->data);
    simulation_forward(simulation);
}

void simulation_state(struct simulation *simulation, double **position, double **velocity)
{
    *position = simulation->data->qpos;
    *velocity = simulation->data->qvel;
}

void simulation_forward(struct simulation *simulation)
{
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
    memcpy(simulation->data->ctrl, control, (size_t)simulation->model->nu * sizeof *control);
}

void simulation_set_damping(struct simulation *simulation, size_t sensor, double damping)
{
    size_t joint = sensor_id(simulation, sensor, SIMULATION_JOINT_VELOCITY);
    int type = simulation->model->jnt_type[joint];
    invariant(type == mjJNT_HINGE || type == mjJNT_SLIDE);
    simulation->model->dof_damping[simulation->model->jnt_dofadr[joint]] = damping;
}

void simulation_coarsen(struct simulation *simulation, double timestep)
{
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
bool simulation_step(struct simulation *simulation, const double *control, size_t substeps)
{
    const mjModel *model = simulation->model;
    mjData *data = simulation->data;
    simulation_set_control(simulation, control);
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

void simulation_step_bare(struct simulation *simulation, const double *control, size_t count)
{
    simulation_set_control(simulation, control);
    for (size_t i = 0; i < count; i++) {
        mj_step(simulation->model, simulation->data);
    }
}

void simulation_get_physics(const struct simulation *simulation, double *physics)
{
    const mjModel *model = simulation->model;
    const mjData *data = simulation->data;
    memcpy(physics, data->qpos, (size_t)model->nq * sizeof *physics);
    memcpy(physics + model->nq, data->qvel, (size_t)model->nv * sizeof *physics);
    if (model->na > 0) { /* MuJoCo has no array of activations then */
        memcpy(physics + model->nq + model->nv, data->act, (size_t)model->na * sizeof *physics);
    }
}

void simulation_set_physics(struct simulation *simulation, const double *physics)
{
    const mjModel *model = simulation->model;
    mjData *data = simulation->data;
    memcpy(data->qpos, physics, (size_t)model->nq * sizeof *physics);
    memcpy(data->qvel, physics + model->nq, (size_t)model->nv * sizeof *physics);
    if (model->na > 0) {
        memcpy(data->act, physics + model->nq + model->nv, (size_t)model->na * sizeof *physics);
    }
}

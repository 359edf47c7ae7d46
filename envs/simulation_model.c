#include "envs/simulation_model.h"

#include <stdio.h>
#include <string.h>
#include <threads.h>

#include "base/memory.h"

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

const char *simulation_engine_of(const struct simulation_source *source)
{
    return source->rules ? "rules" : simulation_engine();
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

static struct simulation_sizes sizes_of_rules(const struct simulation_rules *rules)
{
    return (struct simulation_sizes){.position = rules->position,
                                     .control = rules->choices,
                                     .choices = rules->choices,
                                     .timestep = rules->timestep};
}

static struct simulation_sizes sizes_of_engine(const mjModel *engine)
{
    return (struct simulation_sizes){.position = (size_t)engine->nq,
                                     .velocity = (size_t)engine->nv,
                                     .activation = (size_t)engine->na,
                                     .control = (size_t)engine->nu,
                                     .joints = (size_t)engine->njnt,
                                     .timestep = engine->opt.timestep};
}

struct simulation_model *simulation_compile(const struct simulation_source *source,
                                            struct failure *failure)
{
    mjModel *engine = NULL;
    if (!source->rules) {
        need_engine();
        engine = compile_text(source, failure);
        if (!engine) {
            return NULL;
        }
    }
    struct simulation_model *model = memory_take(1, sizeof *model);
    model->engine = engine;
    model->sizes = source->rules ? sizes_of_rules(source->rules) : sizes_of_engine(engine);
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

#include "envs/camera.h"

#include <string.h>

#include <mujoco/mujoco.h>

#include "base/memory.h"
#include "envs/gl_context.h"
#include "envs/simulation.h"

enum { COLOURS = 3, GEOMS_MAX = 1000 };

/* Of all goals, in every domain. */
static const float goal_colour[4] = {0.93f, 0.30f, 0.22f, 0.55f};

struct camera {
    struct gl_context *gl;
    mjvScene scene;
    mjvOption option;
    mjvPerturb nothing; /* that a hand would move */
    mjvCamera view;
    mjrContext context;
    mjrRect frame;
    unsigned char *upside_down; /* (height, width, 3): as OpenGL gives it */
};

/* --- Opening ---------------------------------------------------------------------------------- */

bool camera_check(struct failure *failure)
{
    struct gl_context *gl = gl_context_open(failure);
    gl_context_close(gl);
    return gl;
}

/* OpenGL gets buffers of the picture's size, whatever the model asks for. */
static void make_context(struct camera *camera, const mjModel *model)
{
    mjModel *sized = mj_copyModel(NULL, model);
    if (sized) {
        sized->vis.global.offwidth = camera->frame.width;
        sized->vis.global.offheight = camera->frame.height;
        mjr_makeContext(sized, &camera->context, mjFONTSCALE_100);
        mj_deleteModel(sized);
    } else {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused a camera its model");
    }
    mjr_setBuffer(mjFB_OFFSCREEN, &camera->context);
}

/* Geoms of the groups 0 to 2 are seen, as is usual, and no sites: they are for sensors. */
static void look(struct camera *camera, const mjModel *model)
{
    mjv_defaultOption(&camera->option);
    memset(camera->option.sitegroup, 0, sizeof camera->option.sitegroup);
    mjv_defaultPerturb(&camera->nothing);
    mjv_defaultCamera(&camera->view);
    camera->view.fixedcamid = mj_name2id(model, mjOBJ_CAMERA, "picture");
    camera->view.type = camera->view.fixedcamid >= 0 ? mjCAMERA_FIXED : mjCAMERA_FREE;
    mjv_defaultScene(&camera->scene);
    mjv_makeScene(model, &camera->scene, GEOMS_MAX);
}

struct camera *camera_open(const struct env *env, size_t width, size_t height,
                           struct failure *failure)
{
    invariant(width > 0 && width <= CAMERA_PIXELS_MAX);
    invariant(height > 0 && height <= CAMERA_PIXELS_MAX);
    const mjModel *model = simulation_seen_model(env_simulation(env));
    struct gl_context *gl = gl_context_open(failure);
    if (!gl) {
        return NULL;
    }
    struct camera *camera = memory_take(1, sizeof *camera);
    camera->gl = gl;
    camera->frame = (mjrRect){0, 0, (int)width, (int)height};
    camera->upside_down = memory_take(width * height, COLOURS);
    look(camera, model);
    mjr_defaultContext(&camera->context);
    make_context(camera, model);
    if (camera->context.currentBuffer != mjFB_OFFSCREEN) {
        failure_set(failure, EXIT_CODE_SYSTEM,
                    "OpenGL: %s has no buffers off the screen, expected them for pictures; try "
                    "MUJOCO_GL=osmesa or another driver",
                    gl_context_library(gl));
        camera_close(camera);
        return NULL;
    }
    return camera;
}

void camera_close(struct camera *camera)
{
    if (camera) {
        mjr_freeContext(&camera->context);
        mjv_freeScene(&camera->scene);
        gl_context_close(camera->gl);
        memory_free(camera->upside_down);
        memory_free(camera);
    }
}

/* --- Rendering -------------------------------------------------------------------------------- */

static void show_goal(mjvScene *scene, const struct env *env)
{
    struct goal goal;
    if (!env_goal(env, &goal) || scene->ngeom == scene->maxgeom) {
        return;
    }
    mjtNum size[3] = {goal.radius, goal.radius, goal.radius};
    mjvGeom *geom = &scene->geoms[scene->ngeom++];
    mjv_initGeom(geom, mjGEOM_SPHERE, size, goal.place, NULL, goal_colour);
    geom->category = mjCAT_DECOR;
    geom->emission = 0.3f;
}

/* OpenGL's first row is the lowest. */
static void turn_over(unsigned char *colours, const unsigned char *upside_down, size_t height,
                      size_t row)
{
    for (size_t y = 0; y < height; y++) {
        memcpy(colours + y * row, upside_down + (height - 1 - y) * row, row);
    }
}

void camera_render(unsigned char *colours, struct camera *camera, const struct env *env)
{
    const struct simulation *simulation = env_simulation(env);
    mjv_updateScene(simulation_seen_model(simulation), simulation_seen_data(simulation),
                    &camera->option, &camera->nothing, &camera->view, mjCAT_ALL, &camera->scene);
    show_goal(&camera->scene, env);
    mjr_render(camera->frame, &camera->scene, &camera->context);
    mjr_readPixels(camera->upside_down, NULL, camera->frame, &camera->context);
    turn_over(colours, camera->upside_down, (size_t)camera->frame.height,
              (size_t)camera->frame.width * COLOURS);
}

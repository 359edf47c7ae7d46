#include "envs/camera.h"

#include <string.h>

#include <mujoco/mujoco.h>

#include "base/memory.h"
#include "envs/gl_context.h"
#include "envs/simulation.h"

enum { CHANNELS = 3, GEOMS_MAX = 1000 };

/* Of all goals, in every domain. */
static const float goal_colour[4] = {0.93f, 0.30f, 0.22f, 0.55f};

struct camera {
    struct gl_context *gl;
    mjvScene scene;
    mjvOption option;
    mjvPerturb perturb; /* none */
    mjvCamera view;
    mjrContext context;
    mjrRect frame;
    unsigned char *bottom_up; /* (height, width, 3): as OpenGL gives it */
};

/* --- Opening ---------------------------------------------------------------------------------- */

bool camera_check(struct failure *failure)
{
    struct gl_context *gl = gl_context_open(failure);
    gl_context_close(gl);
    return gl;
}

/* OpenGL gets buffers of the picture's size, whatever the model asks for. */
static void camera_make_context(struct camera *camera, const mjModel *model)
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
static void camera_set_view(struct camera *camera, const mjModel *model)
{
    mjv_defaultOption(&camera->option);
    memset(camera->option.sitegroup, 0, sizeof camera->option.sitegroup);
    mjv_defaultPerturb(&camera->perturb);
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
    const mjModel *model = simulation_mj_model(env_simulation(env));
    if (!model) {
        failure_set(
            failure, EXIT_CODE_CONFIG,
            "task %s: found no bodies, expected a model of MuJoCo's to draw; render another "
            "task",
            env_spec(env)->task);
        return NULL;
    }
    struct gl_context *gl = gl_context_open(failure);
    if (!gl) {
        return NULL;
    }
    struct camera *camera = memory_take(1, sizeof *camera);
    camera->gl = gl;
    camera->frame = (mjrRect){0, 0, (int)width, (int)height};
    camera->bottom_up = memory_take(width * height, CHANNELS);
    camera_set_view(camera, model);
    mjr_defaultContext(&camera->context);
    camera_make_context(camera, model);
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
        memory_free(camera->bottom_up);
        memory_free(camera);
    }
}

/* --- Rendering -------------------------------------------------------------------------------- */

static void show_goal(mjvScene *scene, const struct env *env)
{
    struct env_goal goal;
    if (!env_goal(env, &goal) || scene->ngeom == scene->maxgeom) {
        return;
    }
    mjtNum size[3] = {goal.radius, goal.radius, goal.radius};
    mjvGeom *geom = &scene->geoms[scene->ngeom++];
    mjv_initGeom(geom, mjGEOM_SPHERE, size, goal.position, NULL, goal_colour);
    geom->category = mjCAT_DECOR;
    geom->emission = 0.3f;
}

void camera_render(unsigned char *pixels, struct camera *camera, const struct env *env)
{
    const struct simulation *simulation = env_simulation(env);
    mjv_updateScene(simulation_mj_model(simulation), simulation_mj_data(simulation),
                    &camera->option, &camera->perturb, &camera->view, mjCAT_ALL, &camera->scene);
    show_goal(&camera->scene, env);
    mjr_render(camera->frame, &camera->scene, &camera->context);
    mjr_readPixels(camera->bottom_up, NULL, camera->frame, &camera->context);
    size_t height = (size_t)camera->frame.height, row = (size_t)camera->frame.width * CHANNELS;
    for (size_t y = 0; y < height; y++) { /* OpenGL's first row is the lowest */
        memcpy(pixels + y * row, camera->bottom_up + (height - 1 - y) * row, row);
    }
}

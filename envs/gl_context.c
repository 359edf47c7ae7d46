#include "envs/gl_context.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- What is used of the two libraries; their headers are not needed to compile --------------- */

enum {
    EGL_SUCCESSFUL = 1,
    EGL_NONE = 0x3038,
    EGL_SURFACE_TYPE = 0x3033,
    EGL_PBUFFER_BIT = 0x0001,
    EGL_RENDERABLE_TYPE = 0x3040,
    EGL_OPENGL_BIT = 0x0008,
    EGL_OPENGL_API = 0x30A2,
    EGL_PLATFORM_SURFACELESS_MESA = 0x31DD,
    EGL_PLATFORM_DEVICE_EXT = 0x313F,
    EGL_DEVICES_MAX = 16,

    OSMESA_RGBA = 0x1908,
    OSMESA_DEPTH_BITS = 24,
    GL_UNSIGNED_BYTE = 0x1401,
};

struct egl {
    void *(*get_platform_display)(unsigned platform, void *native, const int32_t *attributes);
    unsigned (*query_devices)(int32_t capacity, void **devices, int32_t *count);
    void *(*get_proc_address)(const char *name);
    unsigned (*initialize)(void *display, int32_t *major, int32_t *minor);
    unsigned (*terminate)(void *display);
    unsigned (*bind_api)(unsigned api);
    unsigned (*choose_config)(void *display, const int32_t *attributes, void **configs,
                              int32_t capacity, int32_t *count);
    void *(*create_context)(void *display, void *config, void *shared, const int32_t *attributes);
    unsigned (*destroy_context)(void *display, void *context);
    unsigned (*make_current)(void *display, void *draw, void *read, void *context);
};

struct osmesa {
    void *(*create_context)(unsigned format, int depth, int stencil, int accumulation,
                            void *shared);
    void (*destroy_context)(void *context);
    unsigned char (*make_current)(void *context, void *buffer, unsigned type, int width,
                                  int height);
};

struct gl_context {
    const char *name;
    void *library;
    void *display; /* of EGL */
    void *context;
    void (*release)(struct gl_context *context);
    struct egl egl;
    struct osmesa osmesa;
    unsigned char pixel[4]; /* what OSMesa would draw into, had MuJoCo no buffer of its own */
};

/* --- Libraries -------------------------------------------------------------------------------- */

/* ISO C knows no way from an object's address to a function's; POSIX promises that both are alike.
 */
static bool assign(void *function, void *address)
{
    memcpy(function, &address, sizeof address);
    return address;
}

static bool find(void *function, void *library, const char *name)
{
    return assign(function, dlsym(library, name));
}

/* The first of the names that is there. MuJoCo looks for the way to OpenGL among the symbols that
 * all can see, so they become such once the context works (expose). */
static void *open_library(const char *const *names)
{
    for (; *names; names++) {
        void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
        if (library) {
            return library;
        }
    }
    return NULL;
}

static void expose(const char *const *names)
{
    for (; *names; names++) {
        if (dlopen(*names, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD)) {
            return;
        }
    }
}

/* --- EGL -------------------------------------------------------------------------------------- */

static const char *const egl_names[] = {"libEGL.so.1", "libEGL.so", NULL};

static bool find_egl(struct egl *egl, void *library)
{
    return find(&egl->get_proc_address, library, "eglGetProcAddress") &&
           find(&egl->initialize, library, "eglInitialize") &&
           find(&egl->terminate, library, "eglTerminate") &&
           find(&egl->bind_api, library, "eglBindAPI") &&
           find(&egl->choose_config, library, "eglChooseConfig") &&
           find(&egl->create_context, library, "eglCreateContext") &&
           find(&egl->destroy_context, library, "eglDestroyContext") &&
           find(&egl->make_current, library, "eglMakeCurrent") &&
           assign(&egl->get_platform_display, egl->get_proc_address("eglGetPlatformDisplayEXT"));
}

static void egl_release(struct gl_context *context)
{
    if (context->context) {
        context->egl.make_current(context->display, NULL, NULL, NULL);
        context->egl.destroy_context(context->display, context->context);
        context->context = NULL;
    }
    if (context->display) {
        context->egl.terminate(context->display);
        context->display = NULL;
    }
}

/* A context without a surface of its own: MuJoCo brings the buffers that it draws into. */
static bool make_egl_current(struct gl_context *context)
{
    static const int32_t wanted[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE,
                                     EGL_OPENGL_BIT, EGL_NONE};
    const struct egl *egl = &context->egl;
    void *config;
    int32_t count = 0;
    if (egl->choose_config(context->display, wanted, &config, 1, &count) != EGL_SUCCESSFUL ||
        count == 0 || egl->bind_api(EGL_OPENGL_API) != EGL_SUCCESSFUL) {
        return false;
    }
    context->context = egl->create_context(context->display, config, NULL, NULL);
    return context->context &&
           egl->make_current(context->display, NULL, NULL, context->context) == EGL_SUCCESSFUL;
}

static bool try_display(struct gl_context *context, unsigned platform, void *native)
{
    context->display = context->egl.get_platform_display(platform, native, NULL);
    if (!context->display) {
        return false;
    }
    if (context->egl.initialize(context->display, NULL, NULL) != EGL_SUCCESSFUL) {
        context->display = NULL;
        return false;
    }
    if (!make_egl_current(context)) {
        egl_release(context);
        return false;
    }
    return true;
}

/* Graphics cards, whose drivers may know nothing of Mesa's platform. */
static bool try_devices(struct gl_context *context)
{
    void *devices[EGL_DEVICES_MAX];
    int32_t count = 0;
    struct egl *egl = &context->egl;
    if (!assign(&egl->query_devices, egl->get_proc_address("eglQueryDevicesEXT")) ||
        egl->query_devices(EGL_DEVICES_MAX, devices, &count) != EGL_SUCCESSFUL) {
        return false;
    }
    for (int32_t i = 0; i < count; i++) {
        if (try_display(context, EGL_PLATFORM_DEVICE_EXT, devices[i])) {
            return true;
        }
    }
    return false;
}

static bool open_egl(struct gl_context *context)
{
    context->name = "EGL";
    context->release = egl_release;
    context->library = open_library(egl_names);
    if (context->library && find_egl(&context->egl, context->library) &&
        (try_display(context, EGL_PLATFORM_SURFACELESS_MESA, NULL) || try_devices(context))) {
        expose(egl_names);
        return true;
    }
    return false;
}

/* --- OSMesa ----------------------------------------------------------------------------------- */

static const char *const osmesa_names[] = {"libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so",
                                           NULL};

static void osmesa_release(struct gl_context *context)
{
    if (context->context) {
        context->osmesa.make_current(NULL, NULL, 0, 0, 0);
        context->osmesa.destroy_context(context->context);
    }
}

static bool open_osmesa(struct gl_context *context)
{
    struct osmesa *osmesa = &context->osmesa;
    context->name = "OSMesa";
    context->release = osmesa_release;
    context->library = open_library(osmesa_names);
    if (!context->library ||
        !find(&osmesa->create_context, context->library, "OSMesaCreateContextExt") ||
        !find(&osmesa->destroy_context, context->library, "OSMesaDestroyContext") ||
        !find(&osmesa->make_current, context->library, "OSMesaMakeCurrent")) {
        return false;
    }
    context->context = osmesa->create_context(OSMESA_RGBA, OSMESA_DEPTH_BITS, 0, 0, NULL);
    if (!context->context ||
        !osmesa->make_current(context->context, context->pixel, GL_UNSIGNED_BYTE, 1, 1)) {
        return false;
    }
    expose(osmesa_names);
    return true;
}

/* --- Either ----------------------------------------------------------------------------------- */

static struct gl_context *try_library(bool (*open)(struct gl_context *context))
{
    struct gl_context *context = memory_take(1, sizeof *context);
    if (open(context)) {
        return context;
    }
    gl_context_close(context);
    return NULL;
}

struct gl_context *gl_context_open(struct failure *failure)
{
    const char *requested = getenv("MUJOCO_GL");
    bool is_free = !requested || !requested[0];
    bool wants_egl = is_free || strcmp(requested, "egl") == 0;
    bool wants_osmesa = is_free || strcmp(requested, "osmesa") == 0;
    if (!wants_egl && !wants_osmesa) {
        failure_set(failure, EXIT_CODE_USAGE,
                    "MUJOCO_GL: found \"%.40s\", expected egl or osmesa; leave it unset to have "
                    "the first that works",
                    requested);
        return NULL;
    }
    struct gl_context *context = wants_egl ? try_library(open_egl) : NULL;
    if (!context && wants_osmesa) {
        context = try_library(open_osmesa);
    }
    if (!context) {
        failure_set(failure, EXIT_CODE_SYSTEM,
                    "OpenGL: found no %s that draws without a screen, expected one for pictures; "
                    "install Debian's libegl1 and libgl1-mesa-dri, or libosmesa6",
                    is_free     ? "EGL or OSMesa"
                    : wants_egl ? "EGL"
                                : "OSMesa");
    }
    return context;
}

void gl_context_close(struct gl_context *context)
{
    if (context) {
        context->release(context);
        if (context->library) {
            dlclose(context->library);
        }
        memory_free(context);
    }
}

const char *gl_context_library(const struct gl_context *context)
{
    return context->name;
}

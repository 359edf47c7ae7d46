/* A fuzz target (libFuzzer) for what reads a model before MuJoCo does: the guard, its rule for
 * paths, and the rewriting of capsules. Whatever the bytes are, it must return, and a text that
 * passes must still pass after the rewriting. `scripts/fuzz` builds and runs it. */
#include <string.h>

#include "base/memory.h"
#include "envs/inertia.h"
#include "envs/model_guard.h"
#include "envs/model_text.h"
#include "tests/fuzz/need.h"

enum { BODIES = 5, GEOMS_PER_BODY = 2, GEOMS = BODIES * GEOMS_PER_BODY, CAPSULE = 3 };

/* Where a path ends up, step by step: never above where it starts. */
static bool is_ever_above(const char *path)
{
    long level = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        level += length == 2 && memcmp(path, "..", 2) == 0      ? -1
                 : length == 0 || (length == 1 && *path == '.') ? 0
                                                                : 1;
        if (level < 0) {
            return true;
        }
        path += length + (path[length] == '/');
    }
    return false;
}

/* As if MuJoCo had found five bodies of two capsules each. */
static char *rewrite(const char *text, struct failure *failure)
{
    static const int first[BODIES] = {0, 2, 4, 6, 8};
    static const int counts[BODIES] = {2, 2, 2, 2, 2};
    int types[GEOMS];
    double size[3 * GEOMS], position[3 * GEOMS], rotation[4 * GEOMS];
    for (size_t i = 0; i < GEOMS; i++) {
        types[i] = CAPSULE;
    }
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        size[i] = 0.1 * (double)(1 + i);
        position[i] = -1e300;
    }
    for (size_t i = 0; i < sizeof rotation / sizeof rotation[0]; i++) {
        rotation[i] = 0.5;
    }
    const struct inertia_geoms geoms = {.body_count = BODIES,
                                        .body_first = first,
                                        .body_geoms = counts,
                                        .type = types,
                                        .capsule = CAPSULE,
                                        .size = size,
                                        .position = position,
                                        .rotation = rotation};
    return inertia_legacy_text("fuzz", text, &geoms, failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct failure failure = {0};
    char *text = memory_take(size + 1, 1);
    if (size > 0) {
        memcpy(text, bytes, size);
    }
    need(!model_guard_stays_inside(text) || (text[0] != '/' && !is_ever_above(text)));
    if (!model_guard_check("fuzz", text, &failure)) {
        need_line(&failure);
    } else {
        char *rewritten = rewrite(text, &failure);
        need(rewritten || failure.code != EXIT_CODE_DONE);
        need(!rewritten || model_guard_check("fuzz", rewritten, &failure) ||
             strlen(rewritten) > MODEL_TEXT_BYTES_MAX);
        if (failure.code != EXIT_CODE_DONE) {
            need_line(&failure);
        }
        memory_free(rewritten);
    }
    memory_free(text);
    return 0;
}

#include "checkpoint/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/manifest.h"
#include "checkpoint/safetensors.h"

enum checkpoint_part { PART_MODEL, PART_OPTIMIZER, PART_STATE, PART_COUNT };

static const struct manifest_file parts[PART_COUNT] = {
    [PART_MODEL] = {.name = "model.safetensors"},
    [PART_OPTIMIZER] = {.name = "optimizer.safetensors"},
    [PART_STATE] = {.name = "state.json"},
};
static const char step_prefix[] = "step-";
static const char temporary_prefix[] = ".tmp-";

/* path = FOLDER/PREFIXstep-N. */
static bool step_path(char *path, const char *folder, const char *prefix, uint64_t step,
                      struct failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%" PRIu64, prefix, step_prefix, step);
    return file_join(path, folder, name, failure);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static bool write_parts(const char *folder, const struct checkpoint_tensors *tensors,
                        const struct checkpoint_state *state, struct failure *failure)
{
    struct manifest_file written[PART_COUNT];
    char paths[PART_COUNT][FILE_PATH_MAX];
    memcpy(written, parts, sizeof written);
    for (size_t part = 0; part < PART_COUNT; part++) {
        if (!file_join(paths[part], folder, parts[part].name, failure)) {
            return false;
        }
    }
    return safetensors_write(&written[PART_MODEL].digest, paths[PART_MODEL], tensors->model,
                             tensors->model_count, failure) &&
           safetensors_write(&written[PART_OPTIMIZER].digest, paths[PART_OPTIMIZER],
                             tensors->optimizer, tensors->optimizer_count, failure) &&
           checkpoint_state_write(&written[PART_STATE].digest, paths[PART_STATE], state, failure) &&
           manifest_write(folder, state->step, written, PART_COUNT, failure) &&
           manifest_verify(folder, state->step, parts, PART_COUNT, failure);
}

/* Renamed before it is removed, so that no part of it is ever left under its name. */
static bool remove_step(const char *folder, uint64_t step, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    char temporary[FILE_PATH_MAX];
    return step_path(path, folder, "", step, failure) &&
           step_path(temporary, folder, temporary_prefix, step, failure) &&
           file_rename_folder(path, temporary, failure) && file_remove_tree(temporary, failure);
}

/* Of the checkpoints of `steps`, ascending, whose last has just been written: only whole ones
 * count, for a damaged one is no reserve. Those of another version stay: the release that wrote
 * them can go on from them. */
static bool remove_beyond(const char *folder, const uint64_t *steps, size_t count,
                          const struct checkpoint_retention *retention, struct failure *failure)
{
    size_t whole = 1;
    for (size_t i = count - 1; i > 0; i--) {
        char path[FILE_PATH_MAX];
        struct failure problem = {0};
        if (!step_path(path, folder, "", steps[i - 1], failure)) {
            return false;
        }
        if (steps[i - 1] == retention->spared || !manifest_check_version(path, &problem)) {
            continue;
        }
        if (whole < retention->keep) {
            whole += manifest_verify(path, steps[i - 1], parts, PART_COUNT, &problem) ? 1 : 0;
        } else if (!remove_step(folder, steps[i - 1], failure)) {
            return false;
        }
    }
    return true;
}

static void remove_older(const char *folder, uint64_t newest,
                         const struct checkpoint_retention *retention)
{
    uint64_t *steps;
    size_t count;
    struct failure problem = {0};
    bool is_done = file_list_numbered(&steps, &count, folder, step_prefix, &problem);
    while (count > 0 && steps[count - 1] > newest) {
        count--;
    }
    if (!is_done || (count > 0 && !remove_beyond(folder, steps, count, retention, &problem))) {
        log_warning("%s; older checkpoints stay", problem.text);
    }
    memory_free(steps);
}

bool checkpoint_write(const char *run, const struct checkpoint_tensors *tensors,
                      const struct checkpoint_state *state,
                      const struct checkpoint_retention *retention, struct failure *failure)
{
    invariant(retention->keep > 0);
    char folder[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    char temporary[FILE_PATH_MAX];
    if (!file_join(folder, run, "ckpt", failure) ||
        !step_path(path, folder, "", state->step, failure) ||
        !step_path(temporary, folder, temporary_prefix, state->step, failure) ||
        !file_make_folder(folder, failure) ||
        !file_remove_beginning(folder, temporary_prefix, failure)) {
        return false;
    }
    bool is_written = file_make_folder(temporary, failure) &&
                      write_parts(temporary, tensors, state, failure) &&
                      file_rename_folder(temporary, path, failure);
    /* After a success this is the checkpoint that was replaced, if there was one. */
    struct failure problem = {0};
    if (!file_remove_tree(temporary, &problem)) {
        log_warning("%s; it is no checkpoint and can be removed", problem.text);
    }
    if (is_written) {
        remove_older(folder, state->step, retention);
    }
    return is_written;
}

/* --- Reading ---------------------------------------------------------------------------------- */

enum checkpoint_found checkpoint_find_newest(char *path, uint64_t *step, const char *run,
                                             struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    uint64_t *steps = NULL;
    size_t count = 0;
    if (!file_join(folder, run, "ckpt", failure) ||
        !file_list_numbered(&steps, &count, folder, step_prefix, failure)) {
        return CHECKPOINT_REFUSED;
    }
    struct failure version = {0}; /* of the newest checkpoint of another version */
    enum checkpoint_found found = count > 0 ? CHECKPOINT_REFUSED : CHECKPOINT_NONE;
    for (size_t i = count; i > 0 && found != CHECKPOINT_FOUND; i--) {
        struct failure problem = {0};
        *step = steps[i - 1];
        if (step_path(path, folder, "", *step, &problem) &&
            !manifest_check_version(path, &version)) {
            continue;
        }
        if (manifest_verify(path, *step, parts, PART_COUNT, &problem)) {
            found = CHECKPOINT_FOUND;
        } else {
            log_warning("%s; this checkpoint is not used", problem.text);
        }
    }
    memory_free(steps);
    if (found == CHECKPOINT_FOUND && version.code != EXIT_CODE_DONE) {
        log_warning("%s; this checkpoint is not used", version.text);
    } else if (version.code != EXIT_CODE_DONE) {
        *failure = version;
    } else if (found == CHECKPOINT_REFUSED) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found %zu damaged checkpoints and no whole one, expected one; bring one "
                    "back or use a new run name",
                    folder, count);
    }
    return found;
}

/* The N of RUN/ckpt/step-N, which may have a slash behind it. */
static bool parse_step(uint64_t *step, const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] >= '0' && path[begin - 1] <= '9') {
        begin--;
    }
    size_t prefix = strlen(step_prefix);
    if (begin == end || begin < prefix ||
        strncmp(path + begin - prefix, step_prefix, prefix) != 0) {
        return false;
    }
    errno = 0;
    *step = strtoull(path + begin, NULL, 10);
    return errno == 0;
}

bool checkpoint_verify(const char *path, struct failure *failure)
{
    uint64_t step;
    if (!parse_step(&step, path)) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found a name that is not step-N, expected RUN/ckpt/step-N", path);
    }
    return manifest_verify(path, step, parts, PART_COUNT, failure);
}

bool checkpoint_load_state(struct checkpoint_state *state, const char *path,
                           struct failure *failure)
{
    char file[FILE_PATH_MAX];
    checkpoint_state_open(state);
    return file_join(file, path, parts[PART_STATE].name, failure) &&
           checkpoint_state_read(state, file, failure);
}

bool checkpoint_load_tensors(const struct checkpoint_tensors *tensors, const char *path,
                             struct failure *failure)
{
    char model[FILE_PATH_MAX];
    char optimizer[FILE_PATH_MAX];
    return file_join(model, path, parts[PART_MODEL].name, failure) &&
           file_join(optimizer, path, parts[PART_OPTIMIZER].name, failure) &&
           safetensors_read(model, tensors->model, tensors->model_count, failure) &&
           (!tensors->optimizer ||
            safetensors_read(optimizer, tensors->optimizer, tensors->optimizer_count, failure));
}

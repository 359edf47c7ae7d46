#include "checkpoint/saved_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "checkpoint/best_checkpoint.h"

static const char best_name[] = "best";

/* What the checkpoint in saved->path holds. */
static bool read_saved_policy(struct saved_policy *saved, struct failure *failure)
{
    struct checkpoint_state state;
    if (!checkpoint_load_state(&state, saved->path, failure)) {
        return false;
    }
    saved->step = state.step;
    bool is_read = policy_config_get(&saved->policy, &state, failure);
    checkpoint_state_close(&state);
    return is_read;
}

static bool verify_saved_policy(struct saved_policy *saved, struct failure *failure)
{
    return checkpoint_verify(saved->path, failure) && read_saved_policy(saved, failure);
}

/* --- By name ---------------------------------------------------------------------------------- */

enum checkpoint_found saved_policy_find_newest(struct saved_policy *saved, const char *run,
                                               struct failure *failure)
{
    *saved = (struct saved_policy){0};
    enum checkpoint_found found = checkpoint_find_newest(saved->path, &saved->step, run, failure);
    if (found != CHECKPOINT_FOUND) {
        saved->path[0] = '\0';
        return found;
    }
    return read_saved_policy(saved, failure) ? CHECKPOINT_FOUND : CHECKPOINT_REFUSED;
}

static bool find_newest_of_run(struct saved_policy *saved, const char *run, struct failure *failure)
{
    enum checkpoint_found found = saved_policy_find_newest(saved, run, failure);
    if (found == CHECKPOINT_NONE) {
        failure_set(failure, EXIT_CODE_NO_INPUT,
                    "%s: found no checkpoint, expected one in %s/ckpt; train the run first or name "
                    "another",
                    run, run);
    }
    return found == CHECKPOINT_FOUND;
}

static bool find_best_of_run(struct saved_policy *saved, const char *run, struct failure *failure)
{
    struct best_checkpoint best;
    if (!best_checkpoint_read(&best, run, failure)) {
        return false;
    }
    if (best.step == 0) {
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found no best checkpoint, expected one; train with "
                           "train.evaluate_every and something to measure (data.holdout, "
                           "train.evaluate_contexts), or leave the checkpoint out",
                           run);
    }
    if (!best_checkpoint_path(saved->path, &best, run, failure)) {
        return false;
    }
    if (access(saved->path, F_OK) != 0) {
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found best.json, but no %s, which it names; leave the checkpoint "
                           "out to take the newest, or repeat the run's training command, which "
                           "evaluates anew",
                           run, saved->path);
    }
    return verify_saved_policy(saved, failure);
}

/* "step-20, step-40": the newest of the run's checkpoints. */
static void list_checkpoints(char *text, size_t size, const char *folder)
{
    enum { SHOWN = 8 };
    uint64_t *steps = NULL;
    size_t count = 0;
    struct failure failure = {0};
    file_list_numbered(&steps, &count, folder, "step-", &failure);
    size_t first = count > SHOWN ? count - SHOWN : 0;
    int used = snprintf(text, size, "%s", count == 0 ? "none" : first > 0 ? "..., " : "");
    for (size_t i = first; i < count; i++) {
        used += snprintf(text + used, size - (size_t)used, "%sstep-%" PRIu64, i > first ? ", " : "",
                         steps[i]);
    }
    memory_free(steps);
}

static bool find_step_of_run(struct saved_policy *saved, const char *run, const char *checkpoint,
                             struct failure *failure)
{
    char folder[FILE_PATH_MAX], there[512];
    if (!file_join(folder, run, "ckpt", failure) ||
        !file_join(saved->path, folder, checkpoint, failure)) {
        return false;
    }
    if (access(saved->path, F_OK) != 0) {
        list_checkpoints(there, sizeof there, folder);
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found no such checkpoint, expected one of those in %s: %s",
                           saved->path, folder, there);
    }
    return verify_saved_policy(saved, failure);
}

bool saved_policy_find(struct saved_policy *saved, const char *run, const char *checkpoint,
                       struct failure *failure)
{
    *saved = (struct saved_policy){0};
    if (checkpoint[0] == '\0') {
        return find_newest_of_run(saved, run, failure);
    }
    if (strcmp(checkpoint, best_name) == 0) {
        return find_best_of_run(saved, run, failure);
    }
    return strchr(checkpoint, '/')
               ? saved_policy_find_path(saved, checkpoint, "checkpoint", failure)
               : find_step_of_run(saved, run, checkpoint, failure);
}

/* --- By path ---------------------------------------------------------------------------------- */

static bool is_existing_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool has_entry(const char *folder, const char *name)
{
    char path[FILE_PATH_MAX];
    struct failure too_long = {0};
    return file_join(path, folder, name, &too_long) && access(path, F_OK) == 0;
}

/* run (FILE_PATH_MAX characters) = RUN of RUN/best. A run may be named so too. */
static bool names_best(char *run, const char *path)
{
    snprintf(run, FILE_PATH_MAX, "%s", path);
    char *slash = strrchr(run, '/');
    if (!slash || strcmp(slash + 1, best_name) != 0 || is_existing_folder(path)) {
        return false;
    }
    *slash = '\0';
    return has_entry(run, "ckpt");
}

static bool refuse_saved_path(const char *path, const char *option, const char *what,
                              struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_NO_INPUT,
                       "%s: found %s, which %s; name the folder of a trained run (runs/NAME), "
                       "runs/NAME/best or one of its checkpoints (runs/NAME/ckpt/step-N)",
                       option, path, what);
}

bool saved_policy_find_path(struct saved_policy *saved, const char *path, const char *option,
                            struct failure *failure)
{
    char run[FILE_PATH_MAX];
    *saved = (struct saved_policy){0};
    if (names_best(run, path)) {
        return find_best_of_run(saved, run, failure);
    }
    if (!is_existing_folder(path)) {
        return refuse_saved_path(path, option, "is no folder", failure);
    }
    /* A folder that has checkpoints is a run's, whatever its name. */
    if (!has_entry(path, "ckpt") && has_entry(path, "MANIFEST.json")) {
        snprintf(saved->path, sizeof saved->path, "%s", path);
        return verify_saved_policy(saved, failure);
    }
    enum checkpoint_found found = saved_policy_find_newest(saved, path, failure);
    if (found == CHECKPOINT_NONE) {
        refuse_saved_path(path, option, "has no checkpoint", failure);
    }
    return found == CHECKPOINT_FOUND;
}

/* --- Its weights ------------------------------------------------------------------------------ */

bool saved_policy_load(struct parameter_store *parameters, const struct saved_policy *saved,
                       struct failure *failure)
{
    const struct parameter_layout *layout = &parameters->layout;
    struct named_tensor *tensors = memory_take(layout->entry_count, sizeof *tensors);
    named_tensors_append(tensors, "", parameters->master.flat, layout);
    const struct checkpoint_tensors expected = {.model = tensors,
                                                .model_count = layout->entry_count};
    bool is_loaded = checkpoint_load_tensors(&expected, saved->path, failure);
    memory_free(tensors);
    return is_loaded;
}

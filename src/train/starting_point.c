#include "train/starting_point.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "comm/comm.h"

/* --- Finding it ------------------------------------------------------------------------------- */

static bool refuse_from(const char *from, const char *what, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_NO_INPUT,
                       "train.from: found %s, which %s; name the folder of a trained run "
                       "(runs/NAME) or of one of its checkpoints (runs/NAME/ckpt/step-N)",
                       from, what);
}

/* A folder that has checkpoints is a run's, whatever its name. */
static bool find_other(char *path, const char *from, struct failure *failure)
{
    char checkpoints[FILE_PATH_MAX], manifest[FILE_PATH_MAX];
    struct stat status;
    uint64_t step;
    if (stat(from, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return refuse_from(from, "is no folder", failure);
    }
    if (!file_join(checkpoints, from, "ckpt", failure) ||
        !file_join(manifest, from, "MANIFEST.json", failure)) {
        return false;
    }
    if (access(checkpoints, F_OK) != 0 && access(manifest, F_OK) == 0) {
        snprintf(path, FILE_PATH_MAX, "%s", from);
        return checkpoint_verify(path, failure);
    }
    switch (checkpoint_find_newest(path, &step, from, failure)) {
    case CHECKPOINT_FOUND:
        return true;
    case CHECKPOINT_REFUSED:
        return false;
    case CHECKPOINT_NONE:
        break;
    }
    return refuse_from(from, "has no checkpoint", failure);
}

static bool find_start(struct starting_point *start, const char *run, const char *from,
                       struct failure *failure)
{
    uint64_t step;
    *start = (struct starting_point){0};
    switch (checkpoint_find_newest(start->path, &step, run, failure)) {
    case CHECKPOINT_FOUND:
        start->is_own = true;
        return true;
    case CHECKPOINT_REFUSED:
        return false;
    case CHECKPOINT_NONE:
        break;
    }
    start->path[0] = '\0';
    return from[0] == '\0' || find_other(start->path, from, failure);
}

static bool read_policy(struct starting_point *start, struct failure *failure)
{
    struct checkpoint_state state;
    if (start->path[0] == '\0') {
        return true;
    }
    if (!checkpoint_load_state(&state, start->path, failure)) {
        return false;
    }
    bool ok = policy_config_get(&start->policy, &state, failure);
    checkpoint_state_close(&state);
    return ok;
}

void starting_point_find(struct starting_point *start, const char *run, const char *from)
{
    struct failure failure = {0};
    if (comm_rank() == 0 && find_start(start, run, from, &failure)) {
        read_policy(start, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(start, sizeof *start);
}

/* --- What is taken of it ---------------------------------------------------------------------- */

/* policy->from, and what belongs to it, is set. */
static void adopt_scaling_and_lengths(struct policy_config *policy, const struct scaling *scaling)
{
    policy->scaling = *scaling;
    policy->shape.time_max = size_max(policy->shape.time_max, policy->from_time_max);
    policy->shape.trial_max = size_max(policy->shape.trial_max, policy->from_trial_max);
}

/* Whether the model is the same is seen when the checkpoint is read. */
static void adopt_own(struct policy_config *policy, const struct starting_point *start,
                      const char *from)
{
    const struct policy_config *own = &start->policy;
    bool is_known = !isnan(own->data_holdout);
    if (is_known && from[0] != '\0' && strcmp(from, own->from) != 0) {
        log_warning("train.from: found %s, but this run goes on from %s; give another run.name to "
                    "begin from the other",
                    from, start->path);
    }
    /* Older checkpoints do not say what they began from: then the option does. */
    snprintf(policy->from, sizeof policy->from, "%s", is_known ? own->from : from);
    policy->from_time_max = is_known ? own->from_time_max : own->shape.time_max;
    policy->from_trial_max = is_known ? own->from_trial_max : own->shape.trial_max;
    if (policy->from[0] != '\0') {
        adopt_scaling_and_lengths(policy, &own->scaling);
    }
}

static bool adopt_other(struct policy_config *policy, const struct starting_point *start,
                        const char *from, struct failure *failure)
{
    struct policy_config *other = memory_take(1, sizeof *other);
    *other = start->policy;
    snprintf(policy->from, sizeof policy->from, "%s", from);
    policy->from_time_max = other->shape.time_max;
    policy->from_trial_max = other->shape.trial_max;
    adopt_scaling_and_lengths(policy, &other->scaling);
    /* What may differ: lengths, the task, the data. */
    other->shape.time_max = policy->shape.time_max;
    other->shape.trial_max = policy->shape.trial_max;
    other->shape.dropout = policy->shape.dropout;
    other->data_hash = policy->data_hash;
    memcpy(other->task, policy->task, sizeof other->task);
    struct failure differs = {0};
    bool ok = policy_config_agrees(other, policy, start->path,
                                   "give this run the same, or begin from another run", &differs) ||
              failure_set(failure, EXIT_CODE_CONFIG, "train.from: %.900s", differs.text);
    memory_free(other);
    return ok;
}

bool starting_point_adopt(struct policy_config *policy, const struct starting_point *start,
                          const char *from, struct failure *failure)
{
    if (start->is_own) {
        adopt_own(policy, start, from);
        return true;
    }
    return start->path[0] == '\0' || adopt_other(policy, start, from, failure);
}

/* --- Its weights ------------------------------------------------------------------------------ */

/* Row by row, the last one again where there are more. */
static void extend_rows(real *to, const struct parameter_entry *entry, const real *from,
                        const struct parameter_entry *source)
{
    for (size_t row = 0; row < entry->rows; row++) {
        size_t trained = size_min(row, source->rows - 1);
        memcpy(to + row * entry->columns, from + trained * entry->columns,
               entry->columns * sizeof *to);
    }
}

static void copy_parameters(struct parameter_store *to, const struct parameter_store *from)
{
    for (size_t i = 0; i < to->layout.entry_count; i++) {
        const struct parameter_entry *entry = &to->layout.entries[i];
        const struct parameter_entry *source = &from->layout.entries[i];
        invariant(strcmp(entry->name, source->name) == 0 && entry->columns == source->columns);
        extend_rows(to->master.flat + entry->offset, entry, from->master.flat + source->offset,
                    source);
    }
}

bool starting_point_load(struct parameter_store *parameters, const struct starting_point *start,
                         struct failure *failure)
{
    struct arena arena = {0};
    struct parameter_store *trained = memory_take(1, sizeof *trained);
    parameter_store_bind(trained, &arena, &start->policy.shape, 0, NULL);
    arena_open(&arena, arena.peak);
    parameter_store_bind(trained, &arena, &start->policy.shape, 0, NULL);
    const struct parameter_layout *layout = &trained->layout;
    struct named_tensor *tensors = memory_take(layout->entry_count, sizeof *tensors);
    named_tensors_append(tensors, "", trained->master.flat, layout);
    const struct checkpoint_tensors expected = {.model = tensors,
                                                .model_count = layout->entry_count};
    bool ok = checkpoint_load_tensors(&expected, start->path, failure);
    if (ok) {
        copy_parameters(parameters, trained);
    }
    memory_free(tensors);
    arena_close(&arena);
    memory_free(trained);
    return ok;
}

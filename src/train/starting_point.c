#include "train/starting_point.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"

/* --- Finding it ------------------------------------------------------------------------------- */

static void find_starting_point(struct starting_point *start, const char *run, const char *from,
                                struct failure *failure)
{
    enum checkpoint_found own = saved_policy_find_newest(&start->saved, run, failure);
    start->is_own = own == CHECKPOINT_FOUND;
    if (own == CHECKPOINT_NONE && from[0] != '\0') {
        saved_policy_find_path(&start->saved, from, "train.from", failure);
    }
}

void starting_point_find(struct starting_point *start, const char *run, const char *from)
{
    struct failure failure = {0};
    *start = (struct starting_point){0};
    if (comm_rank() == 0) {
        find_starting_point(start, run, from, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(start, sizeof *start);
}

bool starting_point_is_found(const struct starting_point *start)
{
    return start->saved.path[0] != '\0';
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
    const struct policy_config *own = &start->saved.policy;
    bool is_known = !isnan(own->data_holdout);
    if (is_known && from[0] != '\0' && strcmp(from, own->from) != 0) {
        log_warning("train.from: found %s, but this run goes on from %s; give another run.name to "
                    "begin from the other",
                    from, start->saved.path);
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
    *other = start->saved.policy;
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
    bool ok = policy_config_agrees(other, policy, start->saved.path,
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
    return !starting_point_is_found(start) || adopt_other(policy, start, from, failure);
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
    parameter_store_bind(trained, &arena, &start->saved.policy.shape, 0, NULL);
    arena_open(&arena, arena.peak);
    parameter_store_bind(trained, &arena, &start->saved.policy.shape, 0, NULL);
    bool ok = saved_policy_load(trained, &start->saved, failure);
    if (ok) {
        copy_parameters(parameters, trained);
    }
    arena_close(&arena);
    memory_free(trained);
    return ok;
}

#include "train/starting_point.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "comm/comm.h"

static bool find_newest(struct starting_point *start, const char *run, struct failure *failure)
{
    struct checkpoint_state state;
    uint64_t step;
    if (checkpoint_find_newest(start->path, &step, run, failure) != CHECKPOINT_FOUND) {
        return failure->code != EXIT_CODE_DONE
                   ? false
                   : failure_set(failure, EXIT_CODE_NO_INPUT,
                                 "train.from: found no checkpoint in %s, expected a trained run",
                                 run);
    }
    if (!checkpoint_load_state(&state, start->path, failure)) {
        return false;
    }
    bool ok = policy_config_get(&start->policy, &state, failure);
    checkpoint_state_close(&state);
    return ok;
}

void starting_point_find(struct starting_point *start, const char *run)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        find_newest(start, run, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(start, sizeof *start);
}

bool starting_point_adopt(struct policy_config *policy, const struct starting_point *start,
                          struct failure *failure)
{
    struct policy_config *other = memory_take(1, sizeof *other);
    *other = start->policy;
    struct model_shape *shape = &policy->shape;
    shape->time_max = size_max(shape->time_max, other->shape.time_max);
    shape->trial_max = size_max(shape->trial_max, other->shape.trial_max);
    policy->scaling = other->scaling;
    /* What may differ: lengths, the task, the data. */
    other->shape.time_max = shape->time_max;
    other->shape.trial_max = shape->trial_max;
    other->shape.dropout = shape->dropout;
    other->data_hash = policy->data_hash;
    memcpy(other->task, policy->task, sizeof other->task);
    struct failure differs = {0};
    bool ok = policy_config_agrees(other, policy, start->path, &differs) ||
              failure_set(failure, EXIT_CODE_CONFIG, "train.from: %.900s", differs.text);
    memory_free(other);
    return ok;
}

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

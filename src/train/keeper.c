#include "train/keeper.h"

#include <string.h>

#include "base/memory.h"

void keeper_open(struct keeper *keeper, const char *run, const struct snapshot *snapshot,
                 uint64_t seed, size_t keep, struct learner *learner)
{
    const struct model_shape *shape = &snapshot->shape;
    size_t count = parameters_entries(NULL, shape);
    struct tensor *first = snapshot_tensors(learner->adamw.first, "first.", shape);
    struct tensor *second = snapshot_tensors(learner->adamw.second, "second.", shape);
    struct tensor *optimizer = memory_take(2 * count, sizeof *optimizer);
    memcpy(optimizer, first, count * sizeof *first);
    memcpy(optimizer + count, second, count * sizeof *second);
    memory_free(first);
    memory_free(second);
    *keeper = (struct keeper){
        .run = run,
        .snapshot = snapshot,
        .seed = seed,
        .keep = keep,
        .model = snapshot_tensors(learner->weights.flat, "", shape),
        .optimizer = optimizer,
        .tensor_count = count,
    };
}

void keeper_close(struct keeper *keeper)
{
    memory_free(keeper->model);
    memory_free(keeper->optimizer);
    *keeper = (struct keeper){0};
}

static struct checkpoint_tensors tensors_of(const struct keeper *keeper)
{
    return (struct checkpoint_tensors){
        .model = keeper->model,
        .model_count = keeper->tensor_count,
        .optimizer = keeper->optimizer,
        .optimizer_count = 2 * keeper->tensor_count,
    };
}

bool keeper_write(const struct keeper *keeper, const struct keeper_place *place,
                  struct failure *failure)
{
    struct checkpoint_state state;
    struct checkpoint_tensors tensors = tensors_of(keeper);
    checkpoint_state_open(&state);
    state.step = place->step;
    state.seed = keeper->seed;
    state.tokens_seen = place->tokens_seen;
    snapshot_put(&state, keeper->snapshot);
    bool is_written = checkpoint_write(keeper->run, &tensors, &state, keeper->keep, failure);
    checkpoint_state_close(&state);
    return is_written;
}

static bool check_state(const struct keeper *keeper, const struct checkpoint_state *state,
                        const char *path, struct failure *failure)
{
    struct snapshot *saved = memory_take(1, sizeof *saved);
    bool agrees = snapshot_get(saved, state, failure) &&
                  snapshot_agrees(saved, keeper->snapshot, path, failure);
    memory_free(saved);
    if (agrees && state->seed != keeper->seed) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: was made with run.seed = %llu, found %llu now; go on with the "
                           "same, or give this run another run.name",
                           path, (unsigned long long)state->seed, (unsigned long long)keeper->seed);
    }
    return agrees;
}

static bool restore_from(const struct keeper *keeper, struct keeper_place *place, const char *path,
                         struct failure *failure)
{
    struct checkpoint_state state;
    struct checkpoint_tensors tensors = tensors_of(keeper);
    if (!checkpoint_load_state(&state, path, failure)) {
        return false;
    }
    *place = (struct keeper_place){.step = state.step, .tokens_seen = state.tokens_seen};
    bool is_restored = check_state(keeper, &state, path, failure) &&
                       checkpoint_load_tensors(&tensors, path, failure);
    checkpoint_state_close(&state);
    return is_restored;
}

bool keeper_restore(const struct keeper *keeper, struct keeper_place *place,
                    struct failure *failure)
{
    char path[FILE_PATH_MAX];
    uint64_t step;
    *place = (struct keeper_place){0};
    switch (checkpoint_find_newest(path, &step, keeper->run, failure)) {
    case CHECKPOINT_NONE:
        return true;
    case CHECKPOINT_REFUSED:
        return false;
    case CHECKPOINT_FOUND:
        break;
    }
    return restore_from(keeper, place, path, failure);
}

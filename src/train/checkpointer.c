#include "train/checkpointer.h"

#include <math.h>

#include "base/memory.h"

void checkpointer_open(struct checkpointer *checkpointer, const char *run,
                       const struct policy_config *policy, uint64_t seed, size_t keep,
                       struct learner *learner)
{
    struct parameter_store *parameters = &learner->parameters;
    size_t count = parameters->layout.entry_count;
    *checkpointer = (struct checkpointer){
        .run = run,
        .policy = policy,
        .seed = seed,
        .retention = {.keep = keep},
        .model = memory_take(count, sizeof *checkpointer->model),
        .optimizer = memory_take(ADAMW_SLOTS * count, sizeof *checkpointer->optimizer),
        .tensor_count = count,
    };
    named_tensors_append(checkpointer->model, "", parameters->master.flat, &parameters->layout);
    struct named_tensor *second = named_tensors_append(
        checkpointer->optimizer, "first.", parameters->slots[ADAMW_FIRST], &parameters->layout);
    named_tensors_append(second, "second.", parameters->slots[ADAMW_SECOND], &parameters->layout);
}

void checkpointer_close(struct checkpointer *checkpointer)
{
    memory_free(checkpointer->model);
    memory_free(checkpointer->optimizer);
    *checkpointer = (struct checkpointer){0};
}

static struct checkpoint_tensors tensors_of(const struct checkpointer *checkpointer)
{
    return (struct checkpoint_tensors){
        .model = checkpointer->model,
        .model_count = checkpointer->tensor_count,
        .optimizer = checkpointer->optimizer,
        .optimizer_count = ADAMW_SLOTS * checkpointer->tensor_count,
    };
}

bool checkpointer_write(const struct checkpointer *checkpointer,
                        const struct train_state *train_state, struct failure *failure)
{
    struct checkpoint_state state;
    struct checkpoint_tensors tensors = tensors_of(checkpointer);
    checkpoint_state_open(&state);
    state.step = train_state->step;
    state.seed = checkpointer->seed;
    state.tokens_seen = train_state->tokens_seen;
    policy_config_put(&state, checkpointer->policy);
    bool is_written =
        checkpoint_write(checkpointer->run, &tensors, &state, &checkpointer->retention, failure);
    checkpoint_state_close(&state);
    return is_written;
}

/* Older checkpoints do not say what they began from, and took over. */
static const char *remedy_for(const struct policy_config *saved)
{
    return isnan(saved->data_holdout)
               ? "go on with the same (and the same train.from, if this run began from another), "
                 "or give this run another run.name"
               : "go on with the same, or give this run another run.name";
}

static bool check_state(const struct checkpointer *checkpointer,
                        const struct checkpoint_state *state, const char *path,
                        struct failure *failure)
{
    struct policy_config *saved = memory_take(1, sizeof *saved);
    bool agrees =
        policy_config_get(saved, state, failure) &&
        policy_config_agrees(saved, checkpointer->policy, path, remedy_for(saved), failure);
    memory_free(saved);
    if (agrees && state->seed != checkpointer->seed) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: was made with run.seed = %llu, found %llu now; go on with the "
                           "same, or give this run another run.name",
                           path, (unsigned long long)state->seed,
                           (unsigned long long)checkpointer->seed);
    }
    return agrees;
}

bool checkpointer_restore(const struct checkpointer *checkpointer, struct train_state *train_state,
                          const char *path, struct failure *failure)
{
    struct checkpoint_state state;
    struct checkpoint_tensors tensors = tensors_of(checkpointer);
    if (!checkpoint_load_state(&state, path, failure)) {
        return false;
    }
    *train_state = (struct train_state){.step = state.step, .tokens_seen = state.tokens_seen};
    bool is_restored = check_state(checkpointer, &state, path, failure) &&
                       checkpoint_load_tensors(&tensors, path, failure);
    checkpoint_state_close(&state);
    return is_restored;
}

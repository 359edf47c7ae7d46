#include "tests/support/support.h"

#include "tests/eval/untrained.h"

#include <stdio.h>

#include "checkpoint/checkpoint.h"
#include "comm/comm.h"

void untrained_open(struct untrained *untrained, const struct untrained_options *options)
{
    struct failure failure = {0};
    *untrained = (struct untrained){0};
    struct policy_config *policy = &untrained->policy;
    *policy = (struct policy_config){
        .shape = {.width = 16,
                  .layers = 2,
                  .heads = 2,
                  .hidden = 24,
                  .activation = ACTIVATION_RELU,
                  .observation_dim = options->observation_dim,
                  .action_space =
                      options->categoricals > 0
                          ? action_space_categorical(options->categories, options->categoricals)
                          : action_space_continuous(options->action_dim),
                  .head = options->head,
                  .time_max = options->time_max,
                  .trial_max = options->trial_max},
        .scaling = scaling_identity(options->observation_dim),
        .target = 10.0,
        .return_range = {2.0, 12.0},
    };
    assert_true(token_layout_parse(&policy->shape.layout, options->tokens, &failure));
    for (size_t i = 0; i < options->observation_dim; i++) {
        policy->scaling.observation_mean[i] = 0.1 * (double)i;
        policy->scaling.observation_deviation[i] = 0.5 + 0.1 * (double)i;
    }
    policy->scaling.return_scale = 7.0;
    policy->scaling.reward_scale = 0.7;
    snprintf(policy->domain, sizeof policy->domain, "%s", options->domain);
    snprintf(policy->task, sizeof policy->task, "%s", options->task);
    parameter_store_bind(&untrained->parameters, &untrained->arena, &policy->shape, 0, NULL);
    arena_open(&untrained->arena, untrained->arena.peak);
    parameter_store_bind(&untrained->parameters, &untrained->arena, &policy->shape, 0, NULL);
    parameter_store_initialise(&untrained->parameters, 3);
}

void untrained_close(struct untrained *untrained)
{
    arena_close(&untrained->arena);
}

void untrained_write(const struct untrained *untrained, const char *run, uint64_t step)
{
    struct failure failure = {0};
    const struct parameter_layout *layout = &untrained->parameters.layout;
    struct named_tensor *tensors = memory_take(layout->entry_count, sizeof *tensors);
    named_tensors_append(tensors, "", untrained->parameters.master.flat, layout);
    struct checkpoint_tensors all = {
        .model = tensors,
        .model_count = layout->entry_count,
        .optimizer = tensors,
        .optimizer_count = layout->entry_count,
    };
    struct checkpoint_state state;
    checkpoint_state_open(&state);
    state.step = step;
    policy_config_put(&state, &untrained->policy);
    if (!checkpoint_write(run, &all, &state, &(struct checkpoint_retention){.keep = 10},
                          &failure)) {
        fail_msg("%s", failure.text);
    }
    checkpoint_state_close(&state);
    memory_free(tensors);
}

void untrained_make_folder(char *path)
{
    if (comm_rank() == 0) {
        snprintf(path, FILE_PATH_MAX, "%s", support_scratch_folder());
    }
    comm_broadcast(path, FILE_PATH_MAX);
}

void untrained_remove_folder(const char *path)
{
    struct failure failure = {0};
    comm_barrier();
    if (comm_rank() == 0) {
        assert_true(file_remove_tree(path, &failure));
    }
}

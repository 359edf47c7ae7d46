#include "cli/command_use.h"

struct option_use {
    enum config_option_id id;
    enum command_use use;
};

/* What eval does not always read: acting draws no chains, and what is recorded has been acted. The
 * window and the rewarded trials are the policy's own. */
static const struct option_use eval_uses[] = {
    {CONFIG_OPTION_chain_trials, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_chain_trials_min, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_chain_sampling, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_chain_draws, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_chain_order, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_chain_window, COMMAND_USE_NEVER},
    {CONFIG_OPTION_chain_rewarded_trials, COMMAND_USE_NEVER},
    {CONFIG_OPTION_chain_loss, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_attention_query_block, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_attention_key_block, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_eval_part, COMMAND_USE_RECORDED},
    {CONFIG_OPTION_eval_trials, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_batch, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_target, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_target_margin, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_explore, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_sample, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_inertia, COMMAND_USE_ACTING},
    {CONFIG_OPTION_eval_output, COMMAND_USE_ACTING},
};

/* Training's rollouts are of its newest checkpoint, beside its steps, and print nothing. */
static const struct option_use train_uses[] = {
    {CONFIG_OPTION_eval_contexts, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_threads, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_seed, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_store, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_part, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_checkpoint, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_format, COMMAND_USE_NEVER},
    {CONFIG_OPTION_eval_output, COMMAND_USE_NEVER},
};

static enum command_use find_use(const struct option_use *uses, size_t count,
                                 enum config_option_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (uses[i].id == id) {
            return uses[i].use;
        }
    }
    return COMMAND_USE_ALWAYS;
}

enum command_use command_use(enum command command, const struct config_option *option)
{
    if (!(command_line_entry(command)->sections & (1u << option->section_id))) {
        return COMMAND_USE_NEVER;
    }
    switch (command) {
    case COMMAND_TRAIN:
        return find_use(train_uses, sizeof train_uses / sizeof *train_uses, option->id);
    case COMMAND_EVAL:
        return find_use(eval_uses, sizeof eval_uses / sizeof *eval_uses, option->id);
    default:
        return COMMAND_USE_ALWAYS;
    }
}

bool command_use_check(enum command command, const struct config *config,
                       const struct config_origins *origins, struct failure *failure)
{
    bool is_acting = config->eval.store[0] == '\0';
    enum command_use unused = is_acting ? COMMAND_USE_RECORDED : COMMAND_USE_ACTING;
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        if (origins->options[i].source == CONFIG_COMMAND_LINE &&
            command_use(command, option) == unused) {
            return failure_set(failure, EXIT_CODE_USAGE,
                               "%s does not read --%s %s --eval.store; leave %s out",
                               command_line_entry(command)->name, option->name,
                               is_acting ? "without" : "with", is_acting ? "it" : "one of them");
        }
    }
    return true;
}

#include "cli/commands.h"

#include <stdio.h>

#include "cli/config_map.h"
#include "cli/config_stores.h"
#include "cli/task_list.h"
#include "comm/comm.h"
#include "context/layout.h"
#include "datasets/inspect.h"
#include "datasets/replay.h"

static void inspect_file(const struct config *config, const char *path, struct failure *failure)
{
    enum inspect_form form =
        config->inspect.format == CONFIG_FORMAT_JSON ? INSPECT_JSON : INSPECT_TEXT;
    struct store *store = store_open(path, failure);
    if (!store) {
        return;
    }
    if (config->inspect.replay == CONFIG_YES) {
        struct replay replay;
        if (replay_run(&replay, store, config->inspect.replay_steps, failure)) {
            replay_print(stdout, &replay, form, failure);
        }
    } else if (config->inspect.verify == CONFIG_YES) {
        inspect_verify(stdout, store, form, failure);
    } else {
        inspect_describe(stdout, store, form, failure);
    }
    store_close(store);
}

/* For mesh.ring ranks that share a context, which need not exist. */
static void inspect_configuration(const struct config *config, struct failure *failure)
{
    enum inspect_form form =
        config->inspect.format == CONFIG_FORMAT_JSON ? INSPECT_JSON : INSPECT_TEXT;
    struct token_layout layout;
    struct inspect_chains_options options = {
        .sampler = config_chain_sampler(config),
        .seed = config->run.seed,
        .contexts = config->train.contexts,
        .samples = config->inspect.samples,
        .split = (enum partition_rule)config->mesh.split,
        .ring_size = config->mesh.ring > 0 ? config->mesh.ring : comm_size(),
    };
    struct dataset dataset;
    struct config_stores data;
    if (config_stores_of_training(&data, config, failure) &&
        dataset_open(&dataset, &data.options, failure)) {
        if (token_layout_parse(&layout, config->context.tokens, failure)) {
            options.tokens = layout.count;
            inspect_chains(stdout, &dataset, &options, form, failure);
        }
        dataset_close(&dataset);
    }
}

enum exit_code command_inspect(const struct config *config, const char *subject)
{
    struct failure failure = {0};
    if (config->inspect.verify == CONFIG_YES && config->inspect.replay == CONFIG_YES) {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "inspect: found verify and replay, expected one of them; ask twice");
    } else if (comm_rank() == 0 && config->inspect.tasks == CONFIG_YES) {
        task_list_print(stdout, config->inspect.format == CONFIG_FORMAT_JSON, &failure);
    } else if (comm_rank() == 0 && config->inspect.chains == CONFIG_YES) {
        inspect_configuration(config, &failure);
    } else if (comm_rank() == 0) {
        inspect_file(config, subject, &failure);
    }
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}

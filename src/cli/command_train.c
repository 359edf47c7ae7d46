#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command_line.h"
#include "cli/config_map.h"
#include "comm/comm.h"
#include "train/trainer.h"

/* The resolved configuration as the text of a file: what the run's training, evaluation and
 * pictures read. The caller frees it with memory_free. */
static char *configuration_text(const struct config *config)
{
    unsigned sections = command_line_entry(COMMAND_TRAIN)->sections |
                        command_line_entry(COMMAND_EVAL)->sections |
                        command_line_entry(COMMAND_RENDER)->sections;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream || !config_write(stream, config, sections) || fclose(stream) != 0) {
        fatal(EXIT_CODE_SYSTEM, "the configuration cannot be kept: the system has no memory left");
    }
    return text;
}

enum exit_code command_train(const struct config *config, const char *subject)
{
    (void)subject;
    char run[FILE_PATH_MAX];
    struct failure failure = {0};
    file_join(run, config->run.folder, config->run.name, &failure);
    comm_agree(&failure);
    char *configuration = configuration_text(config);
    struct trainer_options options = {
        .run = run,
        .configuration = configuration,
        .store = config->data.store,
        .task = config->data.task,
        .observations = config->data.normalize == CONFIG_YES ? TRAINER_OBSERVATIONS_NORMALISED
                                                             : TRAINER_OBSERVATIONS_RAW,
        .return_scale = config->data.return_scale,
        .reward_scale = config->data.reward_scale,
        .loader = {.chain = config_chain_sampler(config),
                   .contexts = config->train.contexts,
                   .micro_batch = config->train.micro_batch,
                   .loss = (enum loader_loss)config->chain.loss,
                   .seed = config->run.seed},
        .learner = config_learner_options(config),
        .ring = config->mesh.ring,
        .node_ranks = config->mesh.node_ranks,
        .threads = comm_threads(config->mesh.threads),
        .steps = config->train.steps,
        .until = config->train.until,
        .log_every = config->train.log_every,
        .checkpoint_every = config->train.checkpoint_every,
        .keep = config->train.keep,
    };
    enum exit_code code = trainer_run(&options);
    memory_free(configuration);
    return code;
}

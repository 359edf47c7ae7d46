#include "cli/commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/command_line.h"
#include "cli/config_map.h"
#include "cli/config_stores.h"
#include "comm/comm.h"
#include "envs/env.h"
#include "eval/evaluation.h"
#include "train/trainer.h"

/* Sections of a run's config.yaml: what its training, evaluation and pictures read. */
static unsigned run_sections(void)
{
    return command_line_entry(COMMAND_TRAIN)->sections |
           command_line_entry(COMMAND_EVAL)->sections |
           command_line_entry(COMMAND_RENDER)->sections;
}

/* A stream into *text, which the caller frees with memory_free. */
static FILE *open_text(char **text, size_t *size)
{
    FILE *stream = open_memstream(text, size);
    if (!stream) {
        fatal(EXIT_CODE_SYSTEM, "the configuration cannot be kept: the system has no memory left");
    }
    return stream;
}

static void close_text(FILE *stream)
{
    bool is_whole = !ferror(stream);
    if (fclose(stream) != 0 || !is_whole) {
        fatal(EXIT_CODE_SYSTEM, "the configuration cannot be kept: the system has no memory left");
    }
}

/* What differs from the config.yaml of an earlier start, if there was one. */
static void write_changes(FILE *stream, const struct config *config, const char *run)
{
    char path[FILE_PATH_MAX];
    struct failure failure = {0};
    if (!file_join(path, run, "config.yaml", &failure) || access(path, F_OK) != 0) {
        return;
    }
    struct config before;
    struct config_origins origins;
    config_defaults(&before, &origins);
    if (config_read_file(&before, &origins, path, &failure)) {
        config_write_changes(stream, &before, config, run_sections());
    } else {
        fprintf(stream, "%s; which options have changed is not known\n", failure.text);
    }
}

static bool is_environment(const char *task)
{
    const char *name = "";
    for (size_t i = 0; name && strcmp(name, task) != 0; i++) {
        name = env_task_name(i);
    }
    return name != NULL;
}

/* As `chainring eval` would play the newest checkpoint, in hidden tasks of its own. The caller
 * frees them with memory_free; NULL where there is no environment to play in. */
static struct evaluation_options *take_rollout_options(const struct config *config, const char *run,
                                                       const char *task)
{
    enum { SEED = 2000 };
    struct failure failure = {0};
    if (config->eval.task[0] == '\0' && !is_environment(task)) {
        return NULL;
    }
    struct evaluation_options *options = memory_take(1, sizeof *options);
    config_evaluation_options(options, config, run, &failure);
    comm_agree(&failure);
    options->checkpoint = "";
    options->contexts = config->train.evaluate_contexts;
    options->threads = 1;
    options->seed = SEED;
    options->is_policy_alone = true;
    return options;
}

static void check_rollouts(const void *self, const char *run, const struct policy_config *policy)
{
    struct evaluation_options *options = take_rollout_options(self, run, policy->task);
    if (options) {
        evaluation_check(options, policy);
        memory_free(options);
    }
}

static double play_last_trial(const void *self, const char *run, const char *task)
{
    struct evaluation_options *options = take_rollout_options(self, run, task);
    if (!options) {
        return (double)NAN;
    }
    struct evaluation_result *result = memory_take(1, sizeof *result);
    evaluation_run(options, result);
    double mean = score_of_trial(&result->rows[0].score, result->trials - 1).mean;
    evaluation_close(result);
    memory_free(options);
    memory_free(result);
    return mean;
}

/* The head is for continuous actions; who asks for another should know that it changes nothing. */
static void warn_of_head(const struct config *config, const struct dataset_options *data)
{
    struct failure unsaid = {0}; /* training will say it */
    struct dataset dataset;
    if (config->model.head == ACTION_HEAD_GAUSSIAN && dataset_open(&dataset, data, &unsaid)) {
        if (dataset_spec(&dataset)->actions.kind == ACTION_CATEGORICAL) {
            log_warning("model.head: found gaussian, but the actions of %s are categorical, which "
                        "any head learns by cross-entropy",
                        data->name);
        }
        dataset_close(&dataset);
    }
}

enum exit_code command_train(const struct config *config, const char *subject)
{
    (void)subject;
    char run[FILE_PATH_MAX];
    struct config_stores data;
    struct failure failure = {0};
    file_join(run, config->run.folder, config->run.name, &failure);
    config_stores_of_training(&data, config, &failure);
    comm_agree(&failure);
    if (comm_rank() == 0) {
        warn_of_head(config, &data.options);
    }
    char *configuration = NULL;
    char *changes = NULL;
    size_t size;
    FILE *stream = open_text(&configuration, &size);
    config_write(stream, config, run_sections());
    close_text(stream);
    stream = open_text(&changes, &size);
    if (comm_rank() == 0) {
        write_changes(stream, config, run);
    }
    close_text(stream);
    struct trainer_options options = {
        .run = run,
        .configuration = configuration,
        .changes = changes,
        .data = data.options,
        .data_weights = config->data.weights,
        .from = config->train.from,
        .observations = config->data.normalize == CONFIG_YES ? TRAINER_OBSERVATIONS_NORMALISED
                                                             : TRAINER_OBSERVATIONS_RAW,
        .return_scale = config->data.return_scale,
        .reward_scale = config->data.reward_scale,
        .loader = {.chain = config_chain_sampler(config),
                   .is_verified = config->data.verify == CONFIG_YES,
                   .contexts = config->train.contexts,
                   .micro_batch = config->train.micro_batch,
                   .loss = (enum loader_loss)config->chain.loss,
                   .reward_mask = {config->chain.rewarded_trials},
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
        .evaluate_every = config->train.evaluate_every,
        .rollouts = {.self = config,
                     .check = check_rollouts,
                     .play = config->train.evaluate_contexts > 0 ? play_last_trial : NULL},
    };
    enum exit_code code = trainer_run(&options);
    memory_free(configuration);
    memory_free(changes);
    return code;
}

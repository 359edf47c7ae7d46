#include "cli/commands.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/config_map.h"
#include "cli/config_stores.h"
#include "comm/comm.h"
#include "eval/evaluation.h"
#include "eval/recorded.h"

/* Where the JSON goes: beside the checkpoints unless another place is named. */
static bool find_output(char path[FILE_PATH_MAX], const struct config *config, const char *run,
                        struct failure *failure)
{
    const char *output = config->eval.output;
    snprintf(path, FILE_PATH_MAX, "%s", output);
    return output[0] != '\0' ? file_make_parent(output, failure)
                             : file_join(path, run, "evaluation.json", failure);
}

/* A full disk or a closed pipe must not pass for a table. */
static void check_printed(struct failure *failure)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        failure_set(failure, EXIT_CODE_IO, "standard output: the scores cannot be written");
    }
}

/* The table, or the JSON, on standard output; the JSON also into a file. */
static void report(const struct config *config, const struct evaluation_result *result,
                   const char *path, struct failure *failure)
{
    if (config->eval.format == CONFIG_FORMAT_JSON) {
        evaluation_print_json(stdout, result);
    } else {
        evaluation_print_text(stdout, result);
    }
    check_printed(failure);
    if (evaluation_write_json(path, result, failure)) {
        log_line("eval: %s has every trial's return", path);
    }
}

static void predict_recorded(const struct config *config, const char *run)
{
    struct failure failure = {0};
    struct learner_options learner = config_learner_options(config);
    struct config_stores data;
    learner.dtype = config_eval_dtype(config);
    learner_choose_kernels(&learner);
    config_stores_of_eval(&data, config, &failure);
    comm_agree(&failure);
    const struct recorded_options options = {
        .run = run,
        .checkpoint = config->eval.checkpoint,
        .data = data.options,
        .part = (enum recorded_part)config->eval.part,
        .chain = config_chain_sampler(config),
        .attention = learner.attention,
        .dtype = learner.dtype,
        .product_dtype = learner.product_dtype,
        .loss = config->chain.loss == LOADER_LOSS_LABEL ? LOADER_LOSS_LABEL : LOADER_LOSS_ALL,
        .contexts = config->eval.contexts,
        .threads = config->eval.threads,
        .seed = config->eval.seed,
    };
    struct recorded_result *result = memory_take(1, sizeof *result);
    recorded_run(result, &options);
    if (comm_rank() == 0 && config->eval.format == CONFIG_FORMAT_JSON) {
        recorded_print_json(stdout, result, config->eval.store);
    } else if (comm_rank() == 0) {
        recorded_print_text(stdout, result, config->eval.store);
    }
    if (comm_rank() == 0) {
        check_printed(&failure);
    }
    comm_agree(&failure);
    memory_free(result);
}

enum exit_code command_eval(const struct config *config, const char *subject)
{
    if (config->eval.store[0] != '\0') {
        predict_recorded(config, subject);
        return EXIT_CODE_DONE;
    }
    struct failure failure = {0};
    struct evaluation_result *result = memory_take(1, sizeof *result);
    struct evaluation_options *options = memory_take(1, sizeof *options);
    char path[FILE_PATH_MAX];
    if (comm_rank() == 0) {
        find_output(path, config, subject, &failure);
    }
    config_evaluation_options(options, config, subject, &failure);
    comm_agree(&failure);
    evaluation_run(options, result);
    if (comm_rank() == 0) {
        report(config, result, path, &failure);
    }
    comm_agree(&failure);
    evaluation_close(result);
    memory_free(options);
    memory_free(result);
    return EXIT_CODE_DONE;
}

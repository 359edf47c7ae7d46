#include "cli/commands.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/config_behaviour.h"
#include "comm/comm.h"
#include "datasets/jobs/collector.h"

static void print_collection(const struct collector_summary *summary,
                             const struct collector_options *options, struct failure *failure)
{
    if (summary->redrawn > 0) {
        log_warning("%s: %zu episodes became unstable in simulation and were drawn again",
                    options->path, summary->redrawn);
    }
    if (summary->cut > 0) {
        log_warning("%s: %zu episodes became unstable in simulation and end before that",
                    options->path, summary->cut);
    }
    collector_print(stdout, summary, options->path);
    if (options->expert.task) {
        printf("labels: %s\n", options->expert.behaviour->source);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        failure_set(failure, EXIT_CODE_IO, "standard output: the summary cannot be written");
    }
}

static void collect_store(const struct collector_options *options)
{
    struct failure failure = {0};
    struct collector_summary summary;
    if (comm_rank() == 0) {
        file_make_parent(options->path, &failure);
    }
    comm_agree(&failure);
    if (collector_run(options, &summary, &failure) && comm_rank() == 0) {
        print_collection(&summary, options, &failure);
    }
    comm_agree(&failure);
}

enum exit_code command_collect(const struct config *config, const char *subject)
{
    (void)subject;
    const struct config_collect *collect = &config->collect;
    struct failure failure = {0};
    struct config_behaviour *acting = memory_take(1, sizeof *acting);
    struct config_behaviour *expert = memory_take(1, sizeof *expert);
    struct env_task *task =
        env_task_open_by(collect->task, (enum inertia_rule)collect->inertia, &failure);
    comm_agree(&failure);
    config_behaviour_open(acting, task, config);
    struct collector_options options = {
        .task = task,
        .behaviour = &acting->behaviour,
        .groups = collect->groups,
        .episodes = collect->episodes,
        .seed = collect->seed,
        .path = collect->output,
    };
    if (collect->label[0] != '\0') {
        config_expert_open(expert, CONFIG_OPTION_collect_label, task, config);
        options.expert = (struct expert){task, &expert->behaviour};
    }
    collect_store(&options);
    config_behaviour_close(expert);
    config_behaviour_close(acting);
    memory_free(expert);
    memory_free(acting);
    env_task_close(task);
    return EXIT_CODE_DONE;
}

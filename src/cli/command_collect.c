#include "cli/commands.h"

#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "comm/comm.h"
#include "datasets/collector.h"

static void print_summary(const struct collector_summary *summary, const char *path)
{
    printf("%s: %zu episodes, %zu steps, mean return %.2f", path, summary->episodes, summary->steps,
           summary->return_mean);
    if (!isnan(summary->return_error)) {
        printf(" ± %.2f", summary->return_error);
    }
    printf(", largest %.2f\n", summary->return_max);
    printf("mean return by skill, from the lowest:");
    for (size_t rung = 0; rung < summary->rungs; rung++) {
        printf(" %.2f", summary->rung_return[rung]);
    }
    printf("\n");
}

enum exit_code command_collect(const struct config *config, const char *subject)
{
    (void)subject;
    struct failure failure = {0};
    struct collector_summary summary;
    struct collector_options options = {
        .task = config->collect.task,
        .policy = (enum collector_policy)config->collect.policy,
        .inertia = (enum inertia_rule)config->collect.inertia,
        .groups = config->collect.groups,
        .episodes = config->collect.episodes,
        .noise = config->collect.noise,
        .seed = config->collect.seed,
        .path = config->collect.output,
    };
    if (comm_rank() == 0 && file_make_parent(options.path, &failure) &&
        collector_run(&options, &summary, &failure)) {
        print_summary(&summary, options.path);
    }
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}

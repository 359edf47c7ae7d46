#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "cli/config_map.h"
#include "comm/comm.h"

static const struct {
    const char *name;
    void (*run)(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure);
    bool can_save;
} benches[] = {
    {"step", bench_step, true},          {"attention", bench_attention, true},
    {"decode", bench_decode, false},     {"peak", bench_peak, false},
    {"ring", bench_ring, false},         {"data", bench_data, false},
    {"envs", bench_environments, false},
};

enum exit_code command_bench(const struct config *config, const char *subject)
{
    enum { BENCHES = sizeof benches / sizeof benches[0] };
    struct failure failure = {0};
    struct table_printer printer = {
        .stream = comm_rank() == 0 ? stdout : NULL,
        .is_json = config->bench.format == CONFIG_FORMAT_JSON,
    };
    struct bench_options options = {
        .length = config->bench.length,
        .contexts = config->bench.contexts,
        .tasks = config->bench.tasks,
        .save = config->bench.save,
        .learner = config_learner_options(config),
        .ring = config->mesh.ring,
        .node_ranks = config->mesh.node_ranks,
        .threads = comm_threads(config->mesh.threads),
        .repeats = config->bench.repeats,
    };
    options.learner.dtype = config_dtype(config->bench.precision);
    learner_choose_kernels(&options.learner);
    size_t bench = 0;
    while (bench < BENCHES && strcmp(subject, benches[bench].name) != 0) {
        bench++;
    }
    if (bench == BENCHES) {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "bench: found \"%s\", expected step, attention, decode, peak, ring, data or "
                    "envs",
                    subject);
    } else if (benches[bench].can_save && options.save[0] != '\0' && comm_size() > 1) {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "bench.save: found %zu ranks, expected one; leave scripts/mpi out",
                    comm_size()); /* what one rank saves others cannot */
    }
    comm_agree(&failure);
    if (bench < BENCHES) {
        benches[bench].run(&printer, &options, &failure);
    }
    table_finish(&printer);
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}

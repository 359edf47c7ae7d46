#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "bench/attention.h"
#include "bench/data.h"
#include "bench/decode.h"
#include "bench/environments.h"
#include "bench/peak.h"
#include "bench/ring.h"
#include "bench/step.h"
#include "cli/config_map.h"
#include "comm/comm.h"

static struct bench_attention_options attention_options(const struct config *config)
{
    return (struct bench_attention_options){
        .length = config->bench.length,
        .width = config->model.width,
        .heads = config->model.heads,
        .kernel = (enum attention_choice)config->attention.kernel,
        .query_block = config->attention.query_block,
        .key_block = config->attention.key_block,
        .rule = (enum partition_rule)config->mesh.split,
        .wire = (enum ring_wire)config->mesh.comm_dtype,
        .neighbours = config->mesh.node_ranks,
        .threads = comm_threads(config->mesh.threads),
        .repeats = config->bench.repeats,
    };
}

/* Whether there is something to save; what one rank saves others cannot. */
static bool is_saved(const struct config *config, struct failure *failure)
{
    if (config->bench.save[0] != '\0' && comm_size() > 1) {
        failure_set(failure, EXIT_CODE_USAGE,
                    "bench.save: found %zu ranks, expected one; leave scripts/mpi out",
                    comm_size());
    }
    comm_agree(failure);
    return config->bench.save[0] != '\0';
}

static void bench_attention(const struct config *config, struct failure *failure)
{
    struct bench_attention_options options = attention_options(config);
    if (is_saved(config, failure)) {
        bench_attention_save(config->bench.save, &options, failure);
    }
    comm_agree(failure);
    struct bench_attention result = bench_attention_run(&options);
    if (comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_attention_print_json(stdout, &result);
    } else {
        bench_attention_print_text(stdout, &result);
    }
}

static void bench_step(const struct config *config, struct failure *failure)
{
    struct bench_step_options options = {
        .length = config->bench.length,
        .learner = config_learner_options(config),
        .ring = config->mesh.ring,
        .neighbours = config->mesh.node_ranks,
        .threads = comm_threads(config->mesh.threads),
        .repeats = config->bench.repeats,
    };
    if (is_saved(config, failure)) {
        bench_step_save(config->bench.save, &options, failure);
    }
    comm_agree(failure);
    struct bench_step result;
    if (!bench_step_run(&result, &options, failure) || comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_step_print_json(stdout, &result);
    } else {
        bench_step_print_text(stdout, &result);
    }
}

static void bench_decode(const struct config *config, struct failure *failure)
{
    struct bench_decode_options options = {
        .contexts = config->bench.contexts,
        .length = config->bench.length,
        .shape = config_learner_options(config).shape,
        .kernel = (enum attention_choice)config->attention.kernel,
        .threads = config->mesh.threads,
        .repeats = config->bench.repeats,
    };
    struct bench_decode result;
    if (!bench_decode_run(&result, &options, failure) || comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_decode_print_json(stdout, &result);
    } else {
        bench_decode_print_text(stdout, &result);
    }
}

static void bench_ring(const struct config *config)
{
    struct bench_attention_options options = attention_options(config);
    struct bench_ring result = bench_ring_run(&options);
    if (comm_rank() == 0 && config->bench.format == CONFIG_FORMAT_JSON) {
        bench_ring_print_json(stdout, &result);
    } else if (comm_rank() == 0) {
        bench_ring_print_text(stdout, &result);
    }
    bench_ring_close(&result);
}

static void bench_environments(const struct config *config, struct failure *failure)
{
    struct bench_environments_options options = {
        .tasks = config->bench.tasks,
        .threads = config->mesh.threads,
        .repeats = config->bench.repeats,
    };
    struct bench_environments result;
    if (!bench_environments_run(&result, &options, failure) || comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_environments_print_json(stdout, &result);
    } else {
        bench_environments_print_text(stdout, &result);
    }
}

static void bench_data(const struct config *config, struct failure *failure)
{
    struct bench_data_options options = {
        .rule = (enum partition_rule)config->mesh.split,
        .repeats = config->bench.repeats,
    };
    struct bench_data result;
    if (!bench_data_run(&result, &options, failure) || comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_data_print_json(stdout, &result);
    } else {
        bench_data_print_text(stdout, &result);
    }
}

static void bench_peak(const struct config *config, struct failure *failure)
{
    struct bench_peak_options options = {
        .threads = config->mesh.threads,
        .repeats = config->bench.repeats,
    };
    struct bench_peak result;
    if (!bench_peak_run(&result, &options, failure) || comm_rank() > 0) {
        return;
    }
    if (config->bench.format == CONFIG_FORMAT_JSON) {
        bench_peak_print_json(stdout, &result);
    } else {
        bench_peak_print_text(stdout, &result);
    }
}

enum exit_code command_bench(const struct config *config, const char *subject)
{
    struct failure failure = {0};
    if (strcmp(subject, "step") == 0) {
        bench_step(config, &failure);
    } else if (strcmp(subject, "attention") == 0) {
        bench_attention(config, &failure);
    } else if (strcmp(subject, "decode") == 0) {
        bench_decode(config, &failure);
    } else if (strcmp(subject, "peak") == 0) {
        bench_peak(config, &failure);
    } else if (strcmp(subject, "ring") == 0) {
        bench_ring(config);
    } else if (strcmp(subject, "envs") == 0) {
        bench_environments(config, &failure);
    } else if (strcmp(subject, "data") == 0) {
        bench_data(config, &failure);
    } else {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "bench: found \"%s\", expected step, attention, decode, peak, ring, data or "
                    "envs",
                    subject);
    }
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}

#include "cli/commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/config_behaviour.h"
#include "comm/comm.h"
#include "datasets/jobs/convert.h"

static void print_conversion(const struct convert_summary *summary,
                             const struct convert_options *options)
{
    const struct store_spec *spec = &summary->spec;
    printf("%s: %zu episodes, %zu steps of %s from %s, %.0f MB in %.1f s\n", options->output,
           summary->episodes, summary->steps, spec->domain, summary->format,
           1e-6 * (double)summary->bytes, summary->seconds);
    printf("rewards:");
    for (size_t k = 0; k < spec->task_count; k++) {
        printf("%s %s (%s)", k > 0 ? "," : "", spec->tasks[k], spec->reward_source[k]);
    }
    printf("\n");
    if (spec->has_label) {
        printf("labels: %s\n",
               options->expert.task ? options->expert.behaviour->source : "as recorded");
    }
}

/* What the producer's actions have become. */
static void print_actions(const struct action_space *space)
{
    if (space->kind == ACTION_CATEGORICAL) {
        printf("actions: discrete,");
        for (size_t k = 0; k < space->categorical_count; k++) {
            printf("%s %zu", k > 0 ? " and" : "", space->categories[k]);
        }
        printf(" categories, one-hot in the store\n");
        return;
    }
    double low = space->low[0], high = space->high[0];
    bool is_scaled = false;
    for (size_t i = 0; i < space->dim; i++) {
        low = fmin(low, space->low[i]);
        high = fmax(high, space->high[i]);
        is_scaled = is_scaled || space->low[i] != -1.0 || space->high[i] != 1.0;
    }
    if (is_scaled) {
        printf("actions: scaled to [-1, 1] from their bounds, %g to %g\n", low, high);
    }
}

/* Where the store differs from the input. */
static void print_conversion_changes(const struct convert_summary *summary,
                                     enum convert_partial partial)
{
    print_actions(&summary->spec.actions);
    if (summary->clipped > 0) {
        printf("actions: %zu of %zu numbers lay outside their bounds and were clipped\n",
               summary->clipped, summary->numbers);
    }
    if (summary->partial > 0) {
        printf("partial: %zu episodes that the input cuts off were %s\n", summary->partial,
               partial == CONVERT_KEEP_PARTIAL ? "kept" : "dropped");
    }
    if (summary->bad > 0) {
        printf("bad: %zu episodes were dropped, the first because: %s\n", summary->bad,
               summary->first_bad);
    }
}

/* The task whose expert labels the episodes: the one that they are relabelled for, or the store's
 * first. */
static struct env_task *open_label_task(const struct config_convert *convert, const char *input,
                                        struct failure *failure)
{
    char task[STORE_NAME_MAX] = "";
    if (convert->relabel[0] != '\0') {
        snprintf(task, sizeof task, "%.*s", (int)strcspn(convert->relabel, ","), convert->relabel);
    } else {
        struct store *store = store_open(input, failure);
        if (!store) {
            return NULL;
        }
        snprintf(task, sizeof task, "%s", store_spec(store)->tasks[0]);
        store_close(store);
    }
    return env_task_open_by(task, (enum inertia_rule)convert->inertia, failure);
}

/* NULL where there are to be no labels. Collective over the job. */
static struct env_task *open_expert(struct config_behaviour *expert, const struct config *config,
                                    const char *input)
{
    struct failure failure = {0};
    struct env_task *task = NULL;
    if (config->convert.label[0] != '\0') {
        task = open_label_task(&config->convert, input, &failure);
        comm_agree(&failure);
        config_expert_open(expert, CONFIG_OPTION_convert_label, task, config);
    }
    return task;
}

static void convert_to_store(const struct config *config, const char *input, const char *output,
                             struct failure *failure)
{
    struct config_behaviour *expert = memory_take(1, sizeof *expert);
    struct env_task *task = open_expert(expert, config, input);
    struct convert_options options = {
        .input = input,
        .format = config->convert.from,
        .output = output,
        .relabel = config->convert.relabel,
        .convention = (enum relabel_convention)config->convert.convention,
        .inertia = (enum inertia_rule)config->convert.inertia,
        .expert = {.task = task, .behaviour = &expert->behaviour},
        .tasks = config->convert.task,
        .domain = config->convert.domain,
        .source = config->convert.source,
        .control_timestep = config->convert.timestep,
        .action_low = config->convert.action_low,
        .action_high = config->convert.action_high,
        .actions = (enum convert_actions)config->convert.actions,
        .reading = {.episode_steps_max = config->convert.episode_steps,
                    .observation_keys = config->convert.observation_keys,
                    .action_counts = config->convert.action_counts},
        .partial = (enum convert_partial)config->convert.partial,
        .bad = config->convert.skip_bad == CONFIG_YES ? CONVERT_SKIP_BAD : CONVERT_REFUSE_BAD,
    };
    struct convert_summary summary;
    if (convert_run(&summary, &options, failure) && comm_rank() == 0) {
        print_conversion(&summary, &options);
        print_conversion_changes(&summary, options.partial);
    }
    config_behaviour_close(expert);
    memory_free(expert);
    env_task_close(task);
}

/* The first option that an export would ignore; NULL where there is none. */
static const char *option_for_stores(const struct config_convert *convert)
{
    const struct {
        const char *name;
        bool is_set;
    } options[] = {
        {"relabel", convert->relabel[0] != '\0'},
        {"label", convert->label[0] != '\0'},
        {"task", convert->task[0] != '\0'},
        {"domain", convert->domain[0] != '\0'},
        {"source", convert->source[0] != '\0'},
        {"timestep", convert->timestep != 0.0},
        {"episode_steps", convert->episode_steps != 0},
        {"partial", convert->partial != CONVERT_DROP_PARTIAL},
        {"actions", convert->actions != CONVERT_SCALE_ACTIONS},
        {"action_low", convert->action_low[0] != '\0'},
        {"action_high", convert->action_high[0] != '\0'},
        {"action_counts", convert->action_counts[0] != '\0'},
        {"observation_keys", convert->observation_keys[0] != '\0'},
        {"skip_bad", convert->skip_bad == CONFIG_YES},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (options[i].is_set) {
            return options[i].name;
        }
    }
    return NULL;
}

static void convert_from_store(const struct config *config, const char *input, const char *output,
                               struct failure *failure)
{
    const char *ignored = option_for_stores(&config->convert);
    if (ignored) {
        failure_set(
            failure, EXIT_CODE_CONFIG,
            "convert.%s: found it with convert.to=%s, expected none, as a store is exported "
            "as it is; make another store with it first, and export that",
            ignored, config->convert.to);
        return;
    }
    const struct format_writer *writer = format_find_writer(config->convert.to, failure);
    struct store *store = writer ? store_open(input, failure) : NULL;
    if (!store) {
        return;
    }
    if (writer->write(output, store, failure)) {
        printf("%s: %zu episodes, %zu steps of %s for %s\n", output, store_episode_count(store),
               store_step_count(store), store_spec(store)->domain, writer->name);
    }
    store_close(store);
}

/* The path of a folder may end with slashes. */
static void copy_without_last_slashes(char *path, size_t size, const char *named)
{
    snprintf(path, size, "%s", named);
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--) {
        path[length - 1] = '\0';
    }
}

enum exit_code command_convert(const struct config *config, const char *subject)
{
    struct failure failure = {0};
    char output[CONFIG_TEXT_SIZE];
    copy_without_last_slashes(output, sizeof output, config->convert.output);
    if (output[0] == '\0') {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "convert: found no --convert.output, expected the path of what to write");
    } else if (comm_rank() == 0) {
        file_make_parent(output, &failure);
    }
    comm_agree(&failure);
    if (config->convert.to[0] == '\0') {
        convert_to_store(config, subject, output, &failure);
    } else if (comm_rank() == 0) {
        convert_from_store(config, subject, output, &failure);
    }
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}

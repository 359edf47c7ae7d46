/* What Python tests of formats need: `read FORMAT PATH STEPS_MAX [KEYS [COUNTS]]` prints what a
 * format makes of a path, as lines of JSON: first the spec, then each episode. An episode that is
 * bad is a line of its own; a source that cannot be opened is the one line and the exit code, as in
 * the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/formats/format.h"

/* Nine and seventeen digits bring every number back. */
static void print_singles(const char *name, const float *numbers, size_t count)
{
    printf(", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        printf("%s%.9g", i > 0 ? ", " : "", (double)numbers[i]);
    }
    printf("]");
}

static void print_doubles(const char *name, const double *numbers, size_t count)
{
    printf(", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        printf("%s%.17g", i > 0 ? ", " : "", numbers[i]);
    }
    printf("]");
}

static void print_spec(const struct store_spec *spec, size_t episodes)
{
    printf("{\"episodes\": %zu, \"observation\": %zu, \"action\": %zu, \"physics\": %zu, "
           "\"hidden\": %zu, \"timestep\": %.17g, \"domain\": \"%s\", \"simulator\": \"%s\", "
           "\"source\": \"%s\", \"tasks\": [",
           episodes, spec->observation_dim, spec->action_dim, spec->physics_dim, spec->hidden_dim,
           spec->control_timestep, spec->domain, spec->simulator, spec->source);
    for (size_t k = 0; k < spec->task_count; k++) {
        printf("%s[\"%s\", \"%s\"]", k > 0 ? ", " : "", spec->tasks[k], spec->reward_source[k]);
    }
    printf("]");
    if (spec->actions.kind == ACTION_CONTINUOUS) {
        print_doubles("low", spec->actions.low, spec->actions.dim);
        print_doubles("high", spec->actions.high, spec->actions.dim);
    }
    printf(", \"counts\": [");
    for (size_t k = 0; k < spec->actions.categorical_count; k++) {
        printf("%s%zu", k > 0 ? ", " : "", spec->actions.categories[k]);
    }
    printf("], \"kinds\": [");
    for (size_t k = 0; k < spec->key_count; k++) {
        printf("%s%d", k > 0 ? ", " : "", (int)spec->keys[k].kind);
    }
    printf("], \"keys\": [");
    for (size_t k = 0; k < spec->key_count; k++) {
        printf("%s[\"%s\", %zu]", k > 0 ? ", " : "", spec->keys[k].name, spec->keys[k].dim);
    }
    printf("]}\n");
}

static void print_episode(const struct store_spec *spec, const struct format_episode *episode)
{
    const struct store_episode *data = &episode->data;
    size_t length = data->length;
    printf("{\"name\": \"%s\", \"length\": %zu, \"end\": %d, \"group\": %lld, \"partial\": %d",
           episode->name, length, (int)data->end, (long long)data->group, episode->is_partial);
    print_singles("observation", data->observation, (length + 1) * spec->observation_dim);
    print_singles("action", data->action, length * spec->action_dim);
    for (size_t k = 0; k < spec->task_count; k++) {
        print_singles(spec->tasks[k], data->reward[k], length);
    }
    print_doubles("physics", data->physics, (length + 1) * spec->physics_dim);
    print_doubles("hidden", data->hidden, spec->hidden_dim);
    printf("}\n");
}

static void read_all(const struct format_reader *format, const char *path,
                     const struct format_options *options, struct failure *failure)
{
    struct store_spec spec;
    void *source = format->open(path, options, &spec, failure);
    if (!source) {
        return;
    }
    size_t count = format->episode_count(source);
    print_spec(&spec, count);
    for (size_t i = 0; i < count && failure->code == EXIT_CODE_DONE; i++) {
        struct format_episode episode;
        struct failure bad = {0};
        if (format->read(source, i, &episode, &bad)) {
            print_episode(&spec, &episode);
        } else if (bad.code == EXIT_CODE_DATA) {
            printf("{\"bad\": \"%s\"}\n", bad.text);
        } else {
            *failure = bad;
        }
    }
    format->close(source);
}

int main(int count, char **arguments)
{
    struct failure failure = {0};
    if (count >= 5 && count <= 7 && strcmp(arguments[1], "read") == 0) {
        const struct format_reader *format =
            format_find_reader(arguments[3], arguments[2], &failure);
        const struct format_options options = {
            .episode_steps_max = strtoull(arguments[4], NULL, 10),
            .observation_keys = count >= 6 ? arguments[5] : "",
            .action_counts = count == 7 ? arguments[6] : "",
        };
        if (format) {
            read_all(format, arguments[3], &options, &failure);
        }
    } else {
        failure_set(&failure, EXIT_CODE_USAGE,
                    "expected: read FORMAT PATH STEPS_MAX [KEYS [COUNTS]]");
    }
    fatal_if_failed(&failure);
    return 0;
}

#include "datasets/inspect.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/report.h"
#include "datasets/statistics.h"
#include "datasets/store_format.h"
#include "datasets/store_verify.h"

enum { PERCENTILES = 5, BINS = 10, BAR_WIDTH = 40, ENDS = 3 };
static const struct {
    const char *name;
    double percent;
} percentiles[PERCENTILES] = {{"5", 5}, {"25", 25}, {"50", 50}, {"75", 75}, {"95", 95}};
static const char *const end_names[ENDS] = {
    [STORE_END_UNKNOWN] = "unknown",
    [STORE_END_TERMINATED] = "terminated",
    [STORE_END_TRUNCATED] = "truncated",
};

struct returns {
    struct statistics all;
    double percentiles[PERCENTILES];
    size_t bins[BINS]; /* histogram over equal parts of [minimum, maximum] */
};

struct description {
    const struct store *store;
    const struct store_spec *spec;
    uint64_t bytes;
    size_t episodes, groups;
    size_t group_min, group_max; /* episodes of the smallest and the largest group */
    size_t length_min;
    size_t ends[ENDS];
    struct returns returns[STORE_TASKS_MAX];
    struct statistics sources[STORE_SOURCES_MAX]; /* returns of each one's, in the first task */
};

/* --- Gathering -------------------------------------------------------------------------------- */

/* The number of groups and their sizes. */
static void describe_groups(struct description *description)
{
    struct chain_catalog catalog;
    chain_catalog_open(&catalog, description->store, 0.0, CHAIN_TRAINED);
    description->groups = catalog.group_count;
    description->group_max = chain_catalog_largest_group(&catalog);
    description->group_min = description->group_max;
    for (size_t g = 0; g < catalog.group_count; g++) {
        size_t size = catalog.starts[g + 1] - catalog.starts[g];
        description->group_min = size_min(size, description->group_min);
    }
    chain_catalog_close(&catalog);
}

static void describe_episodes(struct description *description)
{
    description->length_min = store_length_max(description->store);
    for (size_t e = 0; e < description->episodes; e++) {
        size_t length = store_length(description->store, e);
        description->length_min = size_min(length, description->length_min);
        description->ends[store_ending(description->store, e)]++;
    }
}

/* Halves, so that the width of the widest range is finite. */
static size_t bin_of(double value, const struct statistics *returns)
{
    double width = returns->maximum / 2 - returns->minimum / 2;
    if (!(width > 0.0)) {
        return 0;
    }
    size_t bin = (size_t)((value / 2 - returns->minimum / 2) / width * BINS);
    return size_min(bin, BINS - 1);
}

static void describe_returns(struct returns *returns, double *values, size_t count)
{
    statistics_sort(values, count);
    returns->all = statistics_of(values, count);
    for (size_t i = 0; i < count; i++) {
        returns->bins[bin_of(values[i], &returns->all)]++;
    }
    for (size_t p = 0; p < PERCENTILES; p++) {
        returns->percentiles[p] = statistics_percentile(values, count, percentiles[p].percent);
    }
}

static bool describe_contents(struct description *description, const struct store *store,
                              struct failure *failure)
{
    struct stat status;
    *description = (struct description){
        .store = store,
        .spec = store_spec(store),
        .episodes = store_episode_count(store),
    };
    if (stat(store_path(store), &status) != 0) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: no longer there (%s), expected the file just opened; leave it "
                           "alone and start again",
                           store_path(store), strerror(errno));
    }
    description->bytes = (uint64_t)status.st_size;
    describe_groups(description);
    describe_episodes(description);
    double *values = memory_take(description->episodes, sizeof *values);
    for (size_t k = 0; k < description->spec->task_count; k++) {
        size_t count = report_returns(values, store, k, 0, SIZE_MAX);
        describe_returns(&description->returns[k], values, count);
    }
    for (size_t i = 0; i < description->spec->source_count; i++) {
        size_t count = report_returns(values, store, 0, i, i + 1);
        description->sources[i] = statistics_of(values, count);
    }
    memory_free(values);
    return true;
}

/* --- Text ------------------------------------------------------------------------------------- */

static void print_size(FILE *out, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 1024.0 && unit < 4) {
        amount /= 1024.0;
        unit++;
    }
    fprintf(out, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
}

static bool has_same_bounds(const struct action_space *actions)
{
    for (size_t i = 1; i < actions->dim; i++) {
        if (actions->low[i] != actions->low[0] || actions->high[i] != actions->high[0]) {
            return false;
        }
    }
    return true;
}

/* What the numbers of an action mean; bounds that all share are said once. */
static void print_action_space(FILE *out, const struct store_spec *spec)
{
    char text[ACTION_SPACE_TEXT_SIZE];
    const struct action_space *actions = &spec->actions;
    action_space_print(actions, text);
    fprintf(out, "  actions      %s", text);
    size_t said = has_same_bounds(actions) ? 1 : actions->dim;
    for (size_t i = 0; actions->kind == ACTION_CONTINUOUS && i < said; i++) {
        fprintf(out, "%s %g to %g", i == 0 ? ", from" : ",", actions->low[i], actions->high[i]);
    }
    fprintf(out, "%s\n", spec->has_label ? ", with labels" : "");
}

static void print_keys(FILE *out, const struct store_spec *spec)
{
    if (spec->key_count == 0) {
        return;
    }
    fprintf(out, "  keys         ");
    for (size_t k = 0; k < spec->key_count; k++) {
        const struct store_key *key = &spec->keys[k];
        fprintf(out, "%s%s (%s, %zu)", k == 0 ? "" : ", ", key->name, store_key_kinds[key->kind],
                key->dim);
    }
    fprintf(out, "\n");
}

static void print_store_spec(FILE *out, const struct description *description)
{
    const struct store_spec *spec = description->spec;
    fprintf(out, "%s: trajectory store, version %d, ", store_path(description->store),
            store_version(description->store));
    print_size(out, description->bytes);
    fprintf(out, "\n  domain       %s\n", spec->domain);
    fprintf(out, "  simulator    %s\n", spec->simulator);
    fprintf(out, "  source       %s\n", spec->source);
    fprintf(out, "  timestep     %g s\n", spec->control_timestep);
    fprintf(out, "  dimensions   observation %zu, action %zu, physics %zu, hidden %zu\n",
            spec->observation_dim, spec->action_dim, spec->physics_dim, spec->hidden_dim);
    print_action_space(out, spec);
    print_keys(out, spec);
}

static void print_episodes(FILE *out, const struct description *description)
{
    fprintf(out, "  episodes     %zu in %zu group%s", description->episodes, description->groups,
            description->groups == 1 ? ":" : "s");
    if (description->groups > 1) {
        fprintf(out, " of %zu to %zu:", description->group_min, description->group_max);
    }
    const char *separator = " ";
    for (size_t i = 0; i < ENDS; i++) {
        if (description->ends[i] > 0) {
            fprintf(out, "%s%zu %s", separator, description->ends[i],
                    i == STORE_END_UNKNOWN ? "of unknown end" : end_names[i]);
            separator = ", ";
        }
    }
    fprintf(out, "\n  steps        %zu; %zu to %zu per episode\n",
            store_step_count(description->store), description->length_min,
            store_length_max(description->store));
}

/* The ranges of means and deviations over all elements. */
static void print_observations(FILE *out, const struct store *store)
{
    size_t dim = store_spec(store)->observation_dim;
    const double *mean = store_observation_mean(store);
    const double *deviation = store_observation_deviation(store);
    double low = mean[0], high = mean[0], widest = deviation[0];
    for (size_t i = 0; i < dim; i++) {
        low = fmin(low, mean[i]);
        high = fmax(high, mean[i]);
        widest = fmax(widest, deviation[i]);
    }
    fprintf(out, "  observation  means %.4g to %.4g, deviations up to %.4g\n", low, high, widest);
}

/* A bar `eighths` eighths of a character wide, padded to BAR_WIDTH. */
static void print_bar(FILE *out, size_t eighths)
{
    static const char *const blocks[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    for (size_t i = 0; i < BAR_WIDTH; i++) {
        size_t left = eighths > 8 * i ? eighths - 8 * i : 0;
        fputs(blocks[size_min(left, 8)], out);
    }
}

/* One line per bin; the longest bar is BAR_WIDTH wide, and every bin that is not empty has one. */
static void print_histogram(FILE *out, const struct returns *returns)
{
    size_t most = 1;
    for (size_t i = 0; i < BINS; i++) {
        most = size_max(most, returns->bins[i]);
    }
    size_t bins = returns->all.maximum > returns->all.minimum ? BINS : 1;
    for (size_t i = 0; i < bins; i++) {
        double fraction = (double)i / BINS;
        double from = returns->all.minimum * (1 - fraction) + returns->all.maximum * fraction;
        double width = (double)returns->bins[i] / (double)most * 8 * BAR_WIDTH;
        size_t eighths = (size_t)(width + 0.5);
        fprintf(out, "    %12.6g |", from);
        print_bar(out, returns->bins[i] > 0 && eighths == 0 ? 1 : eighths);
        fprintf(out, " %zu\n", returns->bins[i]);
    }
}

static void print_task_returns(FILE *out, const struct description *description, size_t task)
{
    const struct returns *returns = &description->returns[task];
    fprintf(out, "\n  returns of %s (reward: %s)\n", description->spec->tasks[task],
            description->spec->reward_source[task]);
    fprintf(out, "    minimum %.6g  mean %.6g", returns->all.minimum, returns->all.mean);
    if (!isnan(returns->all.error)) {
        fprintf(out, " ± %.3g", returns->all.error);
    }
    fprintf(out, "  maximum %.6g\n    percentiles", returns->all.maximum);
    for (size_t p = 0; p < PERCENTILES; p++) {
        fprintf(out, "  %s: %.6g", percentiles[p].name, returns->percentiles[p]);
    }
    fprintf(out, "\n");
    print_histogram(out, returns);
}

/* The sources and their returns in the first task. */
static void print_sources(FILE *out, const struct description *description)
{
    const struct store_spec *spec = description->spec;
    if (spec->source_count == 0) {
        return;
    }
    fprintf(out, "\n  %-40s %9s %12s %12s %12s\n", "who acted", "episodes", "least", "mean",
            "most");
    for (size_t i = 0; i < spec->source_count; i++) {
        const struct statistics *source = &description->sources[i];
        fprintf(out, "  %-40s %9zu", spec->sources[i], source->count);
        if (source->count > 0) {
            fprintf(out, " %12.6g %12.6g %12.6g", source->minimum, source->mean, source->maximum);
        }
        fprintf(out, "\n");
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void report_actions(json_t *object, const struct store_spec *spec)
{
    const struct action_space *actions = &spec->actions;
    report_text(object, "action_kind", store_action_kinds[actions->kind]);
    if (actions->kind == ACTION_CONTINUOUS) {
        report_numbers(object, "action_low", actions->low, actions->dim);
        report_numbers(object, "action_high", actions->high, actions->dim);
    } else {
        report_counts(object, "action_counts", actions->categories, actions->categorical_count);
    }
    json_object_set_new(object, "action_label", json_boolean(spec->has_label));
}

static json_t *keys_json(const struct store_spec *spec)
{
    json_t *keys = json_array();
    for (size_t k = 0; k < spec->key_count; k++) {
        json_t *key = json_object();
        report_text(key, "name", spec->keys[k].name);
        report_text(key, "kind", store_key_kinds[spec->keys[k].kind]);
        report_count(key, "dim", spec->keys[k].dim);
        json_array_append_new(keys, key);
    }
    return keys;
}

static json_t *store_spec_json(const struct store_spec *spec)
{
    json_t *object = json_object();
    report_text(object, "domain", spec->domain);
    report_text(object, "simulator", spec->simulator);
    report_text(object, "source", spec->source);
    report_number(object, "control_timestep", spec->control_timestep);
    report_count(object, "observation_dim", spec->observation_dim);
    report_count(object, "action_dim", spec->action_dim);
    report_count(object, "physics_dim", spec->physics_dim);
    report_count(object, "hidden_dim", spec->hidden_dim);
    report_actions(object, spec);
    json_object_set_new(object, "observation_keys", keys_json(spec));
    return object;
}

static json_t *sources_json(const struct description *description)
{
    json_t *sources = json_array();
    for (size_t i = 0; i < description->spec->source_count; i++) {
        const struct statistics *source = &description->sources[i];
        json_t *object = json_object();
        report_text(object, "name", description->spec->sources[i]);
        report_count(object, "episodes", source->count);
        report_number(object, "return_mean", source->count > 0 ? source->mean : (double)NAN);
        json_array_append_new(sources, object);
    }
    return sources;
}

static json_t *task_json(const struct description *description, size_t task)
{
    const struct returns *returns = &description->returns[task];
    json_t *points = json_object();
    for (size_t p = 0; p < PERCENTILES; p++) {
        report_number(points, percentiles[p].name, returns->percentiles[p]);
    }
    json_t *object = json_object();
    report_text(object, "name", description->spec->tasks[task]);
    report_text(object, "reward_source", description->spec->reward_source[task]);
    report_number(object, "return_minimum", returns->all.minimum);
    report_number(object, "return_mean", returns->all.mean);
    report_number(object, "return_error", returns->all.error);
    report_number(object, "return_maximum", returns->all.maximum);
    json_object_set_new(object, "return_percentiles", points);
    report_counts(object, "return_histogram", returns->bins, BINS);
    return object;
}

static json_t *description_json(const struct description *description)
{
    const struct store *store = description->store;
    size_t dim = description->spec->observation_dim;
    json_t *ends = json_object();
    for (size_t i = 0; i < ENDS; i++) {
        report_count(ends, end_names[i], description->ends[i]);
    }
    json_t *tasks = json_array();
    for (size_t k = 0; k < description->spec->task_count; k++) {
        json_array_append_new(tasks, task_json(description, k));
    }
    json_t *object = json_object();
    report_text(object, "file", store_path(store));
    report_count(object, "version", (uint64_t)store_version(store));
    report_count(object, "bytes", description->bytes);
    json_object_set_new(object, "spec", store_spec_json(description->spec));
    report_count(object, "episodes", description->episodes);
    report_count(object, "groups", description->groups);
    report_count(object, "group_minimum", description->group_min);
    report_count(object, "group_maximum", description->group_max);
    json_object_set_new(object, "ends", ends);
    report_count(object, "steps", store_step_count(store));
    report_count(object, "length_minimum", description->length_min);
    report_count(object, "length_maximum", store_length_max(store));
    json_object_set_new(object, "sources", sources_json(description));
    report_numbers(object, "observation_mean", store_observation_mean(store), dim);
    report_numbers(object, "observation_deviation", store_observation_deviation(store), dim);
    json_object_set_new(object, "tasks", tasks);
    return object;
}

/* --- Public ----------------------------------------------------------------------------------- */

bool inspect_describe(FILE *out, const struct store *store, enum inspect_form form,
                      struct failure *failure)
{
    struct description description = {0};
    if (!describe_contents(&description, store, failure)) {
        return false;
    }
    if (form == INSPECT_JSON) {
        report_json(out, description_json(&description), REPORT_ALL_DIGITS);
        return report_finish(out, failure);
    }
    print_store_spec(out, &description);
    print_episodes(out, &description);
    print_observations(out, store);
    print_sources(out, &description);
    for (size_t k = 0; k < description.spec->task_count; k++) {
        print_task_returns(out, &description, k);
    }
    return report_finish(out, failure);
}

bool inspect_verify(FILE *out, const struct store *store, enum inspect_form form,
                    struct failure *failure)
{
    size_t episodes = store_episode_count(store);
    struct progress progress = progress_begin("verify", 0, episodes);
    json_t *damaged = json_array();
    struct failure first = {0};
    for (size_t e = 0; e < episodes; e++) {
        struct failure found = {0};
        if (!store_verify(store, e, &found)) {
            failure_set(&first, found.code, "%s", found.text);
            json_array_append_new(damaged, json_integer((json_int_t)e));
            if (form == INSPECT_TEXT) {
                fprintf(out, "%s\n", found.text);
            }
        }
        progress_show(&progress, e + 1, "");
    }
    size_t bad = json_array_size(damaged);
    json_t *object = json_object();
    report_text(object, "file", store_path(store));
    report_count(object, "episodes", episodes);
    json_object_set_new(object, "damaged", damaged);
    if (form == INSPECT_JSON) {
        report_json(out, object, REPORT_ALL_DIGITS);
    } else {
        fprintf(out, "%s: %zu of %zu episodes match their hashes\n", store_path(store),
                episodes - bad, episodes);
        json_decref(object);
    }
    if (bad > 0) {
        failure_set(failure, first.code,
                    "%s: found %zu damaged of %zu episodes, expected none; "
                    "copy the file again or make it again",
                    store_path(store), bad, episodes);
    } else {
        store_verify_attributes(store, failure);
    }
    return report_finish(out, failure) && failure->code == EXIT_CODE_DONE;
}

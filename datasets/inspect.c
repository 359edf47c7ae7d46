#include "datasets/inspect.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/report.h"
#include "datasets/statistics.h"
#include "datasets/store_verify.h"

enum { PERCENTILES = 5, BINS = 10, BAR_WIDTH = 40, ENDS = 3 };
static const double percents[PERCENTILES] = {5, 25, 50, 75, 95};
static const char *const percent_names[PERCENTILES] = {"5", "25", "50", "75", "95"};
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

/* Returns of one source's episodes in the first task. */
struct source_returns {
    size_t episodes;
    double sum, minimum, maximum;
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
    struct source_returns sources[STORE_SOURCES_MAX];
};

/* --- Gathering -------------------------------------------------------------------------------- */

static int compare_groups(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The number of groups and their sizes. */
static void describe_groups(struct description *description)
{
    size_t episodes = description->episodes;
    int64_t *groups = memory_take(episodes, sizeof *groups);
    for (size_t e = 0; e < episodes; e++) {
        groups[e] = store_group(description->store, e);
    }
    qsort(groups, episodes, sizeof *groups, compare_groups);
    description->group_min = episodes;
    for (size_t first = 0, end = 0; first < episodes; first = end) {
        while (end < episodes && groups[end] == groups[first]) {
            end++;
        }
        size_t size = end - first;
        description->groups++;
        description->group_min = size_min(size, description->group_min);
        description->group_max = size_max(size, description->group_max);
    }
    memory_free(groups);
}

static void describe_sources(struct description *description)
{
    for (size_t e = 0; e < description->episodes; e++) {
        struct source_returns *source = &description->sources[store_source(description->store, e)];
        double value = store_return(description->store, 0, e);
        source->minimum = source->episodes == 0 ? value : fmin(source->minimum, value);
        source->maximum = source->episodes == 0 ? value : fmax(source->maximum, value);
        source->sum += value;
        source->episodes++;
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

static void describe_task_returns(struct returns *returns, const struct store *store, size_t task)
{
    size_t episodes = store_episode_count(store);
    double *sorted = memory_take(episodes, sizeof *sorted);
    for (size_t e = 0; e < episodes; e++) {
        sorted[e] = store_return(store, task, e);
    }
    statistics_sort(sorted, episodes);
    returns->all = statistics_of_sorted(sorted, episodes);
    for (size_t e = 0; e < episodes; e++) {
        returns->bins[bin_of(sorted[e], &returns->all)]++;
    }
    for (size_t p = 0; p < PERCENTILES; p++) {
        returns->percentiles[p] = statistics_percentile(sorted, episodes, percents[p]);
    }
    memory_free(sorted);
}

static bool describe_store_contents(struct description *description, const struct store *store,
                                    struct failure *failure)
{
    struct stat status;
    if (stat(store_path(store), &status) != 0) {
        failure_set(failure, EXIT_CODE_IO,
                    "%s: no longer there (%s), expected the file just opened; leave it alone "
                    "and start again",
                    store_path(store), strerror(errno));
        return false;
    }
    *description = (struct description){
        .store = store,
        .spec = store_spec(store),
        .bytes = (uint64_t)status.st_size,
        .episodes = store_episode_count(store),
        .length_min = store_length_max(store),
    };
    describe_groups(description);
    describe_sources(description);
    for (size_t e = 0; e < description->episodes; e++) {
        size_t length = store_length(store, e);
        description->ends[store_ending(store, e)]++;
        if (length < description->length_min) {
            description->length_min = length;
        }
    }
    for (size_t k = 0; k < description->spec->task_count; k++) {
        describe_task_returns(&description->returns[k], store, k);
    }
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
        fprintf(out, "  %s: %.6g", percent_names[p], returns->percentiles[p]);
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
        const struct source_returns *source = &description->sources[i];
        fprintf(out, "  %-40s %9zu", spec->sources[i], source->episodes);
        if (source->episodes > 0) {
            fprintf(out, " %12.6g %12.6g %12.6g", source->minimum,
                    source->sum / (double)source->episodes, source->maximum);
        }
        fprintf(out, "\n");
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *size_json(uint64_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *store_spec_json(const struct store_spec *spec)
{
    json_t *object = json_object();
    json_object_set_new(object, "domain", json_string(spec->domain));
    json_object_set_new(object, "simulator", json_string(spec->simulator));
    json_object_set_new(object, "source", json_string(spec->source));
    json_object_set_new(object, "control_timestep", json_real(spec->control_timestep));
    json_object_set_new(object, "observation_dim", size_json(spec->observation_dim));
    json_object_set_new(object, "action_dim", size_json(spec->action_dim));
    json_object_set_new(object, "physics_dim", size_json(spec->physics_dim));
    json_object_set_new(object, "hidden_dim", size_json(spec->hidden_dim));
    return object;
}

static json_t *sources_json(const struct description *description)
{
    json_t *sources = json_array();
    for (size_t i = 0; i < description->spec->source_count; i++) {
        const struct source_returns *source = &description->sources[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(description->spec->sources[i]));
        json_object_set_new(object, "episodes", size_json(source->episodes));
        json_object_set_new(object, "return_mean",
                            source->episodes > 0 ? json_real(source->sum / (double)source->episodes)
                                                 : json_null());
        json_array_append_new(sources, object);
    }
    return sources;
}

static json_t *numbers_json(const double *numbers, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_real(numbers[i]));
    }
    return array;
}

static json_t *task_json(const struct description *description, size_t task)
{
    const struct returns *returns = &description->returns[task];
    json_t *percentiles = json_object();
    for (size_t p = 0; p < PERCENTILES; p++) {
        json_object_set_new(percentiles, percent_names[p], json_real(returns->percentiles[p]));
    }
    json_t *histogram = json_array();
    for (size_t i = 0; i < BINS; i++) {
        json_array_append_new(histogram, size_json(returns->bins[i]));
    }
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(description->spec->tasks[task]));
    json_object_set_new(object, "reward_source",
                        json_string(description->spec->reward_source[task]));
    json_object_set_new(object, "return_minimum", json_real(returns->all.minimum));
    json_object_set_new(object, "return_mean", json_real(returns->all.mean));
    json_object_set_new(object, "return_error",
                        isnan(returns->all.error) ? json_null() : json_real(returns->all.error));
    json_object_set_new(object, "return_maximum", json_real(returns->all.maximum));
    json_object_set_new(object, "return_percentiles", percentiles);
    json_object_set_new(object, "return_histogram", histogram);
    return object;
}

static json_t *description_json(const struct description *description)
{
    const struct store *store = description->store;
    json_t *ends = json_object();
    for (size_t i = 0; i < ENDS; i++) {
        json_object_set_new(ends, end_names[i], size_json(description->ends[i]));
    }
    json_t *tasks = json_array();
    for (size_t k = 0; k < description->spec->task_count; k++) {
        json_array_append_new(tasks, task_json(description, k));
    }
    json_t *object = json_object();
    json_object_set_new(object, "file", json_string(store_path(store)));
    json_object_set_new(object, "version", json_integer(store_version(store)));
    json_object_set_new(object, "bytes", size_json(description->bytes));
    json_object_set_new(object, "spec", store_spec_json(description->spec));
    json_object_set_new(object, "episodes", size_json(description->episodes));
    json_object_set_new(object, "groups", size_json(description->groups));
    json_object_set_new(object, "group_minimum", size_json(description->group_min));
    json_object_set_new(object, "group_maximum", size_json(description->group_max));
    json_object_set_new(object, "ends", ends);
    json_object_set_new(object, "steps", size_json(store_step_count(store)));
    json_object_set_new(object, "length_minimum", size_json(description->length_min));
    json_object_set_new(object, "length_maximum", size_json(store_length_max(store)));
    json_object_set_new(object, "sources", sources_json(description));
    size_t dim = description->spec->observation_dim;
    json_object_set_new(object, "observation_mean",
                        numbers_json(store_observation_mean(store), dim));
    json_object_set_new(object, "observation_deviation",
                        numbers_json(store_observation_deviation(store), dim));
    json_object_set_new(object, "tasks", tasks);
    return object;
}

/* --- Public ----------------------------------------------------------------------------------- */

bool inspect_describe(FILE *out, const struct store *store, enum inspect_form form,
                      struct failure *failure)
{
    struct description description = {0};
    if (!describe_store_contents(&description, store, failure)) {
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

static json_t *verification_json(const struct store *store, json_t *damaged)
{
    json_t *object = json_object();
    json_object_set_new(object, "file", json_string(store_path(store)));
    json_object_set_new(object, "episodes", size_json(store_episode_count(store)));
    json_object_set_new(object, "damaged", damaged);
    return object;
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
            json_array_append_new(damaged, size_json(e));
            if (form == INSPECT_TEXT) {
                fprintf(out, "%s\n", found.text);
            }
        }
        progress_show(&progress, e + 1, "");
    }
    size_t bad = json_array_size(damaged);
    if (form == INSPECT_JSON) {
        report_json(out, verification_json(store, damaged), REPORT_ALL_DIGITS);
    } else {
        fprintf(out, "%s: %zu of %zu episodes match their hashes\n", store_path(store),
                episodes - bad, episodes);
        json_decref(damaged);
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

#include <math.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/jobs/collector.h"
#include "datasets/report.h"

static const double percents[COLLECTOR_PERCENTILES] = {10, 25, 50, 75, 90};

void collector_summarise(struct collector_summary *summary, const struct store *store)
{
    const struct store_spec *spec = store_spec(store);
    size_t sources = spec->source_count;
    size_t levels = size_min(sources, COLLECTOR_LEVELS_MAX);
    double *returns = memory_take(store_episode_count(store), sizeof *returns);
    *summary = (struct collector_summary){.steps = store_step_count(store), .level_count = levels};
    for (size_t i = 0; i < levels; i++) {
        size_t first = divide_up(i * sources, levels);
        size_t end = divide_up((i + 1) * sources, levels);
        size_t count = report_returns(returns, store, 0, first, end);
        statistics_sort(returns, count);
        summary->levels[i].returns = statistics_of(returns, count);
        snprintf(summary->levels[i].name, STORE_NAME_MAX, "%s", spec->sources[first]);
    }
    size_t count = report_returns(returns, store, 0, 0, SIZE_MAX);
    statistics_sort(returns, count);
    summary->all = statistics_of(returns, count);
    for (size_t i = 0; i < COLLECTOR_PERCENTILES; i++) {
        summary->percentiles[i] = statistics_percentile(returns, count, percents[i]);
    }
    memory_free(returns);
}

static void print_level(FILE *stream, const char *name, const struct statistics *returns)
{
    fprintf(stream, "%-28s %8zu %9.2f", name, returns->count, returns->mean);
    if (isnan(returns->error)) {
        fprintf(stream, "%10s", "");
    } else {
        fprintf(stream, " ± %-7.2f", returns->error);
    }
    fprintf(stream, " %9.2f %9.2f\n", returns->minimum, returns->maximum);
}

void collector_print(FILE *stream, const struct collector_summary *summary, const char *path)
{
    fprintf(stream, "%s: %zu episodes, %zu steps\n", path, summary->all.count, summary->steps);
    fprintf(stream, "percentiles of return:");
    for (size_t i = 0; i < COLLECTOR_PERCENTILES; i++) {
        fprintf(stream, "%s %g%%: %.2f", i > 0 ? "," : "", percents[i], summary->percentiles[i]);
    }
    fprintf(stream, "\n\n%-28s %8s %9s %18s %9s\n", summary->level_count > 1 ? "from level" : "",
            "episodes", "mean", "smallest", "largest");
    for (size_t i = 0; i < summary->level_count; i++) {
        print_level(stream, summary->levels[i].name, &summary->levels[i].returns);
    }
    if (summary->level_count > 1) {
        print_level(stream, "all", &summary->all);
    }
}

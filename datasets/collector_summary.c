#include "datasets/collector_summary.h"

#include <math.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/percentile.h"

static const double percents[COLLECTOR_PERCENTILES] = {10, 25, 50, 75, 90};

/* Until it is finished, `error` is the sum of squared distances from the mean (Welford 1962). */
static void returns_add(struct collector_returns *returns, double value)
{
    returns->smallest = returns->episodes == 0 ? value : fmin(returns->smallest, value);
    returns->largest = returns->episodes == 0 ? value : fmax(returns->largest, value);
    returns->episodes++;
    double away = value - returns->mean;
    returns->mean += away / (double)returns->episodes;
    returns->error += away * (value - returns->mean);
}

static void returns_finish(struct collector_returns *returns)
{
    double episodes = (double)returns->episodes;
    returns->error =
        episodes > 1.0 ? sqrt(returns->error / (episodes - 1.0) / episodes) : (double)NAN;
}

static void summary_percentiles(struct collector_summary *summary, const struct store *store)
{
    size_t episodes = store_episode_count(store);
    double *sorted = memory_take(episodes, sizeof *sorted);
    for (size_t e = 0; e < episodes; e++) {
        sorted[e] = store_return(store, 0, e);
    }
    percentile_sort(sorted, episodes);
    for (size_t i = 0; i < COLLECTOR_PERCENTILES; i++) {
        summary->percentiles[i] = percentile_of_sorted(sorted, episodes, percents[i]);
    }
    memory_free(sorted);
}

void collector_summarise(struct collector_summary *summary, const struct store *store)
{
    const struct store_spec *spec = store_spec(store);
    size_t sources = spec->source_count;
    size_t level_count = sources < COLLECTOR_LEVELS_MAX ? sources : COLLECTOR_LEVELS_MAX;
    *summary =
        (struct collector_summary){.steps = store_step_count(store), .level_count = level_count};
    for (size_t e = 0; e < store_episode_count(store); e++) {
        size_t level = store_source(store, e) * level_count / (sources ? sources : 1);
        returns_add(&summary->all, store_return(store, 0, e));
        returns_add(&summary->levels[level].returns, store_return(store, 0, e));
    }
    returns_finish(&summary->all);
    for (size_t level = 0; level < level_count; level++) {
        size_t first = divide_up(level * sources, level_count);
        snprintf(summary->levels[level].name, STORE_NAME_MAX, "%s", spec->sources[first]);
        returns_finish(&summary->levels[level].returns);
    }
    summary_percentiles(summary, store);
}

static void print_level(FILE *stream, const struct collector_returns *returns)
{
    fprintf(stream, "%8zu %9.2f", returns->episodes, returns->mean);
    if (isnan(returns->error)) {
        fprintf(stream, "%10s", "");
    } else {
        fprintf(stream, " ± %-7.2f", returns->error);
    }
    fprintf(stream, " %9.2f %9.2f\n", returns->smallest, returns->largest);
}

void collector_print(FILE *stream, const struct collector_summary *summary, const char *path)
{
    fprintf(stream, "%s: %zu episodes, %zu steps\n", path, summary->all.episodes, summary->steps);
    fprintf(stream, "percentiles of return:");
    for (size_t i = 0; i < COLLECTOR_PERCENTILES; i++) {
        fprintf(stream, "%s %g%%: %.2f", i > 0 ? "," : "", percents[i], summary->percentiles[i]);
    }
    fprintf(stream, "\n\n%-28s %8s %9s %18s %9s\n", summary->level_count > 1 ? "from level" : "",
            "episodes", "mean", "smallest", "largest");
    for (size_t level = 0; level < summary->level_count; level++) {
        fprintf(stream, "%-28s ", summary->levels[level].name);
        print_level(stream, &summary->levels[level].returns);
    }
    if (summary->level_count > 1) {
        fprintf(stream, "%-28s ", "all");
        print_level(stream, &summary->all);
    }
}

#include "eval/score.h"

#include <math.h>

#include "base/memory.h"

void score_open(struct score *score, size_t contexts, size_t trials)
{
    *score = (struct score){
        .contexts = contexts,
        .trials = trials,
        .returns = memory_take(contexts * trials, sizeof *score->returns),
    };
}

void score_close(struct score *score)
{
    memory_free(score->returns);
    *score = (struct score){0};
}

/* Trials of one context, from `first` up to but not including `end`. */
struct range {
    size_t first, end;
};

/* What one context brings to a mean; NaN where it has nothing to bring. */
static double mean_of_context(const struct score *score, size_t context, struct range range)
{
    const double *returns = score->returns + context * score->trials;
    double sum = 0.0;
    size_t count = 0;
    for (size_t trial = range.first; trial < range.end; trial++) {
        if (!isnan(returns[trial])) {
            sum += returns[trial];
            count++;
        }
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

static double best_of_context(const struct score *score, size_t context, struct range range)
{
    const double *returns = score->returns + context * score->trials;
    double best = (double)NAN;
    for (size_t trial = range.first; trial < range.end; trial++) {
        best = fmax(best, returns[trial]); /* the one that is a number, if only one is */
    }
    return best;
}

/* The mean over contexts of what each of them brings. */
static struct score_mean average(const struct score *score, struct range range,
                                 double (*bring)(const struct score *, size_t, struct range))
{
    struct score_mean result = {.mean = (double)NAN, .error = (double)NAN};
    double sum = 0.0;
    for (size_t context = 0; context < score->contexts; context++) {
        double value = bring(score, context, range);
        if (!isnan(value)) {
            sum += value;
            result.count++;
        }
    }
    if (result.count == 0) {
        return result;
    }
    result.mean = sum / (double)result.count;
    double squares = 0.0;
    for (size_t context = 0; context < score->contexts; context++) {
        double value = bring(score, context, range);
        if (!isnan(value)) {
            squares += (value - result.mean) * (value - result.mean);
        }
    }
    if (result.count > 1) {
        double variance = squares / (double)(result.count - 1);
        result.error = sqrt(variance / (double)result.count);
    }
    return result;
}

struct score_mean score_of_trial(const struct score *score, size_t trial)
{
    return average(score, (struct range){trial, trial + 1}, mean_of_context);
}

struct score_mean score_of_all(const struct score *score)
{
    return average(score, (struct range){0, score->trials}, mean_of_context);
}

struct score_mean score_of_best(const struct score *score)
{
    return average(score, (struct range){0, score->trials}, best_of_context);
}

size_t score_failed(const struct score *score)
{
    size_t failed = 0;
    for (size_t i = 0; i < score->contexts * score->trials; i++) {
        failed += isnan(score->returns[i]) ? 1 : 0;
    }
    return failed;
}

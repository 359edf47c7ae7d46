#include "eval/evaluation.h"

#include <math.h>

#include <jansson.h>

#include "base/memory.h"

static const size_t print_flags = JSON_INDENT(1) | JSON_REAL_PRECISION(17);

/* JSON has no NaN: what is no number is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Nor a path whose bytes are no UTF-8. */
static json_t *path(const char *bytes)
{
    json_t *text = json_string(bytes);
    return text ? text : json_null();
}

static json_t *describe_mean(struct score_mean mean)
{
    return json_pack("{s:o, s:o, s:I}", "mean", number(mean.mean), "error", number(mean.error),
                     "contexts", (json_int_t)mean.count);
}

/* Each context's returns, trial by trial. */
static json_t *describe_returns(const struct score *score)
{
    json_t *contexts = json_array();
    for (size_t context = 0; context < score->contexts; context++) {
        json_t *trials = json_array();
        for (size_t trial = 0; trial < score->trials; trial++) {
            json_array_append_new(trials, number(score->returns[context * score->trials + trial]));
        }
        json_array_append_new(contexts, trials);
    }
    return contexts;
}

static json_t *describe_row(const struct evaluation_row *row)
{
    const struct score *score = &row->score;
    json_t *trials = json_array();
    for (size_t trial = 0; trial < score->trials; trial++) {
        json_array_append_new(trials, describe_mean(score_of_trial(score, trial)));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "behaviour",
                     evaluation_behaviour_name(row->behaviour), "trials", trials, "mean",
                     describe_mean(score_of_all(score)), "last",
                     describe_mean(score_of_trial(score, score->trials - 1)), "best",
                     describe_mean(score_of_best(score)), "failed", (json_int_t)score_failed(score),
                     "returns", describe_returns(score));
}

static json_t *describe(const struct evaluation_result *result)
{
    json_t *explore = json_array();
    for (size_t trial = 0; trial < result->trials; trial++) {
        json_array_append_new(explore, number(result->explore[trial]));
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < result->row_count; i++) {
        json_array_append_new(rows, describe_row(&result->rows[i]));
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:I, s:s, s:s, s:I, s:I, s:o, s:o, s:I, s:o}", "format",
                     "chainring-evaluation", "version", 1, "run", path(result->run), "checkpoint",
                     path(result->checkpoint), "step", (json_int_t)result->step, "task",
                     result->task, "inertia", inertia_rule_name(result->inertia), "contexts",
                     (json_int_t)result->contexts, "trials", (json_int_t)result->trials, "target",
                     number(result->target), "explore", explore, "seed", (json_int_t)result->seed,
                     "behaviours", rows);
}

/* The text with a newline; the caller frees it with memory_free. */
static char *print(const struct evaluation_result *result)
{
    json_t *object = describe(result);
    invariant(object);
    size_t length = json_dumpb(object, NULL, 0, print_flags);
    char *text = memory_take(length + 2, 1);
    invariant(length > 0 && json_dumpb(object, text, length, print_flags) == length);
    text[length] = '\n';
    json_decref(object);
    return text;
}

void evaluation_print_json(FILE *stream, const struct evaluation_result *result)
{
    char *text = print(result);
    fputs(text, stream);
    memory_free(text);
}

bool evaluation_write_json(const char *path, const struct evaluation_result *result,
                           struct failure *failure)
{
    char *text = print(result);
    bool is_written = file_write_text(path, text, failure);
    memory_free(text);
    return is_written;
}

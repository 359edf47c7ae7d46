#include "eval/evaluation.h"

#include <math.h>

#include <jansson.h>

#include "base/memory.h"

static const size_t print_flags = JSON_INDENT(1) | JSON_REAL_PRECISION(17);

/* JSON has no NaN: what is no number is null. */
static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Nor a path whose bytes are no UTF-8. */
static json_t *json_path(const char *bytes)
{
    json_t *text = json_string(bytes);
    return text ? text : json_null();
}

static json_t *mean_json(struct score_mean mean)
{
    return json_pack("{s:o, s:o, s:I}", "mean", json_number(mean.mean), "error",
                     json_number(mean.error), "contexts", (json_int_t)mean.count);
}

/* Each context's returns, trial by trial. */
static json_t *returns_json(const struct score *score)
{
    json_t *contexts = json_array();
    for (size_t context = 0; context < score->contexts; context++) {
        json_t *trials = json_array();
        for (size_t trial = 0; trial < score->trials; trial++) {
            json_array_append_new(trials,
                                  json_number(score->returns[context * score->trials + trial]));
        }
        json_array_append_new(contexts, trials);
    }
    return contexts;
}

static json_t *row_json(const struct evaluation_row *row)
{
    const struct score *score = &row->score;
    json_t *trials = json_array();
    for (size_t trial = 0; trial < score->trials; trial++) {
        json_array_append_new(trials, mean_json(score_of_trial(score, trial)));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "behaviour",
                     evaluation_behaviour_name(row->behaviour), "trials", trials, "mean",
                     mean_json(score_of_all(score)), "last",
                     mean_json(score_of_trial(score, score->trials - 1)), "best",
                     mean_json(score_of_best(score)), "failed", (json_int_t)score_failed(score),
                     "returns", returns_json(score));
}

static json_t *result_json(const struct evaluation_result *result)
{
    json_t *explore = json_array();
    json_t *sample = json_array();
    for (size_t trial = 0; trial < result->trials_held; trial++) {
        json_array_append_new(explore, json_number(result->explore[trial]));
        json_array_append_new(sample, json_boolean(result->samples[trial]));
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < result->row_count; i++) {
        json_array_append_new(rows, row_json(&result->rows[i]));
    }
    return json_pack(
        "{s:s, s:i, s:o, s:o, s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:I, "
        "s:o}",
        "format", "chainring-evaluation", "version", 1, "run", json_path(result->run), "checkpoint",
        json_path(result->checkpoint), "step", (json_int_t)result->step, "task", result->task,
        "inertia", inertia_rule_name(result->inertia), "contexts", (json_int_t)result->contexts,
        "trials", (json_int_t)result->trials, "trials_held", (json_int_t)result->trials_held,
        "target", json_number(result->target), "target_told", result->is_target_told, "target_best",
        json_number(result->target_best), "target_margin", json_number(result->target_margin),
        "explore", explore, "sample", sample, "seed", (json_int_t)result->seed, "behaviours", rows);
}

/* The text with a newline; the caller frees it with memory_free. */
static char *result_text(const struct evaluation_result *result)
{
    json_t *object = result_json(result);
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
    char *text = result_text(result);
    fputs(text, stream);
    memory_free(text);
}

bool evaluation_write_json(const char *path, const struct evaluation_result *result,
                           struct failure *failure)
{
    char *text = result_text(result);
    bool is_written = file_write_text(path, text, failure);
    memory_free(text);
    return is_written;
}

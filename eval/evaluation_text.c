#include "eval/evaluation.h"

#include <math.h>
#include <string.h>

#include "eval/trial_list.h"

/* More trials than TRIALS_SHOWN are shown as the first and the last few. */
enum {
    TRIALS_SHOWN = 8,
    TRIALS_AT_AN_END = 3,
    TRIALS_AT_BOTH_ENDS = 2 * TRIALS_AT_AN_END,
    ROWS = 1 + EVALUATION_BEHAVIOURS,
    COLUMNS = 1 + TRIALS_SHOWN + 3,
    CELL_SIZE = 64,
};

struct table {
    char cells[ROWS][COLUMNS][CELL_SIZE];
    size_t row_count, column_count;
    int decimals;
};

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Enough decimals for about three digits of the largest mean. */
static int choose_decimals(const struct evaluation_result *result)
{
    double largest = 0.0;
    for (size_t i = 0; i < result->row_count; i++) {
        const struct score *score = &result->rows[i].score;
        largest = fmax(largest, fabs(score_of_all(score).mean));
        largest = fmax(largest, fabs(score_of_best(score).mean));
    }
    return largest >= 100.0 ? 1 : largest >= 1.0 || largest == 0.0 ? 2 : 4;
}

static void print_mean(char *cell, struct score_mean mean, int decimals)
{
    if (mean.count == 0) {
        snprintf(cell, CELL_SIZE, "-");
    } else if (mean.count == 1) {
        snprintf(cell, CELL_SIZE, "%.*f", decimals, mean.mean);
    } else {
        snprintf(cell, CELL_SIZE, "%.*f ± %.*f", decimals, mean.mean, decimals, mean.error);
    }
}

/* --- The table -------------------------------------------------------------------------------- */

/* How many trials have a column. */
static size_t count_shown(const struct evaluation_result *result)
{
    return result->trials <= TRIALS_SHOWN ? result->trials : TRIALS_AT_BOTH_ENDS;
}

static size_t shown_trial(const struct evaluation_result *result, size_t column)
{
    bool is_at_the_end = result->trials > TRIALS_SHOWN && column >= TRIALS_AT_AN_END;
    return is_at_the_end ? result->trials - TRIALS_AT_BOTH_ENDS + column : column;
}

static void fill_heading(struct table *table, const struct evaluation_result *result)
{
    size_t shown = count_shown(result);
    snprintf(table->cells[0][0], CELL_SIZE, "behaviour");
    for (size_t i = 0; i < shown; i++) {
        bool is_after_a_gap = shown < result->trials && i == TRIALS_AT_AN_END;
        snprintf(table->cells[0][1 + i], CELL_SIZE, "%strial %zu", is_after_a_gap ? "... " : "",
                 shown_trial(result, i) + 1);
    }
    snprintf(table->cells[0][1 + shown], CELL_SIZE, "mean");
    snprintf(table->cells[0][2 + shown], CELL_SIZE, "last");
    snprintf(table->cells[0][3 + shown], CELL_SIZE, "best of %zu", result->trials);
}

static void fill_row(char cells[COLUMNS][CELL_SIZE], const struct evaluation_row *row,
                     const struct evaluation_result *result, int decimals)
{
    const struct score *score = &row->score;
    size_t shown = count_shown(result);
    snprintf(cells[0], CELL_SIZE, "%s", evaluation_behaviour_name(row->behaviour));
    for (size_t i = 0; i < shown; i++) {
        print_mean(cells[1 + i], score_of_trial(score, shown_trial(result, i)), decimals);
    }
    print_mean(cells[1 + shown], score_of_all(score), decimals);
    print_mean(cells[2 + shown], score_of_trial(score, result->trials - 1), decimals);
    print_mean(cells[3 + shown], score_of_best(score), decimals);
}

static void fill(struct table *table, const struct evaluation_result *result)
{
    *table = (struct table){
        .row_count = 1 + result->row_count,
        .column_count = 4 + count_shown(result),
        .decimals = choose_decimals(result),
    };
    fill_heading(table, result);
    for (size_t i = 0; i < result->row_count; i++) {
        fill_row(table->cells[1 + i], &result->rows[i], result, table->decimals);
    }
}

/* Columns that a UTF-8 text takes on a terminal; ours has no wide characters. */
static size_t display_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* Names to the left, numbers to the right. */
static void print_scores(FILE *stream, const struct table *table)
{
    size_t widths[COLUMNS] = {0};
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t column = 0; column < table->column_count; column++) {
            size_t width = display_width(table->cells[row][column]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t row = 0; row < table->row_count; row++) {
        const char *name = table->cells[row][0];
        fprintf(stream, "%s%*s", name, (int)(widths[0] - display_width(name)), "");
        for (size_t column = 1; column < table->column_count; column++) {
            const char *cell = table->cells[row][column];
            fprintf(stream, "%*s%s", (int)(2 + widths[column] - display_width(cell)), "", cell);
        }
        fputc('\n', stream);
    }
}

/* --- What stands above and below -------------------------------------------------------------- */

/* "0.5, 0.2, then none": the deviations up to the last one that is not 0. */
static void print_exploration(FILE *stream, const struct evaluation_result *result)
{
    size_t noisy = result->trials_held;
    while (noisy > 0 && result->explore[noisy - 1] == 0.0) {
        noisy--;
    }
    const char *since = result->trials_held < result->trials ? ", from empty on" : "";
    fprintf(stream, "exploration noise trial by trial%s: ", since);
    for (size_t i = 0; i < noisy && i < TRIALS_SHOWN; i++) {
        fprintf(stream, "%s%g", i > 0 ? ", " : "", result->explore[i]);
    }
    if (noisy > TRIALS_SHOWN) {
        fputs(", ...", stream);
    }
    if (noisy < result->trials_held) {
        fputs(noisy > 0 ? ", then none" : "none", stream);
    }
    if (trial_list_any(result->samples, result->trials_held)) {
        char drawn[128];
        trial_list_print(drawn, sizeof drawn, result->samples, result->trials_held);
        fprintf(stream, "; actions are sampled in %s%s", drawn, since);
    }
    fputs("\n", stream);
}

/* The end of a line that says the sizes, and how the target is made up. */
static void print_target(FILE *stream, const struct evaluation_result *result, int decimals)
{
    unsigned long long seed = (unsigned long long)result->seed;
    if (!result->is_target_told) {
        fprintf(stream, "target return not told, seed %llu\n", seed);
        return;
    }
    fprintf(stream, "target return %.*f, seed %llu\n", decimals, result->target, seed);
    if (!isnan(result->target_margin)) {
        fprintf(stream,
                "target: the best return of the training data's groups, %.*f in the mean, and a "
                "margin of %.*f\n",
                decimals, result->target_best, decimals, result->target_margin);
    }
}

static void print_failures(FILE *stream, const struct evaluation_result *result)
{
    size_t all = result->contexts * result->trials;
    for (size_t i = 0; i < result->row_count; i++) {
        size_t failed = score_failed(&result->rows[i].score);
        if (failed > 0) {
            fprintf(stream,
                    "%s: %zu of %zu trials became unstable in simulation and are left out\n",
                    evaluation_behaviour_name(result->rows[i].behaviour), failed, all);
        }
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static bool has_control(const struct evaluation_result *result)
{
    for (size_t i = 0; i < result->row_count; i++) {
        if (result->rows[i].behaviour == EVALUATION_CONTROL) {
            return true;
        }
    }
    return false;
}

void evaluation_print_text(FILE *stream, const struct evaluation_result *result)
{
    struct table table;
    fill(&table, result);
    fprintf(stream, "%s, step %llu, in %s%s\n", result->run, (unsigned long long)result->step,
            result->task, result->inertia == INERTIA_LEGACY ? ", legacy inertia of capsules" : "");
    fprintf(stream, "%zu context%s of %zu trial%s, ", result->contexts, plural(result->contexts),
            result->trials, plural(result->trials));
    if (result->trials_held < result->trials) {
        fprintf(stream, "empty again after every %zu, ", result->trials_held);
    }
    print_target(stream, result, table.decimals);
    print_exploration(stream, result);
    fputc('\n', stream);
    print_scores(stream, &table);
    fputs("\nmean return ± standard error over contexts", stream);
    fputs(has_control(result) ? "; control: the policy, its hidden task redrawn for every trial\n"
                              : "\n",
          stream);
    print_failures(stream, result);
}

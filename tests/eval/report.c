/* Results as tables and as JSON. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "eval/evaluation.h"

static struct evaluation_result result_with(size_t contexts, size_t trials)
{
    struct evaluation_result result = {
        .run = "runs/demo",
        .checkpoint = "runs/demo/ckpt/step-500",
        .task = "point_mass_hidden",
        .step = 500,
        .contexts = contexts,
        .trials = trials,
        .trials_held = trials,
        .target = 18.0,
        .is_target_told = true,
        .target_margin = (double)NAN,
        .seed = 7,
    };
    return result;
}

/* A row whose returns are base + trial + 2 context. */
static void add_row(struct evaluation_result *result, enum evaluation_behaviour behaviour,
                    double base)
{
    struct evaluation_row *row = &result->rows[result->row_count++];
    row->behaviour = behaviour;
    score_open(&row->score, result->contexts, result->trials);
    for (size_t context = 0; context < result->contexts; context++) {
        for (size_t trial = 0; trial < result->trials; trial++) {
            row->score.returns[context * result->trials + trial] =
                base + (double)trial + 2.0 * (double)context;
        }
    }
}

static void expect_text(const struct evaluation_result *result, const char *expected)
{
    char text[4096] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    evaluation_print_text(stream, result);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, expected);
}

static void test_table_has_a_row_for_each_behaviour(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(2, 3);
    result.explore[0] = 0.5;
    result.explore[1] = 0.25;
    result.samples[1] = true;
    add_row(&result, EVALUATION_POLICY, 10.0);
    add_row(&result, EVALUATION_CONTROL, 1.5);
    add_row(&result, EVALUATION_RANDOM, 0.0);
    expect_text(&result,
                "runs/demo, step 500, in point_mass_hidden\n"
                "2 contexts of 3 trials, target return 18.00, seed 7\n"
                "exploration noise trial by trial: 0.5, 0.25, then none; actions are sampled in "
                "trial 2\n"
                "\n"
                "behaviour       trial 1       trial 2       trial 3          mean          last"
                "     best of 3\n"
                "policy     11.00 ± 1.00  12.00 ± 1.00  13.00 ± 1.00  12.00 ± 1.00  13.00 ± 1.00"
                "  13.00 ± 1.00\n"
                "control     2.50 ± 1.00   3.50 ± 1.00   4.50 ± 1.00   3.50 ± 1.00   4.50 ± 1.00"
                "   4.50 ± 1.00\n"
                "random      1.00 ± 1.00   2.00 ± 1.00   3.00 ± 1.00   2.00 ± 1.00   3.00 ± 1.00"
                "   3.00 ± 1.00\n"
                "\n"
                "mean return ± standard error over contexts; control: the policy, its hidden task "
                "redrawn for every trial\n");
    evaluation_close(&result);
}

static void test_table_says_what_the_target_is_made_of(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(1, 1);
    result.target_best = 17.25;
    result.target_margin = 0.75;
    add_row(&result, EVALUATION_POLICY, 10.0);
    expect_text(&result,
                "runs/demo, step 500, in point_mass_hidden\n"
                "1 context of 1 trial, target return 18.00, seed 7\n"
                "target: the best return of the training data's groups, 17.25 in the mean, and a "
                "margin of 0.75\n"
                "exploration noise trial by trial: none\n"
                "\n"
                "behaviour  trial 1   mean   last  best of 1\n"
                "policy       10.00  10.00  10.00      10.00\n"
                "\n"
                "mean return ± standard error over contexts\n");
    evaluation_close(&result);
}

static void test_table_has_no_target_that_is_not_told(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(1, 1);
    result.is_target_told = false;
    result.target_best = 17.25;
    result.target_margin = 0.75;
    result.samples[0] = true;
    add_row(&result, EVALUATION_POLICY, 10.0);
    expect_text(&result, "runs/demo, step 500, in point_mass_hidden\n"
                         "1 context of 1 trial, target return not told, seed 7\n"
                         "exploration noise trial by trial: none; actions are sampled in trial 1\n"
                         "\n"
                         "behaviour  trial 1   mean   last  best of 1\n"
                         "policy       10.00  10.00  10.00      10.00\n"
                         "\n"
                         "mean return ± standard error over contexts\n");
    evaluation_close(&result);
}

static void test_table_leaves_out_the_middle_of_many_trials(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(1, 12);
    for (size_t trial = 0; trial < 12; trial++) {
        result.explore[trial] = 0.1;
    }
    add_row(&result, EVALUATION_POLICY, 200.0);
    expect_text(&result,
                "runs/demo, step 500, in point_mass_hidden\n"
                "1 context of 12 trials, target return 18.0, seed 7\n"
                "exploration noise trial by trial: 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ...\n"
                "\n"
                "behaviour  trial 1  trial 2  trial 3  ... trial 10  trial 11  trial 12   mean"
                "   last  best of 12\n"
                "policy       200.0    201.0    202.0         209.0     210.0     211.0  205.5"
                "  211.0       211.0\n"
                "\n"
                "mean return ± standard error over contexts\n");
    evaluation_close(&result);
}

static void test_table_shows_eight_trials_whole(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(1, 8);
    add_row(&result, EVALUATION_POLICY, 0.0);
    expect_text(&result,
                "runs/demo, step 500, in point_mass_hidden\n"
                "1 context of 8 trials, target return 18.00, seed 7\n"
                "exploration noise trial by trial: none\n"
                "\n"
                "behaviour  trial 1  trial 2  trial 3  trial 4  trial 5  trial 6  trial 7  trial 8"
                "  mean  last  best of 8\n"
                "policy        0.00     1.00     2.00     3.00     4.00     5.00     6.00     7.00"
                "  3.50  7.00       7.00\n"
                "\n"
                "mean return ± standard error over contexts\n");
    evaluation_close(&result);
}

static void test_table_states_failed_trials(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(2, 2);
    add_row(&result, EVALUATION_SCRIPT, 0.0);
    result.rows[0].score.returns[0] = (double)NAN;
    result.rows[0].score.returns[1] = (double)NAN;
    result.rows[0].score.returns[2] = (double)NAN;
    expect_text(&result, "runs/demo, step 500, in point_mass_hidden\n"
                         "2 contexts of 2 trials, target return 18.00, seed 7\n"
                         "exploration noise trial by trial: none\n"
                         "\n"
                         "behaviour  trial 1  trial 2  mean  last  best of 2\n"
                         "script           -     3.00  3.00  3.00       3.00\n"
                         "\n"
                         "mean return ± standard error over contexts\n"
                         "script: 3 of 4 trials became unstable in simulation and are left out\n");
    evaluation_close(&result);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static double number_at(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    assert_true(json_is_number(number));
    return json_number_value(number);
}

static void expect_json(const json_t *object)
{
    assert_string_equal(json_string_value(json_object_get(object, "task")), "point_mass_hidden");
    assert_string_equal(json_string_value(json_object_get(object, "checkpoint")),
                        "runs/demo/ckpt/step-500");
    assert_true(number_at(object, "step") == 500.0);
    assert_true(number_at(object, "target") == 18.0);
    assert_true(json_is_true(json_object_get(object, "target_told")));
    assert_true(number_at(object, "target_best") == 16.0);
    assert_true(json_is_null(json_object_get(object, "target_margin")));
    assert_int_equal(json_array_size(json_object_get(object, "explore")), 3);
    const json_t *sample = json_object_get(object, "sample");
    assert_int_equal(json_array_size(sample), 3);
    assert_true(json_is_false(json_array_get(sample, 0)) &&
                json_is_false(json_array_get(sample, 1)));
    const json_t *rows = json_object_get(object, "behaviours");
    assert_int_equal(json_array_size(rows), 2);
    const json_t *row = json_array_get(rows, 1);
    assert_string_equal(json_string_value(json_object_get(row, "behaviour")), "random");
    const json_t *trials = json_object_get(row, "trials");
    assert_int_equal(json_array_size(trials), 3);
    assert_true(number_at(json_array_get(trials, 1), "mean") == 4.1);
    assert_true(json_is_null(json_object_get(json_array_get(trials, 1), "error")));
    assert_true(number_at(json_array_get(trials, 1), "contexts") == 1.0);
    support_expect_near(number_at(json_object_get(row, "last"), "mean"), 4.1, 1e-12);
    support_expect_near(number_at(json_object_get(row, "last"), "error"), 1.0, 1e-12);
    assert_true(number_at(row, "failed") == 1.0);
    const json_t *returns = json_array_get(json_object_get(row, "returns"), 0);
    assert_true(json_number_value(json_array_get(returns, 0)) == 1.1);
    assert_true(json_is_null(json_array_get(returns, 1)));
}

static struct evaluation_result json_result(void)
{
    struct evaluation_result result = result_with(2, 3);
    result.target_best = 16.0;
    add_row(&result, EVALUATION_POLICY, 10.0);
    add_row(&result, EVALUATION_RANDOM, 1.1);
    result.rows[1].score.returns[1] = (double)NAN;
    return result;
}

static void test_json_holds_every_number(void **state)
{
    (void)state;
    struct evaluation_result result = json_result();
    char text[16384] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    evaluation_print_json(stream, &result);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(text[strlen(text) - 1], '\n');
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    expect_json(object);
    json_decref(object);
    evaluation_close(&result);
}

static void test_json_file_is_what_is_printed(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct evaluation_result result = json_result();
    char folder[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", support_scratch_folder());
    assert_true(file_join(path, folder, "eval.json", &failure));
    assert_true(evaluation_write_json(path, &result, &failure));
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    expect_json(object);
    json_decref(object);
    assert_true(file_remove_tree(folder, &failure));
    assert_false(evaluation_write_json(path, &result, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    evaluation_close(&result);
}

static void test_json_cannot_state_a_path_that_is_no_text(void **state)
{
    (void)state;
    struct evaluation_result result = result_with(1, 1);
    memcpy(result.run, "runs/\xff", sizeof "runs/\xff");
    add_row(&result, EVALUATION_POLICY, 10.0);
    char text[4096] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    evaluation_print_json(stream, &result);
    assert_int_equal(fclose(stream), 0);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_true(json_is_null(json_object_get(object, "run")));
    json_decref(object);
    evaluation_close(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_has_a_row_for_each_behaviour),
        cmocka_unit_test(test_table_says_what_the_target_is_made_of),
        cmocka_unit_test(test_table_has_no_target_that_is_not_told),
        cmocka_unit_test(test_table_leaves_out_the_middle_of_many_trials),
        cmocka_unit_test(test_table_shows_eight_trials_whole),
        cmocka_unit_test(test_table_states_failed_trials),
        cmocka_unit_test(test_json_holds_every_number),
        cmocka_unit_test(test_json_file_is_what_is_printed),
        cmocka_unit_test(test_json_cannot_state_a_path_that_is_no_text),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}

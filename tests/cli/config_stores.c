/* Lists of stores and of their weights, taken apart. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "cli/config_stores.h"

static struct config config;
static struct config_stores data;

static bool read_lists(const char *stores, const char *weights, struct failure *failure)
{
    *failure = (struct failure){0};
    snprintf(config.data.store, sizeof config.data.store, "%s", stores);
    snprintf(config.data.weights, sizeof config.data.weights, "%s", weights);
    return config_stores_of_training(&data, &config, failure);
}

static void expect_refused(const char *stores, const char *weights, const char *words)
{
    struct failure failure;
    assert_false(read_lists(stores, weights, &failure));
    if (failure.code != EXIT_CODE_CONFIG || !strstr(failure.text, words)) {
        fail_msg("expected \"%s\"; found %d and \"%s\"", words, (int)failure.code, failure.text);
    }
}

static void test_stores_are_the_paths_between_commas(void **state)
{
    (void)state;
    struct failure failure;
    assert_true(read_lists("a b.h5,c/d.h5", "", &failure));
    assert_int_equal(data.options.count, 2);
    assert_string_equal(data.options.stores[0], "a b.h5");
    assert_string_equal(data.options.stores[1], "c/d.h5");
    assert_string_equal(data.options.name, "a b.h5,c/d.h5");
    assert_null(data.options.weights);
    static const char *const refused[] = {"", ",", "a,", ",a", "a,,b"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        expect_refused(refused[i], "", "expected paths of stores");
    }
}

static void test_no_more_stores_than_there_is_room_for(void **state)
{
    (void)state;
    struct failure failure;
    char list[2 * DATASET_STORES_MAX + 2] = "a";
    for (size_t i = 1; i < DATASET_STORES_MAX; i++) {
        strcat(list, ",a");
    }
    assert_true(read_lists(list, "", &failure));
    assert_int_equal(data.options.count, DATASET_STORES_MAX);
    strcat(list, ",a");
    expect_refused(list, "", "data.store: found 33 stores, expected at most 32");
}

static void test_weights_are_as_many_numbers_above_0(void **state)
{
    (void)state;
    struct failure failure;
    assert_true(read_lists("a,b", "0.3,7.7", &failure));
    assert_true(data.options.weights[0] == 0.3 && data.options.weights[1] == 7.7);
    static const char *const refused[] = {"1",    "1,2,3", "1,0",     "1,-1",  "1,x",
                                          "1, 2", "1,0x2", "1,1e999", "1,nan", ",1,2"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        expect_refused("a,b", refused[i], "expected 2 numbers above 0");
    }
}

static void test_what_is_predicted_has_no_weights(void **state)
{
    (void)state;
    struct failure failure = {0};
    snprintf(config.data.weights, sizeof config.data.weights, "1,2,3");
    snprintf(config.eval.store, sizeof config.eval.store, "x.h5");
    assert_true(config_stores_of_eval(&data, &config, &failure));
    assert_int_equal(data.options.count, 1);
    assert_null(data.options.weights);
    snprintf(config.eval.store, sizeof config.eval.store, "x.h5,");
    assert_false(config_stores_of_eval(&data, &config, &failure));
    assert_non_null(strstr(failure.text, "eval.store: found"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores_are_the_paths_between_commas),
        cmocka_unit_test(test_no_more_stores_than_there_is_room_for),
        cmocka_unit_test(test_weights_are_as_many_numbers_above_0),
        cmocka_unit_test(test_what_is_predicted_has_no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

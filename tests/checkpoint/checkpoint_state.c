#include "tests/checkpoint/example.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "checkpoint/checkpoint_state.h"

static void save_and_load(struct checkpoint_state *back, const char *folder,
                          const struct checkpoint_state *state)
{
    struct failure failure = {0};
    struct digest digest;
    const char *path = example_path(folder, "state.json");
    assert_true(checkpoint_state_write(&digest, path, state, &failure));
    if (!checkpoint_state_read(back, path, &failure)) {
        fail_msg("%s", failure.text);
    }
}

static void test_doubles_come_back_to_the_bit(void **state)
{
    struct failure failure = {0};
    double values[200] = {0.1,
                          -0.0,
                          DBL_MAX,
                          -DBL_MIN,
                          5e-324,
                          1.0 / 3.0,
                          1e22,
                          (double)INFINITY,
                          -(double)INFINITY,
                          (double)NAN,
                          123456789.0,
                          9007199254740993.0};
    uint64_t bits = 0x9e3779b97f4a7c15U;
    for (size_t i = 12; i < 200; i++) {
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        memcpy(&values[i], &bits, sizeof bits);
        if (isnan(values[i])) {
            values[i] = 0.0;
        }
    }
    struct checkpoint_state given;
    struct checkpoint_state back;
    checkpoint_state_open(&given);
    given.tokens_seen = values[5];
    checkpoint_state_put_numbers(&given, "values", values, 200);
    checkpoint_state_put_numbers(&given, "nothing", NULL, 0);
    save_and_load(&back, *state, &given);
    double found[200];
    assert_true(checkpoint_state_get_numbers(found, &back, "values", 200, &failure));
    assert_true(isnan(found[9]));
    found[9] = values[9];
    assert_memory_equal(found, values, sizeof values);
    assert_memory_equal(&back.tokens_seen, &values[5], sizeof(double));
    assert_true(checkpoint_state_get_numbers(NULL, &back, "nothing", 0, &failure));
    assert_int_equal(checkpoint_state_count_numbers(&back, "values"), 200);
    assert_int_equal(checkpoint_state_count_numbers(&back, "absent"), 0);
    checkpoint_state_close(&back);
    checkpoint_state_close(&given);
}

static void test_whole_numbers_and_texts_come_back(void **state)
{
    struct failure failure = {0};
    struct checkpoint_state given;
    struct checkpoint_state back;
    checkpoint_state_open(&given);
    given.step = INT64_MAX;
    given.seed = UINT64_MAX;
    checkpoint_state_put_text(&given, "config", "model:\n  width: \"64\"\t# \xc3\xa4\n");
    checkpoint_state_put_text(&given, "empty", "");
    save_and_load(&back, *state, &given);
    assert_true(back.step == INT64_MAX);
    assert_true(back.seed == UINT64_MAX);
    assert_string_equal(checkpoint_state_get_text(&back, "config", &failure),
                        "model:\n  width: \"64\"\t# \xc3\xa4\n");
    assert_string_equal(checkpoint_state_get_text(&back, "empty", &failure), "");
    checkpoint_state_close(&back);
    checkpoint_state_close(&given);
}

static void test_state_does_not_depend_on_the_locale(void **state)
{
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool has_comma = false;
    for (size_t i = 0; !has_comma && i < 4; i++) {
        has_comma = setlocale(LC_NUMERIC, commas[i]) != NULL;
    }
    struct failure failure = {0};
    struct checkpoint_state given;
    struct checkpoint_state back;
    double value = 0.1;
    checkpoint_state_open(&given);
    checkpoint_state_put_numbers(&given, "value", &value, 1);
    save_and_load(&back, *state, &given);
    setlocale(LC_NUMERIC, "C");
    double found;
    assert_true(checkpoint_state_get_numbers(&found, &back, "value", 1, &failure));
    checkpoint_state_close(&back);
    checkpoint_state_close(&given);
    assert_memory_equal(&found, &value, sizeof value);
    if (!has_comma) {
        skip();
    }
}

static void test_other_numbers_than_expected_are_refused(void **state)
{
    struct checkpoint_state given;
    struct checkpoint_state back;
    checkpoint_state_open(&given);
    double values[2] = {1.0, 2.0};
    checkpoint_state_put_numbers(&given, "scaling.mean", values, 2);
    save_and_load(&back, *state, &given);
    double found[3];
    struct failure longer = {0};
    example_expect_failure(checkpoint_state_get_numbers(found, &back, "scaling.mean", 3, &longer),
                           &longer, EXIT_CODE_DATA,
                           "state.json: found 2 numbers \"scaling.mean\", expected 3; ");
    struct failure absent = {0};
    example_expect_failure(checkpoint_state_get_numbers(found, &back, "absent", 0, &absent),
                           &absent, EXIT_CODE_DATA, "found 0 numbers \"absent\"");
    struct failure text = {0};
    example_expect_failure(checkpoint_state_get_text(&back, "absent", &text), &text, EXIT_CODE_DATA,
                           "found no text \"absent\"");
    checkpoint_state_close(&back);
    checkpoint_state_close(&given);
}

static void test_text_that_is_not_utf8_is_refused(void **state)
{
    struct failure failure = {0};
    struct checkpoint_state given;
    struct digest digest;
    checkpoint_state_open(&given);
    checkpoint_state_put_text(&given, "config", "\xff\xfe");
    const char *path = example_path(*state, "state.json");
    example_expect_failure(checkpoint_state_write(&digest, path, &given, &failure), &failure,
                           EXIT_CODE_DATA, "\"config\" that is not UTF-8");
    assert_false(example_exists(path));
    checkpoint_state_close(&given);
}

static void test_wrong_state_files_are_refused(void **state)
{
#define HEAD "{\"format\":\"chainring-state\",\"version\":2,"
#define TAIL "\"tokens_seen\":0.5,\"numbers\":{},\"texts\":{}}\n"
    static const char *const cases[][2] = {
        {"", "found no newline at the end"},
        {"{}\n", "found format \"\""},
        {"[]\n", "found no JSON object"},
        {"{\"format\":\"chainring-state\",\"version\":1}\n",
         "found format version 1, expected 2; train again under a new run name, or use the release "
         "that wrote it"},
        {HEAD "\"step\":-1,\"seed\":\"7\"," TAIL, "no \"step\" that is a count"},
        {HEAD "\"step\":1.5,\"seed\":\"7\"," TAIL, "no \"step\" that is a count"},
        {HEAD "\"step\":1,\"seed\":7," TAIL, "no \"seed\" that is"},
        {HEAD "\"step\":1,\"seed\":\"-7\"," TAIL, "no \"seed\" that is"},
        {HEAD "\"step\":1,\"seed\":\"7x\"," TAIL, "no \"seed\" that is"},
        {HEAD "\"step\":1,\"step\":1,\"seed\":\"7\"," TAIL, "no valid JSON"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1e999,\"numbers\":{},\"texts\":{}}\n",
         "no valid JSON"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":\"many\",\"numbers\":{},\"texts\":{}}\n",
         "no \"tokens_seen\" that is a number"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1,\"numbers\":[],\"texts\":{}}\n",
         "no \"numbers\" that is an object"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1,\"numbers\":{}}\n",
         "no \"texts\" that is an object"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1,\"numbers\":{\"a\":[1,\"x\"]},"
              "\"texts\":{}}\n",
         "no \"a\" that is a list of numbers"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1,\"numbers\":{\"a\":1},\"texts\":{}}\n",
         "no \"a\" that is a list of numbers"},
        {HEAD "\"step\":1,\"seed\":\"7\",\"tokens_seen\":1,\"numbers\":{\"a\":[1]},"
              "\"texts\":{\"b\":1}}\n",
         "no \"b\" that is a text"},
    };
#undef HEAD
#undef TAIL
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure failure = {0};
        struct checkpoint_state back;
        const char *path = example_path(*state, "state.json");
        example_write(path, cases[i][0], strlen(cases[i][0]));
        example_expect_failure(checkpoint_state_read(&back, path, &failure), &failure,
                               EXIT_CODE_DATA, cases[i][1]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_doubles_come_back_to_the_bit),
        TEST(test_whole_numbers_and_texts_come_back),
        TEST(test_state_does_not_depend_on_the_locale),
        TEST(test_other_numbers_than_expected_are_refused),
        TEST(test_text_that_is_not_utf8_is_refused),
        TEST(test_wrong_state_files_are_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

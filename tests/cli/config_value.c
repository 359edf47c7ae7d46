#include "tests/support/support.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "behaviours/planner.h"
#include "cli/config_option.h"
#include "cli/config_value.h"
#include "context/partition.h"
#include "datasets/loader.h"
#include "math/activation.h"
#include "optim/schedule.h"

static struct config defaults(void)
{
    struct config config;
    struct config_origins origins;
    config_defaults(&config, &origins);
    return config;
}

static bool takes(const char *section, const char *key, const char *text)
{
    struct config config = defaults();
    const struct config_option *option = config_option_find(section, key);
    assert_non_null(option);
    return config_value_set(&config, option, text);
}

static void test_counts_take_digits_only(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          " 5",
                                          "5 ",
                                          "+5",
                                          "-5",
                                          "5.0",
                                          "1e3",
                                          "0x10",
                                          "0o17",
                                          "007",
                                          "5k",
                                          "1_000",
                                          "five",
                                          "5\n",
                                          "18446744073709551616",
                                          "99999999999999999999999999",
                                          "0",
                                          "1000000001"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (takes("train", "steps", refused[i])) {
            fail_msg("a count took \"%s\"", refused[i]);
        }
    }
    assert_true(takes("train", "steps", "1"));
    assert_true(takes("train", "steps", "1000000000"));
    assert_true(takes("train", "warmup", "0"));
}

static void test_numbers_are_finite_decimals(void **state)
{
    (void)state;
    static const char *const refused[] = {"",      "nan", "inf",   "-inf", "1e999", "3e-4x",
                                          "0x1p3", "1,5", " 1",    "1 ",   "--1",   "+1",
                                          "1e",    ".",   "1.2.3", "-0.1", "10.5",  "e5"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (takes("train", "rate", refused[i])) {
            fail_msg("a number took \"%s\"", refused[i]);
        }
    }
    assert_true(takes("train", "rate", "3e-4"));
    assert_true(takes("train", "rate", ".5"));
    assert_true(takes("train", "rate", "10"));
    assert_true(takes("eval", "target", "-12.5"));
}

static void test_choices_take_whole_names(void **state)
{
    (void)state;
    assert_true(takes("mesh", "split", "contiguous"));
    assert_false(takes("mesh", "split", "contig"));
    assert_false(takes("mesh", "split", "zigzag|contiguous"));
    assert_false(takes("mesh", "split", "Zigzag"));
    assert_false(takes("mesh", "split", ""));
    assert_false(takes("data", "normalize", "true"));
}

static void test_texts_are_printable_and_short(void **state)
{
    (void)state;
    char text[CONFIG_TEXT_SIZE + 1];
    memset(text, 'x', sizeof text);
    text[CONFIG_TEXT_SIZE] = '\0';
    assert_false(takes("data", "store", text));
    text[CONFIG_TEXT_SIZE - 1] = '\0';
    assert_true(takes("data", "store", text));
    assert_true(takes("data", "store", "Daten/\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80.h5"));
    assert_false(takes("data", "store", "a\nb"));
    assert_false(takes("data", "store", "a\x7f"));
    assert_false(takes("data", "store", "\xc3"));
    assert_false(takes("data", "store", "\xc0\x80"));
    assert_false(takes("data", "store", "\xed\xa0\x80"));
    assert_false(takes("data", "store", "\xc2\x85"));
    assert_false(takes("data", "store", "\xe2\x80\xa8"));
    assert_false(takes("data", "store", "\xff"));
    assert_false(takes("run", "folder", ""));
}

static void test_refused_text_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"train", "steps"}, {"train", "rate"}, {"data", "store"}, {"mesh", "split"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct config before = defaults();
        struct config config;
        memcpy(&config, &before, sizeof config);
        const struct config_option *option = config_option_find(names[i][0], names[i][1]);
        assert_false(config_value_set(&config, option, "\x01"));
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void test_printed_numbers_read_back_as_the_same_bits(void **state)
{
    (void)state;
    static const double values[] = {0.0,  0.1,     1.0 / 3.0, 1e-30,   DBL_MAX / 1e280,    5e-324,
                                    1e30, 2.0 / 7, 1.0000001, 6.02e23, 0.30000000000000004};
    const struct config_option *option = config_option_find("data", "return_scale");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct config config = defaults();
        config.data.return_scale = values[i];
        char text[CONFIG_TEXT_SIZE];
        config_value_print(text, &config, option);
        config.data.return_scale = -1.0;
        assert_true(config_value_set(&config, option, text));
        assert_memory_equal(&config.data.return_scale, &values[i], sizeof values[i]);
    }
}

static void test_printed_numbers_are_short(void **state)
{
    (void)state;
    struct config config = defaults();
    char text[CONFIG_TEXT_SIZE];
    config_value_print(text, &config, config_option_find("train", "rate"));
    assert_string_equal(text, "0.001");
    config.train.rate = 1e-5;
    config_value_print(text, &config, config_option_find("train", "rate"));
    assert_string_equal(text, "1.0e-05");
}

/* Names in options.def stand for the constants of other modules' enums. */
static void test_choice_names_stand_for_their_constants(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *name;
        int constant;
    } cases[] = {
        {"chain", "loss", "best", LOADER_LOSS_BEST},
        {"chain", "loss", "all", LOADER_LOSS_ALL},
        {"chain", "loss", "label", LOADER_LOSS_LABEL},
        {"chain", "order", "return", CHAIN_ORDER_RETURN},
        {"chain", "order", "random", CHAIN_ORDER_RANDOM},
        {"planner", "start", "carried", PLANNER_START_CARRIED},
        {"planner", "start", "none", PLANNER_START_NONE},
        {"model", "activation", "relu", ACTIVATION_RELU},
        {"model", "activation", "gelu", ACTIVATION_GELU},
        {"mesh", "split", "zigzag", PARTITION_ZIGZAG},
        {"mesh", "split", "contiguous", PARTITION_CONTIGUOUS},
        {"train", "schedule", "cosine", SCHEDULE_COSINE},
        {"train", "schedule", "constant", SCHEDULE_CONSTANT},
        {"collect", "policy", "script", CONFIG_POLICY_SCRIPT},
        {"collect", "policy", "random", CONFIG_POLICY_RANDOM},
        {"collect", "policy", "ornstein_uhlenbeck", CONFIG_POLICY_ORNSTEIN_UHLENBECK},
        {"collect", "policy", "planner", CONFIG_POLICY_PLANNER},
        {"planner", "spline", "zero", SPLINE_ZERO},
        {"planner", "spline", "cubic", SPLINE_CUBIC},
        {"data", "normalize", "no", CONFIG_NO},
        {"data", "normalize", "yes", CONFIG_YES},
        {"inspect", "format", "text", CONFIG_FORMAT_TEXT},
        {"inspect", "format", "json", CONFIG_FORMAT_JSON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config = defaults();
        const struct config_option *option = config_option_find(cases[i].section, cases[i].key);
        assert_true(config_value_set(&config, option, cases[i].name));
        assert_int_equal(*(const int *)((const char *)&config + option->offset), cases[i].constant);
        char text[CONFIG_TEXT_SIZE];
        config_value_print(text, &config, option);
        assert_string_equal(text, cases[i].name);
    }
}

static void test_table_is_sound(void **state)
{
    (void)state;
    struct config config = defaults();
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        assert_ptr_equal(config_option_find(option->section, option->key), option);
        assert_true(option->low <= option->high);
        assert_true(strlen(option->name) < CONFIG_NAME_SIZE);
        assert_true(option->help[0] != '\0');
        if (option->type == CONFIG_TYPE_TEXT) {
            assert_true(option->high < CONFIG_TEXT_SIZE);
        }
        if (option->type == CONFIG_TYPE_CHOICE) {
            double names = 1.0;
            for (const char *letter = option->unit; *letter; letter++) {
                names += *letter == '|' ? 1.0 : 0.0;
            }
            assert_true(option->high - option->low + 1.0 == names);
        }
        char text[CONFIG_TEXT_SIZE];
        config_value_print(text, &config, option);
        assert_true(config_value_set(&config, option, text));
    }
}

static void expect_suggestion(const char *section, const char *key, unsigned sections,
                              const char *why, const char *name)
{
    const char *found;
    assert_string_equal(config_option_suggest(&found, section, key, sections)->name, name);
    assert_string_equal(found, why);
}

static void test_nearest_option_weighs_key_and_section(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"train", "stepz", "train.steps"},   {"trian", "steps", "train.steps"},
        {"train", "layers", "model.layers"}, {"data", "normalise", "data.normalize"},
        {"mesh", "rings", "mesh.ring"},
    };
    unsigned all = (1u << CONFIG_SECTIONS) - 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_suggestion(cases[i][0], cases[i][1], all, "the nearest is", cases[i][2]);
    }
    expect_suggestion("train", "contexts", CONFIG_READS(eval), "the nearest is", "eval.contexts");
}

static void test_name_of_earlier_versions_leads_to_the_option(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"train", "pass", "train.micro_batch"},
        {"mesh", "shard", "mesh.split"},
        {"mesh", "neighbours", "mesh.node_ranks"},
        {"mesh", "wire", "train.precision"},
    };
    unsigned train = CONFIG_READS(train) | CONFIG_READS(mesh);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_suggestion(cases[i][0], cases[i][1], train, "it is called", cases[i][2]);
        expect_suggestion("", cases[i][1], train, "it is called", cases[i][2]);
        assert_null(config_option_find(cases[i][0], cases[i][1]));
    }
    expect_suggestion("mesh", "wire", CONFIG_READS(eval), "the nearest is", "eval.store");
}

static void test_printable_text_has_no_control_characters(void **state)
{
    (void)state;
    char text[16];
    config_value_printable(text, sizeof text, "a\nb\0c\x1b", 6);
    assert_string_equal(text, "a?b?c?");
    config_value_printable(text, sizeof text, "0123456789abcdefgh", 18);
    assert_string_equal(text, "0123456789ab...");
    config_value_printable(text, sizeof text, "0123456789abcde", 15);
    assert_string_equal(text, "0123456789abcde");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_take_digits_only),
        cmocka_unit_test(test_numbers_are_finite_decimals),
        cmocka_unit_test(test_choices_take_whole_names),
        cmocka_unit_test(test_texts_are_printable_and_short),
        cmocka_unit_test(test_refused_text_changes_nothing),
        cmocka_unit_test(test_printed_numbers_read_back_as_the_same_bits),
        cmocka_unit_test(test_printed_numbers_are_short),
        cmocka_unit_test(test_choice_names_stand_for_their_constants),
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_nearest_option_weighs_key_and_section),
        cmocka_unit_test(test_name_of_earlier_versions_leads_to_the_option),
        cmocka_unit_test(test_printable_text_has_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of parameters: sizes, names, initial values. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "model/parameters.h"

static struct model_shape shape_of(const char *tokens)
{
    struct model_shape shape = {.width = 64,
                                .layers = 2,
                                .heads = 4,
                                .hidden = 256,
                                .observation_dim = 4,
                                .action_dim = 2,
                                .time_max = 20,
                                .trial_max = 4};
    struct failure failure = {0};
    assert_true(token_layout_parse(&shape.layout, tokens, &failure));
    return shape;
}

static void open_parameters(struct parameters *parameters, struct arena *arena,
                            const struct model_shape *shape)
{
    *arena = (struct arena){0};
    parameters_bind(parameters, arena, shape);
    arena_open(arena, arena->peak);
    parameters_bind(parameters, arena, shape);
}

static void test_parameters_default_model_has_about_100_thousand(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a,r,d");
    size_t learned = parameters_learned(&shape);
    assert_true(learned > 90000 && learned < 120000);
}

static void test_parameters_large_model_has_350_million(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a,r,d");
    shape.width = 1024;
    shape.layers = 28;
    shape.heads = 16;
    shape.hidden = 4096;
    size_t learned = parameters_learned(&shape);
    assert_true(learned > 340000000 && learned < 365000000);
}

static void test_parameters_absent_kinds_have_none(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("s,a");
    struct parameters parameters;
    struct arena arena;
    open_parameters(&parameters, &arena, &shape);
    size_t count = parameters_entries(NULL, &shape);
    struct parameter_entry *entries = memory_take(count, sizeof *entries);
    parameters_entries(entries, &shape);
    for (size_t i = 0; i < count; i++) {
        assert_null(strstr(entries[i].name, "return"));
        assert_null(strstr(entries[i].name, "reward"));
        assert_null(strstr(entries[i].name, "done"));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(entries[i].name, entries[j].name);
            assert_true(entries[i].offset >=
                        entries[j].offset + entries[j].rows * entries[j].columns);
        }
    }
    memory_free(entries);
    arena_close(&arena);
}

static void test_parameters_initial_values_have_their_deviation(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a,r,d");
    struct parameters parameters;
    struct arena arena;
    open_parameters(&parameters, &arena, &shape);
    parameters_initialise(&parameters, &shape, 1);
    double squares = 0.0;
    for (size_t i = 0; i < 64 * 256; i++) {
        squares +=
            (double)parameters.layers[1].up_weight[i] * (double)parameters.layers[1].up_weight[i];
    }
    support_expect_near(sqrt(squares / (64 * 256)), 1.0 / 8.0, 0.003);
    assert_true(parameters.layers[0].attention_norm_gain[63] == 1);
    assert_true(parameters.layers[0].up_bias[255] == 0);
    real first = parameters.head_weight[0];
    parameters_initialise(&parameters, &shape, 2);
    assert_true(parameters.head_weight[0] != first);
    parameters_initialise(&parameters, &shape, 1);
    assert_true(parameters.head_weight[0] == first);
    arena_close(&arena);
}

static void test_shape_refuses_heads_that_do_not_divide_width(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a");
    struct failure failure = {0};
    shape.heads = 5;
    assert_false(model_shape_check(&shape, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "model.heads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_default_model_has_about_100_thousand),
        cmocka_unit_test(test_parameters_large_model_has_350_million),
        cmocka_unit_test(test_parameters_absent_kinds_have_none),
        cmocka_unit_test(test_parameters_initial_values_have_their_deviation),
        cmocka_unit_test(test_shape_refuses_heads_that_do_not_divide_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The table of parameters: sizes, names, initial values. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "parameters/parameter_store.h"

static struct model_shape shape_of(const char *tokens)
{
    struct model_shape shape = {.width = 64,
                                .layers = 2,
                                .heads = 4,
                                .hidden = 256,
                                .observation_dim = 4,
                                .action_space = action_space_continuous(2),
                                .time_max = 20,
                                .trial_max = 4};
    struct failure failure = {0};
    assert_true(token_layout_parse(&shape.layout, tokens, &failure));
    return shape;
}

static void open_parameters(struct parameter_store *parameters, struct arena *arena,
                            const struct model_shape *shape)
{
    *arena = (struct arena){0};
    parameter_store_bind(parameters, arena, shape, 0, NULL);
    arena_open(arena, arena->peak);
    parameter_store_bind(parameters, arena, shape, 0, NULL);
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
    struct parameter_store parameters;
    struct arena arena;
    open_parameters(&parameters, &arena, &shape);
    const struct parameter_entry *entries = parameters.layout.entries;
    for (size_t i = 0; i < parameters.layout.entry_count; i++) {
        assert_null(strstr(entries[i].name, "return"));
        assert_null(strstr(entries[i].name, "reward"));
        assert_null(strstr(entries[i].name, "done"));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(entries[i].name, entries[j].name);
            assert_true(entries[i].offset >=
                        entries[j].offset + entries[j].rows * entries[j].columns);
        }
    }
    arena_close(&arena);
}

/* The table names every tensor of every operation's struct, in its place, and `all` is exactly what
 * lies between an operation's first and last number. */
static void test_every_view_is_in_the_table_once(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a,r,d");
    struct parameter_store parameters;
    struct arena arena;
    open_parameters(&parameters, &arena, &shape);
    struct model_weights *views = &parameters.master.views;
    enum { OUTER_GROUPS = 2, LAYER_GROUPS = 3 };
    size_t views_outer = sizeof(struct outer_weights) / sizeof(struct tensor) - OUTER_GROUPS;
    size_t views_layer = sizeof(struct layer_weights) / sizeof(struct tensor) - LAYER_GROUPS;
    assert_int_equal(parameters.layout.outer_entries, views_outer);
    assert_int_equal(parameters.layout.layer_entries, views_layer);
    for (size_t i = 0; i < parameters.layout.entry_count; i++) {
        const struct parameter_entry *entry = &parameters.layout.entries[i];
        const struct tensor *tensor = parameter_array_tensor(&parameters.master, entry);
        assert_ptr_equal(tensor->data, parameters.master.flat + entry->offset);
        assert_int_equal(tensor_count(tensor), entry->rows * entry->columns);
    }
    const struct ffn_weights *ffn = &views->layers[1].ffn;
    assert_ptr_equal(ffn->all.data, ffn->norm.gain.data);
    assert_ptr_equal(tensor_reals(&ffn->all) + ffn->all.columns,
                     tensor_reals(&ffn->down.bias) + ffn->down.bias.columns);
    assert_int_equal(ffn->up.weight.columns, shape.hidden);
    arena_close(&arena);
}

static void test_transposed_copies_are_there_while_a_layer_is_acquired_for_backward(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct model_shape shape = shape_of("R,s,a,r,d");
    struct workers *workers = workers_open(2, &failure);
    struct parameter_store parameters;
    struct arena arena = {0};
    parameter_store_bind(&parameters, &arena, &shape, 2, workers);
    arena_open(&arena, arena.peak);
    parameter_store_bind(&parameters, &arena, &shape, 2, workers);
    parameter_store_initialise(&parameters, 1);
    const struct layer_weights *w = parameter_store_acquire(&parameters, 1, PARAMETER_FORWARD);
    assert_null(w->ffn.up.weight.transposed);
    w = parameter_store_acquire(&parameters, 1, PARAMETER_BACKWARD);
    for (size_t row = 0; row < shape.width; row++) {
        for (size_t column = 0; column < shape.hidden; column++) {
            const real *transposed = w->ffn.up.weight.transposed;
            assert_true(transposed[column * shape.width + row] ==
                        tensor_reals(&w->ffn.up.weight)[row * shape.hidden + column]);
        }
    }
    assert_null(w->ffn.norm.gain.transposed);
    parameter_store_release(&parameters, 1);
    assert_null(w->ffn.up.weight.transposed);
    const struct outer_weights *outer =
        parameter_store_acquire_outer(&parameters, PARAMETER_BACKWARD);
    assert_non_null(outer->head.action.weight.transposed);
    assert_null(outer->embedding.field[FIELD_STATE].weight.transposed);
    parameter_store_release_outer(&parameters);
    arena_close(&arena);
    workers_close(workers);
}

static void test_parameters_initial_values_have_their_deviation(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a,r,d");
    struct parameter_store parameters;
    struct arena arena;
    open_parameters(&parameters, &arena, &shape);
    parameter_store_initialise(&parameters, 1);
    const struct layer_weights *layers = parameters.master.views.layers;
    const real *up = tensor_reals(&layers[1].ffn.up.weight);
    const real *head = tensor_reals(&parameters.master.views.outer.head.action.weight);
    double squares = 0.0;
    for (size_t i = 0; i < 64 * 256; i++) {
        squares += (double)up[i] * (double)up[i];
    }
    support_expect_near(sqrt(squares / (64 * 256)), 1.0 / 8.0, 0.003);
    assert_true(tensor_reals(&layers[0].qkv.norm.gain)[63] == 1);
    assert_true(tensor_reals(&layers[0].ffn.up.bias)[255] == 0);
    real first = head[0];
    parameter_store_initialise(&parameters, 2);
    assert_true(head[0] != first);
    parameter_store_initialise(&parameters, 1);
    assert_true(head[0] == first);
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

static void test_shape_refuses_categories_that_do_not_add_up(void **state)
{
    (void)state;
    struct model_shape shape = shape_of("R,s,a");
    struct failure failure = {0};
    shape.action_space = action_space_categorical((const size_t[]){3, 2}, 2);
    assert_true(model_shape_check(&shape, &failure));
    shape.action_space.dim = 6;
    assert_false(model_shape_check(&shape, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "5 categories together"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_default_model_has_about_100_thousand),
        cmocka_unit_test(test_parameters_large_model_has_350_million),
        cmocka_unit_test(test_parameters_absent_kinds_have_none),
        cmocka_unit_test(test_every_view_is_in_the_table_once),
        cmocka_unit_test(test_transposed_copies_are_there_while_a_layer_is_acquired_for_backward),
        cmocka_unit_test(test_parameters_initial_values_have_their_deviation),
        cmocka_unit_test(test_shape_refuses_heads_that_do_not_divide_width),
        cmocka_unit_test(test_shape_refuses_categories_that_do_not_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

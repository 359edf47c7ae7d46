#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/space.h"

/* The texts are minari 0.5.4's, of spaces of gymnasium 1.4.0. */
static struct space parse(const char *text)
{
    struct space space;
    struct failure failure = {0};
    bool ok = space_parse(&space, text, "FILE: space", &failure);
    if (!ok) {
        fail_msg("%s", failure.text);
    }
    return space;
}

static void expect_leaf(const struct space_leaf *leaf, const char *name, enum space_kind kind,
                        size_t columns, size_t dim)
{
    assert_string_equal(leaf->name, name);
    assert_int_equal(leaf->kind, kind);
    assert_int_equal(leaf->columns, columns);
    assert_int_equal(space_leaf_dim(leaf), dim);
}

static void expect_bounds(const double *found, const double *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(found[i] == wanted[i]);
    }
}

static void test_space_leaves_have_kinds_sizes_and_bounds(void **state)
{
    (void)state;
    const double inf = (double)INFINITY;
    const struct {
        const char *text;
        enum space_kind kind;
        size_t columns, dim;
        double low[4], high[4];
    } cases[] = {
        {"{\"type\": \"Box\", \"dtype\": \"float32\", \"shape\": [1, 3], \"low\": [[-1.5, "
         "-Infinity, 0.0]], \"high\": [[1.5, Infinity, 3.0]]}",
         SPACE_BOX,
         3,
         3,
         {-1.5, -inf, 0},
         {1.5, inf, 3}},
        {"{\"type\": \"Box\", \"dtype\": \"uint8\", \"shape\": [2, 1], \"low\": [[0], [0]], "
         "\"high\": [[255], [255]]}",
         SPACE_BOX,
         2,
         2,
         {0, 0},
         {255, 255}},
        {"{\"type\": \"Box\", \"dtype\": \"uint64\", \"shape\": [1], \"low\": [0], \"high\": "
         "[18446744073709551615]}",
         SPACE_BOX,
         1,
         1,
         {0},
         {inf}},
        {"{\"type\": \"Box\", \"dtype\": \"float64\", \"shape\": [], \"low\": -1.0, \"high\": "
         "1.0}",
         SPACE_BOX,
         1,
         1,
         {-1},
         {1}},
        {"{\"type\": \"Discrete\", \"dtype\": \"int64\", \"start\": -1, \"n\": 3}",
         SPACE_DISCRETE,
         1,
         3,
         {-1},
         {1}},
        {"{\"type\": \"MultiDiscrete\", \"dtype\": \"int64\", \"nvec\": [[2, 3], [4, 1]], "
         "\"start\": [[0, 1], [0, -2]]}",
         SPACE_MULTI_DISCRETE,
         4,
         10,
         {0, 1, 0, -2},
         {1, 3, 3, -2}},
        {"{\"type\": \"MultiBinary\", \"n\": 3}", SPACE_MULTI_BINARY, 3, 3, {0}, {1, 1, 1}},
        {"{\"type\": \"MultiBinary\", \"n\": [2, 2]}", SPACE_MULTI_BINARY, 4, 4, {0}, {1, 1, 1, 1}},
        {"{\"type\": \"Text\", \"max_length\": 5, \"min_length\": 1, \"charset\": "
         "\"\\\"\\\\Infinity\\u00e9\"}",
         SPACE_TEXT,
         0,
         0,
         {0},
         {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct space space = parse(cases[i].text);
        assert_int_equal(space.count, 1);
        expect_leaf(&space.leaves[0], "", cases[i].kind, cases[i].columns, cases[i].dim);
        expect_bounds(space.leaves[0].low, cases[i].low, cases[i].columns);
        expect_bounds(space.leaves[0].high, cases[i].high, cases[i].columns);
        space_free(&space);
    }
}

/* Keys out of order, as of a Dict that was made of an ordered list. */
static const char nested[] =
    "{\"type\": \"Dict\", \"subspaces\": {\"b\": {\"type\": \"Discrete\", \"dtype\": \"int64\", "
    "\"start\": 0, \"n\": 2}, \"B\": {\"type\": \"Tuple\", \"subspaces\": [{\"type\": \"Box\", "
    "\"dtype\": \"float32\", \"shape\": [1], \"low\": [-1.0], \"high\": [1.0]}, {\"type\": "
    "\"Text\", \"max_length\": 5, \"min_length\": 1, \"charset\": \"a\"}]}, \"a\": {\"type\": "
    "\"Dict\", \"subspaces\": {\"z\": {\"type\": \"MultiBinary\", \"n\": 2}}}}}";

static void test_space_of_groups_is_in_the_order_of_flatten(void **state)
{
    (void)state;
    struct space space = parse(nested);
    assert_int_equal(space.count, 4);
    expect_leaf(&space.leaves[0], "B/_index_0", SPACE_BOX, 1, 1);
    expect_leaf(&space.leaves[1], "B/_index_1", SPACE_TEXT, 0, 0);
    expect_leaf(&space.leaves[2], "a/z", SPACE_MULTI_BINARY, 2, 2);
    expect_leaf(&space.leaves[3], "b", SPACE_DISCRETE, 1, 2);
    assert_int_equal(space_dim(&space), 5);
    space_free(&space);
}

static void test_space_select_keeps_names_and_groups(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct space space = parse(nested);
    assert_false(space_check_numbers(&space, "FILE: space", &failure));
    assert_non_null(strstr(failure.text, "\"B/_index_1\""));
    failure = (struct failure){0};
    assert_true(space_select(&space, "b,a", &failure));
    assert_int_equal(space.count, 2);
    assert_string_equal(space.leaves[0].name, "a/z");
    assert_true(space_check_numbers(&space, "FILE: space", &failure));
    assert_false(space_select(&space, "a,a/", &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "found \"a/\", expected some of a/z, b"));
    space_free(&space);
}

static void test_space_keys_fit_to_a_store(void **state)
{
    (void)state;
    struct store_spec spec = {.key_count = 0};
    struct space space = {0};
    char name[SPACE_NAME_MAX];
    memset(name, 'k', sizeof name);
    name[100] = '\0';
    space_add(&space, name, SPACE_BOX, 3);
    space_fill_keys(&spec, &space);
    assert_int_equal(spec.key_count, 0); /* nothing to tell apart */
    space_add(&space, "", SPACE_DISCRETE, 1)->high[0] = 6.0;
    space_fill_keys(&spec, &space);
    assert_int_equal(spec.key_count, 2);
    assert_int_equal(strlen(spec.keys[0].name), STORE_NAME_MAX - 1);
    assert_string_equal(spec.keys[1].name, "observation");
    assert_int_equal(spec.keys[1].dim, 7);
    spec = (struct store_spec){.key_count = 0};
    while (space.count <= STORE_KEYS_MAX) {
        space_add(&space, "more", SPACE_BOX, 1);
    }
    space_fill_keys(&spec, &space);
    assert_int_equal(spec.key_count, 0);
    space_free(&space);
}

/* What an export says of actions is read as the same. */
static void test_space_of_actions_comes_back(void **state)
{
    (void)state;
    struct action_space cases[3] = {
        action_space_continuous(2),
        {.kind = ACTION_CATEGORICAL, .dim = 4, .categorical_count = 1, .categories = {4}},
        {.kind = ACTION_CATEGORICAL, .dim = 5, .categorical_count = 2, .categories = {2, 3}}};
    cases[0].low[1] = -0.1;
    cases[0].high[1] = 1e9;
    for (size_t i = 0; i < 3; i++) {
        char *text = space_of_actions(&cases[i]);
        struct space space = parse(text);
        struct action_space again = {.dim = 0};
        struct failure failure = {0};
        assert_true(space_describe_actions(&again, &space, "", "FILE: space", &failure));
        assert_true(action_space_equal(&again, &cases[i]));
        space_free(&space);
        memory_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_leaves_have_kinds_sizes_and_bounds),
        cmocka_unit_test(test_space_of_groups_is_in_the_order_of_flatten),
        cmocka_unit_test(test_space_select_keeps_names_and_groups),
        cmocka_unit_test(test_space_keys_fit_to_a_store),
        cmocka_unit_test(test_space_of_actions_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "context/layout.h"

static struct token_layout parse(const char *text)
{
    struct token_layout layout;
    struct failure failure = {0};
    assert_true(token_layout_parse(&layout, text, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    return layout;
}

static void test_layout_keeps_the_order_of_its_letters(void **state)
{
    (void)state;
    struct token_layout layout = parse("R,s,a,r,d");
    const enum token_kind wanted[] = {TOKEN_RETURN, TOKEN_STATE, TOKEN_ACTION, TOKEN_REWARD,
                                      TOKEN_DONE};
    assert_int_equal(layout.count, 5);
    assert_memory_equal(layout.kinds, wanted, sizeof wanted);
    assert_int_equal(layout.state_index, 1);

    layout = parse("R,s,d,a");
    assert_int_equal(layout.count, 4);
    assert_int_equal(layout.kinds[2], TOKEN_DONE);
    assert_int_equal(layout.kinds[3], TOKEN_ACTION);
}

static void test_layout_finds_the_place_of_the_state(void **state)
{
    (void)state;
    assert_int_equal(parse("R,s,a,r").state_index, 1);
    assert_int_equal(parse("R,s,a").state_index, 1);
    assert_int_equal(parse("s,a").state_index, 0);
    assert_int_equal(parse("s,R,a").state_index, 0);
    assert_int_equal(parse("s").state_index, 0);
}

static void test_layout_has_only_the_kinds_that_it_names(void **state)
{
    (void)state;
    struct token_layout layout = parse("s,a,r");
    assert_false(token_layout_has(&layout, TOKEN_RETURN));
    assert_true(token_layout_has(&layout, TOKEN_STATE));
    assert_true(token_layout_has(&layout, TOKEN_ACTION));
    assert_true(token_layout_has(&layout, TOKEN_REWARD));
    assert_false(token_layout_has(&layout, TOKEN_DONE));
}

static void refuse(const char *text)
{
    struct token_layout layout;
    struct failure failure = {0};
    if (token_layout_parse(&layout, text, &failure)) {
        fail_msg("\"%s\" was accepted", text);
    }
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    char quoted[64];
    snprintf(quoted, sizeof quoted, "found \"%s\"", text);
    assert_non_null(strstr(failure.text, quoted));
    assert_null(strchr(failure.text, '\n'));
}

static void test_layout_refuses_what_is_no_list_of_kinds(void **state)
{
    (void)state;
    refuse("R,s,x");
    refuse("Rs,a");
    refuse("R;s");
    refuse("R, s");
    refuse(",s");
    refuse("R,,s");
    refuse("s,a,");
    refuse("S");
}

static void test_layout_refuses_a_kind_named_twice(void **state)
{
    (void)state;
    refuse("R,s,a,R");
    refuse("s,s");
}

static void test_layout_refuses_to_go_without_a_state(void **state)
{
    (void)state;
    refuse("");
    refuse("R");
    refuse("R,a,r,d");
}

static void test_layout_refuses_an_outcome_before_its_state(void **state)
{
    (void)state;
    refuse("R,a,s");
    refuse("r,s,a");
    refuse("R,d,s,a");
}

static void test_layout_names_each_kind(void **state)
{
    (void)state;
    assert_string_equal(token_kind_name(TOKEN_RETURN), "return");
    assert_string_equal(token_kind_name(TOKEN_STATE), "state");
    assert_string_equal(token_kind_name(TOKEN_ACTION), "action");
    assert_string_equal(token_kind_name(TOKEN_REWARD), "reward");
    assert_string_equal(token_kind_name(TOKEN_DONE), "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_keeps_the_order_of_its_letters),
        cmocka_unit_test(test_layout_finds_the_place_of_the_state),
        cmocka_unit_test(test_layout_has_only_the_kinds_that_it_names),
        cmocka_unit_test(test_layout_refuses_what_is_no_list_of_kinds),
        cmocka_unit_test(test_layout_refuses_a_kind_named_twice),
        cmocka_unit_test(test_layout_refuses_to_go_without_a_state),
        cmocka_unit_test(test_layout_refuses_an_outcome_before_its_state),
        cmocka_unit_test(test_layout_names_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "context/layout.h"
#include "tests/support/layouts.h"

static struct token_layout parse(const char *text)
{
    struct token_layout layout;
    struct failure failure = {0};
    if (!token_layout_parse(&layout, text, &failure)) {
        fail_msg("%s", failure.text);
    }
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    return layout;
}

static void expect_field(const struct token_layout *layout, size_t i, enum field field,
                         bool is_previous, size_t token)
{
    assert_int_equal(layout->fields[i].field, field);
    assert_int_equal(layout->fields[i].is_previous, is_previous);
    assert_int_equal(layout->fields[i].token, token);
}

static void test_layout_keeps_the_order_of_its_letters(void **state)
{
    (void)state;
    struct token_layout layout = parse("R,s,a,r,d");
    assert_int_equal(layout.count, 5);
    assert_int_equal(layout.field_count, 5);
    for (size_t i = 0; i < FIELDS; i++) {
        expect_field(&layout, i, (enum field)i, false, i);
    }
    assert_int_equal(layout.state_index, 1);

    layout = parse("R,s,d,a");
    assert_int_equal(layout.count, 4);
    expect_field(&layout, 2, FIELD_DONE, false, 2);
    expect_field(&layout, 3, FIELD_ACTION, false, 3);
}

static void test_a_token_carries_several_fields(void **state)
{
    (void)state;
    struct token_layout layout = parse("R+s+-a+-r+-d");
    assert_int_equal(layout.count, 1);
    assert_int_equal(layout.state_index, 0);
    for (size_t i = 0; i < FIELDS; i++) {
        expect_field(&layout, i, (enum field)i, i >= FIELD_ACTION, 0);
    }
    layout = parse("-r+R,s,d+a"); /* in whatever order */
    assert_int_equal(layout.count, 3);
    assert_int_equal(layout.state_index, 1);
    expect_field(&layout, 0, FIELD_RETURN, false, 0);
    expect_field(&layout, 1, FIELD_REWARD, true, 0);
    expect_field(&layout, 3, FIELD_ACTION, false, 2);
    expect_field(&layout, 4, FIELD_DONE, false, 2);
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

static void test_layout_has_only_the_fields_that_it_names(void **state)
{
    (void)state;
    struct token_layout layout = parse("s+-a,r");
    assert_false(token_layout_has(&layout, FIELD_RETURN));
    assert_true(token_layout_has(&layout, FIELD_STATE));
    assert_true(token_layout_has(&layout, FIELD_ACTION));
    assert_true(token_layout_has(&layout, FIELD_REWARD));
    assert_false(token_layout_has(&layout, FIELD_DONE));
}

static void test_every_layout_is_printed_as_it_was_read(void **state)
{
    (void)state;
    static char texts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE];
    size_t count = layouts_all(texts);
    assert_int_equal(count, LAYOUTS_COUNT);
    for (size_t i = 0; i < count; i++) {
        char text[TOKEN_LAYOUT_TEXT_SIZE];
        struct token_layout layout = parse(texts[i]);
        token_layout_print(&layout, text);
        assert_string_equal(text, texts[i]);
    }
}

/* `why` stands in the message. */
static void refuse(const char *text, const char *why)
{
    struct token_layout layout;
    struct failure failure = {0};
    if (token_layout_parse(&layout, text, &failure)) {
        fail_msg("\"%s\" was accepted", text);
    }
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    char wanted[160];
    snprintf(wanted, sizeof wanted, "found \"%s\", %s", text, why);
    if (!strstr(failure.text, wanted) || strchr(failure.text, '\n')) {
        fail_msg("expected \"%s\" in \"%s\"", wanted, failure.text);
    }
}

static void test_layout_refuses_what_is_no_list_of_tokens(void **state)
{
    (void)state;
    static const char *const missing[] = {"", ",s", "R,,s", "s,a,", "s+", "+s", "s++R"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        refuse(missing[i], "where a field is missing");
    }
    static const char *const others[][2] = {
        {"R,s,x", "x"},   {"R,s+q", "q"}, {"R,s+q,d", "q"}, {"Rs,a", "Rs"},
        {"R;s", "R;s"},   {"R, s", " s"}, {"S", "S"},       {"s-a", "s-a"},
        {"--as", "--as"}, {"s,-", "-"},   {"-", "-"},       {"s,-,a", "-"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char why[64];
        snprintf(why, sizeof why, "where \"%s\" is no field", others[i][1]);
        refuse(others[i][0], why);
    }
}

static void test_layout_refuses_a_field_named_twice(void **state)
{
    (void)state;
    refuse("R,s,a,R", "where R stands twice");
    refuse("s,s", "where s stands twice");
    refuse("R,s,a,r,d,a", "where a stands twice");
    refuse("s+-a+-a", "where -a stands twice");
    refuse("s+-a,a", "where a and -a exclude each other");
    refuse("R+-r,s+-a,a", "where a and -a exclude each other");
    refuse("s,r,-r", "where r and -r exclude each other");
}

static void test_layout_refuses_to_go_without_a_state(void **state)
{
    (void)state;
    refuse("R,a,r", "where the state s is missing");
    refuse("R", "where the state s is missing");
}

static void test_layout_refuses_an_outcome_before_its_action(void **state)
{
    (void)state;
    refuse("a,s", "where a is no later than the state s, at which it is predicted");
    refuse("s+a", "where a is no later than the state s, at which it is predicted");
    refuse("R,r,s,a", "where r comes of the action, but is no later than the state s");
    refuse("d,s", "where d comes of the action, but is");
    refuse("R+s+r,a", "where r comes of the action, but is");
}

static void test_layout_refuses_the_step_before_where_it_comes_late(void **state)
{
    (void)state;
    refuse("s,-a", "where -a of the step before stands in a token after");
    refuse("R,s,-r+a", "where -r of the step before stands in a token after");
    refuse("-s,a", "where -s is no field: of the step before are -a -r -d");
    refuse("s+-R", "where -R is no field: of the step before are -a -r -d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_keeps_the_order_of_its_letters),
        cmocka_unit_test(test_a_token_carries_several_fields),
        cmocka_unit_test(test_layout_finds_the_place_of_the_state),
        cmocka_unit_test(test_layout_has_only_the_fields_that_it_names),
        cmocka_unit_test(test_every_layout_is_printed_as_it_was_read),
        cmocka_unit_test(test_layout_refuses_what_is_no_list_of_tokens),
        cmocka_unit_test(test_layout_refuses_a_field_named_twice),
        cmocka_unit_test(test_layout_refuses_to_go_without_a_state),
        cmocka_unit_test(test_layout_refuses_an_outcome_before_its_action),
        cmocka_unit_test(test_layout_refuses_the_step_before_where_it_comes_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

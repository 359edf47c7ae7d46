/* What the guard of models lets pass and what it refuses, in one line. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "envs/model_guard.h"
#include "envs/model_text.h"
#include "envs/registry.h"

static void expect_refused(const char *text, const char *words)
{
    struct failure failure = {0};
    assert_false(model_guard_check("foreign", text, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_non_null(strstr(failure.text, "foreign.xml: found \""));
    assert_null(strpbrk(failure.text, "\n\r\x1b"));
    if (!strstr(failure.text, words)) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
}

static void test_our_models_pass(void **state)
{
    (void)state;
    for (size_t i = 0; registry_at(i).task; i++) {
        struct failure failure = {0};
        const struct simulation_source *source = &registry_at(i).domain->source;
        assert_true(model_guard_check(source->name, source->xml, &failure));
    }
}

static void test_other_texts_and_code_are_refused(void **state)
{
    (void)state;
    expect_refused("<mujoco>\n<include file='other.xml'/></mujoco>", "\"<include>\" in line 2");
    expect_refused("<mujoco><extension/></mujoco>", "\"<extension>\"");
    expect_refused("<mujoco><worldbody><plugin plugin='x'/></worldbody></mujoco>", "\"<plugin>\"");
}

static void test_files_are_refused_wherever_they_are(void **state)
{
    (void)state;
    expect_refused("<mujoco><asset><mesh file='a.stl'/></asset></mujoco>", "needs no files");
    expect_refused("<mujoco><asset><hfield file='/etc/passwd'/></asset></mujoco>", "leading out");
    expect_refused("<mujoco><asset><mesh file='a/../../b.stl'/></asset></mujoco>", "leading out");
    expect_refused("<mujoco><asset><texture fileup='a&#10;b'/></asset></mujoco>", "\"fileup\"");
    expect_refused("<mujoco><asset><skin file='&#46;&#46;/b'/></asset></mujoco>", "leading out");
    expect_refused("<mujoco><compiler meshdir='/'/></mujoco>", "\"meshdir\"");
    expect_refused("<mujoco><compiler texturedir='..'/></mujoco>", "\"texturedir\"");
    expect_refused("<mujoco><compiler assetdir='c:x'/></mujoco>", "\"assetdir\"");
}

static void test_what_grows_or_is_no_xml_is_refused(void **state)
{
    (void)state;
    expect_refused("<!DOCTYPE m [<!ENTITY a 'aa'>]><mujoco>&a;</mujoco>", "DOCTYPE");
    expect_refused("<!DOCTYPE m SYSTEM 'file:///etc/passwd'><m/>", "DOCTYPE");
    expect_refused("<mujoco>&unknown;</mujoco>", "undefined entity");
    expect_refused("<mujoco><worldbody></mujoco>", "mismatched tag");
    expect_refused("", "no element found");
    expect_refused("<mujoco/><mujoco/>", "junk after document element");
    expect_refused("<mujoco \xff='1'/>", "not well-formed");
    expect_refused("<mujoco a='1' a='2'/>", "duplicate attribute");
}

/* `count` times opening, then closing; the caller frees it. */
static char *nest(size_t count)
{
    char *text = memory_take(7 * count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + 3 * i, "<a>", 3);
        memcpy(text + 3 * count + 4 * i, "</a>", 4);
    }
    return text;
}

static void test_depth_and_size_have_bounds(void **state)
{
    (void)state;
    struct failure failure = {0};
    char *deep = nest(MODEL_TEXT_DEPTH_MAX);
    assert_true(model_guard_check("deep", deep, &failure));
    memory_free(deep);
    deep = nest(MODEL_TEXT_DEPTH_MAX + 1);
    expect_refused(deep, "inside each other");
    memory_free(deep);
    char *large = memory_take(MODEL_TEXT_BYTES_MAX + 2, 1);
    memset(large, ' ', MODEL_TEXT_BYTES_MAX + 1);
    memcpy(large, "<a/>", 4);
    expect_refused(large, "bytes");
    large[MODEL_TEXT_BYTES_MAX] = '\0';
    assert_true(model_guard_check("large", large, &failure));
    memory_free(large);
}

static void test_nothing_is_compiled_without_the_guard(void **state)
{
    (void)state;
    for (int rule = INERTIA_EXACT; rule < INERTIA_RULES; rule++) {
        struct failure failure = {0};
        struct simulation_source source = {.name = "foreign",
                                           .xml = "<mujoco><include file='x.xml'/></mujoco>",
                                           .inertia = (enum inertia_rule)rule};
        assert_null(simulation_compile(&source, &failure));
        assert_int_equal(failure.code, EXIT_CODE_DATA);
        assert_non_null(strstr(failure.text, "<include>"));
    }
}

static void test_paths_that_stay_inside(void **state)
{
    (void)state;
    static const char *const inside[] = {"", ".", "a", "a/b.stl", "./a", "a..b/..c", "...", "a//b"};
    static const char *const outside[] = {"..",      "../a",  "a/..",    "a/../b", "/",
                                          "/a",      "a\\..", "C:a",     "a\nb",   "//a",
                                          "a//../b", "\x7f",  "http://a"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_true(model_guard_stays_inside(inside[i]));
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(model_guard_stays_inside(outside[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_models_pass),
        cmocka_unit_test(test_other_texts_and_code_are_refused),
        cmocka_unit_test(test_files_are_refused_wherever_they_are),
        cmocka_unit_test(test_what_grows_or_is_no_xml_is_refused),
        cmocka_unit_test(test_depth_and_size_have_bounds),
        cmocka_unit_test(test_nothing_is_compiled_without_the_guard),
        cmocka_unit_test(test_paths_that_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

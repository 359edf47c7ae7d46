/* Every task is listed once, with what its environment says of itself. */
#include "tests/support/support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/task_list.h"
#include "envs/env.h"

/* What is printed; the caller frees it. */
static char *print(bool is_json)
{
    char *text = NULL;
    size_t size;
    struct failure failure = {0};
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_true(task_list_print(out, is_json, &failure));
    fclose(out);
    return text;
}

static size_t task_count(void)
{
    size_t count = 0;
    while (env_task_name(count)) {
        count++;
    }
    return count;
}

static void test_table_has_a_line_for_each_task(void **state)
{
    (void)state;
    char *text = print(false);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) {
        lines++;
    }
    assert_int_equal(lines, task_count() + 1);
    for (size_t index = 0; env_task_name(index); index++) {
        char line[80];
        snprintf(line, sizeof line, "\n%s ", env_task_name(index));
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static size_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return (size_t)json_integer_value(value);
}

static void check_object(const json_t *object, const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    const struct env_spec *spec = env_task_spec(task);
    assert_string_equal(json_string_value(json_object_get(object, "task")), spec->task);
    assert_string_equal(json_string_value(json_object_get(object, "domain")), spec->domain);
    assert_int_equal(number_of(object, "observation_dim"), spec->observation_dim);
    assert_int_equal(number_of(object, "action_dim"), spec->action_dim);
    assert_int_equal(number_of(object, "physics_dim"), spec->physics_dim);
    assert_int_equal(number_of(object, "hidden_dim"), spec->hidden_dim);
    assert_int_equal(number_of(object, "steps"), spec->steps_max);
    support_expect_near(json_real_value(json_object_get(object, "control_timestep")),
                        spec->control_timestep, 1e-15);
    assert_int_equal(json_is_true(json_object_get(object, "script")), spec->has_script);
    env_task_close(task);
}

static void test_json_says_what_each_environment_says(void **state)
{
    (void)state;
    char *text = print(true);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "simulator")), env_simulator());
    const json_t *tasks = json_object_get(root, "tasks");
    assert_int_equal(json_array_size(tasks), task_count());
    for (size_t index = 0; env_task_name(index); index++) {
        check_object(json_array_get(tasks, index), env_task_name(index));
    }
    json_decref(root);
    free(text);
}

static void test_full_output_is_told(void **state)
{
    (void)state;
    for (size_t is_json = 0; is_json < 2; is_json++) {
        struct failure failure = {0};
        FILE *out = fopen("/dev/full", "w");
        assert_non_null(out);
        assert_false(task_list_print(out, is_json, &failure));
        assert_int_equal(failure.code, EXIT_CODE_IO);
        fclose(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_has_a_line_for_each_task),
        cmocka_unit_test(test_json_says_what_each_environment_says),
        cmocka_unit_test(test_full_output_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/checkpoint/example.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/memory.h"
#include "checkpoint/run_folder.h"

static void test_folder_is_made_and_opened_again(void **state)
{
    struct failure failure = {0};
    struct run_folder run;
    for (int i = 0; i < 2; i++) {
        assert_true(run_folder_open(&run, example_path(*state, "runs/first//"), &failure));
        assert_string_equal(run.path, example_path(*state, "runs/first"));
        run_folder_close(&run);
        run_folder_close(&run);
    }
    assert_true(example_exists(example_path(*state, "runs/first/lock")));
}

static void test_folder_that_cannot_be_made_is_a_failure(void **state)
{
    struct failure failure = {0};
    struct run_folder run;
    example_write(example_path(*state, "file"), "text", 4);
    const char *path = example_path(*state, "file/run");
    example_expect_failure(run_folder_open(&run, path, &failure), &failure, EXIT_CODE_IO, path);
    run_folder_close(&run);
}

/* A process that holds the lock of `path` until it is killed. */
static pid_t start_holder(const char *path)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct failure failure = {0};
        struct run_folder run;
        char answer = run_folder_open(&run, path, &failure) ? 'y' : 'n';
        if (write(ends[1], &answer, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    char answer = 'n';
    assert_int_equal(read(ends[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ends[0]);
    close(ends[1]);
    return child;
}

static void test_second_opener_is_refused_by_the_first_ones_number(void **state)
{
    const char *path = example_path(*state, "run");
    pid_t holder = start_holder(path);
    struct run_folder run;
    char words[64];
    snprintf(words, sizeof words, "in use by process %ld on ", (long)holder);
    for (int i = 0; i < 2; i++) {
        struct failure failure = {0};
        example_expect_failure(run_folder_open(&run, path, &failure), &failure, EXIT_CODE_USAGE,
                               words);
    }
    kill(holder, SIGKILL);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    struct failure failure = {0};
    assert_true(run_folder_open(&run, path, &failure));
    run_folder_close(&run);
}

static json_t *read_status(const char *folder)
{
    json_t *status = json_load_file(example_path(folder, "run/status.json"), 0, NULL);
    assert_non_null(status);
    return status;
}

static void test_status_tells_state_step_and_loss(void **state)
{
    static const char *const names[] = {"running", "done", "stopped", "failed"};
    struct failure failure = {0};
    struct run_folder run;
    assert_true(run_folder_open(&run, example_path(*state, "run"), &failure));
    for (int i = 0; i < 4; i++) {
        run_folder_write_status(
            &run,
            &(struct run_status){.state = (enum run_state)i, .step = 7, .steps = 10, .loss = 0.1});
        json_t *status = read_status(*state);
        assert_string_equal(json_string_value(json_object_get(status, "state")), names[i]);
        assert_int_equal(json_integer_value(json_object_get(status, "step")), 7);
        assert_int_equal(json_integer_value(json_object_get(status, "steps")), 10);
        assert_true(json_real_value(json_object_get(status, "loss")) == 0.1);
        assert_int_equal(json_string_length(json_object_get(status, "updated")), 20);
        assert_null(json_object_get(status, "message"));
        json_decref(status);
    }
    assert_true(run_folder_loss(&run, 7) == 0.1);
    assert_true(isnan(run_folder_loss(&run, 6)));
    run_folder_write_status(&run,
                            &(struct run_status){.step = RUN_STEP_UNKNOWN, .loss = (double)NAN});
    json_t *status = read_status(*state);
    assert_true(json_is_null(json_object_get(status, "loss")));
    assert_true(json_is_null(json_object_get(status, "step")));
    assert_true(isnan(run_folder_loss(&run, 7)));
    json_decref(status);
    run_folder_close(&run);
}

static void test_failed_status_has_the_line_and_the_code(void **state)
{
    struct failure failure = {0};
    struct failure cause = {.code = EXIT_CODE_IO, .text = "a \"file\": b\xff\n"};
    struct run_folder run;
    assert_true(run_folder_open(&run, example_path(*state, "run"), &failure));
    run_folder_write_status(&run,
                            &(struct run_status){.state = RUN_STATE_FAILED, .failure = &cause});
    json_t *status = read_status(*state);
    assert_string_equal(json_string_value(json_object_get(status, "message")), "a \"file\": b??");
    assert_int_equal(json_integer_value(json_object_get(status, "exit_code")), EXIT_CODE_IO);
    json_decref(status);
    run_folder_close(&run);
}

/* Where no new file can be made, as on a full disk. */
static void test_status_is_overwritten_where_no_file_can_be_made(void **state)
{
    struct failure failure = {0};
    struct run_folder run;
    assert_true(run_folder_open(&run, example_path(*state, "run"), &failure));
    run_folder_write_status(&run, &(struct run_status){.steps = 1000000, .loss = 1.0 / 3.0});
    assert_true(file_make_folder(example_path(*state, "run/status.json.tmp"), &failure));
    run_folder_write_status(&run, &(struct run_status){.state = RUN_STATE_DONE});
    json_t *status = read_status(*state);
    assert_string_equal(json_string_value(json_object_get(status, "state")), "done");
    json_decref(status);
    run_folder_close(&run);
}

static void test_status_that_cannot_be_written_is_one_warning(void **state)
{
    struct failure failure = {0};
    struct run_folder run;
    assert_true(run_folder_open(&run, example_path(*state, "run"), &failure));
    assert_true(file_remove_tree(run.path, &failure));
    for (int i = 0; i < 3; i++) {
        run_folder_write_status(&run, &(struct run_status){.step = 1});
    }
    run_folder_close(&run);
    char *warnings = example_warnings(*state);
    assert_non_null(strstr(warnings, "run/status.json: cannot be written"));
    assert_ptr_equal(strchr(warnings, '\n'), strrchr(warnings, '\n'));
    memory_free(warnings);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_folder_is_made_and_opened_again),
        TEST(test_folder_that_cannot_be_made_is_a_failure),
        TEST(test_second_opener_is_refused_by_the_first_ones_number),
        TEST(test_status_tells_state_step_and_loss),
        TEST(test_failed_status_has_the_line_and_the_code),
        TEST(test_status_is_overwritten_where_no_file_can_be_made),
        TEST(test_status_that_cannot_be_written_is_one_warning),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

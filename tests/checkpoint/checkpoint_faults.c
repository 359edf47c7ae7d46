#include "tests/checkpoint/example.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "state.json",
                                    "MANIFEST.json"};

/* Reading must refuse the damaged files without falling over, and the search must not take them. */
static void expect_fallback(const char *run, const char *damage)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    uint64_t step = 0;
    if (checkpoint_find_newest(path, &step, run, &failure) != CHECKPOINT_FOUND || step != 5) {
        fail_msg("%s: expected the checkpoint of step 5, found %d; %s", damage, (int)step,
                 example_warnings(run));
    }
    struct example example;
    struct checkpoint_state state;
    example_open(&example, 4, 1);
    const char *damaged = example_path(run, "ckpt/step-6");
    if (!checkpoint_load_tensors(&example.tensors, damaged, &failure)) {
        assert_int_not_equal(failure.code, EXIT_CODE_DONE);
    }
    failure = (struct failure){0};
    if (checkpoint_load_state(&state, damaged, &failure)) {
        checkpoint_state_close(&state);
    } else {
        assert_int_not_equal(failure.code, EXIT_CODE_DONE);
    }
    example_close(&example);
}

/* Every length near the beginning and the end, some between. */
static size_t next_cut(size_t cut, size_t size)
{
    if (cut < 16 || cut + 16 >= size) {
        return cut + 1;
    }
    return cut + 29 < size - 16 ? cut + 29 : size - 16;
}

static void test_cut_files_are_not_used(void **state)
{
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    for (size_t i = 0; i < 4; i++) {
        const char *path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
        size_t size;
        char *bytes = example_read(path, &size);
        for (size_t cut = 0; cut < size; cut = next_cut(cut, size)) {
            path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
            example_write(path, bytes, cut);
            expect_fallback(*state, files[i]);
        }
        path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
        example_write(path, bytes, size);
        memory_free(bytes);
    }
    example_expect_newest(*state, 6);
}

static void test_flipped_bits_are_found(void **state)
{
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    for (size_t i = 0; i < 4; i++) {
        const char *path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
        size_t size;
        char *bytes = example_read(path, &size);
        for (size_t bit = 0; bit < 8 * size; bit += i == 3 ? 7 : 101) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
            path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
            example_write(path, bytes, size);
            expect_fallback(*state, files[i]);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        }
        path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
        example_write(path, bytes, size);
        memory_free(bytes);
    }
    example_expect_newest(*state, 6);
}

static void test_missing_files_and_other_things_are_not_used(void **state)
{
    struct failure failure = {0};
    example_save(*state, 5, 9);
    for (size_t i = 0; i < 4; i++) {
        example_save(*state, 6, 9);
        const char *path = example_path(example_path(*state, "ckpt/step-6"), files[i]);
        assert_int_equal(unlink(path), 0);
        expect_fallback(*state, "file removed");
        assert_int_equal(mkfifo(path, 0600), 0);
        expect_fallback(*state, "file replaced by a pipe");
    }
    assert_true(file_remove_tree(example_path(*state, "ckpt/step-6"), &failure));
    example_write(example_path(*state, "ckpt/step-6"), "text", 4);
    expect_fallback(*state, "folder replaced by a file");
    example_save(*state, 6, 9);
    example_expect_newest(*state, 6);
}

static void test_checkpoint_under_another_name_is_not_used(void **state)
{
    struct failure failure = {0};
    example_save(*state, 5, 9);
    example_save(*state, 7, 9);
    assert_int_equal(
        rename(example_path(*state, "ckpt/step-7"), example_path(*state, "ckpt/step-6")), 0);
    expect_fallback(*state, "renamed folder");
    example_expect_failure(checkpoint_verify(example_path(*state, "ckpt/step-6"), &failure),
                           &failure, EXIT_CODE_DATA, "found step 7, expected 6");
}

static void test_fallback_names_file_found_and_expected(void **state)
{
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    const char *path = example_path(*state, "ckpt/step-6/model.safetensors");
    size_t size;
    char *bytes = example_read(path, &size);
    example_write(path, bytes, size - 4);
    memory_free(bytes);
    example_expect_newest(*state, 5);
    char wanted[FILE_PATH_MAX + 128];
    snprintf(wanted, sizeof wanted,
             "warning: %s: found %zu bytes, expected %zu; this checkpoint is not used", path,
             size - 4, size);
    char *warnings = example_warnings(*state);
    assert_non_null(strstr(warnings, wanted));
    memory_free(warnings);
}

static void test_run_whose_checkpoints_are_all_damaged_is_refused(void **state)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    uint64_t step;
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    example_write(example_path(*state, "ckpt/step-5/state.json"), "{}\n", 3);
    example_write(example_path(*state, "ckpt/step-6/MANIFEST.json"), "", 0);
    assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_REFUSED);
    example_expect_failure(false, &failure, EXIT_CODE_DATA,
                           "/ckpt: found 2 damaged checkpoints and no whole one, expected one; "
                           "bring one back or use a new run name");
    assert_true(example_exists(example_path(*state, "ckpt/step-5")));
    assert_true(example_exists(example_path(*state, "ckpt/step-6")));
}

/* Give the checkpoint of a step the manifest of another version. */
static void write_version(const char *run, uint64_t step, int version)
{
    char name[64];
    char text[128];
    snprintf(name, sizeof name, "ckpt/step-%d/MANIFEST.json", (int)step);
    snprintf(text, sizeof text,
             "{\"format\":\"chainring-checkpoint\",\"version\":%d,\"step\":%d,\"files\":[]}\n",
             version, (int)step);
    example_write(example_path(run, name), text, strlen(text));
}

static void test_other_versions_are_refused_in_one_line(void **state)
{
    static const int versions[] = {1, 3};
    static const char remedy[] =
        "train again under a new run name, or use the release that wrote it";
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct failure failure = {0};
        char path[FILE_PATH_MAX];
        uint64_t step;
        char words[256];
        write_version(*state, 5, versions[i]);
        write_version(*state, 6, versions[i]);
        snprintf(words, sizeof words,
                 "/ckpt/step-6/MANIFEST.json: found format version %d, expected 2; %s", versions[i],
                 remedy);
        example_expect_failure(checkpoint_verify(example_path(*state, "ckpt/step-6"), &failure),
                               &failure, EXIT_CODE_DATA, words);
        failure = (struct failure){0};
        assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_REFUSED);
        example_expect_failure(false, &failure, EXIT_CODE_DATA, words);
    }
    char *warnings = example_warnings(*state);
    assert_string_equal(warnings, "");
    memory_free(warnings);
}

static void test_newest_of_another_version_falls_back_with_a_warning(void **state)
{
    example_save(*state, 5, 2);
    example_save(*state, 6, 2);
    write_version(*state, 6, 3);
    example_expect_newest(*state, 5);
    char *warnings = example_warnings(*state);
    assert_non_null(strstr(warnings, "step-6/MANIFEST.json: found format version 3, expected 2"));
    assert_non_null(strstr(warnings, "; this checkpoint is not used"));
    memory_free(warnings);
}

static void expect_steps(const char *run, const char *wanted)
{
    char found[64] = "";
    for (int step = 1; step < 10; step++) {
        char name[64];
        snprintf(name, sizeof name, "ckpt/step-%d", step);
        if (access(example_path(run, name), F_OK) == 0) {
            snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", step);
        }
    }
    assert_string_equal(found, wanted);
}

static void test_damaged_checkpoints_take_no_place_of_those_that_are_kept(void **state)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        example_save(*state, 5, 2);
        example_save(*state, 6, 2);
        example_write(example_path(example_path(*state, "ckpt/step-6"), files[i]), "x", 1);
        example_save(*state, 7, 2);
        expect_steps(*state, "5 6 7 ");
        example_save(*state, 8, 2);
        expect_steps(*state, "7 8 ");
        for (int step = 7; step <= 8; step++) {
            char name[64];
            snprintf(name, sizeof name, "ckpt/step-%d", step);
            struct failure failure = {0};
            assert_true(file_remove_tree(example_path(*state, name), &failure));
        }
    }
}

static void test_checkpoints_of_another_version_are_never_removed(void **state)
{
    example_save(*state, 4, 1);
    write_version(*state, 4, 1);
    example_save(*state, 5, 1);
    example_save(*state, 6, 1);
    write_version(*state, 6, 3);
    example_save(*state, 7, 1);
    example_save(*state, 8, 1);
    expect_steps(*state, "4 6 8 ");
}

static void expect_write_fails(const char *run, uint64_t step, const char *words)
{
    struct failure failure = {0};
    struct example example;
    example_open(&example, 4, step);
    bool result = checkpoint_write(run, &example.tensors, &example.checkpoint,
                                   &(struct checkpoint_retention){.keep = 1}, &failure);
    example_expect_failure(result, &failure, EXIT_CODE_IO, words);
    example_close(&example);
}

static void test_place_that_cannot_be_made_is_a_failure(void **state)
{
    example_write(example_path(*state, "file"), "text", 4);
    expect_write_fails(example_path(*state, "file"), 5, "/file/ckpt: cannot be made");
    example_write(example_path(*state, "ckpt"), "text", 4);
    expect_write_fails(*state, 5, "/ckpt: found a file, expected a folder");
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    uint64_t step;
    assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_REFUSED);
    assert_int_equal(failure.code, EXIT_CODE_IO);
}

/* A limit on the size of files stands for a disk that fills up: early, late, in either file of
 * tensors. */
static void test_full_disk_keeps_the_older_checkpoint(void **state)
{
    example_save(*state, 5, 2);
    for (rlim_t bytes = 0; bytes < 1000; bytes += 50) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGXFSZ, SIG_IGN);
            struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
            expect_write_fails(*state, 6, "/ckpt/.tmp-step-6/");
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_false(example_exists(example_path(*state, "ckpt/.tmp-step-6")));
        assert_false(example_exists(example_path(*state, "ckpt/step-6")));
    }
    example_expect_newest(*state, 5);
}

/* Save steps for ever, replacing each once. */
static _Noreturn void save_until_killed(const char *run, uint64_t step)
{
    for (;; step++) {
        example_save(run, step, 1);
        example_save(run, step, 1);
    }
}

static void test_kill_at_any_moment_leaves_a_whole_checkpoint(void **state)
{
    example_save(*state, 1, 1);
    uint64_t before = 1;
    for (long round = 0; round < 40; round++) {
        pid_t child = fork();
        if (child == 0) {
            save_until_killed(*state, before + 1);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000 + 317000 * round}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct failure failure = {0};
        char path[FILE_PATH_MAX];
        uint64_t step = 0;
        assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_FOUND);
        assert_true(step >= before);
        example_expect_newest(*state, step);
        before = step;
    }
    char *warnings = example_warnings(*state);
    assert_string_equal(warnings, "");
    memory_free(warnings);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cut_files_are_not_used),
        TEST(test_flipped_bits_are_found),
        TEST(test_missing_files_and_other_things_are_not_used),
        TEST(test_checkpoint_under_another_name_is_not_used),
        TEST(test_fallback_names_file_found_and_expected),
        TEST(test_run_whose_checkpoints_are_all_damaged_is_refused),
        TEST(test_other_versions_are_refused_in_one_line),
        TEST(test_newest_of_another_version_falls_back_with_a_warning),
        TEST(test_damaged_checkpoints_take_no_place_of_those_that_are_kept),
        TEST(test_checkpoints_of_another_version_are_never_removed),
        TEST(test_place_that_cannot_be_made_is_a_failure),
        TEST(test_full_disk_keeps_the_older_checkpoint),
        TEST(test_kill_at_any_moment_leaves_a_whole_checkpoint),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/checkpoint/example.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

static void expect_text(const char *path, const char *text)
{
    struct failure failure = {0};
    char *found = file_read(path, 1000, NULL, &failure);
    assert_non_null(found);
    assert_string_equal(found, text);
    memory_free(found);
}

static void test_file_is_replaced_as_a_whole(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "file");
    assert_true(file_write_text(path, "old", &failure));
    struct file_writer writer;
    assert_true(file_writer_open(&writer, path, &failure));
    assert_true(file_writer_append(&writer, "n", 1, &failure));
    expect_text(path, "old");
    assert_true(file_writer_append(&writer, "ew", 2, &failure));
    assert_true(file_writer_commit(&writer, &failure));
    expect_text(path, "new");
    assert_false(example_exists(example_path(*state, "file.tmp")));
}

static void test_discarded_file_leaves_the_old_one(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "file");
    assert_true(file_write_text(path, "old", &failure));
    struct file_writer writer;
    assert_true(file_writer_open(&writer, path, &failure));
    assert_true(file_writer_append(&writer, "new", 3, &failure));
    file_writer_discard(&writer);
    expect_text(path, "old");
    assert_false(example_exists(example_path(*state, "file.tmp")));
}

static void test_writing_does_not_follow_a_planted_link(void **state)
{
    struct failure failure = {0};
    example_write(example_path(*state, "victim"), "precious", 8);
    assert_int_equal(symlink("victim", example_path(*state, "file.tmp")), 0);
    assert_true(file_write_text(example_path(*state, "file"), "new", &failure));
    expect_text(example_path(*state, "victim"), "precious");
    expect_text(example_path(*state, "file"), "new");
}

/* A process whose files may have at most `bytes` bytes: a disk that is full. */
static void limit_files(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_full_disk_leaves_the_old_file(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "file");
    assert_true(file_write_text(path, "old", &failure));
    pid_t child = fork();
    if (child == 0) {
        limit_files(10);
        bool result = file_write_text(path, "more than ten letters", &failure);
        bool is_expected = !result && failure.code == EXIT_CODE_IO && strstr(failure.text, path);
        _exit(is_expected ? 0 : 1);
    }
    assert_int_equal(wait_for(child), 0);
    expect_text(path, "old");
    assert_false(example_exists(example_path(*state, "file.tmp")));
}

static void test_file_in_a_folder_that_is_not_there_is_a_failure(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "none/file");
    example_expect_failure(file_write_text(path, "text", &failure), &failure, EXIT_CODE_IO, path);
}

static void test_reading_refuses_what_is_not_there_or_no_file_or_too_large(void **state)
{
    struct failure missing = {0};
    const char *path = example_path(*state, "none");
    example_expect_failure(file_read(path, 10, NULL, &missing), &missing, EXIT_CODE_NO_INPUT, path);
    struct failure folder = {0};
    example_expect_failure(file_read(*state, 10, NULL, &folder), &folder, EXIT_CODE_DATA,
                           "found no plain file");
    struct failure queue = {0};
    path = example_path(*state, "queue");
    assert_int_equal(mkfifo(path, 0600), 0);
    example_expect_failure(file_read(path, 10, NULL, &queue), &queue, EXIT_CODE_DATA,
                           "found no plain file");
    struct failure large = {0};
    path = example_path(*state, "large");
    example_write(path, "0123456789a", 11);
    example_expect_failure(file_read(path, 10, NULL, &large), &large, EXIT_CODE_DATA,
                           "found 11 bytes, expected at most 10");
}

static void test_reading_behind_the_end_is_a_failure(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "file");
    example_write(path, "0123", 4);
    struct file_reader reader;
    assert_true(file_reader_open(&reader, path, &failure));
    assert_true(reader.size == 4);
    char bytes[4];
    assert_true(file_reader_read(&reader, bytes, 2, 2, &failure));
    assert_memory_equal(bytes, "23", 2);
    example_expect_failure(file_reader_read(&reader, bytes, 2, 3, &failure), &failure, EXIT_CODE_IO,
                           "expected 1 bytes more");
    file_reader_close(&reader);
}

static void test_folders_are_made_with_those_above(void **state)
{
    struct failure failure = {0};
    assert_true(file_make_folder(example_path(*state, "a/b/c"), &failure));
    assert_true(file_make_folder(example_path(*state, "a/b/c/"), &failure));
    assert_true(file_write_text(example_path(*state, "a/b/c/file"), "text", &failure));
    const char *path = example_path(*state, "a/b/c/file");
    example_expect_failure(file_make_folder(path, &failure), &failure, EXIT_CODE_IO,
                           "expected a folder");
    struct failure below = {0};
    path = example_path(*state, "a/b/c/file/d");
    example_expect_failure(file_make_folder(path, &below), &below, EXIT_CODE_IO, path);
}

static void test_paths_that_are_too_long_are_refused(void **state)
{
    (void)state;
    char *name = memory_take(5001, 1);
    memset(name, 'x', 5000);
    char path[FILE_PATH_MAX];
    struct failure joined = {0};
    example_expect_failure(file_join(path, "folder", name, &joined), &joined, EXIT_CODE_USAGE,
                           "use a shorter one");
    struct failure made = {0};
    example_expect_failure(file_make_folder(name, &made), &made, EXIT_CODE_USAGE, "xxx");
    struct failure written = {0};
    example_expect_failure(file_write_text(name, "", &written), &written, EXIT_CODE_USAGE, "xxx");
    memory_free(name);
}

static void test_removing_a_tree_does_not_follow_links(void **state)
{
    struct failure failure = {0};
    assert_true(file_make_folder(example_path(*state, "kept"), &failure));
    example_write(example_path(*state, "kept/file"), "text", 4);
    assert_true(file_make_folder(example_path(*state, "tree/inner"), &failure));
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "tree/inner/file-%d", i);
        example_write(example_path(*state, name), "text", 4);
    }
    assert_int_equal(symlink("../kept", example_path(*state, "tree/link")), 0);
    assert_true(file_remove_tree(example_path(*state, "tree"), &failure));
    assert_false(example_exists(example_path(*state, "tree")));
    assert_true(example_exists(example_path(*state, "kept/file")));
    assert_true(file_remove_tree(example_path(*state, "tree"), &failure));
}

static void test_removing_by_prefix_leaves_the_others(void **state)
{
    struct failure failure = {0};
    assert_true(file_make_folder(example_path(*state, "here/.tmp-one/inner"), &failure));
    assert_true(file_make_folder(example_path(*state, "here/tmp-two"), &failure));
    example_write(example_path(*state, "here/.tmp-file"), "text", 4);
    assert_true(file_remove_beginning(example_path(*state, "here"), ".tmp-", &failure));
    assert_false(example_exists(example_path(*state, "here/.tmp-one")));
    assert_false(example_exists(example_path(*state, "here/.tmp-file")));
    assert_true(example_exists(example_path(*state, "here/tmp-two")));
    assert_true(file_remove_beginning(example_path(*state, "none"), ".tmp-", &failure));
}

static void test_numbered_entries_are_listed_in_order(void **state)
{
    static const char *const names[] = {"step-20",
                                        "step-3",
                                        "step-100",
                                        "step-007",
                                        "step-",
                                        "step-5x",
                                        "step--1",
                                        "step-+4",
                                        "stop-4",
                                        ".tmp-step-9",
                                        "step- 12",
                                        "step-0",
                                        "step-99999999999999999999"};
    struct failure failure = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(file_make_folder(example_path(*state, names[i]), &failure));
    }
    uint64_t *numbers;
    size_t count;
    assert_true(file_list_numbered(&numbers, &count, *state, "step-", &failure));
    assert_int_equal(count, 4);
    uint64_t wanted[] = {0, 3, 20, 100};
    assert_memory_equal(numbers, wanted, sizeof wanted);
    memory_free(numbers);
    assert_true(
        file_list_numbered(&numbers, &count, example_path(*state, "none"), "step-", &failure));
    assert_int_equal(count, 0);
    assert_null(numbers);
    const char *path = example_path(*state, "warnings");
    example_expect_failure(file_list_numbered(&numbers, &count, path, "step-", &failure), &failure,
                           EXIT_CODE_IO, path);
}

/* Folders "from" and "to" with a file each; afterwards the names must have been changed. */
static void expect_exchange(const char *folder)
{
    struct failure failure = {0};
    assert_true(file_make_folder(example_path(folder, "from"), &failure));
    assert_true(file_make_folder(example_path(folder, "to"), &failure));
    example_write(example_path(folder, "from/file"), "new", 3);
    example_write(example_path(folder, "to/file"), "old", 3);
    assert_true(
        file_rename_folder(example_path(folder, "from"), example_path(folder, "to"), &failure));
    expect_text(example_path(folder, "to/file"), "new");
    expect_text(example_path(folder, "from/file"), "old");
}

static void test_renaming_onto_a_folder_exchanges_the_two(void **state)
{
    struct failure failure = {0};
    expect_exchange(*state);
    assert_true(
        file_rename_folder(example_path(*state, "to"), example_path(*state, "free"), &failure));
    expect_text(example_path(*state, "free/file"), "new");
    assert_false(example_exists(example_path(*state, "to")));
}

/* Make renameat2 fail as on a file system that cannot exchange names. */
static bool forbid_exchange(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void test_renaming_exchanges_where_the_file_system_cannot(void **state)
{
    enum { CANNOT_FORBID = 3 };
    pid_t child = fork();
    if (child == 0) {
        if (!forbid_exchange()) {
            _exit(CANNOT_FORBID);
        }
        expect_exchange(*state);
        _exit(example_exists(example_path(*state, "from.old")) ? 1 : 0);
    }
    int code = wait_for(child);
    if (code == CANNOT_FORBID) {
        skip();
    }
    assert_int_equal(code, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_file_is_replaced_as_a_whole),
        TEST(test_discarded_file_leaves_the_old_one),
        TEST(test_writing_does_not_follow_a_planted_link),
        TEST(test_full_disk_leaves_the_old_file),
        TEST(test_file_in_a_folder_that_is_not_there_is_a_failure),
        TEST(test_reading_refuses_what_is_not_there_or_no_file_or_too_large),
        TEST(test_reading_behind_the_end_is_a_failure),
        TEST(test_folders_are_made_with_those_above),
        TEST(test_paths_that_are_too_long_are_refused),
        TEST(test_removing_a_tree_does_not_follow_links),
        TEST(test_removing_by_prefix_leaves_the_others),
        TEST(test_numbered_entries_are_listed_in_order),
        TEST(test_renaming_onto_a_folder_exchanges_the_two),
        TEST(test_renaming_exchanges_where_the_file_system_cannot),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

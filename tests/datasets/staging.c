/* The folder of an unfinished output: whose it is, who may write there, what it becomes. */
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "datasets/staging.h"

static const char recipe[] = "task = sample\nseed = 1\nepisodes = 3\n";

struct fixture {
    char scratch[64];
    char path[96];    /* of the output */
    char folder[128]; /* PATH.unfinished */
    struct staging staging;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.staging.lock = -1};
    snprintf(fixture.scratch, sizeof fixture.scratch, "%s", support_scratch_folder());
    snprintf(fixture.path, sizeof fixture.path, "%s/output.h5", fixture.scratch);
    snprintf(fixture.folder, sizeof fixture.folder, "%s.unfinished", fixture.path);
    log_set_quiet(true);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    staging_close(&fixture->staging);
    return 0;
}

/* --- What is on the disk ---------------------------------------------------------------------- */

static const char *in_folder(const struct fixture *fixture, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    return path;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect_text(const char *path, const char *text)
{
    char found[4096] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    fread(found, 1, sizeof found - 1, file);
    fclose(file);
    assert_string_equal(found, text);
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void expect_nothing_left(const struct fixture *fixture)
{
    assert_false(is_there(fixture->folder));
    unlink(fixture->path);
    assert_int_equal(rmdir(fixture->scratch), 0);
}

/* Everything that `ls` and `sha256sum` know of a tree, times included. */
static void describe_tree(char text[8192], const char *path)
{
    char command[512];
    snprintf(command, sizeof command,
             "find %s -printf '%%p %%y %%i %%s %%m %%T@ %%C@ %%l\\n' | sort;"
             "find %s -type f -exec sha256sum {} + | sort",
             path, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(text, 1, 8191, pipe);
    text[bytes] = '\0';
    assert_true(pclose(pipe) == 0 && bytes > 0 && bytes < 8191);
}

/* --- What a run does -------------------------------------------------------------------------- */

static bool open_staging(struct fixture *fixture, const char *with, struct failure *failure)
{
    *failure = (struct failure){0};
    return staging_open(&fixture->staging, fixture->path, with, failure);
}

static void begin(struct fixture *fixture)
{
    struct failure failure;
    if (!open_staging(fixture, recipe, &failure)) {
        fail_msg("%s", failure.text);
    }
}

static void publish(struct fixture *fixture)
{
    struct failure failure = {0};
    put(in_folder(fixture, "output"), "whole");
    if (!staging_publish(&fixture->staging, "output", &failure)) {
        fail_msg("%s", failure.text);
    }
}

static void expect_line(const struct failure *failure, enum exit_code code, const char *words)
{
    if (failure->code != code || !strstr(failure->text, words) || strchr(failure->text, '\n')) {
        fail_msg("expected %d \"%s\", found %d \"%s\"", code, words, failure->code, failure->text);
    }
}

static void expect_refusal(struct fixture *fixture, const char *with, const char *words)
{
    struct failure failure;
    assert_false(open_staging(fixture, with, &failure));
    expect_line(&failure, EXIT_CODE_USAGE, words);
    assert_true(fixture->staging.lock < 0);
    assert_non_null(strstr(failure.text, fixture->path));
}

/* What a process does that then is killed: nothing of its own is cleaned up. */
static void in_killed_process(struct fixture *fixture, void (*action)(struct fixture *fixture))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        action(fixture);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- Somebody else's -------------------------------------------------------------------------- */

static void make_file(struct fixture *fixture)
{
    put(fixture->folder, "notes");
}

static void make_empty_file(struct fixture *fixture)
{
    put(fixture->folder, "");
}

static void make_fifo(struct fixture *fixture)
{
    assert_int_equal(mkfifo(fixture->folder, 0600), 0);
}

static void make_link_to_empty_folder(struct fixture *fixture)
{
    char elsewhere[96];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", fixture->scratch);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink("elsewhere", fixture->folder), 0);
}

static void make_dangling_link(struct fixture *fixture)
{
    assert_int_equal(symlink("nowhere", fixture->folder), 0);
}

static void make_folder(struct fixture *fixture)
{
    assert_int_equal(mkdir(fixture->folder, 0700), 0);
    put(in_folder(fixture, "output"), "mine");
    put(in_folder(fixture, "part-0"), "mine");
}

static void make_folder_with_recipe(struct fixture *fixture)
{
    make_folder(fixture);
    put(in_folder(fixture, "recipe"), "two eggs\n");
}

/* An empty one is the beginning of a mark, but then nothing else is there yet. */
static void make_folder_with_empty_recipe(struct fixture *fixture)
{
    make_folder(fixture);
    put(in_folder(fixture, "recipe"), "");
}

static void make_folder_with_recipe_folder(struct fixture *fixture)
{
    make_folder(fixture);
    assert_int_equal(mkdir(in_folder(fixture, "recipe"), 0700), 0);
}

static void make_folder_with_recipe_link(struct fixture *fixture)
{
    make_folder(fixture);
    assert_int_equal(symlink("output", in_folder(fixture, "recipe")), 0);
}

static void make_folder_with_recipe_fifo(struct fixture *fixture)
{
    make_folder(fixture);
    assert_int_equal(mkfifo(in_folder(fixture, "recipe"), 0600), 0);
}

static void make_folder_with_recipe_socket(struct fixture *fixture)
{
    make_folder(fixture);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", in_folder(fixture, "recipe"));
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&name, sizeof name), 0);
    close(descriptor);
}

static void test_what_others_have_put_there_is_refused_and_untouched(void **state)
{
    static void (*const make[])(struct fixture *) = {
        make_file,
        make_empty_file,
        make_fifo,
        make_link_to_empty_folder,
        make_dangling_link,
        make_folder,
        make_folder_with_recipe,
        make_folder_with_empty_recipe,
        make_folder_with_recipe_folder,
        make_folder_with_recipe_link,
        make_folder_with_recipe_fifo,
        make_folder_with_recipe_socket,
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof make / sizeof *make; i++) {
        set_up(state);
        char before[8192], after[8192];
        make[i](fixture);
        describe_tree(before, fixture->scratch);
        expect_refusal(fixture, recipe, "not an unfinished output of chainring");
        expect_refusal(fixture, NULL, "not an unfinished output of chainring");
        describe_tree(after, fixture->scratch);
        assert_string_equal(before, after);
    }
}

static void test_what_others_add_to_our_folder_survives(void **state)
{
    static const char *const names[] = {"notes.txt", "output.txt", "part-1.txt", "part-",
                                        "parts",     "part-01",    "published",  "recipe.txt"};
    enum { COUNT = sizeof names / sizeof *names };
    struct fixture *fixture = *state;
    begin(fixture);
    for (size_t i = 0; i < COUNT; i++) {
        put(in_folder(fixture, names[i]), "mine");
    }
    put(in_folder(fixture, "part-0"), "ours");
    put(in_folder(fixture, "part-17"), "ours");
    assert_int_equal(mkdir(in_folder(fixture, "output"), 0700), 0);
    put(in_folder(fixture, "output/member"), "ours");
    staging_discard(&fixture->staging);
    for (size_t i = 0; i < COUNT; i++) {
        expect_text(in_folder(fixture, names[i]), "mine");
        unlink(in_folder(fixture, names[i]));
    }
    assert_int_equal(rmdir(fixture->folder), 0); /* nothing else was left in it */
}

/* --- Going on --------------------------------------------------------------------------------- */

static void begin_and_log(struct fixture *fixture)
{
    begin(fixture);
    put(in_folder(fixture, "part-0"), "finished");
}

static void test_a_killed_run_is_gone_on_with(void **state)
{
    struct fixture *fixture = *state;
    in_killed_process(fixture, begin_and_log);
    begin(fixture);
    assert_false(fixture->staging.is_published);
    expect_text(in_folder(fixture, "part-0"), "finished");
    publish(fixture);
    staging_discard(&fixture->staging);
    expect_text(fixture->path, "whole");
    expect_nothing_left(fixture);
}

static void test_another_recipe_is_told_the_line_that_differs(void **state)
{
    static const struct {
        const char *recipe, *words;
    } cases[] = {
        {"task = sample\nseed = 2\nepisodes = 3\n",
         "found an unfinished run with \"seed = 1\", expected \"seed = 2\""},
        {"task = samples\nseed = 1\nepisodes = 3\n", "expected \"task = samples\""},
        {"task = sample\nseed = 1\nepisodes = 30\n", "with \"episodes = 3\""},
        {"task = sample\nseed = 1\n", "with \"episodes = 3\", expected \"\""},
        {"task = sample\nseed = 1\nepisodes = 3\nmore = 1\n", "with \"\", expected \"more = 1\""},
        {NULL, "with \"task = sample\", expected \"made in one go\""},
    };
    struct fixture *fixture = *state;
    in_killed_process(fixture, begin_and_log);
    char before[8192], after[8192];
    describe_tree(before, fixture->scratch);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_refusal(fixture, cases[i].recipe, cases[i].words);
    }
    describe_tree(after, fixture->scratch);
    assert_string_equal(before, after);
}

static void test_without_a_recipe_what_is_left_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure;
    assert_true(open_staging(fixture, NULL, &failure));
    put(in_folder(fixture, "output"), "half");
    staging_close(&fixture->staging);
    assert_true(open_staging(fixture, NULL, &failure));
    assert_false(is_there(in_folder(fixture, "output")));
    staging_discard(&fixture->staging);
    expect_nothing_left(fixture);
}

static void test_a_mark_cut_off_anywhere_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct stat whole, status;
    begin(fixture);
    assert_int_equal(stat(in_folder(fixture, "recipe"), &whole), 0);
    staging_close(&fixture->staging);
    for (off_t size = 0; size <= whole.st_size; size++) {
        assert_int_equal(truncate(in_folder(fixture, "recipe"), size), 0);
        begin(fixture);
        staging_close(&fixture->staging);
        assert_int_equal(stat(in_folder(fixture, "recipe"), &status), 0);
        assert_int_equal(status.st_size, whole.st_size);
    }
    assert_int_equal(unlink(in_folder(fixture, "recipe")), 0);
    begin(fixture); /* killed before it opened the mark */
    staging_discard(&fixture->staging);
    expect_nothing_left(fixture);
}

/* --- The output's name ------------------------------------------------------------------------ */

static void begin_and_publish(struct fixture *fixture)
{
    begin_and_log(fixture);
    publish(fixture);
}

static void test_killed_right_after_the_rename_it_is_complete(void **state)
{
    struct fixture *fixture = *state;
    in_killed_process(fixture, begin_and_publish);
    begin(fixture);
    assert_true(fixture->staging.is_published);
    expect_text(fixture->path, "whole");
    staging_discard(&fixture->staging);
    expect_text(fixture->path, "whole");
    expect_nothing_left(fixture);
}

static void test_killed_anywhere_while_it_cleans_up_it_is_complete(void **state)
{
    struct fixture *fixture = *state;
    in_killed_process(fixture, begin_and_publish);
    assert_int_equal(unlink(in_folder(fixture, "part-0")), 0);
    begin(fixture);
    assert_true(fixture->staging.is_published);
    staging_close(&fixture->staging);
    assert_int_equal(unlink(in_folder(fixture, "recipe")), 0);
    expect_refusal(fixture, recipe, "found something of that name"); /* but cleans up */
    expect_text(fixture->path, "whole");
    expect_nothing_left(fixture);
}

static void test_what_is_not_the_published_output_is_refused(void **state)
{
    struct fixture *fixture = *state;
    in_killed_process(fixture, begin_and_publish);
    assert_int_equal(unlink(fixture->path), 0);
    put(fixture->path, "other");
    expect_refusal(fixture, recipe, "found something of that name");
    expect_text(fixture->path, "other");
    expect_text(in_folder(fixture, "part-0"), "finished");
    assert_int_equal(unlink(fixture->path), 0);
    begin(fixture);
    assert_false(fixture->staging.is_published);
    publish(fixture);
    staging_discard(&fixture->staging);
    expect_text(fixture->path, "whole");
    expect_nothing_left(fixture);
}

static void make_output_file(const struct fixture *fixture)
{
    put(fixture->path, "theirs");
}

static void make_output_folder(const struct fixture *fixture)
{
    assert_int_equal(mkdir(fixture->path, 0700), 0);
}

static void make_output_link(const struct fixture *fixture)
{
    assert_int_equal(symlink("nowhere", fixture->path), 0);
}

static void test_publishing_replaces_nothing(void **state)
{
    static void (*const make[])(const struct fixture *) = {make_output_file, make_output_folder,
                                                           make_output_link};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 2 * sizeof make / sizeof *make; i++) {
        set_up(state);
        char before[8192], after[8192];
        struct failure failure = {0};
        begin(fixture);
        if (i % 2 == 0) {
            put(in_folder(fixture, "output"), "ours");
        } else {
            assert_int_equal(mkdir(in_folder(fixture, "output"), 0700), 0);
        }
        make[i / 2](fixture);
        describe_tree(before, fixture->path);
        assert_false(staging_publish(&fixture->staging, "output", &failure));
        expect_line(&failure, EXIT_CODE_USAGE, "found something of that name");
        describe_tree(after, fixture->path);
        assert_string_equal(before, after);
        assert_true(is_there(in_folder(fixture, "output")));
        staging_discard(&fixture->staging);
        expect_refusal(fixture, recipe, "found something of that name");
        assert_false(is_there(fixture->folder));
    }
}

static void test_a_name_that_cannot_be_written_is_an_error_of_the_disk(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/none/output.h5", fixture->scratch);
    assert_false(staging_open(&fixture->staging, path, recipe, &failure));
    expect_line(&failure, EXIT_CODE_IO, "No such file");
    expect_nothing_left(fixture);
}

/* --- Two at once ------------------------------------------------------------------------------ */

/* The mark is ours alone while it is locked, from whichever process or descriptor. */
static void test_a_second_run_is_refused_while_the_first_is_at_work(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    struct fixture other = *fixture;
    expect_refusal(&other, recipe, "another run is writing it");
    expect_refusal(&other, NULL, "another run is writing it");
    publish(fixture);
    expect_refusal(&other, recipe, "another run is writing it");
    staging_discard(&fixture->staging);
    expect_refusal(&other, recipe, "found something of that name");
    expect_nothing_left(fixture);
}

/* Opens, writes and publishes its number: 0 where it wins, its exit code where it is told. */
static int compete(struct fixture *fixture, int start, char number)
{
    struct failure failure;
    const char text[] = {number, '\0'};
    char go;
    (void)read(start, &go, 1); /* all begin when the other end is closed */
    if (!open_staging(fixture, recipe, &failure)) {
        bool is_told = strstr(failure.text, "another run is writing it") ||
                       strstr(failure.text, "found something of that name");
        return is_told ? (int)failure.code : 1;
    }
    put(in_folder(fixture, "output"), text);
    bool ok = staging_publish(&fixture->staging, "output", &failure);
    staging_discard(&fixture->staging);
    return ok ? 0 : 2;
}

static void test_of_several_at_once_one_wins_and_the_others_are_told(void **state)
{
    enum { ROUNDS = 200, RIVALS = 4 };
    struct fixture *fixture = *state;
    for (size_t round = 0; round < ROUNDS; round++) {
        int start[2];
        pid_t rivals[RIVALS];
        assert_int_equal(pipe(start), 0);
        for (size_t i = 0; i < RIVALS; i++) {
            fflush(NULL);
            rivals[i] = fork();
            assert_true(rivals[i] >= 0);
            if (rivals[i] == 0) {
                close(start[1]);
                _exit(compete(fixture, start[0], (char)('a' + i)));
            }
        }
        close(start[0]);
        close(start[1]);
        char winner[2] = "";
        for (size_t i = 0; i < RIVALS; i++) {
            int status;
            assert_int_equal(waitpid(rivals[i], &status, 0), rivals[i]);
            assert_true(WIFEXITED(status));
            if (WEXITSTATUS(status) == 0) {
                assert_int_equal(winner[0], '\0');
                winner[0] = (char)('a' + i);
            } else {
                assert_int_equal(WEXITSTATUS(status), EXIT_CODE_USAGE);
            }
        }
        expect_text(fixture->path, winner);
        assert_int_equal(unlink(fixture->path), 0);
        assert_false(is_there(fixture->folder));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_others_have_put_there_is_refused_and_untouched,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_others_add_to_our_folder_survives, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_killed_run_is_gone_on_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_recipe_is_told_the_line_that_differs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_recipe_what_is_left_is_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_mark_cut_off_anywhere_is_accepted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_killed_right_after_the_rename_it_is_complete, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_killed_anywhere_while_it_cleans_up_it_is_complete,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_the_published_output_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_publishing_replaces_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_that_cannot_be_written_is_an_error_of_the_disk,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_run_is_refused_while_the_first_is_at_work,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_several_at_once_one_wins_and_the_others_are_told,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/support.h"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/sandbox.h"

/* However busy the machine is, what answers at all has answered by then. */
static const struct sandbox_limits patient = {.memory_bytes = (size_t)64 << 20,
                                              .episode_bytes = 4096,
                                              .cpu_seconds = 1,
                                              .timeout_seconds = 150};

static const struct sandbox_limits impatient = {.memory_bytes = (size_t)64 << 20,
                                                .episode_bytes = 4096,
                                                .cpu_seconds = 1,
                                                .timeout_seconds = 1};

enum { STEPS = 2, DIM = 3, EPISODES = 8 };
enum { GOOD, CRASH, ENDLESS_LOOP, ENDLESS_WAIT, TOO_MUCH_MEMORY, TOO_LONG, BAD, FATAL };

/* A reader whose episodes do what their number says; opening does it where the path says so. */
static void do_something(size_t what, struct failure *failure)
{
    switch (what) {
    case CRASH:
        raise(SIGSEGV);
        break;
    case ENDLESS_LOOP:
        for (volatile size_t i = 0;; i++) {
        }
    case ENDLESS_WAIT:
        for (;;) {
            pause();
        }
    case TOO_MUCH_MEMORY:
        memory_take((size_t)512 << 20, 1);
        break;
    case BAD:
        failure_set(failure, EXIT_CODE_DATA, "bad\nindeed");
        break;
    case FATAL:
        fatal(EXIT_CODE_BUG, "last words");
    default:
        break;
    }
}

static void *fake_open(const char *path, const struct format_options *options,
                       struct store_spec *spec, struct failure *failure)
{
    static char source;
    (void)options;
    if (path[0] != '/') {
        do_something((size_t)(path[0] - '0'), failure);
    }
    *spec = (struct store_spec){.task_count = 1, .observation_dim = DIM, .action_dim = 1};
    return failure->code == EXIT_CODE_DONE ? &source : NULL;
}

static size_t fake_count(const void *source)
{
    (void)source;
    return EPISODES;
}

static bool fake_read(void *source, size_t index, struct format_episode *episode,
                      struct failure *failure)
{
    static float numbers[1 << 16];
    (void)source;
    do_something(index, failure);
    numbers[0] = (float)index + 0.5F;
    numbers[STEPS * DIM + DIM - 1] = 7.0F;
    episode->data = (struct store_episode){.length = index == TOO_LONG ? 5000 : STEPS,
                                           .observation = numbers,
                                           .action = numbers,
                                           .reward = {numbers},
                                           .group = 3,
                                           .end = STORE_END_TRUNCATED};
    memcpy(episode->name, "it", 3);
    return failure->code == EXIT_CODE_DONE;
}

static const struct format_reader fake = {
    .name = "fake", .open = fake_open, .episode_count = fake_count, .read = fake_read};

static const struct format_options no_options = {0};

static void expect_good(void *source)
{
    struct failure failure = {0};
    struct format_episode episode;
    assert_true(sandbox_read(source, GOOD, &episode, &failure));
    assert_int_equal(episode.data.length, STEPS);
    assert_string_equal(episode.name, "it");
    assert_int_equal(episode.data.group, 3);
    assert_int_equal(episode.data.end, STORE_END_TRUNCATED);
    assert_float_equal(episode.data.observation[0], 0.5F, 0.0F);
    assert_float_equal(episode.data.observation[STEPS * DIM + DIM - 1], 7.0F, 0.0F);
    assert_float_equal(episode.data.reward[0][0], 0.5F, 0.0F);
    assert_null(episode.data.physics);
}

static void expect_line(const struct failure *failure, const char *words)
{
    assert_int_equal(failure->code, EXIT_CODE_DATA);
    assert_null(strchr(failure->text, '\n'));
    if (!strstr(failure->text, words)) {
        fail_msg("found \"%s\", expected \"%s\"", failure->text, words);
    }
}

static const struct {
    size_t what;
    const char *words;
} harms[] = {
    {CRASH, "crashes the library (signal 11)"},
    {ENDLESS_LOOP, "more than 1 s of work"},
    {TOO_MUCH_MEMORY, "within 64 MiB of memory"},
    {BAD, "bad?indeed"},
    {FATAL, "last words"},
};

static void test_whatever_ends_the_sandbox_while_reading_is_one_bad_episode(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct store_spec spec;
    void *source = sandbox_open(&fake, &patient, "/it", &no_options, &spec, &failure);
    assert_non_null(source);
    assert_int_equal(sandbox_episode_count(source), EPISODES);
    assert_int_equal(spec.observation_dim, DIM);
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        struct failure bad = {0};
        struct format_episode episode;
        expect_good(source);
        assert_false(sandbox_read(source, harms[i].what, &episode, &bad));
        expect_line(&bad, harms[i].words);
    }
    struct failure bad = {0};
    struct format_episode episode;
    assert_false(sandbox_read(source, TOO_LONG, &episode, &bad));
    expect_line(&bad, "found 5000 steps");
    expect_good(source);
    sandbox_close(source);
}

static void test_whatever_ends_the_sandbox_while_opening_is_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        struct failure failure = {0};
        struct store_spec spec;
        const char path[] = {(char)('0' + harms[i].what), '\0'};
        assert_null(sandbox_open(&fake, &patient, path, &no_options, &spec, &failure));
        expect_line(&failure, harms[i].words);
    }
}

static void test_a_sandbox_that_opens_without_end_is_not_waited_for(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct store_spec spec;
    const char path[] = {'0' + ENDLESS_WAIT, '\0'};
    assert_null(sandbox_open(&fake, &impatient, path, &no_options, &spec, &failure));
    expect_line(&failure, "no answer in 1 s");
}

static void test_a_sandbox_that_reads_without_end_is_not_waited_for(void **state)
{
    (void)state;
    void *source;
    struct store_spec spec;
    do { /* on a busy machine opening takes too long as well */
        source = sandbox_open(&fake, &impatient, "/it", &no_options, &spec, &(struct failure){0});
    } while (!source);
    struct failure failure = {0};
    struct format_episode episode;
    assert_false(sandbox_read(source, ENDLESS_WAIT, &episode, &failure));
    expect_line(&failure, "no answer in 1 s");
    sandbox_close(source);
}

static bool work_badly(void *self, struct failure *failure)
{
    do_something(*(const size_t *)self, failure);
    return failure->code == EXIT_CODE_DONE;
}

static void test_work_in_a_process_of_its_own_returns_how_it_failed(void **state)
{
    (void)state;
    size_t what = GOOD;
    struct failure failure = {0};
    assert_true(sandbox_run(work_badly, &what, "it", &failure));
    what = BAD;
    assert_false(sandbox_run(work_badly, &what, "it", &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    failure = (struct failure){0};
    what = CRASH;
    assert_false(sandbox_run(work_badly, &what, "it", &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    assert_non_null(strstr(failure.text, "it: writing it crashed"));
}

/* --- No other file ---------------------------------------------------------------------------- */

/* An HDF5 file whose `link` and whose array `raw` lie in two others. */
struct linked_file {
    char folder[64], path[96], other[96], raw[96];
};

static void write_linked_file(struct linked_file *linked)
{
    const hsize_t extent = 4;
    snprintf(linked->folder, sizeof linked->folder, "%s", support_scratch_folder());
    snprintf(linked->path, sizeof linked->path, "%s/linked.h5", linked->folder);
    snprintf(linked->other, sizeof linked->other, "%s/other.h5", linked->folder);
    snprintf(linked->raw, sizeof linked->raw, "%s/raw", linked->folder);
    H5Fclose(H5Fcreate(linked->other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    int raw = open(linked->raw, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(raw, "abcd", 4), 4);
    close(raw);
    hid_t file = H5Fcreate(linked->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &extent, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_external(creation, linked->raw, 0, extent) >= 0);
    assert_true(H5Lcreate_external(linked->other, "/", file, "link", H5P_DEFAULT, H5P_DEFAULT) >=
                0);
    H5Dclose(H5Dcreate2(file, "raw", H5T_NATIVE_CHAR, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
}

/* Says of what lies outside the file which can be reached: another file, a socket, the link, and
 * the array. */
static void describe_reach(char text[8], hid_t file)
{
    char numbers[4];
    int other = open("/dev/null", O_RDONLY);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    hid_t link = H5Oopen(file, "link", H5P_DEFAULT);
    hid_t raw = H5Dopen2(file, "raw", H5P_DEFAULT);
    herr_t read = H5Dread(raw, H5T_NATIVE_CHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
    snprintf(text, 8, "%d%d%d%d", other >= 0, connection >= 0, link >= 0, read >= 0);
    close(other);
    close(connection);
    H5Oclose(link);
    H5Dclose(raw);
}

static void *reaching_open(const char *path, const struct format_options *options,
                           struct store_spec *spec, struct failure *failure)
{
    char text[8];
    (void)options;
    (void)spec;
    int64_t file = hdf5_file_open(path, failure);
    if (file >= 0) {
        describe_reach(text, file);
        failure_set(failure, EXIT_CODE_DATA, "reached %s", text);
    }
    return NULL;
}

static void test_a_sandbox_with_an_open_file_reaches_no_other(void **state)
{
    (void)state;
    static const struct format_reader reaching = {.name = "reaching", .open = reaching_open};
    struct linked_file linked;
    struct store_spec spec;
    struct failure failure = {0};
    char text[8];
    write_linked_file(&linked);
    hid_t file = H5Fopen(linked.path, H5F_ACC_RDONLY, H5P_DEFAULT);
    describe_reach(text, file);
    H5Fclose(file);
    assert_string_equal(text, "1111");
    assert_null(sandbox_open(&reaching, &patient, linked.path, &no_options, &spec, &failure));
    assert_string_equal(failure.text, "reached 0000");
    unlink(linked.path);
    unlink(linked.other);
    unlink(linked.raw);
    rmdir(linked.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_ends_the_sandbox_while_reading_is_one_bad_episode),
        cmocka_unit_test(test_whatever_ends_the_sandbox_while_opening_is_one_line),
        cmocka_unit_test(test_a_sandbox_that_opens_without_end_is_not_waited_for),
        cmocka_unit_test(test_a_sandbox_that_reads_without_end_is_not_waited_for),
        cmocka_unit_test(test_work_in_a_process_of_its_own_returns_how_it_failed),
        cmocka_unit_test(test_a_sandbox_with_an_open_file_reaches_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

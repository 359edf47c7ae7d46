#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_log.h"
#include "tests/datasets/sample.h"

struct fixture {
    char folder[96];
    char path[128];
    char log_folder[160];
    struct store_spec spec;
    struct episode_log_options options;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    snprintf(fixture.folder, sizeof fixture.folder, "%s", support_scratch_folder());
    snprintf(fixture.path, sizeof fixture.path, "%s/sample.h5", fixture.folder);
    snprintf(fixture.log_folder, sizeof fixture.log_folder, "%s.unfinished", fixture.path);
    fixture.spec = sample_spec();
    fixture.options = (struct episode_log_options){
        .path = fixture.path,
        .spec = &fixture.spec,
        .recipe = "formula = sample\nseed = 1\n",
        .episodes = SAMPLE_EPISODES,
    };
    log_set_quiet(true);
    *state = &fixture;
    return 0;
}

/* As the rank that owns it. */
static struct episode_log *open_log(const struct fixture *fixture)
{
    struct failure failure = {0};
    struct episode_log *log = episode_log_open(&fixture->options, &failure);
    if (!log) {
        fail_msg("%s", failure.text);
    }
    return log;
}

static struct episode_log *join_log(const struct fixture *fixture)
{
    struct failure failure = {0};
    struct episode_log *log = episode_log_join(&fixture->options, &failure);
    if (!log) {
        fail_msg("%s", failure.text);
    }
    return log;
}

static void add(struct episode_log *log, const struct fixture *fixture, size_t number)
{
    struct failure failure = {0};
    struct store_episode episode = sample_episode(&fixture->spec, number);
    assert_true(episode_log_append(log, number, &episode, NULL, &failure));
    sample_episode_free(&episode);
}

/* Every `stride`th episode, from `first` on. */
static void add_share(const struct fixture *fixture, size_t first, size_t stride)
{
    struct episode_log *log = open_log(fixture);
    for (size_t number = first; number < SAMPLE_EPISODES; number += stride) {
        add(log, fixture, number);
    }
    episode_log_close(log);
}

static void expect_equal_files(const char *left_path, const char *right_path)
{
    enum { SIZE_MAX_READ = 1 << 24 };
    struct failure failure = {0};
    size_t left_size, right_size;
    char *left = file_read(left_path, SIZE_MAX_READ, &left_size, &failure);
    char *right = file_read(right_path, SIZE_MAX_READ, &right_size, &failure);
    assert_non_null(left);
    assert_non_null(right);
    assert_int_equal(left_size, right_size);
    assert_memory_equal(left, right, left_size);
    memory_free(left);
    memory_free(right);
}

static bool merge(struct episode_log *log, struct episode_log_result *result,
                  struct failure *failure)
{
    return episode_log_merge_begin(log, failure) && episode_log_merge_copy(log, 0, 1, failure) &&
           episode_log_merge_end(log, result, failure);
}

/* What is there becomes the store that one writer makes, and nothing else is left. */
static void expect_joined(const struct fixture *fixture)
{
    char alone[160];
    struct failure failure = {0};
    struct episode_log_result result;
    struct episode_log *log = open_log(fixture);
    if (!merge(log, &result, &failure)) {
        fail_msg("%s", failure.text);
    }
    episode_log_close(log);
    assert_int_equal(result.episodes, SAMPLE_EPISODES);
    snprintf(alone, sizeof alone, "%s/alone.h5", fixture->folder);
    assert_true(sample_write(alone, &fixture->spec, &failure));
    expect_equal_files(fixture->path, alone);
    assert_int_equal(unlink(alone), 0);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(rmdir(fixture->folder), 0);
}

static void test_logs_of_several_ranks_are_the_store_of_one_writer(void **state)
{
    const struct fixture *fixture = *state;
    struct episode_log *log[3];
    for (size_t rank = 0; rank < 3; rank++) {
        log[rank] = rank == 0 ? open_log(fixture) : join_log(fixture);
    }
    for (size_t number = 0; number < SAMPLE_EPISODES; number++) {
        add(log[number * 2 % 3], fixture, number);
    }
    for (size_t rank = 0; rank < 3; rank++) {
        episode_log_close(log[rank]);
    }
    expect_joined(fixture);
}

static void test_log_goes_on_with_what_is_left(void **state)
{
    struct fixture *fixture = *state;
    fixture->spec.hidden_dim = fixture->spec.physics_dim = 0;
    fixture->spec.source_count = 1;
    snprintf(fixture->spec.sources[0], STORE_NAME_MAX, "a formula");
    add_share(fixture, 1, 3);
    struct episode_log *log = open_log(fixture);
    assert_int_equal(episode_log_count(log), 2);
    for (size_t number = 0; number < SAMPLE_EPISODES; number++) {
        assert_int_equal(episode_log_has(log, number), number % 3 == 1);
        if (!episode_log_has(log, number)) {
            add(log, fixture, number);
        }
    }
    episode_log_close(log);
    expect_joined(fixture);
}

/* Size of the file part-0, as of now. */
static off_t part_size(const struct fixture *fixture, char path[192])
{
    struct stat status;
    snprintf(path, 192, "%s/part-0", fixture->log_folder);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Wherever a kill or a full disk cuts the file off, all whole episodes before it are there. */
static void test_log_cut_off_anywhere_keeps_the_episodes_before(void **state)
{
    const struct fixture *fixture = *state;
    char path[192];
    struct episode_log *log = open_log(fixture);
    off_t ends[SAMPLE_EPISODES];
    for (size_t number = 0; number < SAMPLE_EPISODES; number++) {
        add(log, fixture, number);
        ends[number] = part_size(fixture, path);
    }
    episode_log_close(log);
    for (off_t size = ends[SAMPLE_EPISODES - 1]; size >= 0; size -= 37) {
        size_t whole = 0;
        while (whole < SAMPLE_EPISODES && ends[whole] <= size) {
            whole++;
        }
        assert_int_equal(truncate(path, size), 0);
        log = open_log(fixture);
        assert_int_equal(episode_log_count(log), whole);
        episode_log_close(log);
    }
    add_share(fixture, 0, 1);
    expect_joined(fixture);
}

static void test_log_drops_what_follows_a_flipped_bit(void **state)
{
    const struct fixture *fixture = *state;
    char path[192];
    struct episode_log *log = open_log(fixture);
    add(log, fixture, 0);
    off_t first = part_size(fixture, path);
    add(log, fixture, 1);
    episode_log_close(log);
    off_t size = part_size(fixture, path);
    int file = open(path, O_RDWR);
    for (off_t at = 0; at < size; at += 5) {
        char byte, flipped;
        assert_int_equal(pread(file, &byte, 1, at), 1);
        flipped = (char)(byte ^ 8);
        assert_int_equal(pwrite(file, &flipped, 1, at), 1);
        log = open_log(fixture);
        size_t kept = episode_log_count(log);
        /* The zeros between arrays mean nothing. */
        assert_true(kept <= 2 && kept >= (size_t)(at >= first));
        assert_true(kept < 2 || byte == 0);
        episode_log_close(log);
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    close(file);
    add_share(fixture, 2, 1);
    expect_joined(fixture);
}

static void expect_failure(bool is_done, const struct failure *failure, enum exit_code code,
                           const char *words)
{
    assert_false(is_done);
    if (failure->code != code || !strstr(failure->text, words) || strchr(failure->text, '\n')) {
        fail_msg("expected %d \"%s\", found %d \"%s\"", code, words, failure->code, failure->text);
    }
}

static void test_log_refuses_another_recipe_and_names_what_differs(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    add_share(fixture, 0, 1);
    fixture->options.recipe = "formula = sample\nseed = 2\n";
    bool is_done = episode_log_open(&fixture->options, &failure);
    expect_failure(is_done, &failure, EXIT_CODE_USAGE,
                   "found an unfinished run with \"seed = 1\", expected \"seed = 2\"");
    fixture->options.recipe = "formula = sample\nseed = 1\n";
    expect_joined(fixture);
}

static void test_log_refuses_another_run_while_one_is_at_work(void **state)
{
    const struct fixture *fixture = *state;
    struct failure failure = {0};
    struct episode_log *log = open_log(fixture);
    bool is_done = episode_log_open(&fixture->options, &failure);
    expect_failure(is_done, &failure, EXIT_CODE_USAGE, "another run is writing it");
    episode_log_close(log);
    add_share(fixture, 0, 1);
    expect_joined(fixture);
}

static void test_log_refuses_a_store_that_exists(void **state)
{
    const struct fixture *fixture = *state;
    struct failure failure = {0};
    assert_true(file_write_text(fixture->path, "mine", &failure));
    bool is_done = episode_log_open(&fixture->options, &failure);
    expect_failure(is_done, &failure, EXIT_CODE_USAGE, fixture->path);
    assert_int_equal(access(fixture->log_folder, F_OK), -1);
}

static void test_log_is_not_merged_before_all_are_there(void **state)
{
    const struct fixture *fixture = *state;
    struct failure failure = {0};
    add_share(fixture, 0, 2);
    struct episode_log_result result;
    struct episode_log *log = open_log(fixture);
    bool is_done = merge(log, &result, &failure);
    expect_failure(is_done, &failure, EXIT_CODE_IO, "found 4 of 7 episodes");
    episode_log_close(log);
    assert_int_equal(access(fixture->path, F_OK), -1);
    add_share(fixture, 1, 2);
    expect_joined(fixture);
}

static void test_log_refuses_what_the_store_would(void **state)
{
    const struct fixture *fixture = *state;
    struct failure failure = {0};
    struct episode_log *log = open_log(fixture);
    struct store_episode episode = sample_episode(&fixture->spec, 2);
    size_t length = episode.length;
    episode.length = 0;
    bool is_done = episode_log_append(log, 2, &episode, NULL, &failure);
    expect_failure(is_done, &failure, EXIT_CODE_DATA, "0 steps in episode 2");
    episode.length = length;
    sample_episode_free(&episode);
    episode_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_logs_of_several_ranks_are_the_store_of_one_writer, set_up),
        cmocka_unit_test_setup(test_log_goes_on_with_what_is_left, set_up),
        cmocka_unit_test_setup(test_log_cut_off_anywhere_keeps_the_episodes_before, set_up),
        cmocka_unit_test_setup(test_log_drops_what_follows_a_flipped_bit, set_up),
        cmocka_unit_test_setup(test_log_refuses_another_recipe_and_names_what_differs, set_up),
        cmocka_unit_test_setup(test_log_refuses_another_run_while_one_is_at_work, set_up),
        cmocka_unit_test_setup(test_log_refuses_a_store_that_exists, set_up),
        cmocka_unit_test_setup(test_log_is_not_merged_before_all_are_there, set_up),
        cmocka_unit_test_setup(test_log_refuses_what_the_store_would, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/support.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/store.h"
#include "datasets/store_verify.h"
#include "tests/datasets/sample.h"

struct place {
    char folder[64];
    char path[96];
};

static struct place fresh_place(void)
{
    struct place place;
    snprintf(place.folder, sizeof place.folder, "%s", support_scratch_folder());
    snprintf(place.path, sizeof place.path, "%s/sample.h5", place.folder);
    return place;
}

static size_t count_files(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t count = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static void leave(const struct place *place)
{
    unlink(place->path);
    assert_int_equal(rmdir(place->folder), 0); /* so nothing else was left in it */
}

static void assert_failure(const struct failure *failure, enum exit_code code, const char *words)
{
    if (failure->code != code || !strstr(failure->text, words)) {
        fail_msg("expected %d \"%s\", found %d \"%s\"", code, words, failure->code, failure->text);
    }
    assert_null(strchr(failure->text, '\n'));
}

static struct store *write_and_open(const struct place *place, const struct store_spec *spec)
{
    struct failure failure = {0};
    sample_write(place->path, spec, &failure);
    assert_string_equal(failure.text, "");
    struct store *store = store_open(place->path, &failure);
    assert_string_equal(failure.text, "");
    return store;
}

/* --- Round trip ------------------------------------------------------------------------------- */

static void assert_episode(const struct store *store, const struct store_spec *spec, size_t e)
{
    struct store_episode wanted = sample_episode(spec, e);
    struct failure failure = {0};
    float observation[16 * SAMPLE_OBSERVATION], action[16 * SAMPLE_ACTION], reward[16];
    size_t length = wanted.length;
    assert_int_equal(store_length(store, e), length);
    assert_int_equal(store_group(store, e), wanted.group);
    assert_int_equal(store_ending(store, e), wanted.end);
    assert_int_equal(store_source(store, e), wanted.source);
    assert_true(store_read_observation(store, e, 0, length + 1, observation, &failure));
    assert_memory_equal(observation, wanted.observation,
                        (length + 1) * spec->observation_dim * sizeof(float));
    assert_true(store_read_action(store, e, 0, length, action, &failure));
    assert_memory_equal(action, wanted.action, length * spec->action_dim * sizeof(float));
    if (spec->has_label) {
        float label[16 * SAMPLE_ACTION];
        assert_true(store_read_label(store, e, 0, length, label, &failure));
        assert_memory_equal(label, wanted.label, length * spec->action_dim * sizeof(float));
    }
    for (size_t k = 0; k < spec->task_count; k++) {
        assert_true(store_read_reward(store, k, e, 0, length, reward, &failure));
        assert_memory_equal(reward, wanted.reward[k], length * sizeof(float));
        double sum = 0.0;
        for (size_t t = 0; t < length; t++) {
            sum += (double)reward[t];
        }
        assert_true(store_return(store, k, e) == sum);
    }
    assert_true(store_verify(store, e, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    sample_episode_free(&wanted);
}

static void check_round_trip(const struct store_spec *spec)
{
    struct place place = fresh_place();
    struct store *store = write_and_open(&place, spec);
    struct store_spec complete = *spec;
    if (spec->actions.dim == 0) {
        complete.actions = action_space_continuous(spec->action_dim);
    }
    assert_memory_equal(store_spec(store), &complete, sizeof complete);
    assert_string_equal(store_path(store), place.path);
    assert_int_equal(store_episode_count(store), SAMPLE_EPISODES);
    size_t steps = 0, longest = 0;
    for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
        assert_episode(store, spec, e);
        steps += store_length(store, e);
        longest = store_length(store, e) > longest ? store_length(store, e) : longest;
    }
    assert_int_equal(store_step_count(store), steps);
    assert_int_equal(store_length_max(store), longest);
    store_close(store);
    leave(&place);
}

static void test_store_round_trip_keeps_every_bit(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    check_round_trip(&spec);
}

static void test_store_without_physics_and_hidden_keeps_every_bit(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    spec.physics_dim = 0;
    spec.hidden_dim = 0;
    spec.observation_dim = 1;
    spec.task_count = 1;
    memset(spec.tasks[1], 0, sizeof spec.tasks[1]);
    memset(spec.reward_source[1], 0, sizeof spec.reward_source[1]);
    spec.source[0] = '\0';
    memset(spec.source, 0, sizeof spec.source);
    check_round_trip(&spec);
}

static void test_store_with_labels_bounds_and_keys_keeps_every_bit(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    spec.has_label = true;
    spec.actions = action_space_continuous(SAMPLE_ACTION);
    spec.actions.low[1] = -0.1;
    spec.actions.high[1] = 1e30;
    spec.key_count = 2;
    spec.keys[0] = (struct store_key){.name = "goal/x", .kind = STORE_KEY_BOX, .dim = 1};
    spec.keys[1] = (struct store_key){.name = "room", .kind = STORE_KEY_DISCRETE, .dim = 2};
    check_round_trip(&spec);
}

/* Refused with these words when the second step's label or action is so. */
static void expect_refused_row(const struct store_spec *spec, bool is_label, const float *row,
                               const char *words)
{
    struct store_episode own = sample_episode(spec, 1);
    struct store_episode changed = own;
    float rows[16 * SAMPLE_ACTION];
    memcpy(rows, is_label ? own.label : own.action, own.length * SAMPLE_ACTION * sizeof(float));
    memcpy(rows + SAMPLE_ACTION, row, SAMPLE_ACTION * sizeof(float));
    *(is_label ? &changed.label : &changed.action) = rows;
    struct place place = fresh_place();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, spec, &failure);
    assert_non_null(writer);
    assert_false(store_writer_add(writer, &changed, &failure));
    assert_failure(&failure, EXIT_CODE_DATA, words);
    store_writer_discard(writer);
    leave(&place);
    sample_episode_free(&own);
}

static void test_writer_refuses_labels_that_are_neither_actions_nor_unknown(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    spec.has_label = true;
    expect_refused_row(&spec, true, (float[]){NAN, 0.5F}, "label");
    expect_refused_row(&spec, true, (float[]){0.5F, INFINITY}, "label");
}

static void test_writer_refuses_actions_that_the_spec_does_not_know(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    expect_refused_row(&spec, false, (float[]){0.5F, 1.0001F}, "[-1, 1]");
    expect_refused_row(&spec, false, (float[]){-1.5F, 0.0F}, "[-1, 1]");
    spec.actions = (struct action_space){.kind = ACTION_CATEGORICAL,
                                         .dim = SAMPLE_ACTION,
                                         .categorical_count = 1,
                                         .categories = {SAMPLE_ACTION}};
    expect_refused_row(&spec, false, (float[]){0.5F, 0.5F}, "one-hot");
    expect_refused_row(&spec, false, (float[]){1.0F, 1.0F}, "one-hot");
    expect_refused_row(&spec, false, (float[]){0.0F, 0.0F}, "one-hot");
}

static void test_store_with_sources_keeps_every_bit(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    spec.source_count = 5;
    for (size_t i = 0; i < spec.source_count; i++) {
        snprintf(spec.sources[i], sizeof spec.sources[i], "planner, skill %.2f", (double)i / 4.0);
    }
    check_round_trip(&spec);
}

static void test_store_read_gives_any_range_of_steps(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct store *store = write_and_open(&place, &spec);
    struct failure failure = {0};
    for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
        struct store_episode wanted = sample_episode(&spec, e);
        for (size_t first = 0; first <= wanted.length; first++) {
            for (size_t count = 0; count <= wanted.length - first; count++) {
                float action[16 * SAMPLE_ACTION];
                assert_true(store_read_action(store, e, first, count, action, &failure));
                assert_memory_equal(action, wanted.action + first * SAMPLE_ACTION,
                                    count * SAMPLE_ACTION * sizeof(float));
            }
        }
        sample_episode_free(&wanted);
    }
    store_close(store);
    leave(&place);
}

static void test_store_equal_data_give_equal_files(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    static char bytes[2][1 << 17];
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        struct place place = fresh_place();
        store_close(write_and_open(&place, &spec));
        FILE *file = fopen(place.path, "rb");
        assert_non_null(file);
        sizes[i] = fread(bytes[i], 1, sizeof bytes[i], file);
        fclose(file);
        leave(&place);
    }
    assert_true(sizes[0] > 0 && sizes[0] < sizeof bytes[0]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
}

static void test_store_observation_statistics_are_of_all_rows(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct store *store = write_and_open(&place, &spec);
    double sum[SAMPLE_OBSERVATION] = {0}, squares[SAMPLE_OBSERVATION] = {0};
    size_t rows = 0;
    for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
        struct store_episode episode = sample_episode(&spec, e);
        for (size_t t = 0; t <= episode.length; t++, rows++) {
            for (size_t i = 0; i < SAMPLE_OBSERVATION; i++) {
                double value = (double)episode.observation[t * SAMPLE_OBSERVATION + i];
                sum[i] += value;
                squares[i] += value * value;
            }
        }
        sample_episode_free(&episode);
    }
    double mean[SAMPLE_OBSERVATION], deviation[SAMPLE_OBSERVATION];
    for (size_t i = 0; i < SAMPLE_OBSERVATION; i++) {
        mean[i] = sum[i] / (double)rows;
        deviation[i] = sqrt(squares[i] / (double)rows - mean[i] * mean[i]);
    }
    deviation[0] = 0.0; /* it never changes */
    assert_true(support_error_double(store_observation_mean(store), mean, SAMPLE_OBSERVATION) <
                1e-12);
    assert_true(support_error_double(store_observation_deviation(store), deviation,
                                     SAMPLE_OBSERVATION) < 1e-12);
    assert_true(store_observation_deviation(store)[0] == 0.0);
    store_close(store);
    leave(&place);
}

static void test_store_find_task_names_the_tasks_there_are(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct store *store = write_and_open(&place, &spec);
    struct failure failure = {0};
    size_t task = 99;
    assert_true(store_find_task(&task, store, "rest-v2", &failure));
    assert_int_equal(task, 1);
    assert_false(store_find_task(&task, store, "fly", &failure));
    assert_failure(&failure, EXIT_CODE_CONFIG, "reach, rest-v2");
    store_close(store);
    leave(&place);
}

/* --- What the writer refuses ------------------------------------------------------------------ */

static void test_writer_refuses_existing_path(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    store_close(write_and_open(&place, &spec));
    struct failure failure = {0};
    assert_null(store_writer_open(place.path, &spec, &failure));
    assert_failure(&failure, EXIT_CODE_USAGE, place.path);
    leave(&place);
}

static void test_writer_commit_spares_a_file_that_came_meanwhile(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
    assert_true(sample_add(writer, &spec, 2, &failure));
    FILE *file = fopen(place.path, "w");
    fputs("precious", file);
    fclose(file);
    assert_false(store_writer_commit(writer, &failure));
    assert_failure(&failure, EXIT_CODE_USAGE, place.path);
    char text[16] = "";
    file = fopen(place.path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "precious");
    leave(&place);
}

static void test_writer_refuses_numbers_that_are_not_finite(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
    assert_true(sample_add(writer, &spec, 5, &failure));
    struct store_episode good = sample_episode(&spec, 5);
    const float bad_floats[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 12; i++) {
        struct store_episode episode = good;
        float floats[64];
        double doubles[64];
        memcpy(floats,
               i < 3   ? good.observation
               : i < 6 ? good.action
                       : good.reward[1],
               good.length * sizeof(float));
        memset(floats, 0, sizeof floats);
        memset(doubles, 0, sizeof doubles);
        floats[good.length - 1] = bad_floats[i % 3];
        doubles[1] = (double)bad_floats[i % 3];
        episode.observation = i < 3 ? floats : good.observation;
        episode.action = i >= 3 && i < 6 ? floats : good.action;
        episode.reward[1] = i >= 6 && i < 9 ? floats : good.reward[1];
        episode.physics = i == 9 || i == 10 ? doubles : good.physics;
        episode.hidden = i == 11 ? doubles : good.hidden;
        failure = (struct failure){0};
        assert_false(store_writer_add(writer, &episode, &failure));
        assert_failure(&failure, EXIT_CODE_DATA, "NaN or infinity in");
    }
    failure = (struct failure){0};
    assert_true(store_writer_add(writer, &good, &failure)); /* a refusal changes nothing */
    sample_episode_free(&good);
    assert_true(store_writer_commit(writer, &failure));
    struct store *store = store_open(place.path, &failure);
    assert_int_equal(store_episode_count(store), 6);
    assert_episode(store, &spec, 5);
    store_close(store);
    leave(&place);
}

static void test_writer_refuses_an_episode_without_steps_and_a_store_without_episodes(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
    struct store_episode episode = sample_episode(&spec, 0);
    episode.length = 0;
    assert_false(store_writer_add(writer, &episode, &failure));
    assert_failure(&failure, EXIT_CODE_DATA, "0 steps");
    sample_episode_free(&episode);
    failure = (struct failure){0};
    assert_false(store_writer_commit(writer, &failure));
    assert_failure(&failure, EXIT_CODE_DATA, "no episodes");
    leave(&place);
}

static void expect_refused_spec(const struct store_spec *spec, const char *words)
{
    struct place place = fresh_place();
    struct failure failure = {0};
    assert_null(store_writer_open(place.path, spec, &failure));
    assert_failure(&failure, EXIT_CODE_DATA, words);
    leave(&place);
}

static void test_writer_refuses_a_spec_that_no_file_could_hold(void **state)
{
    (void)state;
    const struct store_spec good = sample_spec();
    static const char *const names[] = {"", "a/b", "..", ".", "with space", "line\nfeed", "\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct store_spec spec = good;
        snprintf(spec.tasks[1], sizeof spec.tasks[1], "%s", names[i]);
        expect_refused_spec(&spec, "name of task 1");
    }
    struct store_spec spec = good;
    memset(spec.tasks[0], 'x', sizeof spec.tasks[0]); /* no end */
    expect_refused_spec(&spec, "name of task 0");
    spec = good;
    memcpy(spec.tasks[1], spec.tasks[0], sizeof spec.tasks[0]);
    expect_refused_spec(&spec, "reach twice");
    spec = good;
    strcpy(spec.source, "two\nlines");
    expect_refused_spec(&spec, "source");
    spec = good;
    strcpy(spec.domain, "\xed\xa0\x80"); /* half of a surrogate pair */
    expect_refused_spec(&spec, "domain");
    spec = good;
    spec.control_timestep = (double)NAN;
    expect_refused_spec(&spec, "control_timestep");
    spec = good;
    spec.action_dim = 0;
    expect_refused_spec(&spec, "act_dim = 0");
    spec = good;
    spec.observation_dim = (size_t)1 << 40;
    expect_refused_spec(&spec, "obs_dim");
    spec = good;
    spec.task_count = 0;
    expect_refused_spec(&spec, "0 tasks");
}

/* --- What is left behind ---------------------------------------------------------------------- */

static void test_writer_discard_leaves_nothing(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
    assert_true(sample_add(writer, &spec, SAMPLE_EPISODES, &failure));
    store_writer_discard(writer);
    assert_int_equal(count_files(place.folder), 0);
    leave(&place);
}

static void test_writer_takes_over_what_a_killed_one_left(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct failure failure = {0};
        struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
        bool ok = writer && sample_add(writer, &spec, SAMPLE_EPISODES, &failure);
        raise(ok ? SIGKILL : SIGTERM);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(access(place.path, F_OK), -1);
    store_close(write_and_open(&place, &spec));
    assert_int_equal(count_files(place.folder), 1);
    leave(&place);
}

static void test_writer_refuses_a_path_that_another_writes(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *first = store_writer_open(place.path, &spec, &failure);
    assert_non_null(first);
    assert_null(store_writer_open(place.path, &spec, &failure));
    assert_failure(&failure, EXIT_CODE_USAGE, "another run is writing it");
    failure = (struct failure){0};
    assert_true(sample_add(first, &spec, SAMPLE_EPISODES, &failure)); /* unharmed */
    assert_true(store_writer_commit(first, &failure));
    leave(&place);
}

static void test_writer_open_in_a_folder_that_is_not_there_fails(void **state)
{
    (void)state;
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    assert_null(store_writer_open("/nonexistent-folder/x.h5", &spec, &failure));
    assert_failure(&failure, EXIT_CODE_IO, "/nonexistent-folder/x.h5: ");
}

static void test_writer_commit_into_a_folder_that_vanished_fails(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(place.path, &spec, &failure);
    assert_true(sample_add(writer, &spec, SAMPLE_EPISODES, &failure));
    assert_true(file_remove_tree(place.folder, &failure));
    assert_false(store_writer_commit(writer, &failure));
    assert_failure(&failure, EXIT_CODE_IO, place.path);
    assert_int_equal(access(place.folder, F_OK), -1);
}

/* A limit on the size of files stands for a full disk: writes fail half way. */
static bool write_within(rlim_t limit, const char *path, struct failure *failure)
{
    struct store_spec spec = sample_spec();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit narrow = {.rlim_cur = limit, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
    bool ok = sample_write(path, &spec, failure);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    return ok;
}

static void test_writer_on_a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct place place = fresh_place();
    struct store_spec spec = sample_spec();
    store_close(write_and_open(&place, &spec));
    struct stat status;
    assert_int_equal(stat(place.path, &status), 0);
    unlink(place.path);
    size_t size = (size_t)status.st_size;
    for (size_t limit = 0; limit < size; limit += 1 + size / 50) {
        struct failure failure = {0};
        assert_false(write_within(limit, place.path, &failure));
        assert_failure(&failure, EXIT_CODE_IO, place.folder);
        assert_int_equal(count_files(place.folder), 0);
    }
    struct failure failure = {0};
    assert_true(write_within(64 * size, place.path, &failure)); /* and afterwards it works again */
    struct store *store = store_open(place.path, &failure);
    assert_non_null(store);
    store_close(store);
    leave(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_round_trip_keeps_every_bit),
        cmocka_unit_test(test_store_without_physics_and_hidden_keeps_every_bit),
        cmocka_unit_test(test_store_with_labels_bounds_and_keys_keeps_every_bit),
        cmocka_unit_test(test_writer_refuses_actions_that_the_spec_does_not_know),
        cmocka_unit_test(test_writer_refuses_labels_that_are_neither_actions_nor_unknown),
        cmocka_unit_test(test_store_with_sources_keeps_every_bit),
        cmocka_unit_test(test_store_read_gives_any_range_of_steps),
        cmocka_unit_test(test_store_equal_data_give_equal_files),
        cmocka_unit_test(test_store_observation_statistics_are_of_all_rows),
        cmocka_unit_test(test_store_find_task_names_the_tasks_there_are),
        cmocka_unit_test(test_writer_refuses_existing_path),
        cmocka_unit_test(test_writer_commit_spares_a_file_that_came_meanwhile),
        cmocka_unit_test(test_writer_refuses_numbers_that_are_not_finite),
        cmocka_unit_test(test_writer_refuses_an_episode_without_steps_and_a_store_without_episodes),
        cmocka_unit_test(test_writer_refuses_a_spec_that_no_file_could_hold),
        cmocka_unit_test(test_writer_discard_leaves_nothing),
        cmocka_unit_test(test_writer_takes_over_what_a_killed_one_left),
        cmocka_unit_test(test_writer_refuses_a_path_that_another_writes),
        cmocka_unit_test(test_writer_open_in_a_folder_that_is_not_there_fails),
        cmocka_unit_test(test_writer_commit_into_a_folder_that_vanished_fails),
        cmocka_unit_test(test_writer_on_a_full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

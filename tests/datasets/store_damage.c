#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/store.h"
#include "datasets/store_verify.h"
#include "tests/datasets/sample.h"

/* HDF5 1.10 loses memory of its own when it meets damaged metadata (a bare H5Aopen does). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* One good store, as bytes, and a file to damage. */
struct scene {
    char folder[64];
    char path[96];
    unsigned char bytes[1 << 17];
    size_t size;
};

static int set_up(void **state)
{
    static struct scene scene;
    *state = &scene;
    snprintf(scene.folder, sizeof scene.folder, "%s", support_scratch_folder());
    snprintf(scene.path, sizeof scene.path, "%s/sample.h5", scene.folder);
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    assert_true(sample_write(scene.path, &spec, &failure));
    FILE *file = fopen(scene.path, "rb");
    assert_non_null(file);
    scene.size = fread(scene.bytes, 1, sizeof scene.bytes, file);
    fclose(file);
    assert_true(scene.size > 0 && scene.size < sizeof scene.bytes);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    unlink(scene->path);
    return rmdir(scene->folder);
}

/* The file now holds `size` bytes. */
static void put_bytes(const struct scene *scene, const void *bytes, size_t size)
{
    FILE *file = fopen(scene->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_byte(const char *path, size_t at, unsigned char byte)
{
    int file = open(path, O_WRONLY);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
    close(file);
}

static void assert_refused(const char *path, enum exit_code code, const char *words)
{
    struct failure failure = {0};
    struct store *store = store_open(path, &failure);
    if (store || failure.code != code || !strstr(failure.text, words) ||
        !strstr(failure.text, path) || strchr(failure.text, '\n')) {
        fail_msg("expected %d \"%s\", found %d \"%s\"", code, words, failure.code, failure.text);
    }
}

static void test_store_refuses_what_cannot_be_opened(void **state)
{
    struct scene *scene = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/none.h5", scene->folder);
    assert_refused(path, EXIT_CODE_NO_INPUT, "No such file");
    assert_refused(scene->folder, EXIT_CODE_NO_INPUT, "a folder");
    assert_refused("/dev/zero", EXIT_CODE_NO_INPUT, "not a file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, EXIT_CODE_NO_INPUT, "not a file");
    unlink(path);
}

static void test_store_refuses_what_is_not_hdf5(void **state)
{
    struct scene *scene = *state;
    static const char text[] = "R,s,a,r,d\n0.5,0.1,-1.0,0.25,0\n0.25,0.1,-1.0,0.25,1\n";
    put_bytes(scene, "", 0);
    assert_refused(scene->path, EXIT_CODE_DATA, "a file of 0 bytes");
    put_bytes(scene, text, 20);
    assert_refused(scene->path, EXIT_CODE_DATA, "a file of 20 bytes");
    put_bytes(scene, text, sizeof text);
    assert_refused(scene->path, EXIT_CODE_DATA, "not HDF5");
}

static void test_store_refuses_truncated_file(void **state)
{
    struct scene *scene = *state;
    put_bytes(scene, scene->bytes, scene->size);
    size_t tried = 0;
    for (size_t length = scene->size - 1; length >= 48; tried++) {
        assert_int_equal(truncate(scene->path, (off_t)length), 0);
        assert_refused(scene->path, EXIT_CODE_DATA, "truncated");
        size_t step = length > scene->size - 64 ? 1 : 1 + scene->size / 300;
        length = length > step ? length - step : 0;
    }
    assert_true(tried > 200);
}

static void assert_same_index(const struct store *store, const struct store *wanted)
{
    assert_memory_equal(store_spec(store), store_spec(wanted), sizeof(struct store_spec));
    assert_int_equal(store_episode_count(store), store_episode_count(wanted));
    assert_int_equal(store_step_count(store), store_step_count(wanted));
    size_t bytes = store_spec(wanted)->observation_dim * sizeof(double);
    assert_memory_equal(store_observation_mean(store), store_observation_mean(wanted), bytes);
    assert_memory_equal(store_observation_deviation(store), store_observation_deviation(wanted),
                        bytes);
    for (size_t e = 0; e < store_episode_count(wanted); e++) {
        assert_int_equal(store_length(store, e), store_length(wanted, e));
        assert_int_equal(store_group(store, e), store_group(wanted, e));
        assert_int_equal(store_ending(store, e), store_ending(wanted, e));
        for (size_t k = 0; k < SAMPLE_TASKS; k++) {
            assert_true(store_return(store, k, e) == store_return(wanted, k, e));
        }
    }
}

static bool all_verify(const struct store *store)
{
    bool ok = true;
    for (size_t e = 0; e < store_episode_count(store); e++) {
        struct failure failure = {0};
        if (!store_verify(store, e, &failure)) {
            assert_int_equal(failure.code, EXIT_CODE_DATA);
            ok = false;
        }
    }
    return ok;
}

/* Whatever byte is damaged: the file is refused, or its hashes find it, or nothing was stored in
 * that byte. Never other contents, never a crash. */
static void test_store_notices_any_damaged_byte(void **state)
{
    struct scene *scene = *state;
    char good_path[128];
    snprintf(good_path, sizeof good_path, "%s/good.h5", scene->folder);
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    assert_true(sample_write(good_path, &spec, &failure));
    struct store *good = store_open(good_path, &failure);
    unlink(good_path);
    put_bytes(scene, scene->bytes, scene->size);
    size_t refused = 0, found = 0, harmless = 0;
    for (size_t at = 0; at < scene->size; at += 7) {
        put_byte(scene->path, at, scene->bytes[at] ^ (unsigned char)(1u << at % 8));
        failure = (struct failure){0};
        struct store *store = store_open(scene->path, &failure);
        if (!store) {
            assert_int_equal(failure.code, EXIT_CODE_DATA);
            refused++;
        } else {
            assert_same_index(store, good);
            bool whole = all_verify(store);
            found += !whole;
            harmless += whole;
        }
        store_close(store);
        put_byte(scene->path, at, scene->bytes[at]);
    }
    store_close(good);
    assert_true(refused > 500 && found > 100);
    assert_true(harmless < refused + found);
}

static void test_store_verify_names_the_damaged_episode(void **state)
{
    struct scene *scene = *state;
    struct store_spec spec = sample_spec();
    struct store_episode episode = sample_episode(&spec, 4);
    size_t bytes = episode.length * SAMPLE_ACTION * sizeof(float), at = 0;
    while (memcmp(scene->bytes + at, episode.action, bytes) != 0) {
        at++;
        assert_true(at + bytes < scene->size);
    }
    sample_episode_free(&episode);
    put_bytes(scene, scene->bytes, scene->size);
    put_byte(scene->path, at, scene->bytes[at] ^ 0x10);
    struct failure failure = {0};
    struct store *store = store_open(scene->path, &failure);
    assert_non_null(store);
    for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
        failure = (struct failure){0};
        assert_int_equal(store_verify(store, e, &failure), e != 4);
    }
    failure = (struct failure){0};
    assert_false(store_verify(store, 4, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_non_null(strstr(failure.text, "over episode 4,"));
    store_close(store);
}

static void test_store_read_says_when_the_file_was_cut_after_opening(void **state)
{
    struct scene *scene = *state;
    put_bytes(scene, scene->bytes, scene->size);
    struct failure failure = {0};
    struct store *store = store_open(scene->path, &failure);
    assert_non_null(store);
    assert_int_equal(truncate(scene->path, 100), 0);
    float observation[SAMPLE_OBSERVATION];
    assert_false(store_read_observation(store, 6, 0, 1, observation, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    assert_non_null(strstr(failure.text, scene->path));
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_refuses_what_cannot_be_opened),
        cmocka_unit_test(test_store_refuses_what_is_not_hdf5),
        cmocka_unit_test(test_store_refuses_truncated_file),
        cmocka_unit_test(test_store_notices_any_damaged_byte),
        cmocka_unit_test(test_store_verify_names_the_damaged_episode),
        cmocka_unit_test(test_store_read_says_when_the_file_was_cut_after_opening),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "tests/support/support.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "datasets/inspect.h"
#include "tests/datasets/sample.h"

struct scene {
    char folder[64];
    char path[96];
    struct store *store;
    char *text; /* what was last printed */
    size_t size;
};

static int set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene){0};
    *state = &scene;
    log_set_quiet(true);
    snprintf(scene.folder, sizeof scene.folder, "%s", support_scratch_folder());
    snprintf(scene.path, sizeof scene.path, "%s/sample.h5", scene.folder);
    struct store_spec spec = sample_spec();
    struct failure failure = {0};
    assert_true(sample_write(scene.path, &spec, &failure));
    scene.store = store_open(scene.path, &failure);
    assert_non_null(scene.store);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    store_close(scene->store);
    free(scene->text);
    unlink(scene->path);
    return rmdir(scene->folder);
}

static bool print(struct scene *scene,
                  bool (*print_store)(FILE *, const struct store *, enum inspect_form,
                                      struct failure *),
                  enum inspect_form form, struct failure *failure)
{
    free(scene->text);
    FILE *out = open_memstream(&scene->text, &scene->size);
    assert_non_null(out);
    bool ok = print_store(out, scene->store, form, failure);
    fclose(out);
    return ok;
}

static void assert_printed(const struct scene *scene, const char *words)
{
    if (!strstr(scene->text, words)) {
        fail_msg("expected \"%s\" in:\n%s", words, scene->text);
    }
}

/* Flip one bit of the first observation of episode 2, wherever it lies. */
static void damage(const struct scene *scene)
{
    struct store_spec spec = sample_spec();
    struct store_episode episode = sample_episode(&spec, 2);
    char bytes[1 << 17];
    int file = open(scene->path, O_RDWR);
    size_t size = (size_t)read(file, bytes, sizeof bytes), at = 0;
    while (memcmp(bytes + at, episode.observation, 8 * sizeof(float)) != 0) {
        at++;
        assert_true(at + 8 * sizeof(float) < size);
    }
    bytes[at] ^= 1;
    assert_int_equal(pwrite(file, bytes + at, 1, (off_t)at), 1);
    close(file);
    sample_episode_free(&episode);
}

static void test_inspect_describes_spec_episodes_and_returns(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    assert_true(print(scene, inspect_describe, INSPECT_TEXT, &failure));
    assert_printed(scene, scene->path);
    assert_printed(scene, "KiB");
    assert_printed(scene, "point_mass\n");
    assert_printed(scene, "MuJoCo 2.2.2\n");
    assert_printed(scene, "0.02 s\n");
    assert_printed(scene, "observation 3, action 2, physics 4, hidden 2\n");
    assert_printed(scene, "7 in 3 groups of 1 to 3: 3 of unknown end, 2 terminated, 2 truncated\n");
    assert_printed(scene, "steps        31; 1 to 8 per episode\n");
    assert_printed(scene, "observation  means ");
    assert_printed(scene, "returns of reach (reward: simulated)\n");
    assert_printed(scene, " ± ");
    assert_printed(scene, "returns of rest-v2 (reward: relabelled)\n");
    assert_printed(scene, "|█");
}

/* Write the sample anew with what this spec says. */
static void rewrite(struct scene *scene, const struct store_spec *spec)
{
    struct failure failure = {0};
    store_close(scene->store);
    unlink(scene->path);
    sample_write(scene->path, spec, &failure);
    assert_string_equal(failure.text, "");
    scene->store = store_open(scene->path, &failure);
    assert_non_null(scene->store);
}

static void test_inspect_says_what_actions_and_observations_mean(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    struct store_spec spec = sample_spec();
    assert_true(print(scene, inspect_describe, INSPECT_TEXT, &failure));
    assert_printed(scene, "actions      continuous, from -1 to 1\n");
    spec.has_label = true;
    spec.actions = action_space_continuous(SAMPLE_ACTION);
    spec.actions.low[1] = -2.5;
    spec.key_count = 2;
    spec.keys[0] = (struct store_key){.name = "goal", .kind = STORE_KEY_BOX, .dim = 1};
    spec.keys[1] = (struct store_key){.name = "room", .kind = STORE_KEY_DISCRETE, .dim = 2};
    rewrite(scene, &spec);
    assert_true(print(scene, inspect_describe, INSPECT_TEXT, &failure));
    assert_printed(scene, "actions      continuous, from -1 to 1, -2.5 to 1, with labels\n");
    assert_printed(scene, "keys         goal (box, 1), room (discrete, 2)\n");
    assert_true(print(scene, inspect_describe, INSPECT_JSON, &failure));
    json_t *root = json_loads(scene->text, JSON_REJECT_DUPLICATES, NULL);
    json_t *said = json_object_get(root, "spec");
    assert_string_equal(json_string_value(json_object_get(said, "action_kind")), "continuous");
    assert_true(json_is_true(json_object_get(said, "action_label")));
    json_t *low = json_object_get(said, "action_low");
    assert_int_equal(json_array_size(low), SAMPLE_ACTION);
    assert_true(json_real_value(json_array_get(low, 1)) == -2.5);
    json_t *key = json_array_get(json_object_get(said, "observation_keys"), 1);
    assert_string_equal(json_string_value(json_object_get(key, "name")), "room");
    assert_string_equal(json_string_value(json_object_get(key, "kind")), "discrete");
    assert_int_equal(json_integer_value(json_object_get(key, "dim")), 2);
    json_decref(root);
}

static void test_inspect_says_who_acted_and_how_well(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    struct store_spec spec = sample_spec();
    spec.source_count =
        3; /* episode e is of source e * e % 3: four of the second, none of the last */
    snprintf(spec.sources[0], sizeof spec.sources[0], "chance");
    snprintf(spec.sources[1], sizeof spec.sources[1], "script, skill 1");
    snprintf(spec.sources[2], sizeof spec.sources[2], "nobody");
    rewrite(scene, &spec);
    assert_true(print(scene, inspect_describe, INSPECT_TEXT, &failure));
    assert_printed(scene, "who acted");
    assert_printed(scene, "  chance                                           3 ");
    assert_printed(scene, "  script, skill 1                                  4 ");
    assert_printed(scene, "  nobody                                           0\n");
}

static void test_inspect_histogram_counts_every_episode_once(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    assert_true(print(scene, inspect_describe, INSPECT_TEXT, &failure));
    size_t episodes = 0, lines = 0;
    for (char *at = strchr(scene->text, '|'); at; at = strchr(at + 1, '|'), lines++) {
        episodes += strtoul(at + 1 + strcspn(at + 1, "0123456789"), NULL, 10);
    }
    assert_int_equal(lines, 10 * SAMPLE_TASKS);
    assert_int_equal(episodes, SAMPLE_EPISODES * SAMPLE_TASKS);
}

static void test_inspect_json_agrees_with_the_store(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    assert_true(print(scene, inspect_describe, INSPECT_JSON, &failure));
    json_t *root = json_loads(scene->text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_t *spec = json_object_get(root, "spec");
    assert_string_equal(json_string_value(json_object_get(root, "file")), scene->path);
    assert_string_equal(json_string_value(json_object_get(spec, "source")),
                        store_spec(scene->store)->source);
    assert_int_equal(json_integer_value(json_object_get(spec, "hidden_dim")), SAMPLE_HIDDEN);
    assert_int_equal(json_integer_value(json_object_get(root, "episodes")), SAMPLE_EPISODES);
    assert_int_equal(json_integer_value(json_object_get(root, "groups")), 3);
    assert_int_equal(json_integer_value(json_object_get(root, "steps")), 31);
    assert_int_equal(json_integer_value(json_object_get(root, "length_minimum")), 1);
    assert_int_equal(json_integer_value(json_object_get(root, "length_maximum")), 8);
    json_t *means = json_object_get(root, "observation_mean");
    assert_int_equal(json_array_size(means), SAMPLE_OBSERVATION);
    assert_true(json_real_value(json_array_get(means, 1)) ==
                store_observation_mean(scene->store)[1]);
    json_t *tasks = json_object_get(root, "tasks");
    assert_int_equal(json_array_size(tasks), SAMPLE_TASKS);
    for (size_t k = 0; k < SAMPLE_TASKS; k++) {
        json_t *task = json_array_get(tasks, k);
        double least = store_return(scene->store, k, 0), sum = 0.0, squares = 0.0;
        for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
            double value = store_return(scene->store, k, e);
            least = value < least ? value : least;
            sum += value;
            squares += value * value;
        }
        assert_true(json_real_value(json_object_get(task, "return_minimum")) == least);
        double mean = json_real_value(json_object_get(task, "return_mean"));
        sum /= SAMPLE_EPISODES;
        double variance = (squares - sum * sum * SAMPLE_EPISODES) / (SAMPLE_EPISODES - 1);
        double wanted = sqrt(variance / SAMPLE_EPISODES);
        double error = json_real_value(json_object_get(task, "return_error"));
        assert_true(support_error_double(&error, &wanted, 1) < 1e-12);
        assert_true(support_error_double(&mean, &sum, 1) < 1e-14);
        json_t *percentiles = json_object_get(task, "return_percentiles");
        double median = json_real_value(json_object_get(percentiles, "50"));
        size_t below = 0, above = 0;
        for (size_t e = 0; e < SAMPLE_EPISODES; e++) {
            below += store_return(scene->store, k, e) <= median;
            above += store_return(scene->store, k, e) >= median;
        }
        assert_true(below > SAMPLE_EPISODES / 2 && above > SAMPLE_EPISODES / 2);
    }
    json_decref(root);
}

static void test_inspect_verify_passes_a_whole_store(void **state)
{
    struct scene *scene = *state;
    struct failure failure = {0};
    assert_true(print(scene, inspect_verify, INSPECT_TEXT, &failure));
    assert_printed(scene, ": 7 of 7 episodes match their hashes\n");
    assert_ptr_equal(strchr(scene->text, '\n'), scene->text + scene->size - 1);
    assert_true(print(scene, inspect_verify, INSPECT_JSON, &failure));
    assert_printed(scene, "\"damaged\": []");
}

static void test_inspect_verify_prints_one_line_per_damaged_episode(void **state)
{
    struct scene *scene = *state;
    damage(scene);
    struct failure failure = {0};
    assert_false(print(scene, inspect_verify, INSPECT_TEXT, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_non_null(strstr(failure.text, "1 damaged of 7"));
    assert_printed(scene, "over episode 2,");
    assert_printed(scene, ": 6 of 7 episodes match their hashes\n");
    failure = (struct failure){0};
    assert_false(print(scene, inspect_verify, INSPECT_JSON, &failure));
    json_t *root = json_loads(scene->text, 0, NULL);
    json_t *damaged = json_object_get(root, "damaged");
    assert_int_equal(json_array_size(damaged), 1);
    assert_int_equal(json_integer_value(json_array_get(damaged, 0)), 2);
    json_decref(root);
}

static void test_inspect_says_when_its_output_is_full(void **state)
{
    struct scene *scene = *state;
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    struct failure failure = {0};
    assert_false(inspect_describe(out, scene->store, INSPECT_TEXT, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_inspect_describes_spec_episodes_and_returns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_says_what_actions_and_observations_mean,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_says_who_acted_and_how_well, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_histogram_counts_every_episode_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_json_agrees_with_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_verify_passes_a_whole_store, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_verify_prints_one_line_per_damaged_episode,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_says_when_its_output_is_full, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

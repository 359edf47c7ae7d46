/* A policy comes back out of a checkpoint's state as it went in, and differences are named. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/snapshot.h"

static struct snapshot example(void)
{
    struct snapshot snapshot = {.shape = {.width = 48,
                                          .layers = 3,
                                          .heads = 6,
                                          .hidden = 100,
                                          .activation = ACTIVATION_GELU,
                                          .dropout = 0.1,
                                          .observation_dim = 3,
                                          .action_dim = 2,
                                          .time_max = 20,
                                          .trial_max = 4},
                                .scaling = scaling_identity(3),
                                .domain = "point_mass",
                                .task = "point_mass_hidden",
                                .target = 1.0 / 3.0,
                                .return_range = {-18.5, 2.0 / 3.0}};
    struct failure failure = {0};
    assert_true(token_layout_parse(&snapshot.shape.layout, "R,s,a,r", &failure));
    snapshot.scaling.observation_mean[1] = 0.1;
    snapshot.scaling.observation_deviation[2] = 1.0 / 7.0;
    snapshot.scaling.return_scale = 17.3;
    return snapshot;
}

static void test_snapshot_comes_back_to_the_bit(void **state)
{
    (void)state;
    struct snapshot saved = example();
    struct snapshot found;
    struct checkpoint_state kept;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    snapshot_put(&kept, &saved);
    assert_true(snapshot_get(&found, &kept, &failure));
    assert_true(snapshot_agrees(&found, &saved, "here", &failure));
    assert_true(found.target == saved.target);
    assert_memory_equal(found.return_range, saved.return_range, sizeof saved.return_range);
    assert_string_equal(found.domain, saved.domain);
    checkpoint_state_close(&kept);
}

/* As checkpoints did before there was one. */
static void test_snapshot_without_a_range_of_returns_is_read(void **state)
{
    (void)state;
    struct snapshot saved = example();
    struct snapshot found;
    struct checkpoint_state kept;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    snapshot_put(&kept, &saved);
    for (size_t i = 0; i < kept.numbers_count; i++) {
        if (strcmp(kept.numbers[i].name, "return_range") == 0) {
            strcpy(kept.numbers[i].name, "something else");
        }
    }
    assert_true(snapshot_get(&found, &kept, &failure));
    assert_true(isnan(found.return_range[0]) && isnan(found.return_range[1]));
    checkpoint_state_close(&kept);
}

static void expect_difference(const struct snapshot *changed, const char *words)
{
    struct snapshot saved = example();
    struct failure failure = {0};
    assert_false(snapshot_agrees(&saved, changed, "RUN/ckpt/step-4", &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_non_null(strstr(failure.text, "RUN/ckpt/step-4"));
    assert_non_null(strstr(failure.text, words));
}

static void test_snapshot_names_the_first_difference(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct snapshot changed = example();
    changed.shape.hidden = 101;
    expect_difference(&changed, "model.hidden = 100, found 101 now");
    changed = example();
    assert_true(token_layout_parse(&changed.shape.layout, "R,s,a", &failure));
    expect_difference(&changed, "context.tokens = R,s,a,r, found R,s,a now");
    changed = example();
    changed.scaling.return_scale = 17.4;
    expect_difference(&changed, "scales");
    changed = example();
    strcpy(changed.task, "point_mass_easy");
    expect_difference(&changed, "task point_mass_hidden, found point_mass_easy now");
}

static void refuse(const char *name, double value, const char *words)
{
    struct snapshot snapshot = example();
    struct snapshot found;
    struct checkpoint_state kept;
    struct checkpoint_state spoiled;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    checkpoint_state_open(&spoiled);
    snapshot_put(&kept, &snapshot);
    for (size_t i = 0; i < kept.numbers_count; i++) {
        const struct checkpoint_numbers *numbers = &kept.numbers[i];
        const double *values = strcmp(numbers->name, name) == 0 ? &value : numbers->values;
        checkpoint_state_put_numbers(&spoiled, numbers->name, values, numbers->count);
    }
    for (size_t i = 0; i < kept.texts_count; i++) {
        checkpoint_state_put_text(&spoiled, kept.texts[i].name, kept.texts[i].text);
    }
    assert_false(snapshot_get(&found, &spoiled, &failure));
    assert_non_null(strstr(failure.text, words));
    checkpoint_state_close(&kept);
    checkpoint_state_close(&spoiled);
}

static void test_snapshot_refuses_sizes_that_cannot_be(void **state)
{
    (void)state;
    refuse("model.width", 0.0, "model.width = 0");
    refuse("model.width", 48.5, "model.width = 48.5");
    refuse("model.layers", 1e9, "model.layers");
    refuse("model.heads", 5.0, "model.heads");
    refuse("model.activation", 7.0, "model.activation");
    refuse("observation_dim", 5000.0, "observations");
    refuse("return_scale", 0.0, "return_scale = 0");
    refuse("reward_scale", -1.0, "reward_scale = -1");
}

static void test_snapshot_refuses_an_empty_state(void **state)
{
    (void)state;
    struct snapshot found;
    struct checkpoint_state empty;
    struct failure failure = {0};
    checkpoint_state_open(&empty);
    assert_false(snapshot_get(&found, &empty, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    checkpoint_state_close(&empty);
}

static void test_snapshot_tensors_point_into_the_flat_array(void **state)
{
    (void)state;
    struct snapshot snapshot = example();
    struct parameters parameters;
    struct arena arena = {0};
    parameters_bind(&parameters, &arena, &snapshot.shape);
    arena_open(&arena, arena.peak);
    parameters_bind(&parameters, &arena, &snapshot.shape);
    struct tensor *tensors = snapshot_tensors(parameters.flat, "first.", &snapshot.shape);
    size_t count = parameters_entries(NULL, &snapshot.shape);
    assert_string_equal(tensors[0].name, "first.embed.return.weight");
    assert_ptr_equal(tensors[0].data, parameters.return_weight);
    assert_string_equal(tensors[count - 1].name, "first.layers.2.forward.contract.bias");
    assert_ptr_equal(tensors[count - 1].data, parameters.layers[2].contract_bias);
    assert_int_equal(tensors[count - 1].columns, 48);
    memory_free(tensors);
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_comes_back_to_the_bit),
        cmocka_unit_test(test_snapshot_without_a_range_of_returns_is_read),
        cmocka_unit_test(test_snapshot_names_the_first_difference),
        cmocka_unit_test(test_snapshot_refuses_sizes_that_cannot_be),
        cmocka_unit_test(test_snapshot_refuses_an_empty_state),
        cmocka_unit_test(test_snapshot_tensors_point_into_the_flat_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

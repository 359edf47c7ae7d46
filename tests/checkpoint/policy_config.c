/* A policy comes back out of a checkpoint's state as it went in, and differences are named. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/policy_config.h"

static struct policy_config example(void)
{
    struct policy_config policy = {.shape = {.width = 48,
                                             .layers = 3,
                                             .heads = 6,
                                             .hidden = 100,
                                             .activation = ACTIVATION_GELU,
                                             .dropout = 0.1,
                                             .observation_dim = 3,
                                             .action_space = action_space_continuous(2),
                                             .time_max = 20,
                                             .trial_max = 4},
                                   .scaling = scaling_identity(3),
                                   .domain = "point_mass",
                                   .task = "point_mass_hidden",
                                   .target = 1.0 / 3.0,
                                   .return_range = {-18.5, 2.0 / 3.0},
                                   .data_hash = UINT64_C(0xfedcba9876543210),
                                   .data_holdout = 0.1,
                                   .data_weights = "1,2",
                                   .from = "runs/before",
                                   .from_time_max = 20,
                                   .from_trial_max = 3};
    struct failure failure = {0};
    assert_true(token_layout_parse(&policy.shape.layout, "R,s,a,r", &failure));
    policy.scaling.observation_mean[1] = 0.1;
    policy.scaling.observation_deviation[2] = 1.0 / 7.0;
    policy.scaling.return_scale = 17.3;
    return policy;
}

static struct policy_config categorical_example(void)
{
    struct policy_config policy = example();
    policy.shape.action_space = action_space_categorical((const size_t[]){3, 1, 2}, 3);
    return policy;
}

static void expect_back_to_the_bit(struct policy_config saved)
{
    struct policy_config found;
    struct checkpoint_state kept;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    policy_config_put(&kept, &saved);
    assert_true(policy_config_get(&found, &kept, &failure));
    assert_true(policy_config_agrees(&found, &saved, "here", "do so", &failure));
    assert_true(found.target == saved.target);
    assert_memory_equal(found.return_range, saved.return_range, sizeof saved.return_range);
    assert_true(found.data_hash == saved.data_hash);
    assert_string_equal(found.domain, saved.domain);
    assert_true(found.data_holdout == saved.data_holdout);
    assert_string_equal(found.data_weights, saved.data_weights);
    assert_string_equal(found.from, saved.from);
    assert_int_equal(found.from_time_max, saved.from_time_max);
    assert_int_equal(found.from_trial_max, saved.from_trial_max);
    checkpoint_state_close(&kept);
}

static void test_policy_config_comes_back_to_the_bit(void **state)
{
    (void)state;
    struct policy_config policy = example();
    expect_back_to_the_bit(policy);
    policy.shape.action_space.low[1] = -1.0 / 3.0;
    policy.shape.action_space.high[1] = 7.5;
    expect_back_to_the_bit(policy);
    expect_back_to_the_bit(categorical_example());
    policy.from[0] = '\0'; /* from initial weights */
    policy.from_time_max = policy.from_trial_max = 0;
    expect_back_to_the_bit(policy);
}

/* Copy all numbers but those under a name: one number in their place, or none. */
static void replace_numbers(struct checkpoint_state *to, const struct checkpoint_state *from,
                            const char *name, const double *value)
{
    checkpoint_state_open(to);
    for (size_t i = 0; i < from->numbers_count; i++) {
        const struct checkpoint_numbers *numbers = &from->numbers[i];
        if (strcmp(numbers->name, name) != 0) {
            checkpoint_state_put_numbers(to, numbers->name, numbers->values, numbers->count);
        } else if (value) {
            checkpoint_state_put_numbers(to, name, value, 1);
        }
    }
    for (size_t i = 0; i < from->texts_count; i++) {
        checkpoint_state_put_text(to, from->texts[i].name, from->texts[i].text);
    }
}

static void test_older_policy_config_is_continuous(void **state)
{
    (void)state;
    struct policy_config policy = example();
    struct policy_config found;
    struct checkpoint_state kept, without_low, older;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    policy_config_put(&kept, &policy);
    replace_numbers(&without_low, &kept, "action_low", NULL);
    replace_numbers(&older, &without_low, "action_high", NULL);
    assert_true(policy_config_get(&found, &older, &failure));
    assert_true(action_space_equal(&found.shape.action_space, &policy.shape.action_space));
    checkpoint_state_close(&kept);
    checkpoint_state_close(&without_low);
    checkpoint_state_close(&older);
}

/* Of the data's options nothing is known then: they may be what differs. */
static void test_older_policy_config_does_not_blame_the_store_alone(void **state)
{
    (void)state;
    struct policy_config policy = example(), changed = example();
    struct policy_config found;
    struct checkpoint_state kept, older;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    policy_config_put(&kept, &policy);
    replace_numbers(&older, &kept, "data.holdout", NULL);
    assert_true(policy_config_get(&found, &older, &failure));
    assert_true(isnan(found.data_holdout));
    changed.data_hash = 1;
    assert_false(policy_config_agrees(&found, &changed, "here", "do so", &failure));
    assert_non_null(strstr(failure.text, "bring that store, data.holdout and data.weights back"));
    checkpoint_state_close(&kept);
    checkpoint_state_close(&older);
}

static void expect_difference(const struct policy_config *changed, const char *words)
{
    struct policy_config saved = example();
    struct failure failure = {0};
    assert_false(policy_config_agrees(&saved, changed, "RUN/ckpt/step-4", "do so", &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_non_null(strstr(failure.text, "RUN/ckpt/step-4"));
    if (!strstr(failure.text, words)) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
}

static void test_policy_config_names_the_first_difference(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct policy_config changed = example();
    changed.shape.hidden = 101;
    expect_difference(&changed, "model.hidden = 100, found 101 now; do so");
    changed = example();
    assert_true(token_layout_parse(&changed.shape.layout, "R,s,a", &failure));
    expect_difference(&changed, "context.tokens = R,s,a,r, found R,s,a now");
    changed = example();
    changed.scaling.return_scale = 17.4;
    expect_difference(&changed, "data.return_scale (its own or train.from's) = 17.3, found 17.4");
    changed = example();
    changed.scaling.reward_scale = 2.0;
    expect_difference(&changed, "data.reward_scale (its own or train.from's) = 1, found 2 now");
    changed = example();
    changed.scaling.observation_mean[1] = 0.0;
    expect_difference(&changed, "another data.normalize (its own or train.from's)");
    changed = example();
    changed.shape.head = ACTION_HEAD_GAUSSIAN;
    expect_difference(&changed, "model.head = tanh, found gaussian now");
    changed = example();
    changed.shape.activation = ACTIVATION_RELU;
    expect_difference(&changed, "model.activation = gelu, found relu now");
    changed = example();
    changed.window = 30;
    expect_difference(&changed, "chain.window = 0, found 30 now");
    changed = example();
    changed.rewarded_trials = 2;
    expect_difference(&changed, "chain.rewarded_trials = 0, found 2 now");
    changed = example();
    changed.shape.trial_max++;
    expect_difference(&changed, "was made with chain.trials = ");
    changed = example();
    changed.data_hash = 1;
    expect_difference(&changed,
                      "found a trajectory store whose index has the hash 0000000000000001, "
                      "expected fedcba9876543210 as when this run was started; bring that "
                      "store back, or give this run another run.name");
    changed.data_holdout = 0.2;
    expect_difference(&changed, "data.holdout = 0.1, found 0.2 now");
    changed = example();
    changed.data_hash = 1;
    changed.data_weights[0] = '\0';
    expect_difference(&changed, "data.weights = \"1,2\", found \"\" now");
    changed = example();
    strcpy(changed.task, "point_mass_easy");
    expect_difference(&changed, "task point_mass_hidden, found point_mass_easy now");
    changed = example();
    changed.shape.action_space = action_space_categorical((const size_t[]){1, 1}, 2);
    expect_difference(&changed, "actions of the data = continuous, found categorical 1, 1 now");
    changed = example();
    changed.shape.action_space.high[1] = 2.0;
    expect_difference(&changed, "other bounds of the data's actions");
}

static void refuse_in(struct policy_config policy, const char *name, double value,
                      const char *words)
{
    struct policy_config found;
    struct checkpoint_state kept;
    struct checkpoint_state spoiled;
    struct failure failure = {0};
    checkpoint_state_open(&kept);
    policy_config_put(&kept, &policy);
    replace_numbers(&spoiled, &kept, name, &value);
    assert_false(policy_config_get(&found, &spoiled, &failure));
    assert_non_null(strstr(failure.text, words));
    checkpoint_state_close(&kept);
    checkpoint_state_close(&spoiled);
}

static void refuse(const char *name, double value, const char *words)
{
    refuse_in(example(), name, value, words);
}

static void test_policy_config_refuses_sizes_that_cannot_be(void **state)
{
    (void)state;
    refuse("model.width", 0.0, "model.width = 0");
    refuse("model.width", 48.5, "model.width = 48.5");
    refuse("model.layers", 1e9, "model.layers");
    refuse("model.heads", 5.0, "model.heads");
    refuse("model.activation", 7.0, "model.activation");
    refuse("observation_dim", 5000.0, "observations");
    refuse("trial_max", 1025.0, "more trials of a context than there may be");
    refuse("return_scale", 0.0, "return_scale = 0");
    refuse("reward_scale", -1.0, "reward_scale = -1");
    refuse_in(categorical_example(), "action_categories", 5.0, "do not add up to action_dim");
    refuse_in(categorical_example(), "action_categories", 0.5, "action_categories = 0.5");
}

static void test_policy_config_refuses_a_hash_that_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "fedcba987654321", "fedcba98765432100",
                                        "0xfedcba98765432", "FEDCBA9876543210"};
    struct policy_config policy = example();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct policy_config found;
        struct checkpoint_state kept;
        struct failure failure = {0};
        checkpoint_state_open(&kept);
        policy_config_put(&kept, &policy);
        for (size_t k = 0; k < kept.texts_count; k++) {
            if (strcmp(kept.texts[k].name, "data_hash") == 0) {
                memory_free(kept.texts[k].text);
                kept.texts[k].text = memory_copy_text(texts[i]);
            }
        }
        assert_false(policy_config_get(&found, &kept, &failure));
        assert_non_null(strstr(failure.text, "a data_hash that is not 16 digits"));
        checkpoint_state_close(&kept);
    }
}

static void test_policy_config_refuses_an_empty_state(void **state)
{
    (void)state;
    struct policy_config found;
    struct checkpoint_state empty;
    struct failure failure = {0};
    checkpoint_state_open(&empty);
    assert_false(policy_config_get(&found, &empty, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    checkpoint_state_close(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_config_comes_back_to_the_bit),
        cmocka_unit_test(test_older_policy_config_is_continuous),
        cmocka_unit_test(test_older_policy_config_does_not_blame_the_store_alone),
        cmocka_unit_test(test_policy_config_names_the_first_difference),
        cmocka_unit_test(test_policy_config_refuses_sizes_that_cannot_be),
        cmocka_unit_test(test_policy_config_refuses_a_hash_that_is_none),
        cmocka_unit_test(test_policy_config_refuses_an_empty_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

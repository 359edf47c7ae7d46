#include "tests/support/support.h"

#include "context/scaling.h"

static void test_scaling_identity_changes_nothing(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(3);
    const float raw[6] = {0.1f, -2.5f, 1e-20f, 3e8f, 0.0f, 7.0f};
    real scaled[6];
    scaling_observations(scaled, raw, 2, &scaling);
    for (size_t i = 0; i < 6; i++) {
        assert_true(scaled[i] == (real)raw[i]);
    }
    assert_true(scaling_return(17.25, &scaling) == (real)17.25);
    assert_true(scaling_reward(-0.5, &scaling) == (real)-0.5);
}

static void test_scaling_takes_each_columns_own_mean_and_deviation(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(2);
    scaling.observation_mean[0] = 1.0;
    scaling.observation_mean[1] = -4.0;
    scaling.observation_deviation[0] = 0.5;
    scaling.observation_deviation[1] = 8.0;
    const float raw[6] = {1.0f, -4.0f, 2.0f, 4.0f, 0.0f, -12.0f};
    const real wanted[6] = {0, 0, 2, 1, -2, -1};
    real scaled[6];
    scaling_observations(scaled, raw, 3, &scaling);
    for (size_t i = 0; i < 6; i++) {
        assert_true(scaled[i] == wanted[i]);
    }
}

static void test_scaling_magnifies_no_column_more_than_a_thousandfold(void **state)
{
    (void)state;
    const double mean[6] = {0.0, 2.0, 2.0, 2.0, -1e6, 0.0};
    const double deviation[6] = {0.0, 0.0, 1e-7, 1e-5, 0.01, 0.5};
    const double expected[6] = {1.0, 1.0, 1.0, 1e-3, 1.0, 0.5};
    struct scaling scaling = scaling_identity(6);
    scaling_set_observations(&scaling, mean, deviation);
    const float raw[6] = {0.25f, 2.0f, 2.5f, 2.001f, -1e6f, 1.0f};
    real scaled[6];
    scaling_observations(scaled, raw, 1, &scaling);
    for (size_t i = 0; i < 6; i++) {
        assert_true(scaling.observation_mean[i] == mean[i]);
        assert_true(scaling.observation_deviation[i] == expected[i]);
        support_expect_near((double)scaled[i], ((double)raw[i] - mean[i]) / expected[i], 1e-4);
    }
}

static void test_scaling_keeps_small_differences_on_a_large_mean(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(1);
    scaling.observation_mean[0] = 1048576.125 + 0.0625;
    scaling.observation_deviation[0] = 0.0625;
    const float raw[1] = {1048576.125f};
    real scaled[1];
    scaling_observations(scaled, raw, 1, &scaling);
    assert_true(scaled[0] == (real)-1.0);
}

static void test_scaling_of_many_rows_is_that_of_each(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(1);
    scaling.return_scale = 3.0;
    scaling.reward_scale = 0.7;
    const float rewards[4] = {0.1f, -2.5f, 7.25f, 0.3f};
    real scaled[4];
    real returns[4];
    scaling_rewards(scaled, rewards, 4, &scaling);
    double earned = scaling_returns(returns, 11.0, 0.5, rewards, 4, &scaling);
    double sum = 0.5;
    for (size_t i = 0; i < 4; i++) {
        assert_true(scaled[i] == scaling_reward((double)rewards[i], &scaling));
        assert_true(returns[i] == scaling_return(11.0 - sum, &scaling));
        sum += (double)rewards[i];
    }
    assert_true(earned == sum);
}

static void test_scaling_writes_only_the_rows_asked_for(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(2);
    const float raw[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    real scaled[4] = {9, 9, 9, 9};
    scaling_observations(scaled, raw, 1, &scaling);
    assert_true(scaled[1] == (real)2.0);
    assert_true(scaled[2] == (real)9.0 && scaled[3] == (real)9.0);
}

static void test_scaling_divides_returns_and_rewards_by_their_own_scale(void **state)
{
    (void)state;
    struct scaling scaling = scaling_identity(1);
    scaling.return_scale = 20.0;
    scaling.reward_scale = 0.25;
    assert_true(scaling_return(15.0, &scaling) == (real)0.75);
    assert_true(scaling_reward(0.5, &scaling) == (real)2.0);
}

static void test_scaling_equal_looks_at_every_number(void **state)
{
    (void)state;
    struct scaling left = scaling_identity(3);
    struct scaling right = scaling_identity(3);
    right.observation_mean[3] = 1.0; /* beyond the dimension: not a number of it */
    assert_true(scaling_equal(&left, &right));
    right.observation_mean[2] = 1.0;
    assert_false(scaling_equal(&left, &right));
    right = scaling_identity(3);
    right.observation_deviation[0] = 2.0;
    assert_false(scaling_equal(&left, &right));
    right = scaling_identity(3);
    right.reward_scale = 2.0;
    assert_false(scaling_equal(&left, &right));
    right = scaling_identity(2);
    assert_false(scaling_equal(&left, &right));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling_equal_looks_at_every_number),
        cmocka_unit_test(test_scaling_identity_changes_nothing),
        cmocka_unit_test(test_scaling_takes_each_columns_own_mean_and_deviation),
        cmocka_unit_test(test_scaling_magnifies_no_column_more_than_a_thousandfold),
        cmocka_unit_test(test_scaling_keeps_small_differences_on_a_large_mean),
        cmocka_unit_test(test_scaling_of_many_rows_is_that_of_each),
        cmocka_unit_test(test_scaling_writes_only_the_rows_asked_for),
        cmocka_unit_test(test_scaling_divides_returns_and_rewards_by_their_own_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

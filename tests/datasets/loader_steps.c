/* What each step of a chain says: the return still wanted, done, weight, scale. */
#include "tests/support/support.h"

#include <stdio.h>
#include <unistd.h>

#include "datasets/chain.h"
#include "tests/datasets/loader_sample.h"

static size_t find_pair(struct loader *loader, struct loader_batch *loaded)
{
    for (uint64_t step = 0; step < 20; step++) {
        loader_sample_fill(loader, loaded, step);
        const struct shard *shard = batch_shard(&loaded->batch);
        for (size_t i = 0; i < shard->segment_count; i++) {
            if (shard->segments[i].count == 5) {
                return shard->segments[i].row;
            }
        }
    }
    fail_msg("no context of both trajectories in 20 steps");
    return 0;
}

/* Both trajectories of a pair in one context, against what it must hold. */
static void check_pair(const float first[3], const float second[2], enum loader_loss loss,
                       const struct scaling *scaling,
                       void (*check)(const struct steps *steps, size_t row))
{
    const char *path = loader_sample_path();
    struct store *store = loader_sample_pair(path, first, second);
    struct dataset dataset;
    dataset_of_store(&dataset, store, 0);
    struct loader *loader = loader_sample_open(&dataset, scaling, loss);
    struct loader_sample bound;
    loader_sample_bind(&bound, loader, loader_sample_whole);
    size_t row = find_pair(loader, &bound.loaded);
    check(&bound.loaded.batch.steps, row);
    double weights = 0.0;
    for (size_t i = 0; i < batch_shard(&bound.loaded.batch)->row_count; i++) {
        weights += (double)bound.loaded.batch.steps.weight[i];
    }
    assert_true(bound.loaded.batch.predicted == weights);
    loader_sample_unbind(&bound);
    loader_close(loader);
    dataset_close(&dataset);
    store_close(store);
    assert_int_equal(unlink(path), 0);
}

static void expect_reals(const real *found, const real wanted[5])
{
    for (size_t i = 0; i < 5; i++) {
        assert_true(found[i] == wanted[i]);
    }
}

static void check_hindsight(const struct steps *steps, size_t row)
{
    expect_reals(&steps->return_to_go[row], (const real[5]){5, 4, 2, 5, 1});
    expect_reals(&steps->reward[row], (const real[5]){1, 2, 0.5, 4, 1});
    expect_reals(&steps->done[row], (const real[5]){0, 0, 0, 0, 1});
    const uint32_t time[5] = {0, 1, 2, 0, 1};
    const uint32_t trial[5] = {0, 0, 0, 1, 1};
    assert_memory_equal(&steps->time[row], time, sizeof time);
    assert_memory_equal(&steps->trial[row], trial, sizeof trial);
}

/* The step before is that of the context, over the borders of trajectories. */
static void check_previous(const struct steps *steps, size_t row)
{
    expect_reals(&steps->previous_reward[row], (const real[5]){0, 1, 2, 2, 4});
    expect_reals(&steps->previous_done[row], (const real[5]){0, 0, 0, 1, 0});
    const real nothing[ACTION_DIM] = {0};
    assert_memory_equal(&steps->previous_action[row * ACTION_DIM], nothing, sizeof nothing);
    assert_memory_equal(&steps->previous_action[(row + 1) * ACTION_DIM],
                        &steps->action[row * ACTION_DIM], 4 * ACTION_DIM * sizeof(real));
}

static void test_loader_carries_the_step_before_over_the_borders_of_trajectories(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    check_pair((const float[3]){1, 2, 2}, (const float[2]){4, 1}, LOADER_LOSS_BEST, &identity,
               check_previous);
}

static void expect_first_trial_told(const struct steps *steps, size_t row)
{
    expect_reals(&steps->reward[row], (const real[5]){1, 2, 2, 0, 0});
    expect_reals(&steps->previous_reward[row], (const real[5]){0, 1, 2, 2, 0});
    expect_reals(&steps->return_to_go[row], (const real[5]){5, 4, 2, 5, 5});
    expect_reals(&steps->done[row], (const real[5]){0, 0, 1, 0, 0});
    expect_reals(&steps->previous_done[row], (const real[5]){0, 0, 0, 1, 0});
}

/* On one rank, and where the second trial begins on another. */
static void test_loader_tells_the_rewards_of_the_first_trials_only(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    const char *path = loader_sample_path();
    struct store *store =
        loader_sample_pair(path, (const float[3]){1, 2, 2}, (const float[2]){4, 1});
    struct dataset dataset;
    struct failure failure = {0};
    dataset_of_store(&dataset, store, 0);
    const struct loader_options options = {.chain = {.trials_min = 2, .trials = 2},
                                           .contexts = 1,
                                           .loss = LOADER_LOSS_ALL,
                                           .reward_mask = {1},
                                           .seed = SEED};
    struct loader *loader = loader_open(&dataset, &identity, &options, &failure);
    struct loader_sample whole, part;
    loader_sample_bind(&whole, loader, loader_sample_whole);
    loader_sample_fill(loader, &whole.loaded, 1);
    expect_first_trial_told(&whole.loaded.batch.steps, 0);
    loader_sample_bind(
        &part, loader,
        (struct mesh_position){
            .split = PARTITION_CONTIGUOUS, .ring_size = 5, .ring_rank = 4, .group_count = 1});
    loader_sample_fill(loader, &part.loaded, 1);
    assert_true(part.loaded.batch.steps.previous_reward[0] == 0 &&
                part.loaded.batch.steps.reward[0] == 0);
    loader_sample_unbind(&part);
    loader_sample_unbind(&whole);
    loader_close(loader);
    dataset_close(&dataset);
    store_close(store);
    assert_int_equal(unlink(path), 0);
}

static void test_loader_return_to_go_starts_each_trajectory_at_the_best_return(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    check_pair((const float[3]){1, 2, 0.5f}, (const float[2]){4, 1}, LOADER_LOSS_BEST, &identity,
               check_hindsight);
}

static void check_sorted(const struct steps *steps, size_t row)
{
    expect_reals(&steps->return_to_go[row], (const real[5]){8, 8.5, 8, 6, 1});
    expect_reals(&steps->done[row], (const real[5]){0, 0, 0, 0, 1});
}

static void test_loader_puts_the_best_trajectory_last(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    check_pair((const float[3]){2, 5, 1}, (const float[2]){-0.5f, 0.5f}, LOADER_LOSS_BEST,
               &identity, check_sorted);
}

static void check_tie(const struct steps *steps, size_t row)
{
    expect_reals(&steps->done[row], (const real[5]){0, 0, 1, 0, 1});
}

static void test_loader_done_ends_every_trajectory_that_reaches_the_target(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    check_pair((const float[3]){1, 2, 2}, (const float[2]){4, 1}, LOADER_LOSS_BEST, &identity,
               check_tie);
}

static void check_best(const struct steps *steps, size_t row)
{
    expect_reals(&steps->weight[row], (const real[5]){0, 0, 0, 1, 1});
}

static void check_all(const struct steps *steps, size_t row)
{
    expect_reals(&steps->weight[row], (const real[5]){1, 1, 1, 1, 1});
}

static void test_loader_weighs_the_best_trajectory_or_all(void **state)
{
    (void)state;
    struct scaling identity = scaling_identity(OBSERVATION_DIM);
    const float first[3] = {1, 2, 0.5f};
    const float second[2] = {4, 1};
    check_pair(first, second, LOADER_LOSS_BEST, &identity, check_best);
    check_pair(first, second, LOADER_LOSS_ALL, &identity, check_all);
}

static struct scaling scaling_for_test(void)
{
    struct scaling scaling = scaling_identity(OBSERVATION_DIM);
    for (size_t i = 0; i < OBSERVATION_DIM; i++) {
        scaling.observation_mean[i] = 0.5 * (double)i;
        scaling.observation_deviation[i] = 0.25;
    }
    scaling.return_scale = 10.0;
    scaling.reward_scale = 2.0;
    return scaling;
}

static void check_scaled(const struct steps *steps, size_t row)
{
    struct scaling scaling = scaling_for_test();
    expect_reals(&steps->return_to_go[row],
                 (const real[5]){(real)0.5, (real)0.4, (real)0.2, (real)0.5, (real)0.1});
    expect_reals(&steps->reward[row], (const real[5]){0.5, 1, 0.25, 2, 0.5});
    for (size_t i = 0; i < 5; i++) {
        float raw[OBSERVATION_DIM];
        real wanted[OBSERVATION_DIM];
        for (size_t j = 0; j < OBSERVATION_DIM; j++) {
            raw[j] = loader_sample_number(0, i < 3 ? 0 : 1, i < 3 ? i : i - 3, j);
        }
        scaling_observations(wanted, raw, 1, &scaling);
        assert_memory_equal(&steps->observation[(row + i) * OBSERVATION_DIM], wanted,
                            sizeof wanted);
        for (size_t j = 0; j < ACTION_DIM; j++) {
            assert_true(steps->action[(row + i) * ACTION_DIM + j] ==
                        (real)loader_sample_number(1, i < 3 ? 0 : 1, i < 3 ? i : i - 3, j));
        }
    }
}

static void test_loader_scales_all_but_actions(void **state)
{
    (void)state;
    struct scaling scaling = scaling_for_test();
    check_pair((const float[3]){1, 2, 0.5f}, (const float[2]){4, 1}, LOADER_LOSS_BEST, &scaling,
               check_scaled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_carries_the_step_before_over_the_borders_of_trajectories),
        cmocka_unit_test(test_loader_tells_the_rewards_of_the_first_trials_only),
        cmocka_unit_test(test_loader_return_to_go_starts_each_trajectory_at_the_best_return),
        cmocka_unit_test(test_loader_puts_the_best_trajectory_last),
        cmocka_unit_test(test_loader_done_ends_every_trajectory_that_reaches_the_target),
        cmocka_unit_test(test_loader_weighs_the_best_trajectory_or_all),
        cmocka_unit_test(test_loader_scales_all_but_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

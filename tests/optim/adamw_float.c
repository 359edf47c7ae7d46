/* AdamW in float where its formulas are delicate: gains near 0, a decay below a weight's last bit.
 */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "tests/optim/fixture.h"

static const struct model_shape shape = {
    .width = 64,
    .layers = 1,
    .heads = 1,
    .hidden = 256,
    .observation_dim = 3,
    .action_space.dim = 2,
    .time_max = 2,
    .trial_max = 2,
};

static void step(struct fixture *fixture, double rate, uint64_t number)
{
    adamw_step(&fixture->parameters, &fixture->adamw, &fixture->gradients,
               &(struct adamw_rates){1.0, rate, number}, &fixture->executor);
}

/* Whatever beta2 is, the first step moves each weight by the rate. */
static void test_first_step_moves_weights_by_the_rate_for_any_beta(void **state)
{
    (void)state;
    static const double betas[] = {0.9, 0.999, 0.99999, 0.999999, 0.99999999};
    for (size_t b = 0; b < sizeof betas / sizeof betas[0]; b++) {
        const struct adamw_options options = {.beta1 = 0.9, .beta2 = betas[b]};
        struct fixture fixture;
        fixture_open(&fixture, &shape, "s,a", &options, 0);
        size_t count = fixture.parameters.layout.count;
        memset(fixture.parameters.master.flat, 0, count * sizeof(real));
        fixture_draw_gradients(&fixture, 1);
        step(&fixture, 0.125, 1);
        const struct tensor *up = &fixture.parameters.master.views.layers[0].ffn.up.weight;
        for (size_t i = 0; i < tensor_count(up); i++) {
            support_expect_near(fabs((double)tensor_reals(up)[i]), 0.125, 1e-6);
        }
        arena_close(&fixture.arena);
    }
}

/* What decay has taken off the weights of a layer, as a share of what it should have: over weights
 * of one sign, in the mean, so that what rounding adds to each does not matter. */
static double share_of_decay(double rate, double weight_decay, uint64_t steps)
{
    const struct adamw_options options = {
        .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = weight_decay};
    struct fixture fixture;
    fixture_open(&fixture, &shape, "s,a", &options, 0);
    const struct tensor *up = &fixture.parameters.master.views.layers[0].ffn.up.weight;
    size_t count = tensor_count(up);
    for (size_t i = 0; i < count; i++) {
        tensor_reals(up)[i] = 0.75f;
    }
    double wanted = 0.0;
    double found = 0.0;
    for (uint64_t number = 1; number <= steps; number++) {
        double before = 0.0;
        fixture_draw_gradients(&fixture, number);
        for (size_t i = 0; i < count; i++) {
            before += (double)tensor_reals(up)[i];
        }
        step(&fixture, rate, number);
        double update = 0.0;
        double first_correction = 1.0 - pow(options.beta1, (double)number);
        double second_correction = 1.0 - pow(options.beta2, (double)number);
        size_t offset = (size_t)(tensor_reals(up) - fixture.parameters.master.flat);
        for (size_t i = 0; i < count; i++) {
            double first = (double)fixture.parameters.slots[ADAMW_FIRST][offset + i];
            double second = (double)fixture.parameters.slots[ADAMW_SECOND][offset + i];
            update += rate * (first / first_correction) /
                      (sqrt(second / second_correction) + options.epsilon);
            found -= (double)tensor_reals(up)[i];
        }
        found += before - update;
        wanted += rate * weight_decay * before;
    }
    arena_close(&fixture.arena);
    return found / wanted;
}

static void test_small_decay_is_not_lost(void **state)
{
    (void)state;
    support_expect_near(share_of_decay(1e-3, 1e-1, 20), 1.0, 1e-2);
    /* Below half of a weight's last bit. */
    support_expect_near(share_of_decay(1e-4, 1e-4, 400), 1.0, 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_step_moves_weights_by_the_rate_for_any_beta),
        cmocka_unit_test(test_small_decay_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

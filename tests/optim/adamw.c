/* AdamW against its formulas, element by element, in double. */
#include "tests/support/support.h"

#include <math.h>

#include "tests/optim/fixture.h"

static const struct adamw_options options = {
    .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .weight_decay = 0.1};

static const struct model_shape shape = {
    .width = 8,
    .layers = 1,
    .heads = 2,
    .hidden = 12,
    .observation_dim = 3,
    .action_space.dim = 2,
    .time_max = 9000, /* several pieces of work */
    .trial_max = 2,
};

/* One element's history, written from the paper's algorithm. */
struct reference {
    double weight, first, second;
};

static void reference_step(struct reference *r, double gradient, double rate, double decay,
                           int step)
{
    r->first = options.beta1 * r->first + (1.0 - options.beta1) * gradient;
    r->second = options.beta2 * r->second + (1.0 - options.beta2) * gradient * gradient;
    double first = r->first / (1.0 - pow(options.beta1, step));
    double second = r->second / (1.0 - pow(options.beta2, step));
    r->weight -= rate * (first / (sqrt(second) + options.epsilon) + decay * r->weight);
}

static void test_adamw_follows_its_formulas(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &shape, "R,s,a", &options, 3);
    size_t count = fixture.parameters.layout.count;
    struct reference *references = memory_take(count, sizeof *references);
    for (size_t i = 0; i < count; i++) {
        references[i].weight = fixture.parameters.master.flat[i];
    }
    for (int step = 1; step <= 4; step++) {
        fixture_draw_gradients(&fixture, (uint64_t)step);
        adamw_step(&fixture.parameters, &fixture.adamw, &fixture.gradients,
                   &(struct adamw_rates){0.5, 0.01, (uint64_t)step}, &fixture.executor);
        for (size_t e = 0; e < fixture.parameters.layout.entry_count; e++) {
            const struct parameter_entry *entry = &fixture.parameters.layout.entries[e];
            double decay = entry->decay == PARAMETER_DECAY_YES ? options.weight_decay : 0.0;
            for (size_t i = 0; i < entry->rows * entry->columns; i++) {
                struct reference *r = &references[entry->offset + i];
                reference_step(r, 0.5 * fixture.gradients.flat[entry->offset + i], 0.01, decay,
                               step);
                support_expect_near(fixture.parameters.master.flat[entry->offset + i], r->weight,
                                    1e-12);
            }
        }
    }
    memory_free(references);
    fixture_close(&fixture);
}

static void test_adamw_leaves_padding_at_zero(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &shape, "R,s,a", &options, 3);
    fixture_draw_gradients(&fixture, 1);
    adamw_step(&fixture.parameters, &fixture.adamw, &fixture.gradients,
               &(struct adamw_rates){1.0, 0.01, 1}, &fixture.executor);
    size_t learned = 0;
    size_t zeros = 0;
    for (size_t i = 0; i < fixture.parameters.layout.entry_count; i++) {
        learned += fixture.parameters.layout.entries[i].rows *
                   fixture.parameters.layout.entries[i].columns;
    }
    assert_int_equal(learned, parameters_learned(&fixture.shape));
    for (size_t i = 0; i < fixture.parameters.layout.count; i++) {
        zeros += fixture.parameters.master.flat[i] == 0.0;
    }
    assert_int_equal(zeros, fixture.parameters.layout.count - learned);
    fixture_close(&fixture);
}

static void test_adamw_gradient_norm_is_euclidean(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &shape, "R,s,a", &options, 3);
    fixture.gradients.flat[0] = 3.0;
    fixture.gradients.flat[fixture.parameters.layout.count - 1] = -4.0;
    support_expect_near(adamw_gradient_norm(&fixture.adamw, &fixture.gradients, &fixture.executor),
                        5.0, 1e-12);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw_follows_its_formulas),
        cmocka_unit_test(test_adamw_leaves_padding_at_zero),
        cmocka_unit_test(test_adamw_gradient_norm_is_euclidean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

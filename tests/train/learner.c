/* What a step of the learner says of categorical actions and of labels that nobody knows, on any
 * number of ranks. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/random_store.h"
#include "tests/datasets/sample.h"
#include "tests/support/support_mpi.h"

static struct bench_options options_of(void)
{
    struct failure failure = {0};
    struct bench_options options = {
        .length = 200,
        .threads = 1,
        .learner = {.shape = {.width = 16, .layers = 1, .heads = 2, .hidden = 24},
                    .attention = {.query_block = 64, .key_block = 32},
                    .adamw = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
                    .schedule = {.rate = 1e-2, .warmup = 1, .steps = 100}},
    };
    assert_true(token_layout_parse(&options.learner.shape.layout, "R,s,a,r,d", &failure));
    return options;
}

/* Without weights that tell them apart all categories are equally likely, whatever was done. */
static void test_categorical_loss_is_a_mean_over_choices(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct bench_options options = options_of();
    struct learner_fixture fixture;
    struct learner *learner = memory_take(1, sizeof *learner);
    learner_fixture_open(&fixture, &options, &failure);
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    fixture.options.shape.action_space = action_space_categorical((const size_t[]){4, 2}, 2);
    assert_int_equal(fixture.options.shape.action_space.dim, RANDOM_STORE_ACTIONS);
    learner_open(learner, &fixture.options, fixture.loader, fixture.ring, fixture.workers);
    const struct tensor *weight = &learner->parameters.master.views.outer.head.action.weight;
    memset(tensor_reals(weight), 0, tensor_count(weight) * sizeof(real));
    support_expect_near(learner_step(learner, 1).loss, 0.5 * (log(4.0) + log(2.0)), 1e-12);
    learner_close(learner);
    learner_fixture_close(&fixture);
    memory_free(learner);
}

/* --- Labels that nobody knows ----------------------------------------------------------------- */

/* A learner of labels, one trajectory at a time, of a store that knows a single one. */
struct labels_fixture {
    struct learner_fixture base;
    struct scaling scaling;
    struct dataset dataset;
    struct loader *loader;
    struct learner learner;
};

static struct labels_fixture *open_labels(void)
{
    struct failure failure = {0};
    struct bench_options options = options_of();
    struct labels_fixture *fixture = memory_take(1, sizeof *fixture);
    char path[512];
    snprintf(path, sizeof path, "%s/labels.h5", support_scratch_folder());
    assert_true(sample_write_unlabelled(path, true, &failure));
    learner_fixture_open(&fixture->base, &options, &failure);
    const char *stores[] = {path};
    assert_true(dataset_open(&fixture->dataset,
                             &(struct dataset_options){.stores = stores, .count = 1, .task = ""},
                             &failure));
    fixture->scaling = scaling_identity(SAMPLE_OBSERVATION);
    struct loader_options loader = {
        .chain = {.trials_min = 1, .trials = 1},
        .contexts = ring_group_count(fixture->base.ring),
        .loss = LOADER_LOSS_LABEL,
    };
    fixture->loader = loader_open(&fixture->dataset, &fixture->scaling, &loader, &failure);
    assert_non_null(fixture->loader);
    struct learner_options *learner = &fixture->base.options;
    learner->shape.observation_dim = SAMPLE_OBSERVATION;
    learner->shape.action_space = action_space_continuous(SAMPLE_ACTION);
    learner->shape.time_max = dataset_length_max(&fixture->dataset);
    learner->shape.trial_max = 1;
    learner_open(&fixture->learner, learner, fixture->loader, fixture->base.ring,
                 fixture->base.workers);
    return fixture;
}

static void close_labels(struct labels_fixture *fixture)
{
    learner_close(&fixture->learner);
    loader_close(fixture->loader);
    dataset_close(&fixture->dataset);
    learner_fixture_close(&fixture->base);
    memory_free(fixture);
}

static void test_step_without_known_labels_adds_no_gradient(void **state)
{
    (void)state;
    struct labels_fixture *fixture = open_labels();
    const struct parameter_array *master = &fixture->learner.parameters.master;
    size_t size = fixture->learner.parameters.layout.count * sizeof(real);
    real *before = memory_take(1, size);
    memcpy(before, master->flat, size);
    size_t unknown = 0, known = 0;
    for (uint64_t number = 1; number <= 40; number++) {
        struct learner_step step = learner_step(&fixture->learner, number);
        unknown += isnan(step.loss);
        known += step.loss > 0.0 && step.gradient_norm > 0.0;
        assert_true(!isnan(step.loss) || step.gradient_norm == 0.0);
        if (known == 0) { /* nothing moves them yet */
            assert_memory_equal(master->flat, before, size);
        }
    }
    assert_true(unknown > 0 && known > 0 && unknown + known == 40);
    for (size_t i = 0; i < size / sizeof(real); i++) {
        assert_true(isfinite(master->flat[i]));
    }
    memory_free(before);
    close_labels(fixture);
}

static void test_validation_loss_is_of_known_labels_alone(void **state)
{
    (void)state;
    struct labels_fixture *fixture = open_labels();
    double first = learner_validate(&fixture->learner, fixture->loader, 1);
    double all = learner_validate(&fixture->learner, fixture->loader, 40);
    assert_true(isnan(first)); /* its only chain knows none */
    assert_true(all > 0.0 && isfinite(all));
    close_labels(fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_categorical_loss_is_a_mean_over_choices),
        cmocka_unit_test(test_step_without_known_labels_adds_no_gradient),
        cmocka_unit_test(test_validation_loss_is_of_known_labels_alone),
    };
    return support_mpi_run(argc, argv, "learner", tests, sizeof tests / sizeof tests[0]);
}

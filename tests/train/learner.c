/* What a step of the learner says of categorical actions, on any number of ranks. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/random_store.h"
#include "tests/support/support_mpi.h"

static struct bench_options options_of(void)
{
    struct failure failure = {0};
    struct bench_options options = {
        .length = 200,
        .threads = 1,
        .learner = {.shape = {.width = 16, .layers = 1, .heads = 2, .hidden = 24},
                    .attention.attention = {.query_block = 64, .key_block = 32},
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_categorical_loss_is_a_mean_over_choices),
    };
    return support_mpi_run(argc, argv, "learner", tests, sizeof tests / sizeof tests[0]);
}

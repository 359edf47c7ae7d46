/* The whole model's gradient against central differences, in double, on one rank and over a ring.
 */
#include "tests/support/support.h"

#include "comm/comm.h"
#include "tests/model/problem.h"
#include "tests/support/gradient.h"
#include "tests/support/support_mpi.h"

static double loss_of(void *problem)
{
    return problem_loss(problem);
}

/* Beyond their limits deviations get a gradient that brings them back, which is not the loss's. */
static void keep_deviations_within_limits(struct problem *problem)
{
    const struct tensor *weight = &problem->parameters.master.views.outer.head.action.weight;
    for (size_t i = 0; i < tensor_count(weight); i++) {
        tensor_reals(weight)[i] *= (real)0.3;
    }
}

/* Every tensor of the model, at up to 6 elements each. */
static void check_all_tensors(const struct problem_options *options)
{
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem problem;
    problem_open(&problem, options, ring);
    if (options->head == ACTION_HEAD_GAUSSIAN) {
        keep_deviations_within_limits(&problem);
    }
    problem_gradients(&problem);
    const struct parameter_layout *layout = &problem.parameters.layout;
    for (size_t i = 0; i < layout->entry_count; i++) {
        const struct parameter_entry *entry = &layout->entries[i];
        struct support_gradient_check check = {.name = entry->name, .step = 1e-4, .at_most = 6};
        support_check_gradient(loss_of, &problem, problem.parameters.master.flat + entry->offset,
                               problem.gradients.flat + entry->offset, entry->rows * entry->columns,
                               &check);
    }
    problem_close(&problem);
    ring_close(ring);
}

static const struct problem_options agentic = {
    .tokens = "R,s,a,r,d",
    .layers = 2,
    .heads = 2,
    .head_width = 4,
    .hidden = 12,
    .activation = ACTIVATION_GELU,
    .rule = PARTITION_ZIGZAG,
    .query_block = 4,
    .key_block = 8,
    .contexts = 2,
    .trials = {{3, 2, 4}, {5}},
};

static void test_gradients_of_the_agentic_transformer(void **state)
{
    (void)state;
    check_all_tensors(&agentic);
}

static void test_gradients_with_one_head_and_contiguous_shards(void **state)
{
    (void)state;
    struct problem_options options = agentic;
    options.heads = 1;
    options.head_width = 8;
    options.rule = PARTITION_CONTIGUOUS;
    check_all_tensors(&options);
}

static void test_gradients_with_dropout(void **state)
{
    (void)state;
    struct problem_options options = agentic;
    options.dropout = 0.1;
    check_all_tensors(&options);
}

static void test_gradients_of_every_layout(void **state)
{
    (void)state;
    static const char *const layouts[] = {"R,s,a,r", "R,s,a",        "s,a",
                                          "s",       "R+s+-a+-r+-d", "-r,R+s+-d,a"};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct problem_options options = agentic;
        options.tokens = layouts[i];
        options.layers = 1;
        check_all_tensors(&options);
    }
}

static void test_gradients_of_gaussian_actions(void **state)
{
    (void)state;
    struct problem_options options = agentic;
    options.head = ACTION_HEAD_GAUSSIAN;
    check_all_tensors(&options);
}

static void test_gradients_of_categorical_actions(void **state)
{
    (void)state;
    struct problem_options options = agentic;
    options.categoricals = 3;
    options.categories[0] = 3;
    options.categories[1] = 1;
    options.categories[2] = 4;
    check_all_tensors(&options);
    options.categoricals = 1;
    options.tokens = "s,a";
    check_all_tensors(&options);
}

/* Chunks of more than one block of rows. */
static void test_gradients_over_several_chunks_of_rows(void **state)
{
    (void)state;
    struct problem_options options = agentic;
    options.layers = 1;
    options.query_block = 64;
    options.key_block = 128;
    options.trials[0][2] = 90;
    check_all_tensors(&options);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_of_the_agentic_transformer),
        cmocka_unit_test(test_gradients_with_one_head_and_contiguous_shards),
        cmocka_unit_test(test_gradients_with_dropout),
        cmocka_unit_test(test_gradients_of_every_layout),
        cmocka_unit_test(test_gradients_of_gaussian_actions),
        cmocka_unit_test(test_gradients_of_categorical_actions),
        cmocka_unit_test(test_gradients_over_several_chunks_of_rows),
    };
    return support_mpi_run(argc, argv, "gradients", tests, sizeof tests / sizeof tests[0]);
}

/* The model's promises in float: the same on any ring, and blind to the future. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "tests/model/problem.h"
#include "tests/support/support_mpi.h"

static const struct problem_options standard = {
    .tokens = "R,s,a,r,d",
    .layers = 2,
    .heads = 4,
    .head_width = 8,
    .hidden = 48,
    .activation = ACTIVATION_RELU,
    .rule = PARTITION_ZIGZAG,
    .query_block = 32,
    .key_block = 64,
    .contexts = 3,
    .trials = {{20, 31, 20}, {1}, {7, 33}},
};

/* Eight bits of precision in two layers; a number is 2^-9 of itself off at most where it is
 * rounded. */
static const double bf16_tolerance = 2e-2;

/* The largest difference of a tensor, relative to its largest element. */
static double relative_error(const real *found, const real *wanted, size_t count)
{
    double scale = 0.0;
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        scale = fmax(scale, fabs((double)wanted[i]));
        worst = fmax(worst, fabs((double)found[i] - (double)wanted[i]));
    }
    return worst / scale;
}

static void expect_gradients_equal(const struct problem *found, const struct problem *wanted)
{
    const struct parameter_layout *layout = &wanted->parameters.layout;
    for (size_t i = 0; i < layout->entry_count; i++) {
        const struct parameter_entry *entry = &layout->entries[i];
        double error =
            relative_error(found->gradients.flat + entry->offset,
                           wanted->gradients.flat + entry->offset, entry->rows * entry->columns);
        if (!(error < 2e-5)) {
            fail_msg("gradient of %s differs by %g", entry->name, error);
        }
    }
}

/* Of all gradients as one vector, as a share of its length: single numbers may all but vanish. */
static double distance_of_gradients(const struct problem *found, const struct problem *wanted)
{
    double distance = 0.0, length = 0.0;
    for (size_t i = 0; i < wanted->parameters.layout.count; i++) {
        double number = (double)wanted->gradients.flat[i];
        distance += pow((double)found->gradients.flat[i] - number, 2.0);
        length += pow(number, 2.0);
    }
    return sqrt(distance / length);
}

/* This ring against a ring of one rank, which each rank computes on its own. */
static void expect_equal_to_single_rank(const struct problem_options *options)
{
    struct ring *ring = ring_open(comm_size(), 0);
    struct ring *single = ring_open(1, 0);
    struct problem found;
    struct problem wanted;
    problem_open(&found, options, ring);
    problem_open(&wanted, options, single);
    double found_loss = problem_gradients(&found);
    double wanted_loss = problem_gradients(&wanted);
    double tolerance = options->is_bf16 ? bf16_tolerance : 1e-5;
    assert_true(fabs(found_loss - wanted_loss) < tolerance * fabs(wanted_loss));
    if (options->is_bf16) {
        assert_true(distance_of_gradients(&found, &wanted) < tolerance);
    } else {
        expect_gradients_equal(&found, &wanted);
    }
    problem_close(&found);
    problem_close(&wanted);
    ring_close(single);
    ring_close(ring);
}

static void test_transformer_gradients_equal_single_rank_zigzag(void **state)
{
    (void)state;
    expect_equal_to_single_rank(&standard);
}

static void test_transformer_gradients_equal_single_rank_contiguous(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.rule = PARTITION_CONTIGUOUS;
    expect_equal_to_single_rank(&options);
}

/* Merges of partial results and sums of gradients are of reals, so a ring adds next to nothing to
 * what rounding does. */
static void test_transformer_gradients_equal_single_rank_in_bf16(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.is_bf16 = true;
    expect_equal_to_single_rank(&options);
    options.head_width = 5; /* no pairs */
    expect_equal_to_single_rank(&options);
}

static void test_transformer_bf16_only_rounds(void **state)
{
    (void)state;
    struct problem_options options = standard;
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem wanted;
    struct problem found;
    problem_open(&wanted, &options, ring);
    options.is_bf16 = true;
    problem_open(&found, &options, ring);
    double wanted_loss = problem_gradients(&wanted);
    double found_loss = problem_gradients(&found);
    assert_true(found_loss != wanted_loss);
    assert_true(fabs(found_loss - wanted_loss) < bf16_tolerance * fabs(wanted_loss));
    assert_true(distance_of_gradients(&found, &wanted) < bf16_tolerance);
    problem_close(&found);
    problem_close(&wanted);
    ring_close(ring);
}

static void test_transformer_dropout_is_the_same_for_any_ring(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.dropout = 0.1;
    expect_equal_to_single_rank(&options);
}

static struct problem_options categorical(void)
{
    struct problem_options options = standard;
    options.categoricals = 2;
    options.categories[0] = 5;
    options.categories[1] = 3;
    return options;
}

static void test_transformer_categorical_gradients_equal_single_rank(void **state)
{
    (void)state;
    struct problem_options options = categorical();
    expect_equal_to_single_rank(&options);
}

/* Without weights that tell them apart, all categories are equally likely. */
static void test_transformer_categorical_loss_is_cross_entropy(void **state)
{
    (void)state;
    struct problem_options options = categorical();
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem problem;
    problem_open(&problem, &options, ring);
    const struct tensor *weight = &problem.parameters.master.views.outer.head.action.weight;
    memset(tensor_reals(weight), 0, tensor_count(weight) * sizeof(real));
    double found = problem_loss(&problem);
    real weights = 0;
    for (size_t row = 0; row < batch_shard(&problem.batch)->row_count; row++) {
        weights += problem.batch.steps.weight[row];
    }
    ring_sum_real(ring, &weights, 1);
    support_expect_near(found, (double)weights * log(15.0), 1e-5 * found);
    problem_close(&problem);
    ring_close(ring);
}

/* Enough rows for several spans on each of a few ranks. */
static void expect_same_bits_for_any_number_of_threads(bool is_bf16)
{
    struct problem_options options = standard;
    options.is_bf16 = is_bf16;
    options.contexts = PROBLEM_CONTEXTS_MAX;
    options.dropout = 0.1;
    for (size_t context = 0; context < PROBLEM_CONTEXTS_MAX; context++) {
        for (size_t trial = 0; trial < PROBLEM_TRIALS_MAX; trial++) {
            options.trials[context][trial] = 45 - context;
        }
    }
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem one;
    struct problem many;
    problem_open(&one, &options, ring);
    options.threads = 3;
    problem_open(&many, &options, ring);
    for (size_t i = 0; i < 3; i++) {
        double wanted = problem_gradients(&one);
        double found = problem_gradients(&many);
        assert_true(found == wanted);
        assert_memory_equal(many.gradients.flat, one.gradients.flat,
                            one.parameters.layout.count * sizeof *one.gradients.flat);
    }
    problem_close(&many);
    problem_close(&one);
    ring_close(ring);
}

static void test_transformer_is_the_same_to_the_bit_for_any_number_of_threads(void **state)
{
    (void)state;
    expect_same_bits_for_any_number_of_threads(false);
    expect_same_bits_for_any_number_of_threads(true);
}

/* The prediction at each step of context 0, wherever its rows lie; (steps x action_dim), 0 where
 * they are not this rank's. */
static void gather_predictions(real *predictions, const struct problem *problem, size_t steps)
{
    size_t width = problem->shape.action_space.dim;
    memset(predictions, 0, steps * width * sizeof *predictions);
    const struct shard *shard = batch_shard(&problem->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        if (segment->context == 0) {
            memcpy(predictions + segment->first * width,
                   problem->transformer.predicted + segment->row * width,
                   segment->count * width * sizeof *predictions);
        }
    }
}

/* Add to everything that a step of context 0 holds. */
static void disturb(struct problem *problem, size_t step)
{
    struct steps *steps = &problem->batch.steps;
    const struct shard *shard = batch_shard(&problem->batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        if (segment->context == 0 && segment->first <= step &&
            step < segment->first + segment->count) {
            size_t row = segment->row + step - segment->first;
            steps->return_to_go[row] += 1;
            steps->observation[row * steps->observation_dim] += 1;
            steps->action[row * steps->action_dim] += 1;
            steps->reward[row] += 1;
            steps->done[row] += 1;
        }
    }
}

static void test_transformer_past_does_not_see_the_future(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem problem;
    problem_open(&problem, &standard, ring);
    size_t steps = problem_steps(&standard, 0);
    size_t width = problem.shape.action_space.dim;
    real *before = memory_take(steps * width, sizeof *before);
    real *after = memory_take(steps * width, sizeof *after);
    problem_loss(&problem);
    gather_predictions(before, &problem, steps);
    size_t changed = 40;
    disturb(&problem, changed);
    problem_loss(&problem);
    gather_predictions(after, &problem, steps);
    for (size_t i = 0; i < changed * width; i++) {
        assert_true(before[i] == after[i]);
    }
    real differences = 0;
    for (size_t i = changed * width; i < steps * width; i++) {
        differences += before[i] != after[i];
    }
    ring_sum_real(ring, &differences, 1);
    assert_true(differences > (real)((steps - changed) * width / 2));
    memory_free(after);
    memory_free(before);
    problem_close(&problem);
    ring_close(ring);
}

static void test_transformer_state_does_not_see_its_own_action(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem problem;
    problem_open(&problem, &standard, ring);
    struct steps *rows = &problem.batch.steps;
    size_t count = batch_shard(&problem.batch)->row_count * problem.shape.action_space.dim;
    real *before = memory_take(count, sizeof *before);
    problem_loss(&problem);
    memcpy(before, problem.transformer.predicted, count * sizeof *before);
    /* The very last step of each context: nothing after it could tell. */
    for (size_t row = 0; row < batch_shard(&problem.batch)->row_count; row++) {
        if (rows->done[row] > 0 && rows->weight[row] > (real)0.5) {
            rows->action[row * rows->action_dim] += 1;
            rows->reward[row] += 1;
            rows->done[row] += 1;
        }
    }
    problem_loss(&problem);
    assert_memory_equal(before, problem.transformer.predicted, count * sizeof *before);
    memory_free(before);
    problem_close(&problem);
    ring_close(ring);
}

static void test_transformer_same_call_gives_the_same_bits(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    struct problem problem;
    problem_open(&problem, &standard, ring);
    size_t bytes = problem.parameters.layout.count * sizeof(real);
    real *first = memory_take(problem.parameters.layout.count, sizeof *first);
    double loss = problem_gradients(&problem);
    memcpy(first, problem.gradients.flat, bytes);
    assert_true(problem_gradients(&problem) == loss);
    assert_memory_equal(first, problem.gradients.flat, bytes);
    memory_free(first);
    problem_close(&problem);
    ring_close(ring);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformer_gradients_equal_single_rank_zigzag),
        cmocka_unit_test(test_transformer_gradients_equal_single_rank_contiguous),
        cmocka_unit_test(test_transformer_gradients_equal_single_rank_in_bf16),
        cmocka_unit_test(test_transformer_bf16_only_rounds),
        cmocka_unit_test(test_transformer_dropout_is_the_same_for_any_ring),
        cmocka_unit_test(test_transformer_categorical_gradients_equal_single_rank),
        cmocka_unit_test(test_transformer_categorical_loss_is_cross_entropy),
        cmocka_unit_test(test_transformer_is_the_same_to_the_bit_for_any_number_of_threads),
        cmocka_unit_test(test_transformer_past_does_not_see_the_future),
        cmocka_unit_test(test_transformer_state_does_not_see_its_own_action),
        cmocka_unit_test(test_transformer_same_call_gives_the_same_bits),
    };
    return support_mpi_run(argc, argv, "transformer", tests, sizeof tests / sizeof tests[0]);
}

/* A context decoded step by step gets the predictions of the training forward. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "policy/decoder.h"
#include "tests/model/problem.h"
#include "tests/support/layouts.h"
#include "tests/support/support_mpi.h"

static const struct problem_options standard = {
    .tokens = "R,s,a,r,d",
    .layers = 2,
    .heads = 4,
    .head_width = 8,
    .hidden = 48,
    .activation = ACTIVATION_GELU,
    .rule = PARTITION_ZIGZAG,
    .query_block = 32,
    .key_block = 64,
    .contexts = 3,
    .trials = {{20, 11, 9}, {13, 13, 14}, {7, 33}},
};

/* Contexts so short that hundreds of layouts can be tried. */
static struct problem_options brief_options(const char *tokens)
{
    struct problem_options options = standard;
    static const size_t trials[][PROBLEM_TRIALS_MAX] = {{2, 3}, {4, 1}};
    options.tokens = tokens;
    options.layers = 1;
    options.hidden = 16;
    options.contexts = 2;
    memcpy(options.trials, trials, sizeof trials);
    return options;
}

/* More than are predicted at once; row r begins as context r modulo the problem's. */
enum { ROWS = 20, STEPS_MAX = 60 };

/* The decoder beside the model that it must agree with; contexts of equal or unequal length. */
struct fixture {
    struct ring *ring;
    struct workers *workers;
    struct problem problem;
    struct arena arena;
    enum attention_choice kernel;
    struct decoder *decoder;
    struct steps last, now;
    real *action; /* (STEPS_MAX x ROWS x numbers of a prediction): what was predicted, step after
                     step */
};

static void bind_all(struct fixture *fixture)
{
    const struct model_shape *shape = &fixture->problem.shape;
    struct arena *arena = &fixture->arena;
    struct decoder_options options = {.context_max = ROWS,
                                      .steps_max = STEPS_MAX,
                                      .kernel = fixture->kernel,
                                      .dtype = fixture->problem.options.is_bf16 ? DTYPE_BF16
                                                                                : DTYPE_REAL,
                                      .workers = fixture->workers};
    fixture->decoder = decoder_bind(arena, &options, &fixture->problem.parameters);
    steps_bind(&fixture->last, arena, ROWS, shape->observation_dim, shape->action_space.dim);
    steps_bind(&fixture->now, arena, ROWS, shape->observation_dim, shape->action_space.dim);
    fixture->action =
        arena_take(arena, STEPS_MAX * ROWS * model_prediction_dim(shape), sizeof(real));
}

static void fixture_open(struct fixture *fixture, const struct problem_options *options,
                         enum attention_choice kernel, size_t threads)
{
    struct failure failure = {0};
    *fixture = (struct fixture){
        .ring = ring_open(1, 0), .workers = workers_open(threads, &failure), .kernel = kernel};
    fatal_if_failed(&failure);
    problem_open(&fixture->problem, options, fixture->ring);
    problem_loss(&fixture->problem);
    bind_all(fixture);
    arena_open(&fixture->arena, fixture->arena.peak);
    bind_all(fixture);
}

static void fixture_close(struct fixture *fixture)
{
    arena_close(&fixture->arena);
    problem_close(&fixture->problem);
    workers_close(fixture->workers);
    ring_close(fixture->ring);
}

static real *actions_of(const struct fixture *fixture, size_t step)
{
    return fixture->action + step * ROWS * model_prediction_dim(&fixture->problem.shape);
}

/* What training predicted for one step of a context. */
static const real *trained(const struct fixture *fixture, size_t context, size_t step)
{
    const struct shard *shard = batch_shard(&fixture->problem.batch);
    const struct segment *segment = &shard->segments[context];
    assert_int_equal(segment->context, context);
    return fixture->problem.transformer.predicted +
           (segment->row + step) * model_prediction_dim(&fixture->problem.shape);
}

static void expect_rows_equal(const struct fixture *fixture, const size_t *contexts, size_t count,
                              size_t step)
{
    size_t width = model_prediction_dim(&fixture->problem.shape);
    for (size_t row = 0; row < count; row++) {
        const real *wanted = trained(fixture, contexts[row], step);
        const real *found = actions_of(fixture, step) + row * width;
        double tolerance = fixture->problem.options.is_bf16 ? 5e-2 : 1e-5;
        assert_true(support_error_float(found, wanted, width) < tolerance);
    }
}

/* Let go of the rows whose contexts end with this step; returns how many go on. */
static size_t keep_unfinished(struct fixture *fixture, size_t *contexts, size_t count, size_t step)
{
    size_t kept[ROWS];
    size_t left = 0;
    for (size_t row = 0; row < count; row++) {
        if (step + 1 < problem_steps(&fixture->problem.options, contexts[row])) {
            contexts[left] = contexts[row];
            kept[left++] = row;
        }
    }
    if (left < count) {
        decoder_keep(fixture->decoder, kept, left);
    }
    return left;
}

/* Decode all contexts to their ends. */
static void decode_all(struct fixture *fixture)
{
    const struct problem_options *options = &fixture->problem.options;
    size_t contexts[ROWS];
    size_t count = ROWS;
    for (size_t row = 0; row < ROWS; row++) {
        contexts[row] = row % options->contexts;
    }
    decoder_begin(fixture->decoder, count);
    for (size_t step = 0; count > 0; step++) {
        for (size_t row = 0; row < count; row++) {
            if (step > 0) {
                problem_describe(&fixture->last, row, options, contexts[row], step - 1);
            }
            problem_describe(&fixture->now, row, options, contexts[row], step);
        }
        decoder_predict(actions_of(fixture, step), fixture->decoder, &fixture->last, &fixture->now);
        expect_rows_equal(fixture, contexts, count, step);
        count = keep_unfinished(fixture, contexts, count, step);
    }
}

static void expect_decoding_equals_training(const struct problem_options *options,
                                            enum attention_choice kernel)
{
    struct fixture fixture;
    fixture_open(&fixture, options, kernel, 2);
    decode_all(&fixture);
    decode_all(&fixture);
    fixture_close(&fixture);
}

static void test_decoder_equals_training_where_trials_end_at_different_steps(void **state)
{
    (void)state;
    expect_decoding_equals_training(&standard, ATTENTION_AUTO);
}

static void test_decoder_equals_training_where_contexts_end_at_different_steps(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.trials[0][2] = 2;
    options.trials[1][2] = 24;
    expect_decoding_equals_training(&options, ATTENTION_AUTO);
}

static void test_decoder_equals_training_for_every_layout(void **state)
{
    (void)state;
    static char layouts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE];
    size_t count = layouts_all(layouts);
    assert_int_equal(count, LAYOUTS_COUNT);
    for (size_t i = 0; i < count; i++) {
        struct problem_options options = brief_options(layouts[i]);
        options.heads = i % 2 ? 1 : 4;
        expect_decoding_equals_training(&options, ATTENTION_AUTO);
    }
}

static void test_decoder_equals_training_for_gaussian_actions(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.head = ACTION_HEAD_GAUSSIAN;
    expect_decoding_equals_training(&options, ATTENTION_AUTO);
}

static void test_decoder_equals_training_for_categorical_actions(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.trials[1][2] = 24;
    options.categoricals = 2;
    options.categories[0] = 4;
    options.categories[1] = 3;
    expect_decoding_equals_training(&options, ATTENTION_AUTO);
}

/* Wide enough for larger bundles. */
static void test_decoder_equals_training_for_a_wide_model(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.heads = 3;
    options.head_width = 48;
    expect_decoding_equals_training(&options, ATTENTION_AUTO);
}

static void test_decoder_equals_training_for_every_kernel(void **state)
{
    (void)state;
    for (int choice = ATTENTION_AVX512; choice < ATTENTION_CHOICES; choice++) {
        if (attention_runs((enum attention_choice)choice, DTYPE_REAL)) {
            expect_decoding_equals_training(&standard, (enum attention_choice)choice);
        }
    }
}

/* The decoder multiplies weights that are not rounded. */
static void test_decoder_equals_training_in_bf16(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.is_bf16 = true;
    expect_decoding_equals_training(&options, ATTENTION_AUTO);
    expect_decoding_equals_training(&options, ATTENTION_PORTABLE);
}

static void test_any_number_of_threads_predicts_the_same_bits(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.trials[0][2] = 2;
    struct fixture alone;
    fixture_open(&alone, &options, ATTENTION_AUTO, 1);
    decode_all(&alone);
    for (size_t threads = 2; threads <= 5; threads++) {
        struct fixture shared;
        fixture_open(&shared, &options, ATTENTION_AUTO, threads);
        decode_all(&shared);
        assert_memory_equal(shared.action, alone.action,
                            STEPS_MAX * ROWS * model_prediction_dim(&alone.problem.shape) *
                                sizeof(real));
        fixture_close(&shared);
    }
    fixture_close(&alone);
}

/* What a pretended context holds is anything, but as long as it says. */
static void test_pretended_steps_are_as_long_as_real_ones(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &standard, ATTENTION_AUTO, 1);
    decoder_begin(fixture.decoder, 7);
    problem_describe(&fixture.last, 0, &standard, 0, 0);
    for (size_t steps = 0; steps < STEPS_MAX; steps++) {
        double grown = decoder_bytes(fixture.decoder);
        decoder_pretend(fixture.decoder, steps);
        assert_true(decoder_bytes(fixture.decoder) == grown);
        decoder_predict(actions_of(&fixture, 0), fixture.decoder, &fixture.last, &fixture.now);
    }
    size_t tokens = (STEPS_MAX - 1) * 5 + 2;
    size_t layers_width = 2 * 32;
    decoder_pretend(fixture.decoder, STEPS_MAX - 1);
    assert_true(decoder_bytes(fixture.decoder) ==
                (double)(7 * tokens * layers_width * 2 * sizeof(real)));
    fixture_close(&fixture);
}

static void step_past_the_end(void *argument)
{
    struct fixture *fixture = argument;
    decoder_begin(fixture->decoder, 1);
    for (size_t step = 0; step <= STEPS_MAX; step++) {
        problem_describe(&fixture->last, 0, &standard, 0, 0);
        problem_describe(&fixture->now, 0, &standard, 0, 0);
        decoder_predict(actions_of(fixture, 0), fixture->decoder, &fixture->last, &fixture->now);
    }
}

static void test_decoder_never_runs_past_its_cache(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &standard, ATTENTION_AUTO, 1);
    support_expect_exit(step_past_the_end, &fixture, EXIT_CODE_BUG, "invariant");
    fixture_close(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder_equals_training_where_trials_end_at_different_steps),
        cmocka_unit_test(test_decoder_equals_training_where_contexts_end_at_different_steps),
        cmocka_unit_test(test_decoder_equals_training_for_every_layout),
        cmocka_unit_test(test_decoder_equals_training_for_gaussian_actions),
        cmocka_unit_test(test_decoder_equals_training_for_categorical_actions),
        cmocka_unit_test(test_decoder_equals_training_for_a_wide_model),
        cmocka_unit_test(test_decoder_equals_training_for_every_kernel),
        cmocka_unit_test(test_decoder_equals_training_in_bf16),
        cmocka_unit_test(test_any_number_of_threads_predicts_the_same_bits),
        cmocka_unit_test(test_pretended_steps_are_as_long_as_real_ones),
        cmocka_unit_test(test_decoder_never_runs_past_its_cache),
    };
    return support_mpi_run(argc, argv, "decoder", tests, sizeof tests / sizeof tests[0]);
}

/* A context decoded step by step gets the predictions of the training forward. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "policy/decoder.h"
#include "tests/model/problem.h"
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

/* The decoder beside the model that it must agree with; contexts of equal or unequal length. */
struct fixture {
    struct ring *ring;
    struct problem problem;
    struct arena arena;
    struct decoder *decoder;
    struct steps last, now;
    real *action; /* (contexts x action_dim) */
};

static void bind_all(struct fixture *fixture)
{
    const struct problem *problem = &fixture->problem;
    struct decoder_options options = {.context_max = 3, .steps_max = 60, .key_block = 16};
    fixture->decoder = decoder_bind(&fixture->arena, &options, &problem->shape, &problem->weights);
    steps_bind(&fixture->last, &fixture->arena, 3, problem->shape.observation_dim,
               problem->shape.action_dim);
    steps_bind(&fixture->now, &fixture->arena, 3, problem->shape.observation_dim,
               problem->shape.action_dim);
    fixture->action = arena_take(&fixture->arena, 3 * problem->shape.action_dim, sizeof(real));
}

static void fixture_open(struct fixture *fixture, const struct problem_options *options)
{
    *fixture = (struct fixture){.ring = ring_open(1, 0)};
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
    ring_close(fixture->ring);
}

/* What training predicted for one step of a context. */
static const real *trained(const struct fixture *fixture, size_t context, size_t step)
{
    const struct shard *shard = batch_shard(&fixture->problem.batch);
    const struct segment *segment = &shard->segments[context];
    assert_int_equal(segment->context, context);
    return fixture->problem.transformer.predicted +
           (segment->row + step) * fixture->problem.shape.action_dim;
}

static void expect_rows_equal(const struct fixture *fixture, const size_t *contexts, size_t count,
                              size_t step)
{
    size_t width = fixture->problem.shape.action_dim;
    for (size_t row = 0; row < count; row++) {
        const real *wanted = trained(fixture, contexts[row], step);
        assert_true(support_error_float(fixture->action + row * width, wanted, width) < 1e-5);
    }
}

/* Decode all contexts to their ends; those that end earlier are let go. */
static void decode_all(struct fixture *fixture)
{
    const struct problem_options *options = &fixture->problem.options;
    size_t contexts[3] = {0, 1, 2};
    size_t count = options->contexts;
    decoder_begin(fixture->decoder, count);
    for (size_t step = 0; count > 0; step++) {
        for (size_t row = 0; row < count; row++) {
            if (step > 0) {
                problem_describe(&fixture->last, row, options, contexts[row], step - 1);
            }
            problem_describe(&fixture->now, row, options, contexts[row], step);
        }
        decoder_predict(fixture->action, fixture->decoder, &fixture->last, &fixture->now);
        expect_rows_equal(fixture, contexts, count, step);
        size_t kept[3];
        size_t kept_count = 0;
        for (size_t row = 0; row < count; row++) {
            if (step + 1 < problem_steps(options, contexts[row])) {
                contexts[kept_count] = contexts[row];
                kept[kept_count++] = row;
            }
        }
        if (kept_count < count) {
            decoder_keep(fixture->decoder, kept, kept_count);
        }
        count = kept_count;
    }
}

static void expect_decoding_equals_training(const struct problem_options *options)
{
    struct fixture fixture;
    fixture_open(&fixture, options);
    decode_all(&fixture);
    decode_all(&fixture);
    fixture_close(&fixture);
}

static void test_decoder_equals_training_where_trials_end_at_different_steps(void **state)
{
    (void)state;
    expect_decoding_equals_training(&standard);
}

static void test_decoder_equals_training_where_contexts_end_at_different_steps(void **state)
{
    (void)state;
    struct problem_options options = standard;
    options.trials[0][2] = 2;
    options.trials[1][2] = 24;
    expect_decoding_equals_training(&options);
}

static void test_decoder_equals_training_for_every_layout(void **state)
{
    (void)state;
    static const char *const layouts[] = {"R,s,a,r", "R,s,a", "s,a", "s", "s,a,r,d"};
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct problem_options options = standard;
        options.tokens = layouts[i];
        options.heads = i % 2 ? 1 : 4;
        expect_decoding_equals_training(&options);
    }
}

static void step_past_the_end(void *argument)
{
    struct fixture *fixture = argument;
    decoder_begin(fixture->decoder, 1);
    for (size_t step = 0; step < 61; step++) {
        problem_describe(&fixture->last, 0, &standard, 0, 0);
        problem_describe(&fixture->now, 0, &standard, 0, 0);
        decoder_predict(fixture->action, fixture->decoder, &fixture->last, &fixture->now);
    }
}

static void test_decoder_never_runs_past_its_cache(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &standard);
    support_expect_exit(step_past_the_end, &fixture, EXIT_CODE_BUG, "invariant");
    fixture_close(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder_equals_training_where_trials_end_at_different_steps),
        cmocka_unit_test(test_decoder_equals_training_where_contexts_end_at_different_steps),
        cmocka_unit_test(test_decoder_equals_training_for_every_layout),
        cmocka_unit_test(test_decoder_never_runs_past_its_cache),
    };
    return support_mpi_run(argc, argv, "decoder", tests, sizeof tests / sizeof tests[0]);
}

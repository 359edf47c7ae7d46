#include "tests/support/support.h"

#include <stdbool.h>
#include <string.h>

#include "math/convert.h"
#include "tests/math/each_kernel.h"
#include "tests/math/reals.h"
#include "tests/math/whole_attention.h"

/* A context with its inputs and everything that is computed from them by blocks. Keys and values
 * share rows, as they do in the model. */
struct context {
    struct whole_attention whole;
    real *query, *key_value, *d_output;
    real *output, *logsumexp;
    real *d_query, *d_key_value;
};

static size_t query_reals(const struct context *context)
{
    return context->whole.query_count * context->whole.query_stride;
}

static size_t key_reals(const struct context *context)
{
    return context->whole.key_count * context->whole.key_stride;
}

/* What weights that are rounded to bfloat16 may cost. */
static double allowed_of(const struct whole_attention *whole)
{
    const struct attention_kernel *kernel =
        attention_kernel_for_width(tested, tested_dtype, whole->width);
    return kernel->dtype == DTYPE_BF16 ? 3e-2 : close;
}

/* What the type that is tested can represent. */
static void round_reals(real *values, size_t count)
{
    for (size_t i = 0; i < count && tested_dtype == DTYPE_BF16; i++) {
        uint16_t packed;
        convert_to_bfloat16(&packed, &values[i], 1);
        convert_from_bfloat16(&values[i], &packed, 1);
    }
}

/* `sizes` gives counts, width, positions and blocks; the inputs are normal times `scale`. */
static struct context context_of(struct whole_attention sizes, double scale)
{
    struct context context = {.whole = sizes};
    context.whole.kernel = tested;
    context.whole.is_bf16 = tested_dtype == DTYPE_BF16;
    context.whole.query_stride = sizes.width + 3;
    context.whole.key_stride = 2 * sizes.width;
    context.query = reals_normal(query_reals(&context), 1);
    context.key_value = reals_normal(key_reals(&context), 2);
    context.d_output = reals_normal(query_reals(&context), 3);
    for (size_t i = 0; i < query_reals(&context); i++) {
        context.query[i] *= (real)scale;
    }
    for (size_t i = 0; i < key_reals(&context); i++) {
        bool is_key = i % (2 * sizes.width) < sizes.width;
        context.key_value[i] *= is_key ? (real)scale : 1;
    }
    round_reals(context.query, query_reals(&context));
    round_reals(context.key_value, key_reals(&context));
    context.whole.query = context.query;
    context.whole.key = context.key_value;
    context.whole.value = context.key_value + sizes.width;
    context.output = reals_zero(query_reals(&context));
    context.logsumexp = reals_zero(sizes.query_count);
    context.d_query = reals_zero(query_reals(&context));
    context.d_key_value = reals_zero(key_reals(&context));
    return context;
}

/* As many queries as keys, all from position 0 on. */
static struct context square_context(size_t length, size_t width, size_t query_block,
                                     size_t key_block, uint64_t shuffle)
{
    return context_of((struct whole_attention){.query_count = length,
                                               .key_count = length,
                                               .width = width,
                                               .query_block = query_block,
                                               .key_block = key_block,
                                               .shuffle = shuffle},
                      1.0);
}

static void release(struct context *context)
{
    memory_free(context->query);
    memory_free(context->key_value);
    memory_free(context->d_output);
    memory_free(context->output);
    memory_free(context->logsumexp);
    memory_free(context->d_query);
    memory_free(context->d_key_value);
}

static void forward(struct context *context)
{
    whole_attention_blockwise(context->output, context->logsumexp, &context->whole);
}

static void backward(struct context *context)
{
    whole_attention_blockwise_backward(
        context->d_query, context->d_key_value, context->d_key_value + context->whole.width,
        context->d_output, context->output, context->logsumexp, &context->whole);
}

static void expect_dense_forward(const struct context *context)
{
    double *output = memory_take(query_reals(context), sizeof *output);
    double *logsumexp = memory_take(context->whole.query_count, sizeof *logsumexp);
    whole_attention_dense(output, logsumexp, &context->whole);
    double allowed = allowed_of(&context->whole);
    reals_expect("output", context->output, output, query_reals(context), allowed);
    reals_expect("logsumexp", context->logsumexp, logsumexp, context->whole.query_count, allowed);
    memory_free(logsumexp);
    memory_free(output);
}

static void expect_dense_backward(const struct context *context)
{
    double *d_query = memory_take(query_reals(context), sizeof *d_query);
    double *d_key_value = memory_take(key_reals(context), sizeof *d_key_value);
    whole_attention_dense_backward(d_query, d_key_value, d_key_value + context->whole.width,
                                   context->d_output, &context->whole);
    double allowed = allowed_of(&context->whole);
    reals_expect("d_query", context->d_query, d_query, query_reals(context), allowed);
    reals_expect("d_key_value", context->d_key_value, d_key_value, key_reals(context), allowed);
    memory_free(d_key_value);
    memory_free(d_query);
}

static const size_t lengths[] = {1, 7, 64, 100, 301};
enum { LENGTH_COUNT = sizeof lengths / sizeof lengths[0] };

/* Of queries and keys; some do not divide any length, some are longer than most. */
static const size_t blocks[][2] = {{64, 128}, {7, 3}, {32, 1}, {1, 50}, {128, 96}, {500, 500}};
enum { BLOCK_COUNT = sizeof blocks / sizeof blocks[0] };

static void test_blockwise_equals_dense(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_COUNT; i++) {
        for (size_t j = 0; j < BLOCK_COUNT; j++) {
            struct context context =
                square_context(lengths[i], tested_width, blocks[j][0], blocks[j][1], 0);
            forward(&context);
            expect_dense_forward(&context);
            backward(&context);
            expect_dense_backward(&context);
            release(&context);
        }
    }
}

static void test_every_head_width_equals_dense(void **state)
{
    (void)state;
    const size_t widths[] = {1, 2, 3, 5, 8, 16, 17, 31, 32, 64, 100, 128, 256};
    const size_t some_lengths[] = {1, 7, 64, 129};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        for (size_t j = 0; j < sizeof some_lengths / sizeof some_lengths[0]; j++) {
            struct context context = square_context(some_lengths[j], widths[i], 96, 48, 0);
            forward(&context);
            expect_dense_forward(&context);
            backward(&context);
            expect_dense_backward(&context);
            release(&context);
        }
    }
}

/* The tiles that training has by default, in the widths that have register tiles of their own. */
static void test_long_contexts_equal_dense(void **state)
{
    (void)state;
    const size_t widths[] = {16, 17, 64, 100};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct context context = square_context(600, widths[i], 384, 144, 0);
        forward(&context);
        expect_dense_forward(&context);
        backward(&context);
        expect_dense_backward(&context);
        release(&context);
    }
}

static void test_blocks_may_come_in_any_order(void **state)
{
    (void)state;
    for (uint64_t shuffle = 1; shuffle <= 5; shuffle++) {
        struct context context = square_context(301, tested_width, 64, 40, shuffle);
        forward(&context);
        expect_dense_forward(&context);
        backward(&context);
        expect_dense_backward(&context);
        release(&context);
    }
}

/* Queries that begin after the keys, as they do for a shard that is visited. */
static void test_positions_decide_who_sees_whom(void **state)
{
    (void)state;
    const size_t firsts[][2] = {{200, 100}, {150, 150}, {120, 100}, {1000000, 999990}};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct context context = context_of((struct whole_attention){.query_count = 50,
                                                                     .key_count = 70,
                                                                     .width = tested_width,
                                                                     .first_query = firsts[i][0],
                                                                     .first_key = firsts[i][1],
                                                                     .query_block = 16,
                                                                     .key_block = 24},
                                            1.0);
        forward(&context);
        expect_dense_forward(&context);
        backward(&context);
        expect_dense_backward(&context);
        release(&context);
    }
}

static void test_later_keys_change_nothing(void **state)
{
    (void)state;
    struct context context = square_context(100, tested_width, 32, 24, 0);
    struct context changed = square_context(100, tested_width, 32, 24, 0);
    for (size_t i = 61 * changed.whole.key_stride; i < key_reals(&changed); i++) {
        changed.key_value[i] = 1000 - changed.key_value[i];
    }
    forward(&context);
    forward(&changed);
    size_t stride = context.whole.query_stride;
    assert_memory_equal(context.output, changed.output, 61 * stride * sizeof *context.output);
    assert_memory_equal(context.logsumexp, changed.logsumexp, 61 * sizeof *context.logsumexp);
    assert_memory_not_equal(context.output + 61 * stride, changed.output + 61 * stride,
                            stride * sizeof *context.output);
    release(&changed);
    release(&context);
}

static bool all_zero(const real *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (x[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The first 20 queries come before every key: alone in a block, and beside queries that see. */
static void test_query_without_keys_gets_zero_and_gives_no_gradient(void **state)
{
    (void)state;
    const struct whole_attention sizes = {.query_count = 40,
                                          .key_count = 30,
                                          .width = tested_width,
                                          .first_query = 5,
                                          .first_key = 25,
                                          .query_block = 16,
                                          .key_block = 8};
    for (uint64_t shuffle = 0; shuffle < 4; shuffle++) {
        struct context context = context_of(sizes, 1.0);
        context.whole.shuffle = shuffle;
        size_t blind = 20 * context.whole.query_stride;
        for (size_t i = 0; i < blind; i++) {
            context.d_output[i] = 1000;
        }
        forward(&context);
        backward(&context);
        assert_true(all_zero(context.output, blind));
        assert_true(all_zero(context.d_query, blind));
        assert_false(all_zero(context.output + blind, context.whole.width));
        expect_dense_backward(&context); /* where the 1000 must not have reached any key */
        release(&context);
    }
}

static void test_huge_scores_stay_finite(void **state)
{
    (void)state;
    for (uint64_t shuffle = 0; shuffle < 3; shuffle++) {
        struct context context = context_of((struct whole_attention){.query_count = 200,
                                                                     .key_count = 200,
                                                                     .width = tested_width,
                                                                     .query_block = 64,
                                                                     .key_block = 48,
                                                                     .shuffle = shuffle},
                                            60.0); /* scores beyond +-1e4 */
        forward(&context);
        backward(&context);
        double largest = 0.0;
        for (size_t i = 0; i < context.whole.query_count; i++) {
            largest = fmax(largest, fabs((double)context.logsumexp[i]));
        }
        assert_true(largest > 1e4 && largest < 1e6);
        for (size_t i = 0; i < query_reals(&context); i++) {
            assert_true(fabs((double)context.output[i]) < 10.0); /* within the values */
            assert_true(isfinite(context.d_query[i]));
        }
        for (size_t i = 0; i < key_reals(&context); i++) {
            assert_true(isfinite(context.d_key_value[i]));
        }
        release(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blockwise_equals_dense),
        cmocka_unit_test(test_every_head_width_equals_dense),
        cmocka_unit_test(test_long_contexts_equal_dense),
        cmocka_unit_test(test_blocks_may_come_in_any_order),
        cmocka_unit_test(test_positions_decide_who_sees_whom),
        cmocka_unit_test(test_later_keys_change_nothing),
        cmocka_unit_test(test_query_without_keys_gets_zero_and_gives_no_gradient),
        cmocka_unit_test(test_huge_scores_stay_finite),
    };
    const size_t count = sizeof tests / sizeof tests[0];
    int failed = IS_EMULATED ? 0 : each_kernel_run(tests, count, DTYPE_REAL);
    return failed + each_kernel_run(tests, count, DTYPE_BF16);
}

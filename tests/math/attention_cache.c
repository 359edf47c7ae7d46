#include "tests/support/support.h"

#include "math/attention_cache.h"

#include <math.h>

#include "base/fatal.h"
#include "tests/math/each_kernel.h"
#include "tests/math/reals.h"
#include "tests/math/whole_attention.h"

/* A context of one head that is decoded from its begin to its end. */
struct fixture {
    size_t tokens, width;
    struct whole_attention whole;
    real *query, *key_value, *output; /* (tokens x width), (tokens x 2 width), (tokens x width) */
    struct attention_cache cache;
    struct attention_cache_workspace scratch;
    struct arena arena;
};

static void fixture_open(struct fixture *fixture, size_t tokens, size_t width, double scale)
{
    *fixture = (struct fixture){
        .tokens = tokens,
        .width = width,
        .query = reals_normal(tokens * width, 1),
        .key_value = reals_normal(tokens * 2 * width, 2),
        .output = reals_zero(tokens * width),
        .cache = {.blocks = reals_filled(attention_cache_size(tokens, width), (real)NAN),
                  .dtype = DTYPE_REAL,
                  .width = width},
    };
    for (size_t i = 0; i < tokens * width; i++) {
        fixture->query[i] *= (real)scale;
    }
    fixture->whole = (struct whole_attention){
        .query_count = tokens,
        .key_count = tokens,
        .width = width,
        .query_stride = width,
        .key_stride = 2 * width,
        .query = fixture->query,
        .key = fixture->key_value,
        .value = fixture->key_value + width,
    };
    attention_cache_workspace_bind(&fixture->scratch, &fixture->arena, width, tested);
    arena_open(&fixture->arena, fixture->arena.peak);
    attention_cache_workspace_bind(&fixture->scratch, &fixture->arena, width, tested);
}

static void fixture_close(struct fixture *fixture)
{
    memory_free(fixture->query);
    memory_free(fixture->key_value);
    memory_free(fixture->output);
    memory_free(fixture->cache.blocks);
    arena_close(&fixture->arena);
}

/* The next `count` tokens join, then look back. */
static void step(struct fixture *fixture, size_t count)
{
    size_t first = fixture->cache.count;
    size_t width = fixture->width;
    struct attention_keys keys = {
        .key = fixture->whole.key + first * 2 * width,
        .value = fixture->whole.value + first * 2 * width,
        .dtype = DTYPE_REAL,
        .count = count,
        .stride = 2 * width,
        .position = first,
    };
    struct attention_queries queries = {
        .query = fixture->query + first * width,
        .dtype = DTYPE_REAL,
        .count = count,
        .width = width,
        .stride = width,
        .position = first,
    };
    attention_cache_append(&fixture->cache, &keys);
    struct attention_output output = {fixture->output + first * width, DTYPE_REAL, width};
    attention_cache_attend(&output, &fixture->cache, &queries, &fixture->scratch);
}

/* Every step brings as many tokens as the one before and one more, up to `most`, then one again. */
static void decode(struct fixture *fixture, size_t most)
{
    size_t count = 1;
    while (fixture->cache.count < fixture->tokens) {
        size_t left = fixture->tokens - fixture->cache.count;
        step(fixture, count < left ? count : left);
        count = count % most + 1;
    }
}

static void expect_dense(const struct fixture *fixture)
{
    double *output = memory_take(fixture->tokens * fixture->width, sizeof *output);
    double *logsumexp = memory_take(fixture->tokens, sizeof *logsumexp);
    whole_attention_dense(output, logsumexp, &fixture->whole);
    reals_expect("output", fixture->output, output, fixture->tokens * fixture->width, close);
    memory_free(logsumexp);
    memory_free(output);
}

static void test_looking_back_step_by_step_equals_dense(void **state)
{
    (void)state;
    const size_t lengths[] = {1, 5, 63, 64, 65, 200, 1001};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t most = 1; most <= ATTENTION_CACHE_QUERIES; most++) {
            struct fixture fixture;
            fixture_open(&fixture, lengths[i], 16, 1.0);
            decode(&fixture, most);
            expect_dense(&fixture);
            fixture_close(&fixture);
        }
    }
}

static void test_looking_back_equals_dense_for_every_head_width(void **state)
{
    (void)state;
    const size_t widths[] = {1, 2, 3, 5, 8, 17, 31, 32, 33, 48, 64, 80, 100, 128, 256};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct fixture fixture;
        fixture_open(&fixture, 150, widths[i], 1.0);
        decode(&fixture, ATTENTION_CACHE_QUERIES);
        expect_dense(&fixture);
        fixture_close(&fixture);
    }
}

/* Weights that underflow, maxima that rise far: what is compared stays within the values. */
static void test_huge_scores_stay_exact(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 300, 16, 30.0);
    decode(&fixture, ATTENTION_CACHE_QUERIES);
    double *output = memory_take(300 * 16, sizeof *output);
    double *logsumexp = memory_take(300, sizeof *logsumexp);
    whole_attention_dense(output, logsumexp, &fixture.whole);
    reals_expect("output", fixture.output, output, 300 * 16, 30.0 * close);
    memory_free(logsumexp);
    memory_free(output);
    fixture_close(&fixture);
}

/* Where the last context's numbers still lie, even those of a broken policy. */
static void test_a_cache_that_is_used_again_knows_nothing_of_the_last_context(void **state)
{
    (void)state;
    struct fixture fixture;
    struct fixture fresh;
    fixture_open(&fixture, 150, 24, 1.0);
    fixture_open(&fresh, 150, 24, 1.0);
    decode(&fresh, 3);
    for (size_t i = 0; i < attention_cache_size(150, 24); i++) {
        ((real *)fixture.cache.blocks)[i] = 1000;
    }
    decode(&fixture, 3);
    assert_memory_equal(fixture.output, fresh.output, 150 * 24 * sizeof *fresh.output);
    fixture_close(&fresh);
    fixture_close(&fixture);
}

static void look_back_with_too_many(void *argument)
{
    step(argument, ATTENTION_CACHE_QUERIES + 1);
}

static void test_more_queries_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 64, 16, 1.0);
    support_expect_exit(look_back_with_too_many, &fixture, EXIT_CODE_BUG, "invariant");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looking_back_step_by_step_equals_dense),
        cmocka_unit_test(test_looking_back_equals_dense_for_every_head_width),
        cmocka_unit_test(test_huge_scores_stay_exact),
        cmocka_unit_test(test_a_cache_that_is_used_again_knows_nothing_of_the_last_context),
        cmocka_unit_test(test_more_queries_than_there_is_room_for_are_refused),
    };
    return each_kernel_run(tests, sizeof tests / sizeof tests[0], DTYPE_REAL);
}

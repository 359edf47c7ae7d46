#include "tests/support/support.h"

#include "tests/math/reals.h"
#include "tests/math/whole_attention.h"
#include "tests/support/gradient.h"

enum { QUERIES = 13, KEYS = 17 };

/* The loss is sum(d_output output). */
struct problem {
    struct whole_attention whole;
    real *query, *key, *value, *d_output;
    real *output, *logsumexp;
};

static struct problem problem_of(struct whole_attention sizes)
{
    struct problem problem = {.whole = sizes};
    problem.whole.query_count = QUERIES;
    problem.whole.key_count = KEYS;
    problem.whole.query_stride = sizes.width + 2;
    problem.whole.key_stride = sizes.width + 1;
    problem.query = reals_normal(QUERIES * problem.whole.query_stride, 1);
    problem.key = reals_normal(KEYS * problem.whole.key_stride, 2);
    problem.value = reals_normal(KEYS * problem.whole.key_stride, 3);
    problem.d_output = reals_normal(QUERIES * problem.whole.query_stride, 4);
    problem.output = reals_zero(QUERIES * problem.whole.query_stride);
    problem.logsumexp = reals_zero(QUERIES);
    problem.whole.query = problem.query;
    problem.whole.key = problem.key;
    problem.whole.value = problem.value;
    return problem;
}

static void release(struct problem *problem)
{
    memory_free(problem->query);
    memory_free(problem->key);
    memory_free(problem->value);
    memory_free(problem->d_output);
    memory_free(problem->output);
    memory_free(problem->logsumexp);
}

static double loss(void *argument)
{
    struct problem *problem = argument;
    whole_attention_blockwise(problem->output, problem->logsumexp, &problem->whole);
    return reals_dot(problem->output, problem->d_output, QUERIES * problem->whole.query_stride);
}

static void check_gradients(struct whole_attention sizes)
{
    struct problem problem = problem_of(sizes);
    size_t query_reals = QUERIES * problem.whole.query_stride;
    size_t key_reals = KEYS * problem.whole.key_stride;
    real *d_query = reals_zero(query_reals);
    real *d_key = reals_zero(key_reals);
    real *d_value = reals_zero(key_reals);
    loss(&problem);
    whole_attention_blockwise_backward(d_query, d_key, d_value, problem.d_output, problem.output,
                                       problem.logsumexp, &problem.whole);
    support_check_gradient(loss, &problem, problem.query, d_query, query_reals,
                           &(struct support_gradient_check){.name = "query"});
    support_check_gradient(loss, &problem, problem.key, d_key, key_reals,
                           &(struct support_gradient_check){.name = "key"});
    support_check_gradient(loss, &problem, problem.value, d_value, key_reals,
                           &(struct support_gradient_check){.name = "value"});
    memory_free(d_value);
    memory_free(d_key);
    memory_free(d_query);
    release(&problem);
}

/* With these positions a block sees another one wholly, in part or not at all. */
static const struct whole_attention sizes = {
    .first_query = 6, .first_key = 2, .query_block = 4, .key_block = 3};

static void test_every_head_width(void **state)
{
    (void)state;
    const size_t widths[] = {1, 3, 16, 32};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct whole_attention some = sizes;
        some.width = widths[i];
        check_gradients(some);
    }
}

static void test_every_block_size(void **state)
{
    (void)state;
    const size_t blocks[][2] = {{1, 1}, {5, 64}, {64, 5}, {8, 8}, {64, 64}, {1, 17}};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct whole_attention some = sizes;
        some.width = 3;
        some.query_block = blocks[i][0];
        some.key_block = blocks[i][1];
        check_gradients(some);
        some.shuffle = 1 + i;
        check_gradients(some);
    }
}

/* All keys seen; the first queries see none; no query sees any. */
static void test_every_position(void **state)
{
    (void)state;
    const size_t firsts[][2] = {{100, 2}, {0, 6}, {0, 50}};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct whole_attention some = sizes;
        some.width = 3;
        some.first_query = firsts[i][0];
        some.first_key = firsts[i][1];
        check_gradients(some);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_head_width),
        cmocka_unit_test(test_every_block_size),
        cmocka_unit_test(test_every_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The error of ring attention does not grow with the ring: rings of 1, 2, 4, ... ranks up to the
 * whole job compute the same context and are compared with dense attention in double. */
#include "tests/support/support.h"

#include "comm/comm.h"
#include "tests/model/sharded.h"
#include "tests/support/support_mpi.h"

enum { LENGTH = 601, HEADS = 2, HEAD_WIDTH = 32 };

/* A largest error over many numbers is itself a draw of chance. */
static const double growth_allowed = 2.0;
static const double error_of_one_rank = 2e-6;
static const double error_of_one_rank_in_bf16 = 1e-2;

static const char *rule_name(enum partition_rule rule)
{
    return rule == PARTITION_ZIGZAG ? "zigzag" : "contiguous";
}

/* The largest errors over all ranks, for rings of `size` ranks side by side. */
static void errors_of_ring(double errors[SHARDED_RESULTS], const struct dense *dense,
                           const struct sharded_options *options, size_t size,
                           size_t node_ranks_max)
{
    struct ring *ring = ring_open(size, node_ranks_max);
    struct sharded sharded;
    sharded_open(&sharded, dense, options, ring);
    sharded_compute(&sharded);
    sharded_errors(errors, &sharded);
    comm_max_double(errors, SHARDED_RESULTS);
    sharded_close(&sharded);
    ring_close(ring);
}

static const char *way_name(size_t node_ranks_max)
{
    switch (node_ranks_max) {
    case 0:
        return "in place";
    case 1:
        return "messages";
    default:
        return "mixed";
    }
}

static void say(const struct sharded_options *options, size_t size, size_t node_ranks_max,
                const double errors[SHARDED_RESULTS])
{
    if (comm_rank() == 0) {
        enum dtype dtype = options->is_bf16 ? DTYPE_BF16 : DTYPE_REAL;
        print_message("%-4s %-11s %-10s %-8s %2zu ranks: output %.2e, d_query %.2e, d_key %.2e, "
                      "d_value %.2e\n",
                      dtype_name(dtype), attention_kernel_name(options->kernel, dtype, HEAD_WIDTH),
                      rule_name(options->rule), way_name(node_ranks_max), size,
                      errors[SHARDED_OUTPUT], errors[SHARDED_D_QUERY], errors[SHARDED_D_KEY],
                      errors[SHARDED_D_VALUE]);
    }
}

static void expect_flat(const struct dense *dense, const struct sharded_options *options,
                        size_t node_ranks_max)
{
    double alone[SHARDED_RESULTS];
    errors_of_ring(alone, dense, options, 1, node_ranks_max);
    say(options, 1, node_ranks_max, alone);
    for (size_t i = 0; i < SHARDED_RESULTS; i++) {
        assert_true(alone[i] <= (options->is_bf16 ? error_of_one_rank_in_bf16 : error_of_one_rank));
    }
    for (size_t size = 2; size <= comm_size(); size *= 2) {
        double errors[SHARDED_RESULTS];
        errors_of_ring(errors, dense, options, size, node_ranks_max);
        say(options, size, node_ranks_max, errors);
        for (size_t i = 0; i < SHARDED_RESULTS; i++) {
            if (!(errors[i] <= growth_allowed * alone[i])) {
                fail_msg("%s: found an error of %g on %zu ranks, expected at most %g times that of "
                         "one, which is %g",
                         sharded_names[i], errors[i], size, growth_allowed, alone[i]);
            }
        }
    }
}

static void expect_flat_by_every_kernel(const struct dense *dense, enum partition_rule rule)
{
    for (enum attention_choice kernel = ATTENTION_AVX512; kernel < ATTENTION_CHOICES; kernel++) {
        struct sharded_options options = {.rule = rule, .kernel = kernel};
        if (attention_runs(kernel, DTYPE_REAL)) {
            expect_flat(dense, &options, 0);
            expect_flat(dense, &options, 1);
        }
    }
    for (enum attention_choice kernel = ATTENTION_AUTO; kernel < ATTENTION_CHOICES; kernel++) {
        struct sharded_options options = {.rule = rule, .kernel = kernel, .is_bf16 = true};
        if (attention_runs(kernel, DTYPE_BF16)) {
            expect_flat(dense, &options, 1);
        }
    }
    /* Where messages travel does not depend on who computes. */
    expect_flat(dense, &(struct sharded_options){.rule = rule}, 3);
}

static void test_error_does_not_grow_with_the_ring_by_the_zigzag_rule(void **state)
{
    expect_flat_by_every_kernel(*state, PARTITION_ZIGZAG);
}

static void test_error_does_not_grow_with_the_ring_by_the_contiguous_rule(void **state)
{
    expect_flat_by_every_kernel(*state, PARTITION_CONTIGUOUS);
}

int main(int argc, char **argv)
{
    struct dense dense;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_error_does_not_grow_with_the_ring_by_the_zigzag_rule,
                                  &dense),
        cmocka_unit_test_prestate(test_error_does_not_grow_with_the_ring_by_the_contiguous_rule,
                                  &dense),
    };
    dense_open(&dense, LENGTH, HEADS, HEAD_WIDTH);
    int failed =
        support_mpi_run(argc, argv, "ring_exactness", tests, sizeof tests / sizeof tests[0]);
    dense_close(&dense);
    return failed;
}

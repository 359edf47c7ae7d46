#include "tests/support/support.h"

#include "tests/support/support_mpi.h"

#include "bench/fixture.h"
#include "bench/footprint.h"
#include "comm/comm.h"
#include "datasets/chain.h"

static const struct {
    const char *tokens;
    size_t length, width, layers, heads, hidden;
} shapes[] = {
    {"R,s,a,r,d", 16384, 64, 2, 1, 256}, {"R,s,a,r,d", 16384, 256, 4, 4, 1024},
    {"R,s,a,r", 65536, 32, 1, 2, 128},   {"R,s,a", 8192, 128, 6, 8, 512},
    {"s,a", 8192, 96, 3, 3, 96},         {"R,s,a,r,d", 131072, 64, 1, 1, 256},
};

/* What is computed again piece by piece is all that comes on top. */
static void expect_tight(size_t i, enum dtype dtype)
{
    struct failure failure = {0};
    struct bench_options options = {
        .length = shapes[i].length,
        .threads = 1,
        .learner = {.shape = {.width = shapes[i].width,
                              .layers = shapes[i].layers,
                              .heads = shapes[i].heads,
                              .hidden = shapes[i].hidden},
                    .attention = {.query_block = 384, .key_block = 144},
                    .dtype = dtype},
    };
    struct model_shape *shape = &options.learner.shape;
    assert_true(token_layout_parse(&shape->layout, shapes[i].tokens, &failure));
    struct learner_fixture fixture;
    learner_fixture_open(&fixture, &options, &failure);
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    shape = &fixture.options.shape;
    size_t steps =
        partition_rows_max(PARTITION_ZIGZAG, comm_size(), 1, shape->time_max * shape->trial_max);
    struct footprint footprint = footprint_of(shape, dtype);
    double chains = 2.0 * (double)sizeof(struct chain); /* of this batch and of the next */
    double kept = footprint_bytes(&footprint, shape, steps) + chains;
    double bound =
        (double)learner_measure(&fixture.options, fixture.loader, fixture.ring, fixture.workers);
    assert_true(bound >= kept);
    assert_true(bound <= (dtype == DTYPE_BF16 ? 1.15 : 1.1) * kept);
    learner_fixture_close(&fixture);
}

static void test_a_learner_binds_what_a_step_must_keep_and_at_most_a_tenth_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        expect_tight(i, DTYPE_REAL);
    }
}

static void test_in_bf16_rooms_for_reals_are_a_little_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        expect_tight(i, DTYPE_BF16);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_learner_binds_what_a_step_must_keep_and_at_most_a_tenth_more),
        cmocka_unit_test(test_in_bf16_rooms_for_reals_are_a_little_more),
    };
    return support_mpi_run(argc, argv, "footprint", tests, sizeof tests / sizeof tests[0]);
}

/* Batches whose reading was expected are those that the loader fills when asked. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/prefetch.h"
#include "tests/datasets/loader_sample.h"

enum { PASS = 2, GROUPS = 2 };

struct fixture {
    char path[128];
    struct store *store;
    struct scaling identity;
    struct loader *direct, *ahead; /* two of the same options */
    struct loader_sample wanted;   /* filled by the first */
    struct arena arena;
    struct prefetch prefetch; /* from the second */
};

static struct loader *open_loader(const struct fixture *fixture)
{
    const struct loader_options options = {
        .chain = loader_sample_law, .contexts = CONTEXTS, .pass = PASS, .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(fixture->store, 0, &fixture->identity, &options, &failure);
    assert_non_null(loader);
    return loader;
}

static void bind(struct fixture *fixture)
{
    struct failure failure = {0};
    assert_true(prefetch_bind(&fixture->prefetch, fixture->ahead, &fixture->arena, PARTITION_ZIGZAG,
                              2, 1, 1, GROUPS, &failure));
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    snprintf(fixture.path, sizeof fixture.path, "%s", loader_sample_path());
    fixture.store = loader_sample_store(fixture.path, &loader_sample_mixed);
    fixture.identity = scaling_identity(OBSERVATION_DIM);
    fixture.direct = open_loader(&fixture);
    fixture.ahead = open_loader(&fixture);
    loader_sample_bind(&fixture.wanted, fixture.direct, PARTITION_ZIGZAG, 2, 1, GROUPS);
    bind(&fixture);
    size_t bytes = fixture.arena.peak;
    arena_open(&fixture.arena, bytes);
    bind(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    prefetch_unbind(&fixture->prefetch);
    arena_close(&fixture->arena);
    loader_sample_unbind(&fixture->wanted);
    loader_close(fixture->direct);
    loader_close(fixture->ahead);
    store_close(fixture->store);
    return unlink(fixture->path);
}

static void expect_same_batch(const struct batch *found, const struct batch *wanted)
{
    size_t rows = batch_shard(wanted)->row_count;
    assert_int_equal(found->partition.context_count, wanted->partition.context_count);
    assert_memory_equal(found->samples, wanted->samples,
                        wanted->partition.context_count * sizeof *wanted->samples);
    assert_int_equal(batch_shard(found)->row_count, rows);
    assert_memory_equal(found->steps.return_to_go, wanted->steps.return_to_go, rows * sizeof(real));
    assert_memory_equal(found->steps.observation, wanted->steps.observation,
                        rows * OBSERVATION_DIM * sizeof(real));
    assert_memory_equal(found->steps.action, wanted->steps.action,
                        rows * ACTION_DIM * sizeof(real));
    assert_memory_equal(found->steps.time, wanted->steps.time, rows * sizeof(uint32_t));
    assert_true(found->predicted == wanted->predicted);
}

static void expect_pass(struct fixture *fixture, uint64_t step, size_t pass)
{
    struct failure failure = {0};
    const struct loader_slice slice = {.group = 1, .groups = GROUPS, .pass = pass};
    const struct batch *batch = prefetch_take(&fixture->prefetch, step, pass, &failure);
    assert_non_null(batch);
    assert_true(loader_fill(fixture->direct, &fixture->wanted.batch, step, slice, &failure));
    expect_same_batch(batch, &fixture->wanted.batch);
}

static void test_prefetched_batches_are_the_loaders(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(loader_pass_count(fixture->direct, GROUPS), 2);
    for (uint64_t step = 1; step <= 20; step++) {
        expect_pass(fixture, step, 0);
        expect_pass(fixture, step, 1);
    }
}

static void test_prefetch_fills_whatever_is_asked_for_instead(void **state)
{
    expect_pass(*state, 5, 1);
    expect_pass(*state, 5, 1);
    expect_pass(*state, 900, 0);
    expect_pass(*state, 2, 0);
    expect_pass(*state, 2, 1);
}

static void test_prefetch_fails_where_the_data_are_needed(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    assert_int_equal(truncate(fixture->path, 256), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_null(prefetch_take(&fixture->prefetch, 2, 0, &failure));
        assert_int_equal(failure.code, EXIT_CODE_IO);
        assert_non_null(strstr(failure.text, fixture->path));
        failure = (struct failure){0};
    }
}

static void test_a_plan_takes_no_room_for_rows(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    struct arena batch = {0}, plan = {0};
    struct batch bound;
    assert_true(loader_batch_bind(fixture->ahead, &bound, &batch, PARTITION_ZIGZAG, 2, 1, GROUPS,
                                  &failure));
    assert_true(
        loader_plan_bind(fixture->ahead, &bound, &plan, PARTITION_ZIGZAG, 2, 1, GROUPS, &failure));
    assert_true(100 * plan.used < batch.used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prefetched_batches_are_the_loaders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prefetch_fills_whatever_is_asked_for_instead, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_prefetch_fails_where_the_data_are_needed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_takes_no_room_for_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

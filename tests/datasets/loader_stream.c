/* Batches whose reading was expected are those that the loader fills when asked. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/datasets/loader_sample.h"

enum { MICRO_BATCH = 2, GROUPS = 2 };

static const struct mesh_position second_of_second_group = {
    .ring_size = 2, .ring_rank = 1, .group = 1, .group_count = GROUPS};

struct fixture {
    char path[128];
    struct store *store;
    struct dataset dataset; /* of it */
    struct scaling identity;
    struct loader *direct, *ahead; /* two of the same options */
    struct loader_sample wanted;   /* filled by the first */
    struct arena arena;
    struct loader_stream stream; /* from the second */
};

static struct loader *open_loader(const struct fixture *fixture)
{
    const struct loader_options options = {.chain = loader_sample_sampler,
                                           .contexts = CONTEXTS,
                                           .micro_batch = MICRO_BATCH,
                                           .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(&fixture->dataset, &fixture->identity, &options, &failure);
    assert_non_null(loader);
    return loader;
}

static void bind(struct fixture *fixture)
{
    struct failure failure = {0};
    assert_true(loader_stream_bind(&fixture->stream, fixture->ahead, &fixture->arena,
                                   second_of_second_group, &failure));
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    snprintf(fixture.path, sizeof fixture.path, "%s", loader_sample_path());
    fixture.store = loader_sample_store(fixture.path, &loader_sample_mixed);
    dataset_of_store(&fixture.dataset, fixture.store, 0);
    fixture.identity = scaling_identity(OBSERVATION_DIM);
    fixture.direct = open_loader(&fixture);
    fixture.ahead = open_loader(&fixture);
    loader_sample_bind(&fixture.wanted, fixture.direct, second_of_second_group);
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
    loader_stream_unbind(&fixture->stream);
    arena_close(&fixture->arena);
    loader_sample_unbind(&fixture->wanted);
    loader_close(fixture->direct);
    loader_close(fixture->ahead);
    dataset_close(&fixture->dataset);
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

static void expect_micro_batch(struct fixture *fixture, uint64_t step, size_t micro_batch)
{
    struct failure failure = {0};
    const struct batch *batch = loader_stream_take(&fixture->stream, step, micro_batch, &failure);
    assert_non_null(batch);
    assert_true(loader_fill(fixture->direct, &fixture->wanted.loaded, step, micro_batch, &failure));
    expect_same_batch(batch, &fixture->wanted.loaded.batch);
}

static void test_stream_has_the_loaders_batches(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(loader_micro_batch_count(fixture->direct, GROUPS), 2);
    for (uint64_t step = 1; step <= 20; step++) {
        expect_micro_batch(fixture, step, 0);
        expect_micro_batch(fixture, step, 1);
    }
}

static void test_stream_fills_whatever_is_asked_for_instead(void **state)
{
    expect_micro_batch(*state, 5, 1);
    expect_micro_batch(*state, 5, 1);
    expect_micro_batch(*state, 900, 0);
    expect_micro_batch(*state, 2, 0);
    expect_micro_batch(*state, 2, 1);
}

/* Also where they were drawn while the batch before was computed with, and others since. */
static void test_a_batch_keeps_the_chains_that_it_is_filled_with(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t step = 1; step <= 10; step++) {
        expect_micro_batch(fixture, step, 0);
        const struct loader_batch *current = &fixture->stream.current;
        for (size_t i = 0; i < current->batch.partition.context_count; i++) {
            struct chain chain;
            dataset_draw(&chain, &fixture->dataset, CHAIN_TRAINED, &loader_sample_sampler, SEED,
                         step, current->batch.samples[i]);
            assert_int_equal(current->chains[i].count, chain.count);
            assert_memory_equal(current->chains[i].episodes, chain.episodes,
                                chain.count * sizeof chain.episodes[0]);
            assert_int_equal(current->steps[i], chain.steps);
        }
    }
}

static void test_stream_fails_where_the_data_are_needed(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    assert_int_equal(truncate(fixture->path, 256), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_null(loader_stream_take(&fixture->stream, 2, 0, &failure));
        assert_int_equal(failure.code, EXIT_CODE_IO);
        assert_non_null(strstr(failure.text, fixture->path));
        failure = (struct failure){0};
    }
}

static void test_stream_takes_memory_for_the_rows_of_one_batch(void **state)
{
    struct fixture *fixture = *state;
    struct failure failure = {0};
    struct arena batch = {0}, both = {0};
    struct loader_batch bound;
    struct loader_stream stream;
    assert_true(
        loader_batch_bind(fixture->ahead, &bound, &batch, second_of_second_group, &failure));
    assert_true(
        loader_stream_bind(&stream, fixture->ahead, &both, second_of_second_group, &failure));
    size_t chains = MICRO_BATCH * sizeof(struct chain);
    assert_true(100 * (both.used - batch.used - chains) < batch.used - chains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream_has_the_loaders_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_batch_keeps_the_chains_that_it_is_filled_with,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_fills_whatever_is_asked_for_instead, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_stream_fails_where_the_data_are_needed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_stream_takes_memory_for_the_rows_of_one_batch, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

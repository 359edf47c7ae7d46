/* Which rows of which contexts the loader puts where. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/chain.h"
#include "tests/datasets/loader_sample.h"

/* Row `a` of one batch and row `b` of another hold the same bits. */
static void expect_same_row(const struct steps *left, size_t a, const struct steps *right, size_t b)
{
    assert_memory_equal(&left->return_to_go[a], &right->return_to_go[b], sizeof(real));
    assert_memory_equal(&left->observation[a * OBSERVATION_DIM],
                        &right->observation[b * OBSERVATION_DIM], OBSERVATION_DIM * sizeof(real));
    assert_memory_equal(&left->action[a * ACTION_DIM], &right->action[b * ACTION_DIM],
                        ACTION_DIM * sizeof(real));
    assert_memory_equal(&left->reward[a], &right->reward[b], sizeof(real));
    assert_memory_equal(&left->done[a], &right->done[b], sizeof(real));
    assert_memory_equal(&left->previous_action[a * ACTION_DIM],
                        &right->previous_action[b * ACTION_DIM], ACTION_DIM * sizeof(real));
    assert_memory_equal(&left->previous_reward[a], &right->previous_reward[b], sizeof(real));
    assert_memory_equal(&left->previous_done[a], &right->previous_done[b], sizeof(real));
    assert_int_equal(left->time[a], right->time[b]);
    assert_int_equal(left->trial[a], right->trial[b]);
    assert_memory_equal(&left->weight[a], &right->weight[b], sizeof(real));
}

/* --- Rules ------------------------------------------------------------------------------------ */

struct fixture {
    char path[128];
    struct store *store;
    struct dataset dataset; /* of it */
    struct scaling identity;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    snprintf(fixture.path, sizeof fixture.path, "%s", loader_sample_path());
    fixture.store = loader_sample_store(fixture.path, &loader_sample_mixed);
    dataset_of_store(&fixture.dataset, fixture.store, 0);
    fixture.identity = scaling_identity(OBSERVATION_DIM);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    dataset_close(&fixture->dataset);
    store_close(fixture->store);
    return unlink(fixture->path);
}

/* Every row of one context against what the chain and the generated numbers say. */
static void check_context(const struct batch *batch, size_t context, const struct chain *chain)
{
    const struct steps *steps = &batch->steps;
    size_t row = batch_shard(batch)->segments[context].row;
    for (size_t trial = 0; trial < chain->count; trial++) {
        size_t episode = chain->episodes[trial];
        double earned = 0.0;
        for (size_t time = 0; time < loader_sample_mixed.lengths[episode]; time++, row++) {
            float reward = loader_sample_number(2, episode, time, 0);
            assert_true(steps->return_to_go[row] == (real)(chain->target - earned));
            assert_true(steps->reward[row] == (real)reward);
            assert_int_equal(steps->time[row], time);
            assert_int_equal(steps->trial[row], trial);
            for (size_t i = 0; i < OBSERVATION_DIM; i++) {
                assert_true(steps->observation[row * OBSERVATION_DIM + i] ==
                            (real)loader_sample_number(0, episode, time, i));
            }
            for (size_t i = 0; i < ACTION_DIM; i++) {
                assert_true(steps->action[row * ACTION_DIM + i] ==
                            (real)loader_sample_number(1, episode, time, i));
            }
            earned += (double)reward;
        }
    }
}

static void test_loader_rows_are_the_chains_trajectories_one_after_the_other(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader =
        loader_sample_open(&fixture->dataset, &fixture->identity, LOADER_LOSS_ALL);
    struct chain_catalog catalog;
    chain_catalog_open(&catalog, fixture->store, 0.0, CHAIN_TRAINED);
    struct loader_sample whole;
    loader_sample_bind(&whole, loader, loader_sample_whole);
    for (uint64_t step = 0; step < 3; step++) {
        loader_sample_fill(loader, &whole.loaded, step);
        const struct shard *shard = batch_shard(&whole.loaded.batch);
        assert_int_equal(shard->segment_count, CONTEXTS);
        for (size_t context = 0; context < CONTEXTS; context++) {
            struct chain chain;
            chain_draw(&chain, &catalog, 0, &loader_sample_sampler, SEED, step, context);
            assert_int_equal(shard->segments[context].count, chain.steps);
            check_context(&whole.loaded.batch, context, &chain);
        }
    }
    loader_sample_unbind(&whole);
    chain_catalog_close(&catalog);
    loader_close(loader);
}

/* The rows of a place against those of the batch that one place holds whole. */
static void compare_shard(const struct batch *part, const struct batch *whole)
{
    const struct shard *shard = batch_shard(part);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        size_t context_row = batch_shard(whole)->segments[segment->context].row;
        for (size_t j = 0; j < segment->count; j++) {
            expect_same_row(&part->steps, segment->row + j, &whole->steps,
                            context_row + segment->first + j);
        }
    }
}

static void check_shards(struct loader *loader, enum partition_rule rule, size_t ring_size)
{
    struct loader_sample whole;
    loader_sample_bind(&whole, loader,
                       (struct mesh_position){.split = rule, .ring_size = 1, .group_count = 1});
    for (uint64_t step = 0; step < 2; step++) {
        loader_sample_fill(loader, &whole.loaded, step);
        size_t rows = 0;
        double predicted = 0.0;
        for (size_t rank = 0; rank < ring_size; rank++) {
            struct loader_sample part;
            loader_sample_bind(
                &part, loader,
                (struct mesh_position){
                    .split = rule, .ring_size = ring_size, .ring_rank = rank, .group_count = 1});
            loader_sample_fill(loader, &part.loaded, step);
            compare_shard(&part.loaded.batch, &whole.loaded.batch);
            rows += batch_shard(&part.loaded.batch)->row_count;
            predicted += part.loaded.batch.predicted;
            loader_sample_unbind(&part);
        }
        assert_int_equal(rows, batch_shard(&whole.loaded.batch)->row_count);
        assert_true(predicted == whole.loaded.batch.predicted);
    }
    loader_sample_unbind(&whole);
}

/* Whatever the sampling: chains do not know how many ranks there are. */
static void test_loader_shards_together_are_the_whole_batch_bit_for_bit(void **state)
{
    const struct fixture *fixture = *state;
    for (int sampling = CHAIN_UNIFORM; sampling <= CHAIN_BEST; sampling++) {
        struct loader_options options = {
            .chain = loader_sample_sampler, .contexts = CONTEXTS, .seed = SEED};
        options.chain.sampling = (enum chain_sampling)sampling;
        struct failure failure = {0};
        struct loader *loader =
            loader_open(&fixture->dataset, &fixture->identity, &options, &failure);
        assert_non_null(loader);
        for (size_t ring_size = 1; ring_size <= 16; ring_size += ring_size < 4 ? 1 : 4) {
            check_shards(loader, PARTITION_ZIGZAG, ring_size);
            check_shards(loader, PARTITION_CONTIGUOUS, ring_size);
        }
        loader_close(loader);
    }
}

static void test_loader_groups_share_the_samples_of_a_step(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader =
        loader_sample_open(&fixture->dataset, &fixture->identity, LOADER_LOSS_BEST);
    struct loader_sample whole;
    loader_sample_bind(&whole, loader, loader_sample_whole);
    loader_sample_fill(loader, &whole.loaded, 9);
    for (size_t groups = 1; groups <= CONTEXTS; groups++) {
        bool taken[CONTEXTS] = {false};
        for (size_t group = 0; group < groups; group++) {
            struct loader_sample part;
            loader_sample_bind(
                &part, loader,
                (struct mesh_position){.ring_size = 1, .group = group, .group_count = groups});
            loader_sample_fill(loader, &part.loaded, 9);
            const struct shard *shard = batch_shard(&part.loaded.batch);
            for (size_t i = 0; i < part.loaded.batch.partition.context_count; i++) {
                uint64_t sample = part.loaded.batch.samples[i];
                assert_true(sample < CONTEXTS && sample % groups == group && !taken[sample]);
                taken[sample] = true;
                const struct segment *segment = &batch_shard(&whole.loaded.batch)->segments[sample];
                assert_int_equal(shard->segments[i].count, segment->count);
                for (size_t j = 0; j < segment->count; j++) {
                    expect_same_row(&part.loaded.batch.steps, shard->segments[i].row + j,
                                    &whole.loaded.batch.steps, segment->row + j);
                }
            }
            loader_sample_unbind(&part);
        }
        for (size_t sample = 0; sample < CONTEXTS; sample++) {
            assert_true(taken[sample]);
        }
    }
    loader_sample_unbind(&whole);
    loader_close(loader);
}

/* Of the same chains a window each, whose first step has none before it. */
static void check_windows(const struct fixture *fixture, const struct loader_options *options,
                          size_t ring_size, size_t rank)
{
    struct failure failure = {0};
    struct loader_options whole_options = *options;
    whole_options.chain.window = 0;
    struct loader *loader = loader_open(&fixture->dataset, &fixture->identity, options, &failure);
    struct loader *whole_loader =
        loader_open(&fixture->dataset, &fixture->identity, &whole_options, &failure);
    struct loader_sample part, whole;
    loader_sample_bind(
        &part, loader,
        (struct mesh_position){.ring_size = ring_size, .ring_rank = rank, .group_count = 1});
    loader_sample_bind(&whole, whole_loader, loader_sample_whole);
    loader_sample_fill(loader, &part.loaded, 4);
    loader_sample_fill(whole_loader, &whole.loaded, 4);
    const struct shard *shard = batch_shard(&part.loaded.batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        struct chain chain;
        dataset_draw(&chain, &fixture->dataset, CHAIN_TRAINED, &options->chain, SEED, 4,
                     segment->context);
        assert_true(chain.steps <= options->chain.window);
        size_t first =
            batch_shard(&whole.loaded.batch)->segments[segment->context].row + chain.first;
        for (size_t j = 0; j < segment->count; j++) {
            if (segment->first + j == 0) {
                steps_clear_previous(&whole.loaded.batch.steps, first);
            }
            expect_same_row(&part.loaded.batch.steps, segment->row + j, &whole.loaded.batch.steps,
                            first + segment->first + j);
        }
    }
    loader_sample_unbind(&part);
    loader_sample_unbind(&whole);
    loader_close(loader);
    loader_close(whole_loader);
}

static void test_loader_windows_are_pieces_of_the_same_chains(void **state)
{
    const struct fixture *fixture = *state;
    struct loader_options options = {.chain = loader_sample_sampler,
                                     .contexts = CONTEXTS,
                                     .loss = LOADER_LOSS_ALL,
                                     .seed = SEED};
    for (options.chain.window = 1; options.chain.window < 30; options.chain.window += 9) {
        check_windows(fixture, &options, 1, 0);
        check_windows(fixture, &options, 3, 0);
        check_windows(fixture, &options, 3, 1);
    }
    struct failure failure = {0};
    options.loss = LOADER_LOSS_BEST;
    assert_null(loader_open(&fixture->dataset, &fixture->identity, &options, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
}

static void test_loader_micro_batches_together_are_the_groups_share(void **state)
{
    const struct fixture *fixture = *state;
    struct loader_options options = {.chain = loader_sample_sampler,
                                     .contexts = CONTEXTS,
                                     .micro_batch = 2,
                                     .loss = LOADER_LOSS_BEST,
                                     .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(&fixture->dataset, &fixture->identity, &options, &failure);
    assert_non_null(loader);
    assert_int_equal(loader_micro_batch_count(loader, 2), 2);
    struct loader_sample part;
    loader_sample_bind(&part, loader, (struct mesh_position){.ring_size = 1, .group_count = 2});
    assert_int_equal(part.loaded.batch.partition.context_max, 2);
    size_t next[2] = {0,
                      1}; /* the samples of group 0 are 0, 2, 4, 6; those of group 1 are 1, 3, 5 */
    for (size_t micro_batch = 0; micro_batch < 2; micro_batch++) {
        for (size_t group = 0; group < 2; group++) {
            part.loaded.batch.position.group = group;
            assert_true(loader_fill(loader, &part.loaded, 9, micro_batch, &failure));
            size_t count = part.loaded.batch.partition.context_count;
            assert_int_equal(count, group == 1 && micro_batch == 1 ? 1 : 2);
            for (size_t i = 0; i < count; i++, next[group] += 2) {
                assert_int_equal(part.loaded.batch.samples[i], next[group]);
            }
        }
    }
    loader_sample_unbind(&part);
    loader_close(loader);
}

static void test_loader_gives_other_contexts_at_other_steps(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader =
        loader_sample_open(&fixture->dataset, &fixture->identity, LOADER_LOSS_BEST);
    struct loader_sample bound;
    loader_sample_bind(&bound, loader, loader_sample_whole);
    size_t differing = 0;
    for (uint64_t step = 0; step < 10; step++) {
        loader_sample_fill(loader, &bound.loaded, step);
        size_t rows = batch_shard(&bound.loaded.batch)->row_count;
        loader_sample_fill(loader, &bound.loaded, step + 1);
        differing += batch_shard(&bound.loaded.batch)->row_count != rows;
        loader_sample_fill(loader, &bound.loaded, step);
        assert_int_equal(batch_shard(&bound.loaded.batch)->row_count, rows);
    }
    assert_true(differing > 5);
    loader_sample_unbind(&bound);
    loader_close(loader);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void test_loader_refuses_fewer_contexts_than_groups(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader =
        loader_sample_open(&fixture->dataset, &fixture->identity, LOADER_LOSS_BEST);
    struct loader_sample bound;
    loader_sample_bind(&bound, loader,
                       (struct mesh_position){.ring_size = 1, .group_count = CONTEXTS});
    struct failure failure = {0};
    bound.loaded.batch.position.group_count = CONTEXTS + 1;
    assert_false(loader_fill(loader, &bound.loaded, 0, 0, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    struct arena measure = {0};
    struct loader_batch unbound;
    failure = (struct failure){0};
    assert_false(
        loader_batch_bind(loader, &unbound, &measure, bound.loaded.batch.position, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    loader_sample_unbind(&bound);
    loader_close(loader);
}

static void refuse_options(const struct fixture *fixture, struct loader_options options,
                           size_t observation_dim)
{
    struct scaling scaling = scaling_identity(observation_dim);
    struct failure failure = {0};
    assert_null(loader_open(&fixture->dataset, &scaling, &options, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
}

static void test_loader_refuses_options_that_make_no_sense(void **state)
{
    const struct fixture *fixture = *state;
    const struct chain_sampler samplers[] = {
        {.trials_min = 1, .trials = 0},
        {.trials_min = 1, .trials = CHAIN_TRIALS_MAX + 1},
        {.trials_min = 0, .trials = 2},
        {.trials_min = 3, .trials = 2},
        {.sampling = CHAIN_BEST, .trials_min = 1, .trials = 2, .draws = 0},
        {.sampling = CHAIN_BEST, .trials_min = 1, .trials = 2, .draws = CHAIN_TRIALS_MAX + 1},
    };
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++) {
        struct loader_options options = {.chain = samplers[i], .contexts = 1};
        refuse_options(fixture, options, OBSERVATION_DIM);
    }
    struct loader_options none = {.chain = loader_sample_sampler, .contexts = 0};
    refuse_options(fixture, none, OBSERVATION_DIM);
    struct loader_options one = {.chain = loader_sample_sampler, .contexts = 1};
    refuse_options(fixture, one, OBSERVATION_DIM + 1);
}

static void test_loader_hands_up_the_failure_of_a_store_cut_short(void **state)
{
    const struct fixture *fixture = *state;
    const char *path = loader_sample_path();
    struct store *store = loader_sample_store(path, &loader_sample_mixed);
    struct dataset dataset;
    dataset_of_store(&dataset, store, 0);
    struct loader *loader = loader_sample_open(&dataset, &fixture->identity, LOADER_LOSS_BEST);
    struct loader_sample bound;
    loader_sample_bind(&bound, loader, loader_sample_whole);
    loader_sample_fill(loader, &bound.loaded, 0);
    assert_int_equal(truncate(path, 256), 0);
    struct failure failure = {0};
    assert_false(loader_fill(loader, &bound.loaded, 0, 0, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    assert_non_null(strstr(failure.text, path));
    loader_sample_unbind(&bound);
    loader_close(loader);
    dataset_close(&dataset);
    store_close(store);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_rows_are_the_chains_trajectories_one_after_the_other),
        cmocka_unit_test(test_loader_shards_together_are_the_whole_batch_bit_for_bit),
        cmocka_unit_test(test_loader_groups_share_the_samples_of_a_step),
        cmocka_unit_test(test_loader_windows_are_pieces_of_the_same_chains),
        cmocka_unit_test(test_loader_micro_batches_together_are_the_groups_share),
        cmocka_unit_test(test_loader_gives_other_contexts_at_other_steps),
        cmocka_unit_test(test_loader_refuses_fewer_contexts_than_groups),
        cmocka_unit_test(test_loader_refuses_options_that_make_no_sense),
        cmocka_unit_test(test_loader_hands_up_the_failure_of_a_store_cut_short),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "datasets/chain.h"
#include "datasets/loader.h"

enum {
    OBSERVATION_DIM = 3,
    ACTION_DIM = 2,
    CONTEXTS = 7,
    TRIALS = 4,
    SEED = 11,
    LENGTH_MAX = 2600
};

/* --- Stores and batches ----------------------------------------------------------------------- */

/* Steps of each episode, group by group; the last group's are longer than one piece of reading. */
struct content {
    size_t groups;
    size_t episodes; /* of each group */
    const size_t *lengths;
};

static const size_t mixed_lengths[] = {1, 5, 17, 8, 3, 30, 2, 9, 14, 4, 1500, 20, 2600, 1024, 7};
static const struct content mixed = {3, 5, mixed_lengths};

/* A number that belongs to one place in the store, of no special value. */
static float number_at(size_t kind, size_t episode, size_t step, size_t item)
{
    uint32_t words[4];
    random_words_at(words, 1, RANDOM_TEST, step, (uint32_t)(episode * 8 + kind), (uint32_t)item);
    return (float)words[0] / (float)UINT32_MAX - 0.25f;
}

static void fill_record(float *observation, float *action, float *reward, size_t episode,
                        size_t length)
{
    for (size_t step = 0; step <= length; step++) {
        for (size_t i = 0; i < OBSERVATION_DIM; i++) {
            observation[step * OBSERVATION_DIM + i] = number_at(0, episode, step, i);
        }
        for (size_t i = 0; i < ACTION_DIM && step < length; i++) {
            action[step * ACTION_DIM + i] = number_at(1, episode, step, i);
        }
        if (step < length) {
            reward[step] = number_at(2, episode, step, 0);
        }
    }
}

static struct store_writer *begin_store(const char *path)
{
    struct store_spec spec = {.domain = "test",
                              .simulator = "none",
                              .source = "test",
                              .tasks = {"task"},
                              .reward_source = {"made up"},
                              .task_count = 1,
                              .observation_dim = OBSERVATION_DIM,
                              .action_dim = ACTION_DIM,
                              .control_timestep = 1.0};
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(path, &spec, &failure);
    assert_non_null(writer);
    return writer;
}

static float observation[(LENGTH_MAX + 1) * OBSERVATION_DIM];
static float action[LENGTH_MAX * ACTION_DIM];

static void add_episode(struct store_writer *writer, size_t length, const float *reward,
                        int64_t group)
{
    struct failure failure = {0};
    struct store_episode record = {.length = length,
                                   .observation = observation,
                                   .action = action,
                                   .reward = {reward},
                                   .group = group,
                                   .end = STORE_END_TRUNCATED};
    assert_true(store_writer_add(writer, &record, &failure));
}

static struct store *finish_store(struct store_writer *writer, const char *path)
{
    struct failure failure = {0};
    assert_true(store_writer_commit(writer, &failure));
    struct store *store = store_open(path, &failure);
    assert_non_null(store);
    return store;
}

static struct store *make_store(const char *path, const struct content *content)
{
    static float reward[LENGTH_MAX];
    struct store_writer *writer = begin_store(path);
    for (size_t episode = 0; episode < content->groups * content->episodes; episode++) {
        fill_record(observation, action, reward, episode, content->lengths[episode]);
        add_episode(writer, content->lengths[episode], reward,
                    (int64_t)(episode / content->episodes));
    }
    return finish_store(writer, path);
}

/* Two episodes of one group whose rewards add up exactly. */
static struct store *make_pair(const char *path, const float first[3], const float second[2])
{
    struct store_writer *writer = begin_store(path);
    static float unused[LENGTH_MAX];
    fill_record(observation, action, unused, 0, 3);
    add_episode(writer, 3, first, 0);
    fill_record(observation, action, unused, 1, 2);
    add_episode(writer, 2, second, 0);
    return finish_store(writer, path);
}

static const char *store_path_here(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/store.h5", support_scratch_folder());
    return path;
}

static struct loader *open_loader(const struct store *store, const struct scaling *scaling,
                                  enum loader_loss loss)
{
    struct loader_options options = {
        .trials = TRIALS, .contexts = CONTEXTS, .loss = loss, .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(store, 0, scaling, &options, &failure);
    assert_non_null(loader);
    return loader;
}

struct bound {
    struct arena arena;
    struct batch batch;
};

static void bind(struct bound *bound, const struct loader *loader, enum partition_rule rule,
                 size_t places, size_t place, size_t groups)
{
    struct failure failure = {0};
    struct arena measure = {0};
    struct batch unbound;
    assert_true(
        loader_batch_bind(loader, &unbound, &measure, rule, places, place, groups, &failure));
    arena_open(&bound->arena, measure.peak);
    assert_true(loader_batch_bind(loader, &bound->batch, &bound->arena, rule, places, place, groups,
                                  &failure));
    assert_int_equal(bound->arena.peak, measure.peak);
}

static void unbind(struct bound *bound)
{
    batch_close(&bound->batch);
    arena_close(&bound->arena);
}

static void fill(struct loader *loader, struct batch *batch, uint64_t step, size_t group,
                 size_t groups)
{
    struct failure failure = {0};
    struct loader_slice slice = {.group = group, .groups = groups};
    if (!loader_fill(loader, batch, step, slice, &failure)) {
        fail_msg("%s", failure.text);
    }
}

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
    assert_int_equal(left->time[a], right->time[b]);
    assert_int_equal(left->trial[a], right->trial[b]);
    assert_memory_equal(&left->weight[a], &right->weight[b], sizeof(real));
}

/* --- Rules ------------------------------------------------------------------------------------ */

struct fixture {
    char path[128];
    struct store *store;
    struct scaling identity;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    snprintf(fixture.path, sizeof fixture.path, "%s", store_path_here());
    fixture.store = make_store(fixture.path, &mixed);
    fixture.identity = scaling_identity(OBSERVATION_DIM);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
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
        for (size_t time = 0; time < mixed_lengths[episode]; time++, row++) {
            float reward = number_at(2, episode, time, 0);
            assert_true(steps->return_to_go[row] == (real)(chain->target - earned));
            assert_true(steps->reward[row] == (real)reward);
            assert_int_equal(steps->time[row], time);
            assert_int_equal(steps->trial[row], trial);
            for (size_t i = 0; i < OBSERVATION_DIM; i++) {
                assert_true(steps->observation[row * OBSERVATION_DIM + i] ==
                            (real)number_at(0, episode, time, i));
            }
            for (size_t i = 0; i < ACTION_DIM; i++) {
                assert_true(steps->action[row * ACTION_DIM + i] ==
                            (real)number_at(1, episode, time, i));
            }
            earned += (double)reward;
        }
    }
}

static void test_loader_rows_are_the_chains_trajectories_one_after_the_other(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader = open_loader(fixture->store, &fixture->identity, LOADER_LOSS_ALL);
    struct chain_catalog catalog;
    chain_catalog_open(&catalog, fixture->store);
    struct bound whole;
    bind(&whole, loader, PARTITION_ZIGZAG, 1, 0, 1);
    for (uint64_t step = 0; step < 3; step++) {
        fill(loader, &whole.batch, step, 0, 1);
        const struct shard *shard = batch_shard(&whole.batch);
        assert_int_equal(shard->segment_count, CONTEXTS);
        for (size_t context = 0; context < CONTEXTS; context++) {
            struct chain chain;
            chain_draw(&chain, &catalog, 0, TRIALS, SEED, step, context);
            assert_int_equal(shard->segments[context].count, chain.steps);
            check_context(&whole.batch, context, &chain);
        }
    }
    unbind(&whole);
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

static void check_shards(struct loader *loader, enum partition_rule rule, size_t places)
{
    struct bound whole;
    bind(&whole, loader, rule, 1, 0, 1);
    for (uint64_t step = 0; step < 2; step++) {
        fill(loader, &whole.batch, step, 0, 1);
        size_t rows = 0;
        double predicted = 0.0;
        for (size_t place = 0; place < places; place++) {
            struct bound part;
            bind(&part, loader, rule, places, place, 1);
            fill(loader, &part.batch, step, 0, 1);
            compare_shard(&part.batch, &whole.batch);
            rows += batch_shard(&part.batch)->row_count;
            predicted += part.batch.predicted;
            unbind(&part);
        }
        assert_int_equal(rows, batch_shard(&whole.batch)->row_count);
        assert_true(predicted == whole.batch.predicted);
    }
    unbind(&whole);
}

static void test_loader_shards_together_are_the_whole_batch_bit_for_bit(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader = open_loader(fixture->store, &fixture->identity, LOADER_LOSS_BEST);
    for (size_t places = 1; places <= 4; places++) {
        check_shards(loader, PARTITION_ZIGZAG, places);
        check_shards(loader, PARTITION_CONTIGUOUS, places);
    }
    loader_close(loader);
}

static void test_loader_groups_share_the_samples_of_a_step(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader = open_loader(fixture->store, &fixture->identity, LOADER_LOSS_BEST);
    struct bound whole;
    bind(&whole, loader, PARTITION_ZIGZAG, 1, 0, 1);
    fill(loader, &whole.batch, 9, 0, 1);
    for (size_t groups = 1; groups <= CONTEXTS; groups++) {
        bool taken[CONTEXTS] = {false};
        for (size_t group = 0; group < groups; group++) {
            struct bound part;
            bind(&part, loader, PARTITION_ZIGZAG, 1, 0, groups);
            fill(loader, &part.batch, 9, group, groups);
            const struct shard *shard = batch_shard(&part.batch);
            for (size_t i = 0; i < part.batch.partition.context_count; i++) {
                uint64_t sample = part.batch.samples[i];
                assert_true(sample < CONTEXTS && sample % groups == group && !taken[sample]);
                taken[sample] = true;
                const struct segment *segment = &batch_shard(&whole.batch)->segments[sample];
                assert_int_equal(shard->segments[i].count, segment->count);
                for (size_t j = 0; j < segment->count; j++) {
                    expect_same_row(&part.batch.steps, shard->segments[i].row + j,
                                    &whole.batch.steps, segment->row + j);
                }
            }
            unbind(&part);
        }
        for (size_t sample = 0; sample < CONTEXTS; sample++) {
            assert_true(taken[sample]);
        }
    }
    unbind(&whole);
    loader_close(loader);
}

static void test_loader_passes_together_are_the_groups_share(void **state)
{
    const struct fixture *fixture = *state;
    struct loader_options options = {
        .trials = TRIALS, .contexts = CONTEXTS, .pass = 2, .loss = LOADER_LOSS_BEST, .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(fixture->store, 0, &fixture->identity, &options, &failure);
    assert_non_null(loader);
    assert_int_equal(loader_pass_count(loader, 2), 2);
    struct bound part;
    bind(&part, loader, PARTITION_ZIGZAG, 1, 0, 2);
    assert_int_equal(part.batch.partition.context_max, 2);
    size_t next[2] = {0,
                      1}; /* the samples of group 0 are 0, 2, 4, 6; those of group 1 are 1, 3, 5 */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t group = 0; group < 2; group++) {
            struct loader_slice slice = {.group = group, .groups = 2, .pass = pass};
            assert_true(loader_fill(loader, &part.batch, 9, slice, &failure));
            size_t count = part.batch.partition.context_count;
            assert_int_equal(count, group == 1 && pass == 1 ? 1 : 2);
            for (size_t i = 0; i < count; i++, next[group] += 2) {
                assert_int_equal(part.batch.samples[i], next[group]);
            }
        }
    }
    unbind(&part);
    loader_close(loader);
}

static void test_loader_gives_other_contexts_at_other_steps(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader = open_loader(fixture->store, &fixture->identity, LOADER_LOSS_BEST);
    struct bound bound;
    bind(&bound, loader, PARTITION_ZIGZAG, 1, 0, 1);
    size_t differing = 0;
    for (uint64_t step = 0; step < 10; step++) {
        fill(loader, &bound.batch, step, 0, 1);
        size_t rows = batch_shard(&bound.batch)->row_count;
        fill(loader, &bound.batch, step + 1, 0, 1);
        differing += batch_shard(&bound.batch)->row_count != rows;
        fill(loader, &bound.batch, step, 0, 1);
        assert_int_equal(batch_shard(&bound.batch)->row_count, rows);
    }
    assert_true(differing > 5);
    unbind(&bound);
    loader_close(loader);
}

/* A context that holds both trajectories of a pair. */
static size_t find_pair(struct loader *loader, struct batch *batch)
{
    for (uint64_t step = 0; step < 20; step++) {
        fill(loader, batch, step, 0, 1);
        const struct shard *shard = batch_shard(batch);
        for (size_t i = 0; i < shard->segment_count; i++) {
            if (shard->segments[i].count == 5) {
                return shard->segments[i].row;
            }
        }
    }
    fail_msg("no context of both trajectories in 20 steps");
    return 0;
}

/* Both trajectories of a pair in one context, against what it must hold. */
static void check_pair(const float first[3], const float second[2], enum loader_loss loss,
                       const struct scaling *scaling,
                       void (*check)(const struct steps *steps, size_t row))
{
    const char *path = store_path_here();
    struct store *store = make_pair(path, first, second);
    struct loader *loader = open_loader(store, scaling, loss);
    struct bound bound;
    bind(&bound, loader, PARTITION_ZIGZAG, 1, 0, 1);
    size_t row = find_pair(loader, &bound.batch);
    check(&bound.batch.steps, row);
    double weights = 0.0;
    for (size_t i = 0; i < batch_shard(&bound.batch)->row_count; i++) {
        weights += (double)bound.batch.steps.weight[i];
    }
    assert_true(bound.batch.predicted == weights * ACTION_DIM);
    unbind(&bound);
    loader_close(loader);
    store_close(store);
    assert_int_equal(unlink(path), 0);
}

static void expect_reals(const real *found, const real wanted[5])
{
    for (size_t i = 0; i < 5; i++) {
        assert_true(found[i] == wanted[i]);
    }
}

static void check_hindsight(const struct steps *steps, size_t row)
{
    expect_reals(&steps->return_to_go[row], (const real[5]){5, 4, 2, 5, 1});
    expect_reals(&steps->reward[row], (const real[5]){1, 2, 0.5, 4, 1});
    expect_reals(&steps->done[row], (const real[5]){0, 0, 0, 0, 1});
    const uint32_t time[5] = {0, 1, 2, 0, 1};
    const uint32_t trial[5] = {0, 0, 0, 1, 1};
    assert_memory_equal(&steps->time[row], time, sizeof time);
    assert_memory_equal(&steps->trial[row], trial, sizeof trial);
}

static void test_loader_return_to_go_starts_each_trajectory_at_the_best_return(void **state)
{
    const struct fixture *fixture = *state;
    check_pair((const float[3]){1, 2, 0.5f}, (const float[2]){4, 1}, LOADER_LOSS_BEST,
               &fixture->identity, check_hindsight);
}

static void check_sorted(const struct steps *steps, size_t row)
{
    expect_reals(&steps->return_to_go[row], (const real[5]){8, 8.5, 8, 6, 1});
    expect_reals(&steps->done[row], (const real[5]){0, 0, 0, 0, 1});
}

static void test_loader_puts_the_best_trajectory_last(void **state)
{
    const struct fixture *fixture = *state;
    check_pair((const float[3]){2, 5, 1}, (const float[2]){-0.5f, 0.5f}, LOADER_LOSS_BEST,
               &fixture->identity, check_sorted);
}

static void check_tie(const struct steps *steps, size_t row)
{
    expect_reals(&steps->done[row], (const real[5]){0, 0, 1, 0, 1});
}

static void test_loader_done_ends_every_trajectory_that_reaches_the_target(void **state)
{
    const struct fixture *fixture = *state;
    check_pair((const float[3]){1, 2, 2}, (const float[2]){4, 1}, LOADER_LOSS_BEST,
               &fixture->identity, check_tie);
}

static void check_best(const struct steps *steps, size_t row)
{
    expect_reals(&steps->weight[row], (const real[5]){0, 0, 0, 1, 1});
}

static void check_all(const struct steps *steps, size_t row)
{
    expect_reals(&steps->weight[row], (const real[5]){1, 1, 1, 1, 1});
}

static void test_loader_weighs_the_best_trajectory_or_all(void **state)
{
    const struct fixture *fixture = *state;
    const float first[3] = {1, 2, 0.5f};
    const float second[2] = {4, 1};
    check_pair(first, second, LOADER_LOSS_BEST, &fixture->identity, check_best);
    check_pair(first, second, LOADER_LOSS_ALL, &fixture->identity, check_all);
}

static struct scaling scaling_for_test(void)
{
    struct scaling scaling = scaling_identity(OBSERVATION_DIM);
    for (size_t i = 0; i < OBSERVATION_DIM; i++) {
        scaling.observation_mean[i] = 0.5 * (double)i;
        scaling.observation_deviation[i] = 0.25;
    }
    scaling.return_scale = 10.0;
    scaling.reward_scale = 2.0;
    return scaling;
}

static void check_scaled(const struct steps *steps, size_t row)
{
    struct scaling scaling = scaling_for_test();
    expect_reals(&steps->return_to_go[row],
                 (const real[5]){(real)0.5, (real)0.4, (real)0.2, (real)0.5, (real)0.1});
    expect_reals(&steps->reward[row], (const real[5]){0.5, 1, 0.25, 2, 0.5});
    for (size_t i = 0; i < 5; i++) {
        float raw[OBSERVATION_DIM];
        real wanted[OBSERVATION_DIM];
        for (size_t j = 0; j < OBSERVATION_DIM; j++) {
            raw[j] = number_at(0, i < 3 ? 0 : 1, i < 3 ? i : i - 3, j);
        }
        scaling_observations(wanted, raw, 1, &scaling);
        assert_memory_equal(&steps->observation[(row + i) * OBSERVATION_DIM], wanted,
                            sizeof wanted);
        for (size_t j = 0; j < ACTION_DIM; j++) {
            assert_true(steps->action[(row + i) * ACTION_DIM + j] ==
                        (real)number_at(1, i < 3 ? 0 : 1, i < 3 ? i : i - 3, j));
        }
    }
}

static void test_loader_scales_all_but_actions(void **state)
{
    (void)state;
    struct scaling scaling = scaling_for_test();
    check_pair((const float[3]){1, 2, 0.5f}, (const float[2]){4, 1}, LOADER_LOSS_BEST, &scaling,
               check_scaled);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void test_loader_refuses_fewer_contexts_than_groups(void **state)
{
    const struct fixture *fixture = *state;
    struct loader *loader = open_loader(fixture->store, &fixture->identity, LOADER_LOSS_BEST);
    struct bound bound;
    bind(&bound, loader, PARTITION_ZIGZAG, 1, 0, CONTEXTS);
    struct failure failure = {0};
    assert_false(loader_fill(loader, &bound.batch, 0, (struct loader_slice){.groups = CONTEXTS + 1},
                             &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    struct arena measure = {0};
    struct batch unbound;
    failure = (struct failure){0};
    assert_false(loader_batch_bind(loader, &unbound, &measure, PARTITION_ZIGZAG, 1, 0, CONTEXTS + 1,
                                   &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    unbind(&bound);
    loader_close(loader);
}

static void refuse_options(const struct fixture *fixture, struct loader_options options,
                           size_t observation_dim)
{
    struct scaling scaling = scaling_identity(observation_dim);
    struct failure failure = {0};
    assert_null(loader_open(fixture->store, 0, &scaling, &options, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
}

static void test_loader_refuses_options_that_make_no_sense(void **state)
{
    const struct fixture *fixture = *state;
    refuse_options(fixture, (struct loader_options){.trials = 0, .contexts = 1}, OBSERVATION_DIM);
    refuse_options(fixture, (struct loader_options){.trials = CHAIN_TRIALS_MAX + 1, .contexts = 1},
                   OBSERVATION_DIM);
    refuse_options(fixture, (struct loader_options){.trials = 1, .contexts = 0}, OBSERVATION_DIM);
    refuse_options(fixture, (struct loader_options){.trials = 1, .contexts = 1},
                   OBSERVATION_DIM + 1);
}

static void test_loader_hands_up_the_failure_of_a_store_cut_short(void **state)
{
    const struct fixture *fixture = *state;
    const char *path = store_path_here();
    struct store *store = make_store(path, &mixed);
    struct loader *loader = open_loader(store, &fixture->identity, LOADER_LOSS_BEST);
    struct bound bound;
    bind(&bound, loader, PARTITION_ZIGZAG, 1, 0, 1);
    fill(loader, &bound.batch, 0, 0, 1);
    assert_int_equal(truncate(path, 256), 0);
    struct failure failure = {0};
    assert_false(
        loader_fill(loader, &bound.batch, 0, (struct loader_slice){.groups = 1}, &failure));
    assert_int_equal(failure.code, EXIT_CODE_IO);
    assert_non_null(strstr(failure.text, path));
    unbind(&bound);
    loader_close(loader);
    store_close(store);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_rows_are_the_chains_trajectories_one_after_the_other),
        cmocka_unit_test(test_loader_shards_together_are_the_whole_batch_bit_for_bit),
        cmocka_unit_test(test_loader_groups_share_the_samples_of_a_step),
        cmocka_unit_test(test_loader_passes_together_are_the_groups_share),
        cmocka_unit_test(test_loader_gives_other_contexts_at_other_steps),
        cmocka_unit_test(test_loader_return_to_go_starts_each_trajectory_at_the_best_return),
        cmocka_unit_test(test_loader_puts_the_best_trajectory_last),
        cmocka_unit_test(test_loader_done_ends_every_trajectory_that_reaches_the_target),
        cmocka_unit_test(test_loader_weighs_the_best_trajectory_or_all),
        cmocka_unit_test(test_loader_scales_all_but_actions),
        cmocka_unit_test(test_loader_refuses_fewer_contexts_than_groups),
        cmocka_unit_test(test_loader_refuses_options_that_make_no_sense),
        cmocka_unit_test(test_loader_hands_up_the_failure_of_a_store_cut_short),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

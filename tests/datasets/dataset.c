/* Several stores to learn from, and what is held out of them. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "tests/datasets/loader_sample.h"
#include "tests/datasets/sample.h"

/* Four paths, three of them stores: 3 groups of 5 episodes, one pair, labelled episodes. */
struct fixture {
    char mixed[128], pair[160], labelled[160];
    const char *both[2]; /* mixed, pair */
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct failure failure = {0};
    struct store_spec spec = sample_spec();
    spec.has_label = true;
    snprintf(fixture.mixed, sizeof fixture.mixed, "%s", loader_sample_path());
    snprintf(fixture.pair, sizeof fixture.pair, "%s-pair", fixture.mixed);
    snprintf(fixture.labelled, sizeof fixture.labelled, "%s-labelled", fixture.mixed);
    fixture.both[0] = fixture.mixed;
    fixture.both[1] = fixture.pair;
    store_close(loader_sample_store(fixture.mixed, &loader_sample_mixed));
    store_close(
        loader_sample_pair(fixture.pair, (const float[3]){1, 2, 3}, (const float[2]){9, 1}));
    assert_true(sample_write(fixture.labelled, &spec, &failure));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const struct fixture *fixture = *state;
    return unlink(fixture->mixed) | unlink(fixture->pair) | unlink(fixture->labelled);
}

static void open_stores(struct dataset *dataset, const struct dataset_options *options)
{
    struct failure failure = {0};
    if (!dataset_open(dataset, options, &failure)) {
        fail_msg("%s", failure.text);
    }
}

static void open_one(struct dataset *dataset, const char *store, double holdout)
{
    open_stores(dataset, &(struct dataset_options){
                             .stores = &store, .count = 1, .task = "", .holdout = holdout});
}

static void open_both(struct dataset *dataset, const struct fixture *fixture, const double *weights,
                      double holdout)
{
    open_stores(dataset, &(struct dataset_options){.stores = fixture->both,
                                                   .count = 2,
                                                   .weights = weights,
                                                   .task = "",
                                                   .holdout = holdout});
}

/* --- What is held out ------------------------------------------------------------------------- */

static void mark(bool *is_seen, const struct chain_catalog *catalog)
{
    for (size_t i = 0; i < catalog->starts[catalog->group_count]; i++) {
        assert_false(is_seen[catalog->episodes[i]]);
        is_seen[catalog->episodes[i]] = true;
    }
}

static void test_both_parts_are_whole_groups_and_all_of_them(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    open_one(&dataset, fixture->mixed, 0.3);
    const struct chain_catalog *trained = &dataset.stores[0].catalogs[CHAIN_TRAINED];
    const struct chain_catalog *held_out = &dataset.stores[0].catalogs[CHAIN_HELD_OUT];
    assert_int_equal(trained->group_count, 2);
    assert_int_equal(held_out->group_count, 1);
    bool is_seen[15] = {false};
    mark(is_seen, trained);
    mark(is_seen, held_out);
    for (size_t i = 0; i < 15; i++) {
        assert_true(is_seen[i]);
        assert_int_equal(trained->starts[1], 5);
    }
    dataset_close(&dataset);
}

static void test_of_one_group_episodes_are_held_out(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    for (int i = 1; i < 10; i++) { /* never none, never all */
        open_one(&dataset, fixture->pair, 0.1 * i);
        assert_int_equal(dataset.stores[0].catalogs[CHAIN_TRAINED].starts[1], 1);
        assert_int_equal(dataset.stores[0].catalogs[CHAIN_HELD_OUT].starts[1], 1);
        dataset_close(&dataset);
    }
    open_one(&dataset, fixture->pair, 0.0);
    assert_int_equal(dataset.stores[0].catalogs[CHAIN_TRAINED].starts[1], 2);
    assert_int_equal(dataset.stores[0].catalogs[CHAIN_HELD_OUT].group_count, 0);
    dataset_close(&dataset);
}

static void test_chains_of_one_part_hold_nothing_of_the_other(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    open_both(&dataset, fixture, NULL, 0.4);
    bool is_seen[2][2][15] = {{{false}}};
    for (int part = 0; part < CHAIN_PARTS; part++) {
        for (uint64_t sample = 0; sample < 500; sample++) {
            struct chain chain;
            dataset_draw(&chain, &dataset, (enum chain_part)part, &loader_sample_sampler, SEED, 1,
                         sample);
            for (size_t i = 0; i < chain.count; i++) {
                is_seen[part][chain.source][chain.episodes[i]] = true;
            }
        }
    }
    for (size_t source = 0; source < 2; source++) {
        for (size_t i = 0; i < (source ? 2 : 15); i++) {
            assert_true(is_seen[0][source][i] != is_seen[1][source][i]);
        }
    }
    dataset_close(&dataset);
}

/* --- Several stores --------------------------------------------------------------------------- */

static double share_of_first(const struct dataset *dataset)
{
    size_t first = 0;
    for (uint64_t sample = 0; sample < 4000; sample++) {
        struct chain chain;
        dataset_draw(&chain, dataset, CHAIN_TRAINED, &loader_sample_sampler, SEED, 2, sample);
        first += chain.source == 0;
    }
    return (double)first / 4000.0;
}

static void test_stores_are_drawn_by_their_groups_or_weights(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    open_both(&dataset, fixture, NULL, 0.0);
    support_expect_near(share_of_first(&dataset), 0.75, 0.03);
    dataset_close(&dataset);
    open_both(&dataset, fixture, (const double[]){1, 4}, 0.0);
    support_expect_near(share_of_first(&dataset), 0.2, 0.03);
    dataset_close(&dataset);
    for (size_t i = 0; i < 3; i++) { /* whose sum is no number, or hardly one */
        static const double weights[][2] = {{1e308, 1e308}, {1.7e308, 1.7e308}, {5e-324, 5e-324}};
        open_both(&dataset, fixture, weights[i], 0.0);
        assert_true(dataset.stores[0].share == 0.5 && dataset.stores[1].share == 0.5);
        dataset_close(&dataset);
    }
}

/* Runs that go on know their stores by them. */
static void test_shares_have_the_bits_of_a_plain_quotient(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    open_both(&dataset, fixture, (const double[]){0.3, 7.7}, 0.0);
    assert_true(dataset.stores[0].share == 0.3 / (0.3 + 7.7));
    assert_true(dataset.stores[1].share == 7.7 / (0.3 + 7.7));
    dataset_close(&dataset);
}

static void test_moments_are_those_of_all_observations(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    struct failure failure = {0};
    open_both(&dataset, fixture, NULL, 0.0);
    double sum = 0.0, squares = 0.0, rows = 0.0;
    for (size_t s = 0; s < 2; s++) {
        const struct store *store = dataset.stores[s].store;
        for (size_t e = 0; e < store_episode_count(store); e++) {
            for (size_t t = 0; t <= store_length(store, e); t++, rows++) {
                float observation[OBSERVATION_DIM];
                assert_true(store_read_observation(store, e, t, 1, observation, &failure));
                sum += (double)observation[1];
                squares += (double)observation[1] * (double)observation[1];
            }
        }
    }
    double mean[OBSERVATION_DIM], deviation[OBSERVATION_DIM], range[2];
    dataset_moments(mean, deviation, &dataset);
    support_expect_near(mean[1], sum / rows, 1e-9);
    support_expect_near(deviation[1], sqrt(squares / rows - mean[1] * mean[1]), 1e-9);
    dataset_return_range(range, &dataset);
    assert_true(range[1] >= 10.0 && dataset_length_max(&dataset) == 2600);
    dataset_close(&dataset);
}

static void test_one_store_is_known_as_before(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset one, held_out, both, weighted;
    open_one(&one, fixture->mixed, 0.0);
    open_one(&held_out, fixture->mixed, 0.3);
    open_both(&both, fixture, NULL, 0.0);
    open_both(&weighted, fixture, (const double[]){1, 1}, 0.0);
    const struct dataset *all[] = {&one, &held_out, &both, &weighted};
    assert_true(dataset_fingerprint(&one) == store_fingerprint(one.stores[0].store));
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(dataset_fingerprint(all[i]) != dataset_fingerprint(all[j]));
        }
    }
    dataset_close(&one);
    dataset_close(&held_out);
    dataset_close(&both);
    dataset_close(&weighted);
}

static void expect_refused(const struct dataset_options *options, enum exit_code code,
                           const char *words)
{
    struct dataset dataset;
    struct failure failure = {0};
    assert_false(dataset_open(&dataset, options, &failure));
    assert_int_equal(failure.code, code);
    if (!strstr(failure.text, words)) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
}

static void test_what_does_not_fit_is_refused_by_name(void **state)
{
    const struct fixture *fixture = *state;
    char gone[160];
    snprintf(gone, sizeof gone, "%s-gone", fixture->mixed);
    const char *stores[] = {fixture->mixed, gone};
    struct dataset_options options = {.stores = stores, .count = 2, .task = ""};
    expect_refused(&options, EXIT_CODE_NO_INPUT, "-gone");
    options.stores = fixture->both;
    options.task = "walk";
    expect_refused(&options, EXIT_CODE_CONFIG, "walk");
}

/* --- Labels ----------------------------------------------------------------------------------- */

static void test_labels_are_learnt_where_they_are_known(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset dataset;
    struct failure failure = {0};
    open_one(&dataset, fixture->labelled, 0.0);
    struct scaling scaling = scaling_identity(SAMPLE_OBSERVATION);
    struct loader *loader = loader_sample_open(&dataset, &scaling, LOADER_LOSS_LABEL);
    struct loader_sample bound;
    loader_sample_bind(&bound, loader, loader_sample_whole);
    loader_sample_fill(loader, &bound.loaded, 1);
    const struct steps *steps = &bound.loaded.batch.steps;
    size_t known = 0, rows = batch_shard(&bound.loaded.batch)->row_count;
    for (size_t row = 0; row < rows; row++) {
        const real *label = steps->label + row * SAMPLE_ACTION;
        assert_true(isfinite(label[0]) && isfinite(label[1]));
        assert_true(steps->weight[row] == 1 ||
                    (steps->weight[row] == 0 && label[0] == 0 && label[1] == 0));
        known += steps->weight[row] == 1;
    }
    assert_true(known > 0 && known < rows && bound.loaded.batch.predicted == (double)known);
    loader_sample_unbind(&bound);
    loader_close(loader);
    dataset_close(&dataset);
    open_one(&dataset, fixture->mixed, 0.0);
    struct scaling other = scaling_identity(OBSERVATION_DIM);
    struct loader_options options = {
        .chain = loader_sample_sampler, .contexts = 1, .loss = LOADER_LOSS_LABEL};
    assert_null(loader_open(&dataset, &other, &options, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "--label=script --output=NEW.h5"));
    dataset_close(&dataset);
}

/* An empty text where it may be opened. */
/* Of `count` stores. */
static void expect_loader(const char *const *stores, size_t count, enum loader_loss loss,
                          enum exit_code code, const char *words)
{
    struct dataset dataset;
    struct failure failure = {0};
    open_stores(&dataset, &(struct dataset_options){.stores = stores, .count = count, .task = ""});
    struct scaling scaling = scaling_identity(SAMPLE_OBSERVATION);
    struct loader_options options = {.chain = loader_sample_sampler, .contexts = 1, .loss = loss};
    struct loader *loader = loader_open(&dataset, &scaling, &options, &failure);
    assert_int_equal(failure.code, code);
    assert_true((loader != NULL) == (code == EXIT_CODE_DONE));
    if (!strstr(failure.text, words)) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
    loader_close(loader);
    dataset_close(&dataset);
}

static void test_only_who_learns_labels_needs_them_in_every_store(void **state)
{
    const struct fixture *fixture = *state;
    char words[300];
    const char *stores[] = {fixture->labelled, fixture->mixed};
    snprintf(words, sizeof words, "%s: found no labels", fixture->mixed);
    expect_loader(stores, 2, LOADER_LOSS_BEST, EXIT_CODE_DONE, "");
    expect_loader(stores, 2, LOADER_LOSS_LABEL, EXIT_CODE_CONFIG, words);
}

static void test_a_store_without_a_known_label_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    char path[300], words[400];
    const char *stores[] = {fixture->labelled, path};
    struct failure failure = {0};
    snprintf(path, sizeof path, "%s-unknown", fixture->mixed);
    snprintf(words, sizeof words, "%s: found no label that is known", path);
    assert_true(sample_write_unlabelled(path, false, &failure));
    expect_loader(stores, 2, LOADER_LOSS_ALL, EXIT_CODE_DONE, "");
    expect_loader(stores, 2, LOADER_LOSS_LABEL, EXIT_CODE_DATA, words);
    expect_loader(stores + 1, 1, LOADER_LOSS_LABEL, EXIT_CODE_DATA,
                  "--label=script --output=NEW.h5");
    unlink(path);
    assert_true(sample_write_unlabelled(path, true, &failure));
    expect_loader(stores, 2, LOADER_LOSS_LABEL, EXIT_CODE_DONE, "");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_parts_are_whole_groups_and_all_of_them),
        cmocka_unit_test(test_of_one_group_episodes_are_held_out),
        cmocka_unit_test(test_chains_of_one_part_hold_nothing_of_the_other),
        cmocka_unit_test(test_stores_are_drawn_by_their_groups_or_weights),
        cmocka_unit_test(test_shares_have_the_bits_of_a_plain_quotient),
        cmocka_unit_test(test_moments_are_those_of_all_observations),
        cmocka_unit_test(test_one_store_is_known_as_before),
        cmocka_unit_test(test_what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(test_labels_are_learnt_where_they_are_known),
        cmocka_unit_test(test_only_who_learns_labels_needs_them_in_every_store),
        cmocka_unit_test(test_a_store_without_a_known_label_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* The checkpoint that a name or a path stands for, and the policy that it holds. */
#include "tests/support/support.h"

#include <string.h>

#include "base/memory.h"
#include "checkpoint/best_checkpoint.h"
#include "checkpoint/saved_policy.h"
#include "tests/checkpoint/example.h"

static struct policy_config small_policy(void)
{
    struct policy_config policy = {.shape = {.width = 8,
                                             .layers = 1,
                                             .heads = 2,
                                             .hidden = 16,
                                             .observation_dim = 3,
                                             .action_space = action_space_continuous(2),
                                             .time_max = 5,
                                             .trial_max = 2},
                                   .scaling = scaling_identity(3),
                                   .domain = "point_mass",
                                   .task = "point_mass_hidden"};
    struct failure failure = {0};
    assert_true(token_layout_parse(&policy.shape.layout, "R,s,a,r", &failure));
    return policy;
}

static void open_store(struct parameter_store *store, struct arena *arena,
                       const struct model_shape *shape)
{
    *arena = (struct arena){0};
    parameter_store_bind(store, arena, shape, 0, NULL);
    arena_open(arena, arena->peak);
    parameter_store_bind(store, arena, shape, 0, NULL);
}

/* The checkpoint of a step, all of whose weights are the step's number. */
static void save_policy(const char *run, uint64_t step)
{
    struct policy_config policy = small_policy();
    struct parameter_store store;
    struct arena arena;
    struct checkpoint_state state;
    struct failure failure = {0};
    open_store(&store, &arena, &policy.shape);
    for (size_t i = 0; i < store.layout.count; i++) {
        store.master.flat[i] = (real)step;
    }
    struct named_tensor *tensors = memory_take(store.layout.entry_count, sizeof *tensors);
    named_tensors_append(tensors, "", store.master.flat, &store.layout);
    checkpoint_state_open(&state);
    state.step = step;
    policy_config_put(&state, &policy);
    const struct checkpoint_tensors saved = {tensors, store.layout.entry_count, tensors,
                                             store.layout.entry_count};
    const struct checkpoint_retention all = {.keep = 10};
    if (!checkpoint_write(run, &saved, &state, &all, &failure)) {
        fail_msg("%s", failure.text);
    }
    checkpoint_state_close(&state);
    memory_free(tensors);
    arena_close(&arena);
}

/* Steps 2, 4 and 6 of FOLDER/run, of which 4 is the best. */
static const char *save_run(const char *folder)
{
    const char *run = example_path(folder, "run");
    struct failure failure = {0};
    for (uint64_t step = 2; step <= 6; step += 2) {
        save_policy(run, step);
    }
    const struct best_checkpoint best = {.step = 4, .validation_loss = 0.5, .evaluated = 6};
    assert_true(best_checkpoint_write(&best, run, &failure));
    return run;
}

static void expect_saved(bool is_found, const struct saved_policy *saved, uint64_t step,
                         const struct failure *failure)
{
    struct parameter_store store;
    struct arena arena;
    struct failure unread = {0};
    if (!is_found) {
        fail_msg("expected step %d, found: %s", (int)step, failure->text);
    }
    assert_int_equal(saved->step, step);
    assert_string_equal(saved->policy.task, "point_mass_hidden");
    open_store(&store, &arena, &saved->policy.shape);
    assert_true(saved_policy_load(&store, saved, &unread));
    for (size_t i = 0; i < store.layout.entry_count; i++) {
        const struct parameter_entry *entry = &store.layout.entries[i];
        const real *weights = store.master.flat + entry->offset;
        for (size_t j = 0; j < entry->rows * entry->columns; j++) {
            assert_true(weights[j] == (real)step);
        }
    }
    arena_close(&arena);
}

static void expect_named(const char *run, const char *checkpoint, uint64_t step)
{
    struct saved_policy saved;
    struct failure failure = {0};
    bool is_found = saved_policy_find(&saved, run, checkpoint, &failure);
    expect_saved(is_found, &saved, step, &failure);
}

static void expect_path(const char *path, uint64_t step)
{
    struct saved_policy saved;
    struct failure failure = {0};
    bool is_found = saved_policy_find_path(&saved, path, "train.from", &failure);
    expect_saved(is_found, &saved, step, &failure);
}

static void test_a_name_stands_for_a_checkpoint_of_the_run(void **state)
{
    const char *folder = *state, *run = save_run(folder);
    expect_named(run, "", 6);
    expect_named(run, "best", 4);
    expect_named(run, "step-2", 2);
    expect_named("no/such/run", example_path(folder, "run/ckpt/step-2"), 2);
}

static void test_a_path_names_a_run_its_best_or_one_of_its_checkpoints(void **state)
{
    const char *folder = *state;
    save_run(folder);
    expect_path(example_path(folder, "run"), 6);
    expect_path(example_path(folder, "run/best"), 4);
    expect_path(example_path(folder, "run/ckpt/step-2"), 2);
    expect_path(example_path(folder, "run/ckpt/step-2/"), 2);
}

static void test_a_run_may_be_named_best(void **state)
{
    const char *folder = *state;
    save_run(folder);
    save_policy(example_path(folder, "run/best"), 8);
    expect_path(example_path(folder, "run/best"), 8);
    save_policy(example_path(folder, "step-3"), 1);
    expect_path(example_path(folder, "step-3"), 1);
}

static void expect_refused_path(const char *path, int code, const char *words)
{
    struct saved_policy saved;
    struct failure failure = {0};
    bool is_found = saved_policy_find_path(&saved, path, "train.from", &failure);
    example_expect_failure(is_found, &failure, code, words);
}

static void test_a_path_that_names_no_checkpoint_is_refused(void **state)
{
    const char *folder = *state;
    struct failure failure = {0};
    save_run(folder);
    expect_refused_path(example_path(folder, "gone"), EXIT_CODE_NO_INPUT, "which is no folder");
    expect_refused_path(example_path(folder, "best"), EXIT_CODE_NO_INPUT, "which is no folder");
    expect_refused_path(folder, EXIT_CODE_NO_INPUT, "which has no checkpoint");
    expect_refused_path(example_path(folder, "run/ckpt/step-3"), EXIT_CODE_NO_INPUT,
                        "train.from: found ");
    const struct best_checkpoint gone = {.step = 5, .validation_loss = 0.5, .evaluated = 6};
    assert_true(best_checkpoint_write(&gone, example_path(folder, "run"), &failure));
    expect_refused_path(example_path(folder, "run/best"), EXIT_CODE_NO_INPUT, "step-5");
}

static void test_a_damaged_checkpoint_is_refused(void **state)
{
    const char *folder = *state;
    save_run(folder);
    example_write(example_path(folder, "run/ckpt/step-4/state.json"), "{}\n", 3);
    expect_refused_path(example_path(folder, "run/ckpt/step-4"), EXIT_CODE_DATA, "state.json");
    expect_refused_path(example_path(folder, "run/best"), EXIT_CODE_DATA, "state.json");
    expect_path(example_path(folder, "run"), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_stands_for_a_checkpoint_of_the_run),
        TEST(test_a_path_names_a_run_its_best_or_one_of_its_checkpoints),
        TEST(test_a_run_may_be_named_best),
        TEST(test_a_path_that_names_no_checkpoint_is_refused),
        TEST(test_a_damaged_checkpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

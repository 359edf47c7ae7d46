/* The three jobs, one after the other, as a user does them. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "tests/program/program.h"

static void test_collected_data_is_the_same_for_any_number_of_ranks(void **state)
{
    const struct program *program = *state;
    size_t size;
    size_t again_size;
    char *store = program_read(program, "store.h5", &size);
    program_expect_print(program, 3, "collect --groups=30 --episodes=4 --output=again.h5",
                         "120 episodes");
    char *again = program_read(program, "again.h5", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(store, again, size);
    memory_free(store);
    memory_free(again);
}

/* A group is a context that one rank plays from its first trial on. */
static void test_searched_data_is_the_same_for_any_number_of_ranks(void **state)
{
    const struct program *program = *state;
    static const char *const names[] = {"searched_1.h5", "searched_3.h5"};
    char *bytes[2], command[160];
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command,
                 "collect --task=point_mass_search --policy=searcher --groups=7 --episodes=5 "
                 "--output=%s",
                 names[i]);
        program_expect_print(program, i == 0 ? 0 : 3, command, "searcher, trial 5");
        bytes[i] = program_read(program, names[i], &sizes[i]);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    memory_free(bytes[0]);
    memory_free(bytes[1]);
}

static void test_collect_never_overwrites(void **state)
{
    struct support_outcome outcome =
        program_run(*state, 0, "collect --groups=1 --episodes=2 --output=store.h5");
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "store.h5");
}

static void test_inspect_shows_and_verifies(void **state)
{
    program_expect_print(*state, 0, "inspect store.h5", "120 in 30 groups");
    program_expect_print(*state, 0, "inspect store.h5", " ± ");
    program_expect_print(*state, 0, "inspect store.h5 --format=json", "\"point_mass_hidden\"");
    program_expect_print(*state, 0, "inspect store.h5 --verify", "120");
    program_expect_print(*state, 0, "inspect store.h5 --replay", "both rules agree");
}

static void test_inspect_prints_the_chains_of_a_configuration(void **state)
{
    program_expect_print(*state, 0, "inspect --chains run.yaml",
                         "1 to 3 trajectories, sampling uniform");
    program_expect_print(*state, 0, "inspect run.yaml --chains --chain.sampling=best --mesh.ring=4",
                         "each on 4 ranks, zigzag");
    program_expect_print(*state, 2, "inspect --chains run.yaml --samples=2 --format=json",
                         "\"shard_tokens\": [");
    struct support_outcome outcome = program_run(*state, 0, "inspect --chains store.h5");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: ", "store.h5");
}

static void test_inspect_lists_every_task(void **state)
{
    program_expect_print(*state, 0, "inspect --tasks", "\nquadruped_roll_fast ");
    program_expect_print(*state, 2, "inspect --tasks --format=json",
                         "\"task\": \"finger_turn_hard\"");
}

static void test_every_layout_trains_and_is_evaluated(void **state)
{
    static const char *const layouts[] = {"R,s,a,r,d", "R,s,a,r",      "R,s,a",
                                          "s,a",       "R+s+-a+-r+-d", "s+-a+-r+-d"};
    const struct program *program = *state;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments, "--steps=3 --context.tokens=%s", layouts[i]);
        char name[32];
        snprintf(name, sizeof name, "layout-%zu", i);
        struct support_outcome outcome = program_train(program, 2, name, arguments);
        support_expect_code(&outcome, EXIT_CODE_DONE);
        snprintf(arguments, sizeof arguments, "eval runs/%s --contexts=6", name);
        program_expect_print(program, 2, arguments, "best of 3");
    }
    program_expect_print(program, 2, "eval runs/layout-0 --contexts=6 --inertia=legacy",
                         "legacy inertia of capsules");
}

/* The store's groups have four episodes. */
static void test_trials_beyond_what_groups_hold_are_said_in_one_line(void **state)
{
    const struct program *program = *state;
    static const struct {
        const char *arguments, *line;
    } cases[] = {
        {"train run.yaml --run.name=long --steps=2 --chain.trials=9",
         "warning: chain.trials: found 9, but no group of store.h5 has more than 4 trajectories: "},
        {"eval runs/long --contexts=2 --eval.trials=7",
         "warning: trials: found 7, but the policy was trained on contexts of at most 4: "
         "after as many an empty context begins"},
        {"eval runs/long --contexts=2 --explore=0.5,0.2,0.1,0.1,0.3",
         "warning: eval.explore: found more than contexts have trials, which is 4: the rest"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct support_outcome outcome = program_run(program, 2, cases[i].arguments);
        support_expect_code(&outcome, EXIT_CODE_DONE);
        const char *found = strstr(outcome.text, cases[i].line);
        if (!found || strstr(found + 1, "warning: ")) {
            fail_msg("expected \"%s\" once in \"%s\"", cases[i].line, outcome.text);
        }
    }
    program_expect_print(program, 0, "eval runs/long --contexts=2 --eval.trials=7",
                         "2 contexts of 7 trials, empty again after every 4, ");
    struct support_outcome outcome =
        program_train(program, 2, "fits", "--steps=2 --chain.trials=4");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    assert_null(strstr(outcome.text, "chain.trials"));
}

static void test_mesh_of_groups_and_rings_learns_the_same(void **state)
{
    const struct program *program = *state;
    static const char *const meshes[] = {"--mesh.ring=1", "--mesh.ring=2", "--mesh.ring=4"};
    double losses[3];
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        char file[64];
        char arguments[64];
        snprintf(name, sizeof name, "mesh-%zu", i);
        snprintf(arguments, sizeof arguments, "--until=10 %s", meshes[i]);
        struct support_outcome outcome = program_train(program, 4, name, arguments);
        support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
        snprintf(file, sizeof file, "runs/%s/metrics.jsonl", name);
        char *metrics = program_read(program, file, NULL);
        const char *last = strstr(metrics, "{\"step\": 10, \"loss\": ");
        assert_non_null(last);
        assert_int_equal(sscanf(last, "{\"step\": 10, \"loss\": %lf", &losses[i]), 1);
        memory_free(metrics);
    }
    support_expect_near(losses[1], losses[0], 1e-5 * losses[0]);
    support_expect_near(losses[2], losses[0], 1e-5 * losses[0]);
}

static void test_help_and_version_print(void **state)
{
    program_expect_print(*state, 0, "--help", "train");
    program_expect_print(*state, 0, "train --help", "--steps=2000");
    program_expect_print(*state, 0, "--version", "chainring");
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_collected_data_is_the_same_for_any_number_of_ranks,
                                  &program),
        cmocka_unit_test_prestate(test_searched_data_is_the_same_for_any_number_of_ranks, &program),
        cmocka_unit_test_prestate(test_collect_never_overwrites, &program),
        cmocka_unit_test_prestate(test_inspect_shows_and_verifies, &program),
        cmocka_unit_test_prestate(test_inspect_prints_the_chains_of_a_configuration, &program),
        cmocka_unit_test_prestate(test_inspect_lists_every_task, &program),
        cmocka_unit_test_prestate(test_every_layout_trains_and_is_evaluated, &program),
        cmocka_unit_test_prestate(test_trials_beyond_what_groups_hold_are_said_in_one_line,
                                  &program),
        cmocka_unit_test_prestate(test_mesh_of_groups_and_rings_learns_the_same, &program),
        cmocka_unit_test_prestate(test_help_and_version_print, &program),
    };
    program_open(&program, argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

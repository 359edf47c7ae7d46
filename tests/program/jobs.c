/* The three jobs, one after the other, as a user does them. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "tests/program/program.h"

/* Do a job and keep what it prints in a file of the folder. */
static char *print_of(const struct program *program, int ranks, const char *arguments)
{
    char redirected[1024];
    snprintf(redirected, sizeof redirected, "%s >printed", arguments);
    struct support_outcome outcome = program_run(program, ranks, redirected);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    return program_read(program, "printed", NULL);
}

static void expect_print(const struct program *program, int ranks, const char *arguments,
                         const char *words)
{
    char *printed = print_of(program, ranks, arguments);
    if (!strstr(printed, words)) {
        fail_msg("%s: expected \"%s\"; found \"%s\"", arguments, words, printed);
    }
    memory_free(printed);
}

static void test_collected_data_is_the_same_for_any_number_of_ranks(void **state)
{
    const struct program *program = *state;
    size_t size;
    size_t again_size;
    char *store = program_read(program, "store.h5", &size);
    expect_print(program, 3, "collect --groups=30 --episodes=4 --output=again.h5", "120 episodes");
    char *again = program_read(program, "again.h5", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(store, again, size);
    memory_free(store);
    memory_free(again);
}

static void test_collect_never_overwrites(void **state)
{
    struct support_outcome outcome =
        program_run(*state, 0, "collect --groups=1 --episodes=2 --output=store.h5");
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "store.h5");
}

static void test_inspect_shows_and_verifies(void **state)
{
    expect_print(*state, 0, "inspect store.h5", "120 in 30 groups");
    expect_print(*state, 0, "inspect store.h5", " ± ");
    expect_print(*state, 0, "inspect store.h5 --format=json", "\"point_mass_hidden\"");
    expect_print(*state, 0, "inspect store.h5 --verify", "120");
    expect_print(*state, 0, "inspect store.h5 --replay", "both rules agree");
}

static void test_inspect_prints_the_chains_of_a_configuration(void **state)
{
    expect_print(*state, 0, "inspect --chains run.yaml", "1 to 3 trajectories, sampling uniform");
    expect_print(*state, 0, "inspect run.yaml --chains --chain.sampling=best --mesh.ring=4",
                 "each on 4 ranks, zigzag");
    expect_print(*state, 2, "inspect --chains run.yaml --samples=2 --format=json",
                 "\"shard_tokens\": [");
    struct support_outcome outcome = program_run(*state, 0, "inspect --chains store.h5");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: ", "store.h5");
}

static void test_inspect_lists_every_task(void **state)
{
    expect_print(*state, 0, "inspect --tasks", "\nquadruped_roll_fast ");
    expect_print(*state, 2, "inspect --tasks --format=json", "\"task\": \"finger_turn_hard\"");
}

static void test_every_layout_trains_and_is_evaluated(void **state)
{
    static const char *const layouts[] = {"R,s,a,r,d", "R,s,a,r", "R,s,a", "s,a"};
    const struct program *program = *state;
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments, "--steps=3 --context.tokens=%s", layouts[i]);
        char name[32];
        snprintf(name, sizeof name, "layout-%zu", i);
        struct support_outcome outcome = program_train(program, 2, name, arguments);
        support_expect_code(&outcome, EXIT_CODE_DONE);
        snprintf(arguments, sizeof arguments, "eval runs/%s --contexts=6", name);
        expect_print(program, 2, arguments, "best of 3");
        snprintf(arguments, sizeof arguments, "eval runs/%s --contexts=6 --inertia=legacy", name);
        expect_print(program, 2, arguments, "legacy inertia of capsules");
    }
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
    expect_print(*state, 0, "--help", "train");
    expect_print(*state, 0, "train --help", "--steps=2000");
    expect_print(*state, 0, "--version", "chainring");
}

static void test_bench_attention_prints_its_ratios(void **state)
{
    expect_print(*state, 2, "bench attention --length=512 --repeats=2", "efficiency of the ring");
    expect_print(*state, 2, "bench attention --length=512 --repeats=2 --format=json",
                 "\"ring_efficiency_forward\"");
}

static void test_bench_step_prints_time_shares_and_memory(void **state)
{
    const char *shape = "bench step --length=600 --width=32 --layers=1 --repeats=2 --tokens=R,s,a";
    expect_print(*state, 2, shape, "1 context of 600 tokens (R,s,a), width 32, 1 layers");
    expect_print(*state, 1, shape, "bytes a token and layer");
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --mesh.ring=1 --format=json", shape);
    expect_print(*state, 2, arguments, "\"rings\": 2, \"tokens\": 600, ");
    expect_print(*state, 1, arguments, "\"attention_backward_seconds\": ");
}

static void test_bench_decode_prints_a_row_for_each_length(void **state)
{
    const char *small = "bench decode --length=400 --contexts=9 --width=32 --layers=1 --repeats=2 "
                        "--threads=2";
    expect_print(*state, 1, small, "for every 1000 tokens of context");
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --format=json", small);
    expect_print(*state, 1, arguments, "\"rows\": [{\"tokens\": 47, ");
    expect_print(*state, 2, arguments, "{\"tokens\": 397, ");
}

static void test_bench_data_measures_and_leaves_nothing_behind(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome =
        support_run("cd %s && mkdir temporary && TMPDIR=temporary %s bench data --repeats=1 && "
                    "rmdir temporary",
                    program->folder, program->chainring);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_print(program, 1, "bench data --repeats=1 --format=json", "\"tokens\": 512000,");
    expect_print(program, 2, "bench data --repeats=1", "plain read of as many bytes");
}

static void test_bench_peak_prints_its_rates(void **state)
{
    expect_print(*state, 1, "bench peak --repeats=1 --format=json", "read_bytes_per_second");
    expect_print(*state, 2, "bench peak --repeats=1",
                 "messages between ranks 0 and 1, on one node");
}

static void test_bench_envs_measures_the_named_tasks_or_all(void **state)
{
    expect_print(*state, 1, "bench envs --repeats=1", "point_mass_hidden");
    const char *some = "bench envs --repeats=1 --threads=3 --tasks=finger_spin,walker_walk "
                       "--format=json";
    expect_print(*state, 1, some, "\"threads\": 3");
    expect_print(*state, 2, some, "\"speed_up\"");
    struct support_outcome unknown = program_run(*state, 1, "bench envs --tasks=walker_wlk");
    support_expect_line(&unknown, EXIT_CODE_CONFIG, "chainring: ", "\"walker_walk\"");
    struct support_outcome outcome = program_run(*state, 0, "bench nothing");
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ",
                        "expected step, attention, decode, peak, ring, data or envs");
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_collected_data_is_the_same_for_any_number_of_ranks,
                                  &program),
        cmocka_unit_test_prestate(test_collect_never_overwrites, &program),
        cmocka_unit_test_prestate(test_inspect_shows_and_verifies, &program),
        cmocka_unit_test_prestate(test_inspect_prints_the_chains_of_a_configuration, &program),
        cmocka_unit_test_prestate(test_inspect_lists_every_task, &program),
        cmocka_unit_test_prestate(test_every_layout_trains_and_is_evaluated, &program),
        cmocka_unit_test_prestate(test_mesh_of_groups_and_rings_learns_the_same, &program),
        cmocka_unit_test_prestate(test_help_and_version_print, &program),
        cmocka_unit_test_prestate(test_bench_attention_prints_its_ratios, &program),
        cmocka_unit_test_prestate(test_bench_step_prints_time_shares_and_memory, &program),
        cmocka_unit_test_prestate(test_bench_decode_prints_a_row_for_each_length, &program),
        cmocka_unit_test_prestate(test_bench_data_measures_and_leaves_nothing_behind, &program),
        cmocka_unit_test_prestate(test_bench_peak_prints_its_rates, &program),
        cmocka_unit_test_prestate(test_bench_envs_measures_the_named_tasks_or_all, &program),
    };
    program_open(&program, argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

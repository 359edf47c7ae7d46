/* What the program measures, on shapes so small that only the words count. */
#include "tests/support/support.h"

#include <stdio.h>

#include "base/fatal.h"
#include "tests/program/program.h"

static void test_bench_attention_prints_its_ratios(void **state)
{
    program_expect_print(*state, 2, "bench attention --length=512 --repeats=2",
                         "efficiency of the ring");
    program_expect_print(*state, 2, "bench attention --length=512 --repeats=2 --format=json",
                         "\"ring_efficiency_forward\"");
}

static void test_bench_step_prints_time_shares_and_memory(void **state)
{
    const char *shape = "bench step --length=600 --width=32 --layers=1 --repeats=2 --tokens=R,s,a";
    program_expect_print(*state, 2, shape, "1 context of 600 tokens (R,s,a), width 32, 1 layers");
    program_expect_print(*state, 1, shape, "bytes a token and layer");
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --mesh.ring=1 --format=json", shape);
    program_expect_print(*state, 2, arguments, "\"rings\": 2, \"tokens\": 600, ");
    program_expect_print(*state, 1, arguments, "\"attention_backward_seconds\": ");
}

static void test_bench_decode_prints_a_row_for_each_length(void **state)
{
    const char *small = "bench decode --length=400 --contexts=9 --width=32 --layers=1 --repeats=2 "
                        "--threads=2";
    program_expect_print(*state, 1, small, "for every 1000 tokens of context");
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%s --format=json", small);
    program_expect_print(*state, 1, arguments, "\"rows\": [{\"tokens\": 47, ");
    program_expect_print(*state, 2, arguments, "{\"tokens\": 397, ");
}

static void test_bench_data_measures_and_leaves_nothing_behind(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome =
        support_run("cd %s && mkdir temporary && TMPDIR=temporary %s bench data --repeats=1 --json "
                    "| grep -q '\"tokens\": 512000,' && rmdir temporary",
                    program->folder, program->chainring);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    program_expect_print(program, 2, "bench data --repeats=1", "plain read of as many bytes");
}

static void test_bench_peak_prints_its_rates(void **state)
{
    program_expect_print(*state, 1, "bench peak --repeats=1 --format=json",
                         "read_bytes_per_second");
    program_expect_print(*state, 2, "bench peak --repeats=1",
                         "messages between ranks 0 and 1, on one node");
}

static void test_bench_envs_measures_the_named_tasks(void **state)
{
    program_expect_print(*state, 1, "bench envs --repeats=1 --tasks=point_mass_hidden",
                         "point_mass_hidden");
    const char *some = "bench envs --repeats=1 --threads=3 --tasks=finger_spin,walker_walk "
                       "--format=json";
    program_expect_print(*state, 1, some, "\"threads\": 3");
    program_expect_print(*state, 2, some, "\"speed_up\"");
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
        cmocka_unit_test_prestate(test_bench_attention_prints_its_ratios, &program),
        cmocka_unit_test_prestate(test_bench_step_prints_time_shares_and_memory, &program),
        cmocka_unit_test_prestate(test_bench_decode_prints_a_row_for_each_length, &program),
        cmocka_unit_test_prestate(test_bench_data_measures_and_leaves_nothing_behind, &program),
        cmocka_unit_test_prestate(test_bench_peak_prints_its_rates, &program),
        cmocka_unit_test_prestate(test_bench_envs_measures_the_named_tasks, &program),
    };
    program_open(&program, argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

#include "tests/support/support.h"

#include <stdio.h>

#include "base/fatal.h"
#include "tests/support/command.h"

/* The program's arguments: mpirun and the victim. */
struct programs {
    const char *mpirun;
    const char *victim;
};

/* A job that hangs ends with code 124, which no test expects. */
static struct support_outcome run(void **state, int ranks, const char *fault)
{
    const struct programs *programs = *state;
    return support_run("timeout 20 \"%s\" --quiet -n %d \"%s\" %s", programs->mpirun, ranks,
                       programs->victim, fault);
}

static struct support_outcome run_without_mpirun(void **state, const char *fault)
{
    const struct programs *programs = *state;
    return support_run("timeout 20 \"%s\" %s", programs->victim, fault);
}

static void test_fatal_on_one_rank_ends_the_job_with_its_code_and_line(void **state)
{
    struct support_outcome outcome = run(state, 3, "fatal");
    support_expect_line(&outcome, EXIT_CODE_DATA,
                        "chainring: rank 1: ", "found 3 episodes, expected 4");
}

static void test_broken_invariant_on_one_rank_ends_the_job(void **state)
{
    struct support_outcome outcome = run(state, 3, "invariant");
    support_expect_line(&outcome, EXIT_CODE_BUG, "chainring: rank 1: ", "comm_rank() != 1");
}

static void test_killed_rank_ends_the_job(void **state)
{
    struct support_outcome outcome = run(state, 3, "kill");
    assert_int_equal(outcome.code, 128 + 9);
}

static void test_lowest_failing_rank_speaks_alone(void **state)
{
    struct support_outcome outcome = run(state, 4, "agree");
    support_expect_line(&outcome, EXIT_CODE_NO_INPUT,
                        "chainring: rank 1: ", "the lowest failing rank");
}

static void test_different_values_name_the_rank(void **state)
{
    struct support_outcome outcome = run(state, 4, "differ");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: rank 0: ",
                        "model.width: found 8 on rank 2, expected 7 as on rank 0");
}

static void test_mpi_error_is_one_line(void **state)
{
    struct support_outcome outcome = run(state, 2, "send-too-much");
    support_expect_line(&outcome, EXIT_CODE_SYSTEM, "chainring: rank 1: MPI failed: ", "truncate");
}

static void test_message_shorter_than_its_receive_is_a_bug(void **state)
{
    struct support_outcome outcome = run(state, 2, "send-too-little");
    support_expect_line(&outcome, EXIT_CODE_BUG, "chainring: rank 1: ", "invariant does not hold");
}

static void test_ring_must_divide_the_job(void **state)
{
    struct support_outcome outcome = run(state, 4, "ring-of-three");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: rank 0: ",
                        "mesh.ring: found 3, expected a divisor of the job's 4 ranks");
}

static void test_ring_of_no_ranks_is_refused(void **state)
{
    struct support_outcome outcome = run(state, 2, "ring-of-none");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: rank 0: ", "mesh.ring: found 0");
}

static void test_single_rank_names_no_rank(void **state)
{
    struct support_outcome outcome = run(state, 1, "ring-of-three");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: mesh.ring: ", "the job's 1 rank");
}

static void test_job_without_mpirun_says_its_line_and_nothing_else(void **state)
{
    struct support_outcome outcome = run_without_mpirun(state, "ring-of-three");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, "chainring: mesh.ring: ", "the job's 1 rank");
    outcome = run_without_mpirun(state, "speak");
    support_expect_line(&outcome, EXIT_CODE_DONE, "one voice\n", "");
}

static void test_only_rank_zero_logs(void **state)
{
    struct support_outcome outcome = run(state, 3, "speak");
    support_expect_line(&outcome, EXIT_CODE_DONE, "one voice\n", "");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s MPIRUN VICTIM\n", argv[0]);
        return EXIT_CODE_USAGE;
    }
    struct programs programs = {argv[1], argv[2]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_fatal_on_one_rank_ends_the_job_with_its_code_and_line,
                                  &programs),
        cmocka_unit_test_prestate(test_broken_invariant_on_one_rank_ends_the_job, &programs),
        cmocka_unit_test_prestate(test_killed_rank_ends_the_job, &programs),
        cmocka_unit_test_prestate(test_lowest_failing_rank_speaks_alone, &programs),
        cmocka_unit_test_prestate(test_different_values_name_the_rank, &programs),
        cmocka_unit_test_prestate(test_mpi_error_is_one_line, &programs),
        cmocka_unit_test_prestate(test_message_shorter_than_its_receive_is_a_bug, &programs),
        cmocka_unit_test_prestate(test_ring_must_divide_the_job, &programs),
        cmocka_unit_test_prestate(test_ring_of_no_ranks_is_refused, &programs),
        cmocka_unit_test_prestate(test_single_rank_names_no_rank, &programs),
        cmocka_unit_test_prestate(test_job_without_mpirun_says_its_line_and_nothing_else,
                                  &programs),
        cmocka_unit_test_prestate(test_only_rank_zero_logs, &programs),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}

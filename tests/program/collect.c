/* Episodes collected by several ranks, several threads, and in several attempts. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "tests/program/program.h"

static const char job[] = "collect --policy=planner --groups=8 --episodes=4 --planner.samples=24 "
                          "--planner.horizon=2.4 --planner.points=3";

static struct support_outcome collect(const struct program *program, int ranks,
                                      const char *arguments)
{
    char all[1024];
    snprintf(all, sizeof all, "%s %s", job, arguments);
    return program_run(program, ranks, all);
}

static void expect_same_file(const struct program *program, const char *left_name,
                             const char *right_name)
{
    size_t left_size, right_size;
    char *left = program_read(program, left_name, &left_size);
    char *right = program_read(program, right_name, &right_size);
    assert_int_equal(left_size, right_size);
    assert_memory_equal(left, right, left_size);
    memory_free(left);
    memory_free(right);
}

static void test_collected_plans_are_the_same_for_any_number_of_ranks_and_threads(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = collect(program, 0, "--output=planned.h5");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    outcome = collect(program, 2, "--output=by_two.h5");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_same_file(program, "planned.h5", "by_two.h5");
    outcome = collect(program, 0, "--output=threaded.h5 --threads=2");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_same_file(program, "planned.h5", "threaded.h5");
}

/* Kill a run as soon as it has kept an episode. */
static void kill_early(const struct program *program, const char *arguments)
{
    struct support_outcome outcome =
        support_run("cd %s && { %s %s %s & }; run=$!; until [ -s killed.h5.unfinished/part-0 ]; do "
                    "sleep 0.01; done;"
                    " kill -9 $run; wait $run; [ ! -e killed.h5 ]",
                    program->folder, program->chainring, job, arguments);
    support_expect_code(&outcome, 0);
}

static void test_collecting_that_was_killed_goes_on(void **state)
{
    const struct program *program = *state;
    kill_early(program, "--output=killed.h5");
    struct support_outcome outcome = collect(program, 0, "--output=killed.h5 --seed=5");
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "seed = 5");
    outcome = collect(program, 2, "--output=killed.h5");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    if (!strstr(outcome.text, "of 32 episodes are finished already; going on")) {
        fail_msg("found \"%s\"", outcome.text);
    }
    expect_same_file(program, "planned.h5", "killed.h5");
    outcome = support_run("cd %s && [ ! -e killed.h5.unfinished ]", program->folder);
    support_expect_code(&outcome, 0);
}

/* The trials of a context are the episodes of a group; one context at a time is one result. */
static void test_collected_policy_is_the_same_for_any_number_of_ranks(void **state)
{
    const struct program *program = *state;
    static const char roll[] = "collect --policy=checkpoint --run=runs/taught --groups=5 "
                               "--episodes=3 --explore=0.4,0.1 --output=";
    char arguments[256];
    struct support_outcome outcome = program_train(program, 2, "taught", "--train.steps=8");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    snprintf(arguments, sizeof arguments, "%salone.h5", roll);
    outcome = program_run(program, 0, arguments);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    snprintf(arguments, sizeof arguments, "%sshared.h5", roll);
    outcome = program_run(program, 2, arguments);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_same_file(program, "alone.h5", "shared.h5");
    outcome = support_run("cd %s && %s inspect alone.h5 | grep -q 'policy, trial 3'",
                          program->folder, program->chainring);
    support_expect_code(&outcome, 0);
}

static void test_collect_says_what_is_wrong_in_one_line(void **state)
{
    static const struct {
        const char *arguments, *words;
        enum exit_code code;
    } cases[] = {
        {"collect --policy=script --task=walker_walk --output=x.h5", "found no script",
         EXIT_CODE_CONFIG},
        {"collect --policy=checkpoint --output=x.h5", "found no run", EXIT_CODE_CONFIG},
        {"collect --policy=checkpoint --run=nowhere --output=x.h5", "found no checkpoint",
         EXIT_CODE_NO_INPUT},
        {"collect --policy=checkpoint --run=runs/taught --episodes=2 --explore=0.4,0.2,0.1 "
         "--output=x.h5",
         "collect.explore: found 3 items in \"0.4,0.2,0.1\", expected at most 2, one for each",
         EXIT_CODE_CONFIG},
        {"collect --policy=checkpoint --run=runs/taught --episodes=9 --output=x.h5",
         "collect.episodes: found 9, expected at most 3", EXIT_CODE_CONFIG},
        {"collect --task=dark_room --noise=1.5 --output=x.h5", "expected at most 1, as it is",
         EXIT_CODE_CONFIG},
        {"collect --policy=oracle --output=x.h5", "planner", EXIT_CODE_USAGE},
        {"collect --policy=planner --planner.every=0 --output=x.h5", "every", EXIT_CODE_USAGE},
        {"collect --policy=planner --spline=quintic --output=x.h5", "cubic", EXIT_CODE_USAGE},
        {"collect --coefficient=1 --output=x.h5", "coefficient", EXIT_CODE_USAGE},
        {"collect --task=walker_wlak --policy=random --output=x.h5", "walker_walk",
         EXIT_CODE_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct support_outcome outcome = program_run(*state, 0, cases[i].arguments);
        support_expect_line(&outcome, (int)cases[i].code, "chainring: ", cases[i].words);
    }
    const struct program *program = *state;
    struct support_outcome outcome =
        support_run("cd %s && [ ! -e x.h5 ] && [ ! -e x.h5.unfinished ]", program->folder);
    support_expect_code(&outcome, 0);
}

int main(int argc, char **argv)
{
    static struct program program;
    program_open(&program, argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(
            test_collected_plans_are_the_same_for_any_number_of_ranks_and_threads, &program),
        cmocka_unit_test_prestate(test_collecting_that_was_killed_goes_on, &program),
        cmocka_unit_test_prestate(test_collected_policy_is_the_same_for_any_number_of_ranks,
                                  &program),
        cmocka_unit_test_prestate(test_collect_says_what_is_wrong_in_one_line, &program),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

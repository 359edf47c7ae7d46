/* A run that was killed or stopped goes on as if nothing had happened, to the bit. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "tests/program/program.h"

static const char weights[] = "ckpt/step-40/model.safetensors";
static const char moments[] = "ckpt/step-40/optimizer.safetensors";

static void expect_same_file(const struct program *program, const char *left_run,
                             const char *right_run, const char *file)
{
    char name[256];
    size_t left_size;
    size_t right_size;
    snprintf(name, sizeof name, "runs/%s/%s", left_run, file);
    char *left = program_read(program, name, &left_size);
    snprintf(name, sizeof name, "runs/%s/%s", right_run, file);
    char *right = program_read(program, name, &right_size);
    assert_int_equal(left_size, right_size);
    assert_memory_equal(left, right, left_size);
    memory_free(left);
    memory_free(right);
}

/* The part of a line of metrics that does not depend on time: step, loss, gradient norm, rate. */
static void copy_curve(char *curve, size_t size, const char *metrics)
{
    size_t length = 0;
    for (const char *line = metrics; *line; line = strchr(line, '\n') + 1) {
        const char *end = strstr(line, ", \"tokens_per_second\"");
        assert_non_null(end);
        length +=
            (size_t)snprintf(curve + length, size - length, "%.*s\n", (int)(end - line), line);
        assert_true(length < size);
    }
}

static void expect_same_curve(const struct program *program, const char *left_run,
                              const char *right_run)
{
    enum { CURVE_SIZE = 1 << 16 };
    char name[256];
    char *left = memory_take(CURVE_SIZE, 1);
    char *right = memory_take(CURVE_SIZE, 1);
    snprintf(name, sizeof name, "runs/%s/metrics.jsonl", left_run);
    char *left_metrics = program_read(program, name, NULL);
    snprintf(name, sizeof name, "runs/%s/metrics.jsonl", right_run);
    char *right_metrics = program_read(program, name, NULL);
    copy_curve(left, CURVE_SIZE, left_metrics);
    copy_curve(right, CURVE_SIZE, right_metrics);
    assert_non_null(strstr(left, "\"step\": 40,"));
    assert_string_equal(left, right);
    memory_free(left_metrics);
    memory_free(right_metrics);
    memory_free(left);
    memory_free(right);
}

static void expect_same_run(const struct program *program, const char *left, const char *right)
{
    expect_same_curve(program, left, right);
    expect_same_file(program, left, right, weights);
    expect_same_file(program, left, right, moments);
}

/* Start a run of which one rank is killed after its step 9 or so, without a word. */
static struct support_outcome train_and_kill(const struct program *program, const char *name,
                                             int victim)
{
    return support_run(
        "cd %s; %s 2 %s train run.yaml --run.name=%s & job=$!; "
        "while [ ! -s runs/%s/metrics.jsonl ] || [ $(wc -l < runs/%s/metrics.jsonl) -lt 9 ]; do "
        "sleep 0.005; done; "
        "kill -9 $(pgrep -f '^%s train run.yaml --run.name=%s' | sed -n %dp); wait $job",
        program->folder, program->mpi, program->chainring, name, name, name, program->chainring,
        name, victim + 1);
}

static void expect_survival(const struct program *program, const char *name, int victim)
{
    struct support_outcome outcome = train_and_kill(program, name, victim);
    support_expect_code(&outcome, 137);
    outcome = program_train(program, 2, name, "");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    assert_non_null(strstr(outcome.text, "resume: from step"));
    expect_same_run(program, "whole", name);
}

static void test_resume_after_either_rank_was_killed(void **state)
{
    expect_survival(*state, "killed-0", 0);
    expect_survival(*state, "killed-1", 1);
}

static void test_resume_after_until(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = program_train(program, 2, "until", "--until=11");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    assert_non_null(strstr(outcome.text, "stopped after step 11; the same command goes on"));
    outcome = program_train(program, 2, "until", "");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_same_run(program, "whole", "until");
}

static void test_resume_after_sigterm_saved(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome =
        support_run("cd %s; %s 2 %s train run.yaml --run.name=stopped & job=$!; "
                    "while [ ! -s runs/stopped/metrics.jsonl ]; do sleep 0.005; done; "
                    "kill -TERM $job; wait $job",
                    program->folder, program->mpi, program->chainring);
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    assert_non_null(strstr(outcome.text, "the same command goes on"));
    outcome = program_train(program, 2, "stopped", "");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_same_run(program, "whole", "stopped");
}

static void test_resume_of_a_complete_run_does_nothing(void **state)
{
    const struct program *program = *state;
    char *before = program_read(program, "runs/whole/config.yaml", NULL);
    struct support_outcome outcome = program_train(program, 2, "whole", "--train.rate=0.003");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    assert_non_null(strstr(outcome.text, "is complete: 40 steps are done"));
    char *after = program_read(program, "runs/whole/config.yaml", NULL);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_resume_after_either_rank_was_killed, &program),
        cmocka_unit_test_prestate(test_resume_after_until, &program),
        cmocka_unit_test_prestate(test_resume_after_sigterm_saved, &program),
        cmocka_unit_test_prestate(test_resume_of_a_complete_run_does_nothing, &program),
    };
    program_open(&program, argc, argv);
    struct support_outcome outcome = program_train(&program, 2, "whole", "");
    if (outcome.code != 0) {
        fprintf(stderr, "%s", outcome.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

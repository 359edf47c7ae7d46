/* What is wrong with the world is one line, the right exit code, and nothing lost. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fatal.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/program/program.h"

static const char rank0[] = "chainring: rank 0: ";

/* The folder's store without its end, under another name. */
static void write_truncated_store(const struct program *program, const char *name)
{
    size_t size;
    char path[512];
    struct failure failure = {0};
    char *bytes = program_read(program, "store.h5", &size);
    snprintf(path, sizeof path, "%s/%s", program->folder, name);
    assert_true(file_write(path, bytes, size - 1000, &failure));
    memory_free(bytes);
}

static void test_truncated_store_is_refused(void **state)
{
    const struct program *program = *state;
    write_truncated_store(program, "short.h5");
    struct support_outcome outcome =
        program_train(program, 2, "truncated", "--data.store=short.h5");
    support_expect_line(&outcome, EXIT_CODE_DATA, rank0, "short.h5: ");
    outcome = program_run(program, 0, "inspect short.h5");
    support_expect_line(&outcome, EXIT_CODE_DATA, "chainring: ", "short.h5: ");
}

static void test_missing_store_is_refused(void **state)
{
    struct support_outcome outcome = program_train(*state, 2, "missing", "--data.store=none.h5");
    support_expect_line(&outcome, EXIT_CODE_NO_INPUT, rank0, "none.h5: ");
}

static void test_unknown_key_names_the_nearest(void **state)
{
    const struct program *program = *state;
    char path[512];
    struct failure failure = {0};
    snprintf(path, sizeof path, "%s/bad.yaml", program->folder);
    assert_true(file_write_text(path, "train:\n  stepz: 3\n", &failure));
    struct support_outcome outcome = program_run(program, 2, "train bad.yaml");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, rank0, "bad.yaml:2: ");
    assert_non_null(strstr(outcome.text, "train.steps"));
    outcome = program_run(program, 0, "train run.yaml --train.stepz=3");
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "--train.steps");
}

static void test_checkpoint_of_other_dimensions_is_refused_and_kept(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = program_train(program, 2, "other", "--until=4");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    size_t before_size;
    char *before = program_read(program, "runs/other/ckpt/step-4/model.safetensors", &before_size);
    outcome = program_train(program, 2, "other", "--model.width=32");
    support_expect_line(&outcome, EXIT_CODE_DATA, rank0, "runs/other/ckpt/step-4");
    assert_non_null(strstr(outcome.text, "model.width = 16, found 32 now"));
    size_t after_size;
    char *after = program_read(program, "runs/other/ckpt/step-4/model.safetensors", &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    memory_free(before);
    memory_free(after);
}

static void test_damaged_checkpoint_falls_back_to_the_older_one(void **state)
{
    const struct program *program = *state;
    char path[512];
    struct support_outcome outcome = program_train(program, 2, "damaged", "--until=9");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    snprintf(path, sizeof path, "%s/runs/damaged/ckpt/step-9/model.safetensors", program->folder);
    assert_int_equal(truncate(path, 2000), 0);
    outcome = program_train(program, 2, "damaged", "--until=12");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    assert_non_null(strstr(outcome.text, "step-9"));
    assert_non_null(strstr(outcome.text, "resume: from step 8"));
}

/* Open MPI may add a line about the dead rank's memory, which begins with a bracket. */
static void test_rank_that_dies_ends_the_job_with_one_line(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = support_run(
        "cd %s; %s 2 %s train run.yaml --run.name=dies --train.steps=100000 2>said & job=$!; "
        "while [ ! -s runs/dies/metrics.jsonl ]; do sleep 0.005; done; "
        "kill -9 $(pgrep -f '^%s train run.yaml --run.name=dies' | tail -n 1); "
        "wait $job; code=$?; grep -v -e '^model: ' -e '^processor: ' -e '^ring: ' -e '^train ' -e "
        "'^\\[' said "
        ">&2; "
        "exit $code",
        program->folder, program->mpi, program->chainring, program->chainring);
    support_expect_line(&outcome, 137, "mpi: ended with exit code 137", "signal");
}

static void test_run_in_use_is_refused(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = support_run(
        "cd %s; %s 1 %s train run.yaml --run.name=busy --train.steps=100000 2>/dev/null & job=$!; "
        "while [ ! -s runs/busy/metrics.jsonl ]; do sleep 0.005; done; "
        "%s 1 %s train run.yaml --run.name=busy; code=$?; kill -TERM $job; wait $job; exit $code",
        program->folder, program->mpi, program->chainring, program->mpi, program->chainring);
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "runs/busy");
}

static void test_ring_that_does_not_divide_the_ranks_is_refused(void **state)
{
    struct support_outcome outcome = program_train(*state, 3, "odd", "--mesh.ring=2");
    support_expect_line(&outcome, EXIT_CODE_CONFIG, rank0,
                        "mesh.ring: found 2, expected a divisor of the job's 3 ranks");
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_truncated_store_is_refused, &program),
        cmocka_unit_test_prestate(test_missing_store_is_refused, &program),
        cmocka_unit_test_prestate(test_unknown_key_names_the_nearest, &program),
        cmocka_unit_test_prestate(test_checkpoint_of_other_dimensions_is_refused_and_kept,
                                  &program),
        cmocka_unit_test_prestate(test_damaged_checkpoint_falls_back_to_the_older_one, &program),
        cmocka_unit_test_prestate(test_rank_that_dies_ends_the_job_with_one_line, &program),
        cmocka_unit_test_prestate(test_run_in_use_is_refused, &program),
        cmocka_unit_test_prestate(test_ring_that_does_not_divide_the_ranks_is_refused, &program),
    };
    program_open(&program, argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

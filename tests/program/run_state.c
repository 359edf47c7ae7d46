/* What a run knows about itself: how it ended, and what has changed since it was started. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/file.h"
#include "base/memory.h"
#include "tests/program/program.h"

/* The run's status.json must hold each of `words`, which end in NULL. */
static void expect_status(const struct program *program, const char *run, const char *const *words)
{
    char name[256];
    snprintf(name, sizeof name, "runs/%s/status.json", run);
    char *status = program_read(program, name, NULL);
    for (; *words; words++) {
        if (!strstr(status, *words)) {
            fail_msg("%s: expected %s; found %s", name, *words, status);
        }
    }
    memory_free(status);
}

static void test_divergence_is_in_the_status(void **state)
{
    static const char *const words[] = {"\"state\": \"failed\"", "\"exit_code\": 65",
                                        "lower train.rate or look at the data", NULL};
    struct support_outcome outcome =
        program_train(*state, 2, "diverged", "--train.rate=10 --train.warmup=0 --train.clip=0");
    support_expect_code(&outcome, EXIT_CODE_DATA);
    expect_status(*state, "diverged", words);
}

/* A limit on the size of files stands for a disk that fills up. */
static void test_full_disk_is_in_the_status(void **state)
{
    static const char *const words[] = {"\"state\": \"failed\"", "\"exit_code\": 74",
                                        "\"step\": 2,", "model.safetensors: cannot be written",
                                        NULL};
    const struct program *program = *state;
    struct support_outcome outcome = support_run(
        "cd %s; trap '' XFSZ; ulimit -f 32; exec %s train run.yaml --run.name=full --steps=2",
        program->folder, program->chainring);
    support_expect_code(&outcome, EXIT_CODE_IO);
    expect_status(program, "full", words);
}

/* A folder for one of two ranks, with a copy of a store that lacks its last bytes. */
static void make_place(const struct program *program, const char *name, const char *store,
                       size_t missing)
{
    size_t size;
    char path[512];
    struct failure failure = {0};
    char *bytes = program_read(program, store, &size);
    snprintf(path, sizeof path, "%s/%s", program->folder, name);
    assert_true(file_make_folder(path, &failure));
    snprintf(path, sizeof path, "%s/%s/store.h5", program->folder, name);
    assert_true(file_write(path, bytes, size - missing, &failure));
    memory_free(bytes);
}

/* Train on two ranks, each in its own folder. */
static struct support_outcome train_in_places(const struct program *program, const char *place,
                                              const char *arguments)
{
    return support_run("cd %s && %s 2 sh -c 'cd %s-$OMPI_COMM_WORLD_RANK && exec %s train "
                       "%s/run.yaml --run.folder=%s/runs %s'",
                       program->folder, program->mpi, place, program->chainring, program->folder,
                       program->folder, arguments);
}

static void test_unreadable_store_of_either_rank_is_in_the_status(void **state)
{
    static const char *const words[] = {"\"state\": \"failed\"", "\"exit_code\": 65",
                                        "\"message\": \"store.h5: ", "\"step\": null", NULL};
    const struct program *program = *state;
    make_place(program, "first-0", "store.h5", 1000);
    make_place(program, "first-1", "store.h5", 0);
    make_place(program, "second-0", "store.h5", 0);
    make_place(program, "second-1", "store.h5", 1000);
    struct support_outcome outcome = train_in_places(program, "first", "--run.name=first");
    support_expect_line(&outcome, EXIT_CODE_DATA, "chainring: rank 0: ", "store.h5: ");
    expect_status(program, "first", words);
    outcome = train_in_places(program, "second", "--run.name=second");
    support_expect_line(&outcome, EXIT_CODE_DATA, "chainring: rank 1: ", "store.h5: ");
    expect_status(program, "second", words);
}

static void test_refused_restart_is_in_the_status_until_the_next(void **state)
{
    static const char *const failed[] = {"\"state\": \"failed\"", "model.width = 16, found 32 now",
                                         NULL};
    static const char *const stopped[] = {"\"state\": \"stopped\"", "\"step\": 4,", NULL};
    const struct program *program = *state;
    struct support_outcome outcome = program_train(program, 2, "again", "--until=3");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    outcome = program_train(program, 2, "again", "--model.width=32");
    support_expect_code(&outcome, EXIT_CODE_DATA);
    expect_status(program, "again", failed);
    outcome = program_train(program, 2, "again", "--until=4");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    expect_status(program, "again", stopped);
}

static const char collect_other[] = "collect --groups=30 --episodes=4 --seed=5 --output=other.h5";

static void test_resume_refuses_another_store_on_any_number_of_ranks(void **state)
{
    const struct program *program = *state;
    for (int ranks = 1; ranks <= 2; ranks++) {
        char name[32];
        snprintf(name, sizeof name, "store-%d", ranks);
        struct support_outcome outcome = program_train(program, ranks, name, "--until=3");
        support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
        outcome = program_train(program, ranks, name, "--data.store=other.h5");
        support_expect_line(&outcome, EXIT_CODE_DATA, "chainring: ",
                            "/ckpt/step-3: found a trajectory store whose index has the hash ");
        assert_non_null(strstr(outcome.text, "; bring that store back, or give this run another "
                                             "run.name\n"));
        outcome = program_train(program, ranks, name, "--until=4");
        support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    }
}

static void test_rank_that_sees_another_store_is_named(void **state)
{
    const struct program *program = *state;
    make_place(program, "differs-0", "store.h5", 0);
    make_place(program, "differs-1", "other.h5", 0);
    struct support_outcome outcome = train_in_places(program, "differs", "--run.name=differs");
    support_expect_line(&outcome, EXIT_CODE_CONFIG,
                        "chainring: rank 0: store.h5: the hash of its "
                        "attributes: found ",
                        " on rank 1, expected ");
}

static void test_resume_names_each_changed_option_first(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome = program_train(program, 2, "changed", "--until=2");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    outcome = program_train(program, 2, "changed",
                            "--until=3 --train.rate=0.002 --data.store=./store.h5");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    const char *lines = strstr(outcome.text, "resume: from step 2 of runs/changed\n"
                                             "resume: data.store was \"store.h5\", is "
                                             "\"./store.h5\" now\n"
                                             "resume: train.rate was 0.001, is 0.002 now\n"
                                             "resume: train.until was 2, is 3 now\n");
    assert_non_null(lines);
    assert_non_null(strstr(lines, "model: "));
    outcome = program_train(program, 2, "changed",
                            "--until=4 --train.rate=0.002 --data.store=./store.h5");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    assert_non_null(strstr(outcome.text, "resume: from step 3 of runs/changed\n"
                                         "resume: train.until was 3, is 4 now\n"
                                         "model: "));
}

static void test_resume_goes_on_where_the_old_configuration_cannot_be_read(void **state)
{
    const struct program *program = *state;
    char path[512];
    struct failure failure = {0};
    struct support_outcome outcome = program_train(program, 2, "unread", "--until=2");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    snprintf(path, sizeof path, "%s/runs/unread/config.yaml", program->folder);
    assert_true(file_write_text(path, "mesh:\n  shard: zigzag\n", &failure));
    outcome = program_train(program, 2, "unread", "--until=3");
    support_expect_code(&outcome, EXIT_CODE_RESUMABLE);
    assert_non_null(strstr(outcome.text,
                           "resume: runs/unread/config.yaml:2: unknown key mesh.shard; it is "
                           "called mesh.split; which options have changed is not known\n"));
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_divergence_is_in_the_status, &program),
        cmocka_unit_test_prestate(test_full_disk_is_in_the_status, &program),
        cmocka_unit_test_prestate(test_unreadable_store_of_either_rank_is_in_the_status, &program),
        cmocka_unit_test_prestate(test_resume_refuses_another_store_on_any_number_of_ranks,
                                  &program),
        cmocka_unit_test_prestate(test_rank_that_sees_another_store_is_named, &program),
        cmocka_unit_test_prestate(test_resume_names_each_changed_option_first, &program),
        cmocka_unit_test_prestate(test_resume_goes_on_where_the_old_configuration_cannot_be_read,
                                  &program),
        cmocka_unit_test_prestate(test_refused_restart_is_in_the_status_until_the_next, &program),
    };
    program_open(&program, argc, argv);
    struct support_outcome outcome = program_run(&program, 0, collect_other);
    if (outcome.code != 0) {
        fprintf(stderr, "%s", outcome.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

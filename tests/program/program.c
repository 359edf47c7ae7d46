#include "tests/support/support.h"

#include "tests/program/program.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static const char configuration[] = "data:\n"
                                    "  store: store.h5\n"
                                    "chain:\n"
                                    "  trials: 3\n"
                                    "model:\n"
                                    "  width: 16\n"
                                    "  heads: 2\n"
                                    "  hidden: 32\n"
                                    "  dropout: 0.1\n"
                                    "train:\n"
                                    "  steps: 40\n"
                                    "  contexts: 4\n"
                                    "  warmup: 5\n"
                                    "  log_every: 1\n"
                                    "  checkpoint_every: 4\n";

struct support_outcome program_run(const struct program *program, int ranks, const char *arguments)
{
    if (ranks == 0) {
        return support_run("cd %s && %s %s", program->folder, program->chainring, arguments);
    }
    return support_run("cd %s && %s %d %s %s", program->folder, program->mpi, ranks,
                       program->chainring, arguments);
}

struct support_outcome program_train(const struct program *program, int ranks, const char *name,
                                     const char *arguments)
{
    char all[1024];
    snprintf(all, sizeof all, "train run.yaml --run.name=%s %s", name, arguments);
    return program_run(program, ranks, all);
}

void program_open(struct program *program, int argc, char **argv)
{
    assert_int_equal(argc, 3);
    *program = (struct program){.mpi = argv[1], .chainring = argv[2]};
    snprintf(program->folder, sizeof program->folder, "%s", support_scratch_folder());
    char path[512];
    struct failure failure = {0};
    snprintf(path, sizeof path, "%s/run.yaml", program->folder);
    assert_true(file_write_text(path, configuration, &failure));
    struct support_outcome outcome =
        program_run(program, 0, "collect --groups=30 --episodes=4 --output=store.h5");
    support_expect_code(&outcome, 0);
}

void program_close(struct program *program)
{
    struct failure failure = {0};
    assert_true(file_remove_tree(program->folder, &failure));
}

char *program_read(const struct program *program, const char *name, size_t *size)
{
    char path[512];
    struct failure failure = {0};
    snprintf(path, sizeof path, "%s/%s", program->folder, name);
    char *text = file_read(path, (size_t)1 << 26, size, &failure);
    if (!text) {
        fail_msg("%s", failure.text);
    }
    return text;
}

void program_expect_print(const struct program *program, int ranks, const char *arguments,
                          const char *words)
{
    char redirected[1024];
    snprintf(redirected, sizeof redirected, "%s >printed", arguments);
    struct support_outcome outcome = program_run(program, ranks, redirected);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    char *printed = program_read(program, "printed", NULL);
    if (!strstr(printed, words)) {
        fail_msg("%s: expected \"%s\"; found \"%s\"", arguments, words, printed);
    }
    memory_free(printed);
}

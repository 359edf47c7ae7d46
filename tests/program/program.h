/* The chainring program run as its users run it, in a scratch folder: what these tests share.
 * Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_PROGRAM_H
#define CHAINRING_TESTS_PROGRAM_H

#include <stddef.h>

#include "tests/support/command.h"

struct program {
    const char *mpi; /* scripts/mpi */
    const char *chainring;
    char folder[256]; /* holds store.h5 and run.yaml, a small run on it */
};

/* From the test's arguments: scripts/mpi and chainring. Collects the store. */
void program_open(struct program *program, int argc, char **argv);
void program_close(struct program *program);

/* Run chainring on `ranks` ranks (0: without MPI's launcher) with these arguments, in the folder.
 */
struct support_outcome program_run(const struct program *program, int ranks, const char *arguments);

/* Do a job that ends well and prints `words` among others. */
void program_expect_print(const struct program *program, int ranks, const char *arguments,
                          const char *words);

/* Train run.yaml under a name, with further arguments. */
struct support_outcome program_train(const struct program *program, int ranks, const char *name,
                                     const char *arguments);

/* A file of the folder, whole, with a zero behind it; the caller frees it with memory_free. */
char *program_read(const struct program *program, const char *name, size_t *size);

#endif

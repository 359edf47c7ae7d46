/* The frame of a test that runs on several ranks: every rank runs the same cmocka tests between
 * comm_start and comm_stop. Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_SUPPORT_MPI_H
#define CHAINRING_TESTS_SUPPORT_MPI_H

#include <stddef.h>

#include <cmocka.h>

/* Start the job, run count tests as the group `name`, stop the job; returns what main returns. A
 * failing test aborts its rank, and mpirun ends the others. Collective over the job. */
int support_mpi_run(int argc, char **argv, const char *name, const struct CMUnitTest *tests,
                    size_t count);

#endif

#include "comm/comm.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/collective.h"
#include "comm/comm_private.h"
#include "comm/cores.h"

/* What this process is in the job; MPI itself is one per process. */
static struct {
    MPI_Comm communicator;
    size_t rank;
    size_t size;
    size_t ranks_on_this_node;
    size_t threads; /* that are this rank's share of the node's cores */
    pid_t process;  /* that called comm_start: its forked children are no ranks */
} job = {.communicator = MPI_COMM_NULL, .size = 1, .ranks_on_this_node = 1, .threads = 1};

/* --- The end of a job that went wrong --------------------------------------------------------- */

static bool is_running(void)
{
    int is_initialised;
    int is_finalised;
    MPI_Initialized(&is_initialised);
    MPI_Finalized(&is_finalised);
    return is_initialised && !is_finalised;
}

/* The fatal line is out; MPI_Abort's own paragraph would only bury it. */
static void mute_standard_error(void)
{
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
        dup2(nowhere, STDERR_FILENO);
    }
}

static void end_job(int code)
{
    if (is_running() && getpid() == job.process) {
        mute_standard_error();
        MPI_Abort(MPI_COMM_WORLD, code);
    }
    _exit(code);
}

static void end_on_error(MPI_Comm *communicator, int *error, ...)
{
    (void)communicator;
    char text[MPI_MAX_ERROR_STRING];
    int length;
    MPI_Error_string(*error, text, &length);
    fatal(EXIT_CODE_SYSTEM, "MPI failed: %.*s", length, text);
}

/* Communicators that are split off these inherit the handler. */
static void install_error_handler(void)
{
    MPI_Errhandler handler;
    MPI_Comm_create_errhandler(end_on_error, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, handler);
    MPI_Errhandler_free(&handler);
}

/* --- Start and stop --------------------------------------------------------------------------- */

static void find_node(void)
{
    MPI_Comm node;
    int size;
    MPI_Comm_split_type(job.communicator, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &size);
    job.ranks_on_this_node = (size_t)size;
    job.threads = cores_threads(node);
    MPI_Comm_free(&node);
}

void comm_start(int *argc, char ***argv)
{
    int provided;
    int rank;
    int size;
    job.process = getpid();
    /* One rank without mpirun needs no Open MPI daemon at its side. */
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    fatal_set_terminate(end_job);
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    install_error_handler();
    MPI_Comm_dup(MPI_COMM_WORLD, &job.communicator);
    MPI_Comm_rank(job.communicator, &rank);
    MPI_Comm_size(job.communicator, &size);
    fatal_set_rank(size > 1 ? rank : -1);
    log_set_speaking(rank == 0);
    job.rank = (size_t)rank;
    job.size = (size_t)size;
    find_node();
    struct failure failure = {.code = EXIT_CODE_DONE};
    if (provided < MPI_THREAD_FUNNELED) {
        failure_set(&failure, EXIT_CODE_SYSTEM,
                    "MPI: found thread level %d, expected at least %d (funneled); use an MPI "
                    "library that is built with threads",
                    provided, MPI_THREAD_FUNNELED);
    }
    comm_agree(&failure);
}

void comm_stop(void)
{
    invariant(is_running());
    MPI_Comm_free(&job.communicator);
    MPI_Finalize();
}

MPI_Comm comm_job(void)
{
    return job.communicator;
}

size_t comm_rank(void)
{
    return job.rank;
}

size_t comm_size(void)
{
    return job.size;
}

size_t comm_ranks_on_this_node(void)
{
    return job.ranks_on_this_node;
}

size_t comm_threads(size_t wanted)
{
    return wanted > 0 ? wanted : job.threads;
}

/* --- Agreement -------------------------------------------------------------------------------- */

/* Another rank is about to end the job; leaving before it would replace its exit code. */
static _Noreturn void wait_for_the_end(void)
{
    for (;;) {
        pause();
    }
}

void comm_agree(const struct failure *failure)
{
    invariant(is_running());
    int own = failure->code == EXIT_CODE_DONE ? INT_MAX : (int)job.rank;
    int lowest;
    MPI_Allreduce(&own, &lowest, 1, MPI_INT, MPI_MIN, job.communicator);
    if (lowest == INT_MAX) {
        return;
    }
    if (lowest > 0) {
        struct failure first = *failure;
        MPI_Bcast(&first, sizeof first, MPI_BYTE, lowest, MPI_COMM_WORLD);
        if (job.rank == 0) {
            fatal_report(&first);
        }
        MPI_Barrier(MPI_COMM_WORLD); /* it is reported before the job ends */
    }
    if (lowest == own) {
        fatal_if_failed(failure);
    }
    wait_for_the_end();
}

bool comm_agree_on(struct failure *failure)
{
    invariant(is_running());
    int own = failure->code == EXIT_CODE_DONE ? INT_MAX : (int)job.rank;
    int lowest;
    MPI_Allreduce(&own, &lowest, 1, MPI_INT, MPI_MIN, job.communicator);
    if (lowest == INT_MAX) {
        return true;
    }
    MPI_Bcast(failure, sizeof *failure, MPI_BYTE, lowest, job.communicator);
    return false;
}

void comm_same(uint64_t value, const char *what)
{
    invariant(is_running());
    uint64_t *found = memory_take(job.size, sizeof *found);
    MPI_Allgather(&value, 1, MPI_UINT64_T, found, 1, MPI_UINT64_T, job.communicator);
    struct failure failure = {.code = EXIT_CODE_DONE};
    for (size_t rank = 1; rank < job.size; rank++) {
        if (found[rank] != found[0]) {
            failure_set(&failure, EXIT_CODE_CONFIG,
                        "%s: found %llu on rank %zu, expected %llu as on rank 0; give every rank "
                        "the same program, configuration and files",
                        what, (unsigned long long)found[rank], rank, (unsigned long long)found[0]);
        }
    }
    memory_free(found);
    comm_agree(&failure);
}

void comm_send(size_t rank, const void *bytes, size_t size)
{
    invariant(is_running() && rank < job.size && rank != job.rank);
    const char *at = bytes;
    for (size_t done = 0; done < size;) {
        int piece = collective_piece(size - done);
        MPI_Send(at + done, piece, MPI_BYTE, (int)rank, 0, job.communicator);
        done += (size_t)piece;
    }
}

void comm_receive(size_t rank, void *bytes, size_t size)
{
    invariant(is_running() && rank < job.size && rank != job.rank);
    char *at = bytes;
    for (size_t done = 0; done < size;) {
        int piece = collective_piece(size - done);
        MPI_Recv(at + done, piece, MPI_BYTE, (int)rank, 0, job.communicator, MPI_STATUS_IGNORE);
        done += (size_t)piece;
    }
}

void comm_barrier(void)
{
    MPI_Barrier(job.communicator);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

void comm_sum_double(double *values, size_t count)
{
    collective_reduce(job.communicator, values, count, MPI_DOUBLE, MPI_SUM);
}

void comm_max_double(double *values, size_t count)
{
    collective_reduce(job.communicator, values, count, MPI_DOUBLE, MPI_MAX);
}

void comm_broadcast(void *bytes, size_t size)
{
    collective_broadcast(job.communicator, bytes, size);
}

void comm_gather_double(double *gathered, const double *values, size_t count)
{
    invariant(count <= COLLECTIVE_PIECE);
    MPI_Gather(values, (int)count, MPI_DOUBLE, gathered, (int)count, MPI_DOUBLE, 0,
               job.communicator);
}

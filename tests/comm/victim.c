/* A small job that goes wrong on purpose: its argument says how. tests/comm/faults.c runs it under
 * mpirun and looks at what the job says and at its exit code. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fatal.h"
#include "base/log.h"
#include "comm/comm.h"
#include "comm/ring.h"

enum { COUNT = 1000 };

static void fail_on_rank_one(void)
{
    if (comm_rank() == 1) {
        fatal(EXIT_CODE_DATA, "found 3 episodes, expected 4");
    }
    comm_barrier();
}

static void break_promise_on_rank_one(void)
{
    invariant(comm_rank() != 1);
    comm_barrier();
}

static void die_on_rank_one(void)
{
    if (comm_rank() == 1) {
        raise(SIGKILL);
    }
    comm_barrier();
}

static void agree_on_two_failures(void)
{
    struct failure failure = {.code = EXIT_CODE_DONE};
    if (comm_rank() == 1) {
        /* Late, so that the other failure is there first. */
        usleep(100000);
        failure_set(&failure, EXIT_CODE_NO_INPUT, "the lowest failing rank");
    }
    if (comm_rank() == 2) {
        failure_set(&failure, EXIT_CODE_IO, "another failing rank");
    }
    comm_agree(&failure);
}

static void differ_on_rank_two(void)
{
    comm_same(comm_rank() == 2 ? 8 : 7, "model.width");
}

static void exchange(size_t sent, size_t received)
{
    static real values[COUNT];
    struct ring *ring = ring_open(comm_size(), 0);
    if (ring_rank(ring) == 0) {
        ring_send(ring, RING_GRADIENTS, 1, 0, values, sent * sizeof(real));
    }
    if (ring_rank(ring) == 1) {
        ring_receive(ring, RING_GRADIENTS, 0, 0, values, received * sizeof(real));
    }
    ring_wait(ring, RING_GRADIENTS);
    comm_barrier();
}

static void send_too_much(void)
{
    exchange(COUNT, COUNT / 2);
}

static void send_too_little(void)
{
    exchange(COUNT / 2, COUNT);
}

static void open_a_ring_of_three(void)
{
    ring_close(ring_open(3, 0));
}

static void open_a_ring_of_none(void)
{
    ring_close(ring_open(0, 0));
}

static void speak(void)
{
    log_line("one voice");
}

static const struct {
    const char *name;
    void (*act)(void);
} faults[] = {
    {"fatal", fail_on_rank_one},
    {"invariant", break_promise_on_rank_one},
    {"kill", die_on_rank_one},
    {"agree", agree_on_two_failures},
    {"differ", differ_on_rank_two},
    {"send-too-much", send_too_much},
    {"send-too-little", send_too_little},
    {"ring-of-three", open_a_ring_of_three},
    {"ring-of-none", open_a_ring_of_none},
    {"speak", speak},
};

int main(int argc, char **argv)
{
    comm_start(&argc, &argv);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (argc == 2 && strcmp(argv[1], faults[i].name) == 0) {
            faults[i].act();
            comm_stop();
            return EXIT_CODE_DONE;
        }
    }
    fatal(EXIT_CODE_USAGE, "expected the name of a fault");
}

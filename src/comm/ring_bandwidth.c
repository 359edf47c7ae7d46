#include "comm/ring_bandwidth.h"

#include "base/clock.h"
#include "comm/comm.h"

static double time_exchange(struct ring *ring, real *memory, size_t count)
{
    size_t ranks = ring_size(ring);
    size_t next = (ring_rank(ring) + 1) % ranks;
    size_t previous = (ring_rank(ring) + ranks - 1) % ranks;
    comm_barrier();
    double begun = clock_seconds();
    ring_receive(ring, RING_KEYS_VALUES, previous, 0, memory + count, count * sizeof *memory);
    ring_send(ring, RING_KEYS_VALUES, next, 0, memory, count * sizeof *memory);
    (void)ring_wait(ring, RING_KEYS_VALUES);
    return clock_seconds() - begun;
}

double ring_bandwidth(struct ring *ring, real *memory, size_t count, size_t repeats)
{
    double best = 0.0;
    if (ring_size(ring) == 1) {
        return best;
    }
    for (size_t i = 0; i < repeats; i++) {
        double seconds = time_exchange(ring, memory, count);
        comm_max_double(&seconds, 1);
        double rate = (double)(count * sizeof(real)) / seconds;
        best = rate > best ? rate : best;
    }
    return best;
}

static void send(struct ring *ring, size_t rank, const real *memory, size_t count)
{
    ring_send(ring, RING_KEYS_VALUES, rank, 0, memory, count * sizeof *memory);
    (void)ring_wait_sends(ring, RING_KEYS_VALUES);
}

static void receive(struct ring *ring, size_t rank, real *memory, size_t count)
{
    ring_receive(ring, RING_KEYS_VALUES, rank, 0, memory, count * sizeof *memory);
    (void)ring_wait_receives(ring, RING_KEYS_VALUES);
}

/* Two messages between this rank, one of the first two, and the other. */
static void there_and_back(struct ring *ring, enum ring_way way, real *memory, size_t count)
{
    size_t other = 1 - ring_rank(ring);
    if (way == RING_BOTH_WAYS) {
        ring_receive(ring, RING_KEYS_VALUES, other, 0, memory + count, count * sizeof *memory);
        ring_send(ring, RING_KEYS_VALUES, other, 0, memory, count * sizeof *memory);
        (void)ring_wait(ring, RING_KEYS_VALUES);
    } else if (other == 1) {
        send(ring, other, memory, count);
        receive(ring, other, memory + count, count);
    } else {
        receive(ring, other, memory + count, count);
        send(ring, other, memory, count);
    }
}

double ring_message_seconds(struct ring *ring, enum ring_way way, real *memory, size_t count,
                            size_t rounds)
{
    double seconds = 0.0;
    invariant(ring_size(ring) > 1 && ring_group_count(ring) == 1);
    comm_barrier();
    if (ring_rank(ring) < 2) {
        double begun = clock_seconds();
        for (size_t i = 0; i < rounds; i++) {
            there_and_back(ring, way, memory, count);
        }
        seconds = (clock_seconds() - begun) / (double)rounds;
    }
    comm_max_double(&seconds, 1);
    return way == RING_ONE_WAY ? seconds / 2.0 : seconds;
}

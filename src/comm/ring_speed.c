#include "comm/ring_speed.h"

#include "base/clock.h"
#include "comm/comm.h"

static double time_exchange(struct ring *ring, real *memory, size_t count)
{
    size_t places = ring_size(ring);
    size_t next = (ring_place(ring) + 1) % places;
    size_t previous = (ring_place(ring) + places - 1) % places;
    comm_barrier();
    double begun = clock_seconds();
    ring_receive(ring, RING_KEYS_VALUES, previous, 0, memory + count, count);
    ring_send(ring, RING_KEYS_VALUES, next, 0, memory, count);
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

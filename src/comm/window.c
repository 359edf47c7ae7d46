#include "comm/window.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "comm/ring_private.h"

enum {
    LINE = 64,          /* bytes that caches move together */
    PATIENCE = 1 << 12, /* looks at a number before the core is lent to others */
};

/* The first line of a rank's piece; the reals follow. */
struct piece {
    _Alignas(LINE) atomic_uint_least64_t progress;
};

struct window {
    struct ring *ring;
    MPI_Win memory;
    struct piece **pieces; /* (places), NULL where this rank does not reach */
};

/* --- The memory ------------------------------------------------------------------------------- */

/* The system gives room in its shared file system only when it is touched, and kills who touches
 * what is not there. */
static void check_room(MPI_Comm neighbours, size_t bytes)
{
    struct failure failure = {0};
    struct statvfs room;
    int size;
    MPI_Comm_size(neighbours, &size);
    size_t wanted = bytes * (size_t)size;
    if (size > 1 && statvfs("/dev/shm", &room) == 0 &&
        (uint64_t)room.f_bavail * room.f_frsize < wanted) {
        failure_set(&failure, EXIT_CODE_SYSTEM,
                    "/dev/shm: found %llu MiB free, expected %zu MiB for the keys and values of "
                    "%d ranks; make it larger, or set mesh.node_ranks to 1",
                    (unsigned long long)((uint64_t)room.f_bavail * room.f_frsize >> 20),
                    wanted >> 20, size);
    }
    comm_agree(&failure);
}

static struct piece *align(void *address)
{
    size_t beyond = (uintptr_t)address % LINE;
    void *aligned = (char *)address + (LINE - beyond) % LINE;
    return aligned;
}

static void find_pieces(struct window *window)
{
    size_t places = ring_size(window->ring);
    int rank = 0;
    window->pieces = memory_take(places, sizeof(struct piece *));
    for (size_t place = 0; place < places; place++) {
        if (ring_joins(window->ring, place, ring_place(window->ring))) {
            MPI_Aint size;
            int unit;
            void *address;
            MPI_Win_shared_query(window->memory, rank, &size, &unit, &address);
            window->pieces[place] = align(address);
            rank++;
        }
    }
}

struct window *window_open(struct ring *ring, size_t count)
{
    struct window *window = memory_take(1, sizeof *window);
    window->ring = ring;
    size_t bytes = LINE + sizeof(struct piece) + count * sizeof(real);
    check_room(ring_neighbours(ring), bytes);
    void *address;
    MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, ring_neighbours(ring), &address,
                            &window->memory);
    find_pieces(window);
    struct piece *own = window->pieces[ring_place(ring)];
    memory_prefer_large_pages(own, sizeof *own + count * sizeof(real));
    memset(own, 0, sizeof *own + count * sizeof(real));
    MPI_Barrier(ring_neighbours(ring));
    return window;
}

void window_close(struct window *window)
{
    MPI_Win_free(&window->memory);
    memory_free(window->pieces);
    memory_free(window);
}

real *window_at(const struct window *window, size_t place)
{
    struct piece *piece = window->pieces[place];
    invariant(piece != NULL);
    return (real *)(piece + 1);
}

/* --- Progress --------------------------------------------------------------------------------- */

void window_advance(struct window *window, uint64_t progress)
{
    struct piece *own = window->pieces[ring_place(window->ring)];
    invariant(progress >= atomic_load_explicit(&own->progress, memory_order_relaxed));
    atomic_store_explicit(&own->progress, progress, memory_order_release);
}

static bool has_reached(struct piece *piece, uint64_t progress)
{
    return atomic_load_explicit(&piece->progress, memory_order_acquire) >= progress;
}

double window_await(struct window *window, size_t place, uint64_t progress)
{
    struct piece *piece = window->pieces[place];
    invariant(piece != NULL);
    if (has_reached(piece, progress)) {
        return 0.0;
    }
    double begun = clock_seconds();
    for (size_t look = 1; !has_reached(piece, progress); look++) {
        if (look % PATIENCE == 0) {
            ring_progress(window->ring);
            sched_yield();
        }
    }
    return clock_seconds() - begun;
}

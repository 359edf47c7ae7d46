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
#include "comm/comm_private.h"
#include "comm/progress.h"

enum {
    LINE = 64,          /* bytes that caches move together */
    PATIENCE = 1 << 12, /* looks at a number before the core is lent to others */
};

/* The first line of a rank's region; its bytes follow. */
struct window_region {
    _Alignas(LINE) atomic_uint_least64_t progress;
};

struct window {
    struct ring *ring;
    MPI_Win memory;
    struct window_region **regions; /* (ranks), NULL where this rank does not reach */
};

/* --- The memory ------------------------------------------------------------------------------- */

/* The system gives room in its shared file system only when it is touched, and kills who touches
 * what is not there. */
static void window_check_capacity(MPI_Comm node_group, size_t bytes)
{
    struct failure failure = {0};
    struct statvfs capacity;
    int size;
    MPI_Comm_size(node_group, &size);
    size_t ranks = comm_ranks_on_this_node(); /* other groups and rings take theirs as well */
    size_t wanted = bytes * ranks;
    if (size > 1 && statvfs("/dev/shm", &capacity) == 0 &&
        (uint64_t)capacity.f_bavail * capacity.f_frsize < wanted) {
        failure_set(&failure, EXIT_CODE_SYSTEM,
                    "/dev/shm: found %llu MiB free, expected %zu MiB for the keys and values of "
                    "%zu ranks; make it larger, or set mesh.node_ranks to 1",
                    (unsigned long long)((uint64_t)capacity.f_bavail * capacity.f_frsize >> 20),
                    wanted >> 20, ranks);
    }
    comm_agree(&failure);
}

static struct window_region *window_align(void *address)
{
    size_t beyond = (uintptr_t)address % LINE;
    void *aligned = (char *)address + (LINE - beyond) % LINE;
    return aligned;
}

static void window_find_regions(struct window *window)
{
    size_t ranks = ring_size(window->ring);
    int number = 0; /* in the node group */
    window->regions = memory_take(ranks, sizeof(struct window_region *));
    for (size_t rank = 0; rank < ranks; rank++) {
        if (ring_shares_memory(window->ring, rank, ring_rank(window->ring))) {
            MPI_Aint size;
            int unit;
            void *address;
            MPI_Win_shared_query(window->memory, number, &size, &unit, &address);
            window->regions[rank] = window_align(address);
            number++;
        }
    }
}

struct window *window_open(struct ring *ring, size_t size)
{
    struct window *window = memory_take(1, sizeof *window);
    window->ring = ring;
    size_t bytes = LINE + sizeof(struct window_region) + size;
    window_check_capacity(ring_node_communicator(ring), bytes);
    void *address;
    MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, ring_node_communicator(ring),
                            &address, &window->memory);
    window_find_regions(window);
    struct window_region *own = window->regions[ring_rank(ring)];
    memory_prefer_large_pages(own, sizeof *own + size);
    memset(own, 0, sizeof *own + size);
    MPI_Barrier(ring_node_communicator(ring));
    return window;
}

void window_close(struct window *window)
{
    MPI_Win_free(&window->memory);
    memory_free(window->regions);
    memory_free(window);
}

void *window_at(const struct window *window, size_t rank)
{
    struct window_region *region = window->regions[rank];
    invariant(region != NULL);
    return region + 1;
}

/* --- Progress --------------------------------------------------------------------------------- */

void window_advance(struct window *window, uint64_t progress)
{
    struct window_region *own = window->regions[ring_rank(window->ring)];
    invariant(progress >= atomic_load_explicit(&own->progress, memory_order_relaxed));
    atomic_store_explicit(&own->progress, progress, memory_order_release);
}

static bool region_has_reached(struct window_region *region, uint64_t progress)
{
    return atomic_load_explicit(&region->progress, memory_order_acquire) >= progress;
}

double window_await(struct window *window, size_t rank, uint64_t progress)
{
    struct window_region *region = window->regions[rank];
    invariant(region != NULL);
    if (region_has_reached(region, progress)) {
        return 0.0;
    }
    double begun = clock_seconds();
    for (size_t look = 1; !region_has_reached(region, progress); look++) {
        if (look % PATIENCE == 0) {
            comm_progress();
            sched_yield();
        }
    }
    return clock_seconds() - begun;
}

#define _GNU_SOURCE /* sched_getaffinity */
#include "comm/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"

/* The core of a processor: its list of siblings ("3", "0-1", "2,66") begins with the first one. */
static size_t core_of(size_t processor)
{
    char path[96];
    char siblings[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
             processor);
    FILE *file = fopen(path, "re");
    bool is_known = file && fgets(siblings, sizeof siblings, file);
    if (file) {
        fclose(file);
    }
    size_t first = is_known ? strtoul(siblings, NULL, 10) : processor;
    return first < CORES_MAX ? first : processor;
}

void cores_of_process(struct cores *cores)
{
    cpu_set_t processors[CORES_MAX / CPU_SETSIZE];
    memset(cores, 0, sizeof *cores);
    if (sched_getaffinity(0, sizeof processors, processors) != 0) {
        return;
    }
    for (size_t processor = 0; processor < CORES_MAX; processor++) {
        if (CPU_ISSET_S(processor, sizeof processors, processors)) {
            cores->has[core_of(processor)] = true;
        }
    }
}

static size_t count_sharers(const struct cores *sets, size_t ranks, size_t core)
{
    size_t sharers = 0;
    for (size_t rank = 0; rank < ranks; rank++) {
        sharers += sets[rank].has[core];
    }
    return sharers;
}

size_t cores_share(const struct cores *sets, size_t ranks, size_t own)
{
    invariant(own < ranks);
    double share = 0.0;
    for (size_t core = 0; core < CORES_MAX; core++) {
        if (sets[own].has[core]) {
            share += 1.0 / (double)count_sharers(sets, ranks, core);
        }
    }
    size_t threads = (size_t)(share + 1e-6); /* six sixths may add up to a hair less than one */
    return threads > 0 ? threads : 1;
}

size_t cores_threads(MPI_Comm node)
{
    int rank;
    int ranks;
    MPI_Comm_rank(node, &rank);
    MPI_Comm_size(node, &ranks);
    struct cores *sets = memory_take((size_t)ranks, sizeof *sets);
    cores_of_process(&sets[rank]);
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, sets, sizeof *sets, MPI_BYTE, node);
    size_t threads = cores_share(sets, (size_t)ranks, (size_t)rank);
    memory_free(sets);
    return threads;
}

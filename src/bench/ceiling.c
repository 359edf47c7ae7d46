#include "bench/ceiling.h"

#include <math.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "math/peak.h"

void ceiling_open(struct ceiling *ceiling, struct workers *workers)
{
    *ceiling = (struct ceiling){
        .workers = workers,
        .memory = memory_take(workers_count(workers) * PEAK_REALS, sizeof(real)),
    };
}

void ceiling_close(struct ceiling *ceiling)
{
    memory_free(ceiling->memory);
}

void ceiling_raise(struct ceiling *ceiling)
{
    struct peak peak = peak_of_threads(ceiling->workers, ceiling->memory, 1);
    ceiling->multiply_add = fmax(ceiling->multiply_add, peak.multiply_add);
    ceiling->gemm = fmax(ceiling->gemm, peak.gemm);
}

void ceiling_share(struct ceiling *ceiling)
{
    double sums[] = {ceiling->multiply_add, ceiling->gemm};
    comm_sum_double(sums, 2);
    ceiling->multiply_add = sums[0] / (double)comm_size();
    ceiling->gemm = sums[1] / (double)comm_size();
}

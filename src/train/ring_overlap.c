#include "train/ring_overlap.h"

#include <math.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/ring_bandwidth.h"

enum { REALS = 1 << 20, REPEATS = 5 };

struct ring_overlap ring_overlap_predict(struct ring *ring, enum partition_rule rule, double rate)
{
    struct ring_overlap overlap = {0};
    if (ring_shares_memory(ring, 0, ring_size(ring) - 1)) {
        return overlap;
    }
    real *memory = memory_take(2 * REALS, sizeof *memory);
    overlap.bandwidth = ring_bandwidth(ring, memory, REALS, REPEATS);
    memory_free(memory);
    double masked = rule == PARTITION_ZIGZAG ? 2.0 : 1.0;
    overlap.tokens_forward = 2.0 * masked * rate / overlap.bandwidth;
    overlap.tokens_backward = 1.6 * masked * rate / overlap.bandwidth;
    return overlap;
}

double ring_overlap_share(double tokens, double needed)
{
    return tokens < needed ? tokens / needed : 1.0;
}

void ring_overlap_log(const struct ring_overlap *overlap, double tokens)
{
    double needed = fmax(overlap->tokens_forward, overlap->tokens_backward);
    if (needed == 0.0) {
        log_line("ring: keys and values are read in place, none travel");
        return;
    }
    log_line("ring: messages at %.2f GB/s are hidden from %.0f tokens a rank and context on; the "
             "longest context has %.0f",
             1e-9 * overlap->bandwidth, needed, tokens);
    if (tokens < needed) {
        log_warning("ranks will wait for messages: use longer contexts, fewer ranks in a ring "
                    "(mesh.ring) or a faster network");
    }
}

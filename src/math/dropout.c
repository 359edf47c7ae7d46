#include "math/dropout.h"

#include "base/random.h"

/* Elements that random words are made for at once. */
enum { PIECE = 256 };

/* Spread (sample, site) over the seed's 64 bits (the finaliser of splitmix64). */
static uint64_t mask_seed(const struct dropout_mask *mask)
{
    uint64_t z = mask->seed + 0x9E3779B97F4A7C15U * (mask->sample << 16 | (mask->site + 1));
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

void dropout_row(real *row, size_t width, const struct dropout_mask *mask, uint32_t token)
{
    if (mask->rate <= 0) {
        return;
    }
    uint64_t seed = mask_seed(mask);
    uint32_t threshold = (uint32_t)((double)mask->rate * 4294967296.0);
    real scale = 1 / (1 - mask->rate);
    for (size_t start = 0; start < width; start += PIECE) {
        uint32_t words[PIECE];
        size_t count = width - start < PIECE ? width - start : PIECE;
        random_words_from(words, (count + 3) / 4, seed, RANDOM_DROPOUT, mask->step, token,
                          (uint32_t)(start / 4));
        for (size_t i = 0; i < count; i++) {
            row[start + i] = words[i] < threshold ? 0 : row[start + i] * scale;
        }
    }
}

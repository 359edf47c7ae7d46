#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

#include "base/fatal.h"

static const double two_pi = 6.283185307179586476925;

static void generate(uint32_t words[4], const uint32_t key[2], const uint32_t counter[4])
{
    philox4x32_ctr_t in = {{counter[0], counter[1], counter[2], counter[3]}};
    philox4x32_key_t with = {{key[0], key[1]}};
    philox4x32_ctr_t out = philox4x32(in, with);
    memcpy(words, out.v, sizeof out.v);
}

/* The seed fills the key; purpose shares the counter's last word with the step's high bits. */
static void name_stream(uint32_t key[2], uint32_t counter[4], uint64_t seed,
                        enum random_purpose purpose, uint64_t step, uint32_t sample)
{
    invariant(step < (uint64_t)1 << 56);
    key[0] = (uint32_t)seed;
    key[1] = (uint32_t)(seed >> 32);
    counter[0] = 0;
    counter[1] = sample;
    counter[2] = (uint32_t)step;
    counter[3] = (uint32_t)(step >> 32) | (uint32_t)purpose << 24;
}

struct random random_stream(uint64_t seed, enum random_purpose purpose, uint64_t step,
                            uint64_t sample)
{
    invariant(sample <= UINT32_MAX);
    struct random random = {.used = 4};
    name_stream(random.key, random.counter, seed, purpose, step, (uint32_t)sample);
    return random;
}

void random_words_at(uint32_t words[4], uint64_t seed, enum random_purpose purpose, uint64_t step,
                     uint32_t sample, uint32_t position)
{
    uint32_t key[2];
    uint32_t counter[4];
    name_stream(key, counter, seed, purpose, step, sample);
    counter[0] = position;
    generate(words, key, counter);
}

void random_words_from(uint32_t *restrict words, size_t count, uint64_t seed,
                       enum random_purpose purpose, uint64_t step, uint32_t sample,
                       uint32_t position)
{
    uint32_t key[2];
    uint32_t counter[4];
    name_stream(key, counter, seed, purpose, step, sample);
    /* Without memory between, the compiler makes this vectors of positions. */
    const philox4x32_key_t with = {{key[0], key[1]}};
    const uint32_t of_sample = counter[1], low = counter[2], high = counter[3];
    for (size_t i = 0; i < count; i++) {
        philox4x32_ctr_t in = {{position + (uint32_t)i, of_sample, low, high}};
        philox4x32_ctr_t out = philox4x32(in, with);
        words[i] = out.v[0];
        words[count + i] = out.v[1];
        words[2 * count + i] = out.v[2];
        words[3 * count + i] = out.v[3];
    }
}

uint32_t random_word(struct random *random)
{
    if (random->used == 4) {
        generate(random->words, random->key, random->counter);
        random->counter[0]++;
        invariant(random->counter[0] != 0);
        random->used = 0;
    }
    return random->words[random->used++];
}

double random_uniform(struct random *random)
{
    uint64_t high = random_word(random) >> 5;
    uint64_t low = random_word(random) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

double random_between(struct random *random, double low, double high)
{
    return low + (high - low) * random_uniform(random);
}

/* Box-Muller without keeping the second value: every draw costs the same four words. */
double random_normal(struct random *random)
{
    double radius = sqrt(-2.0 * log(1.0 - random_uniform(random)));
    return radius * cos(two_pi * random_uniform(random));
}

/* Lemire's multiply-and-reject on 64 bits. */
uint64_t random_below(struct random *random, uint64_t limit)
{
    invariant(limit > 0);
    uint64_t threshold = (0 - limit) % limit;
    for (;;) {
        uint64_t word = (uint64_t)random_word(random) << 32;
        word |= random_word(random);
        __extension__ unsigned __int128 scaled = (unsigned __int128)word * limit;
        if ((uint64_t)scaled >= threshold) {
            return (uint64_t)(scaled >> 64);
        }
    }
}

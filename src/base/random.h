/* Random numbers that need no state to be saved.
 *
 * Philox4x32-10 (Salmon et al., SC 2011; Random123): a stream is named by (seed, purpose, step,
 * sample) and gives the same draws on any rank of any number of ranks. */
#ifndef CHAINRING_BASE_RANDOM_H
#define CHAINRING_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Streams of different purpose are independent, whatever their step and sample. Append only: the
 * numbers are part of what makes a run repeatable. */
enum random_purpose {
    RANDOM_INITIAL_WEIGHTS = 1,
    RANDOM_CHAIN = 2, /* which episodes make a chain */
    RANDOM_DROPOUT = 3,
    RANDOM_COLLECT = 4,  /* environments and policies while data is collected */
    RANDOM_EVALUATE = 5, /* environments while a policy is evaluated */
    RANDOM_EXPLORE = 6,  /* action noise while a policy is evaluated */
    RANDOM_TEST = 7,
    RANDOM_BENCH = 8,
    RANDOM_PLAN = 9,            /* plans that a planner tries while data is collected */
    RANDOM_COLLECT_POLICY = 10, /* as RANDOM_COLLECT, where a trained policy acts: hidden tasks that
                                   its training data does not have */
    RANDOM_LABEL = 11,          /* what an expert draws who labels recorded episodes */
    RANDOM_CHAIN_STORE = 12,    /* which of several stores a chain is of */
    RANDOM_HOLDOUT = 13,        /* what is held out for validation */
};

struct random {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t words[4];
    unsigned used; /* words already handed out */
};

/* The stream (seed, purpose, step, sample) at its beginning; sample < 2^32. Local. */
struct random random_stream(uint64_t seed, enum random_purpose purpose, uint64_t step,
                            uint64_t sample);

uint32_t random_word(struct random *random);
double random_uniform(struct random *random);                          /* [0, 1), 53 bits */
double random_between(struct random *random, double low, double high); /* [low, high) */
double random_normal(struct random *random);                           /* mean 0, deviation 1 */
uint64_t random_below(struct random *random, uint64_t limit);          /* 0 .. limit-1, unbiased */

/* Four words that depend on nothing but their arguments; for masks addressed by position. */
void random_words_at(uint32_t words[4], uint64_t seed, enum random_purpose purpose, uint64_t step,
                     uint32_t sample, uint32_t position);

/* The same at `count` neighbouring positions from `position` on, several at a time: word w of the
 * i-th is words[w * count + i]. */
void random_words_from(uint32_t *restrict words, size_t count, uint64_t seed,
                       enum random_purpose purpose, uint64_t step, uint32_t sample,
                       uint32_t position);

#endif

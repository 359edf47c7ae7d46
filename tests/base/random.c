#include "base/random.h"

#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/fatal.h"

enum { DRAWS = 200000 };

/* --- The generator ---------------------------------------------------------------------------- */

/* A published answer of Philox4x32-10, its key and counter said as (seed, purpose, step, sample,
 * position). */
struct answer {
    uint64_t seed, step;
    uint32_t purpose, sample, position;
    uint32_t words[4];
};

/* Philox known answers distributed with Random123 (kat_vectors): all zeros, all ones, digits of
 * pi. */
static const struct answer answers[] = {
    {.words = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {.seed = 0xffffffffffffffff,
     .step = 0xffffffffffffff,
     .purpose = 0xff,
     .sample = 0xffffffff,
     .position = 0xffffffff,
     .words = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {.seed = 0x299f31d0a4093822,
     .step = 0x70734413198a2e,
     .purpose = 0x03,
     .sample = 0x85a308d3,
     .position = 0x243f6a88,
     .words = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_words_equal_published_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer *answer = &answers[i];
        uint32_t words[4];
        random_words_at(words, answer->seed, (enum random_purpose)answer->purpose, answer->step,
                        answer->sample, answer->position);
        assert_memory_equal(words, answer->words, sizeof words);
    }
}

static void test_stream_hands_out_the_words_of_its_positions_in_order(void **state)
{
    (void)state;
    struct random random = random_stream(5, RANDOM_CHAIN, 9, 3);
    for (uint32_t position = 0; position < 100; position++) {
        uint32_t words[4];
        random_words_at(words, 5, RANDOM_CHAIN, 9, 3, position);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(random_word(&random), words[i]);
        }
    }
}

static void test_words_of_many_positions_are_those_of_each(void **state)
{
    (void)state;
    enum { COUNT = 39 };
    uint32_t words[4 * COUNT];
    random_words_from(words, COUNT, 5, RANDOM_DROPOUT, 9, 3, UINT32_MAX - 7);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t wanted[4];
        random_words_at(wanted, 5, RANDOM_DROPOUT, 9, 3, UINT32_MAX - 7 + i);
        for (size_t word = 0; word < 4; word++) {
            assert_int_equal(words[word * COUNT + i], wanted[word]);
        }
    }
}

static void test_stream_repeats_from_its_name(void **state)
{
    (void)state;
    struct random first = random_stream(1, RANDOM_TEST, 2, 3);
    struct random second = random_stream(1, RANDOM_TEST, 2, 3);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_normal(&first) == random_normal(&second));
    }
}

static void test_every_part_of_the_name_changes_the_words(void **state)
{
    (void)state;
    const uint64_t high = (uint64_t)1 << 32;
    const struct random streams[] = {
        random_stream(1, RANDOM_TEST, 2, 3),        random_stream(2, RANDOM_TEST, 2, 3),
        random_stream(1 + high, RANDOM_TEST, 2, 3), random_stream(1, RANDOM_BENCH, 2, 3),
        random_stream(1, RANDOM_TEST, 3, 3),        random_stream(1, RANDOM_TEST, 2 + high, 3),
        random_stream(1, RANDOM_TEST, 2, 4),
    };
    enum { STREAMS = sizeof streams / sizeof streams[0], WORDS = 64 };
    uint32_t words[STREAMS][WORDS];
    for (size_t i = 0; i < STREAMS; i++) {
        struct random random = streams[i];
        for (size_t k = 0; k < WORDS; k++) {
            words[i][k] = random_word(&random);
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < WORDS; k++) {
                assert_int_not_equal(words[i][k], words[j][k]);
            }
        }
    }
}

/* --- Distributions ---------------------------------------------------------------------------- */

struct moments {
    double mean, variance, smallest, largest;
};

static struct moments measure(double (*draw)(struct random *random))
{
    struct random random = random_stream(11, RANDOM_TEST, 0, 0);
    struct moments moments = {.smallest = HUGE_VAL, .largest = -HUGE_VAL};
    double sum = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < DRAWS; i++) {
        double value = draw(&random);
        sum += value;
        squares += value * value;
        moments.smallest = fmin(moments.smallest, value);
        moments.largest = fmax(moments.largest, value);
    }
    moments.mean = sum / DRAWS;
    moments.variance = squares / DRAWS - moments.mean * moments.mean;
    return moments;
}

/* Bounds are about five standard errors wide; the draws are always the same ones. */
static void test_uniform_fills_zero_to_one(void **state)
{
    (void)state;
    struct moments moments = measure(random_uniform);
    assert_true(moments.smallest >= 0.0 && moments.smallest < 1e-4);
    assert_true(moments.largest < 1.0 && moments.largest > 1.0 - 1e-4);
    assert_true(fabs(moments.mean - 0.5) < 0.0033);
    assert_true(fabs(moments.variance - 1.0 / 12.0) < 0.001);
}

static double draw_between(struct random *random)
{
    return random_between(random, -3.0, 1.0);
}

static void test_between_fills_its_limits(void **state)
{
    (void)state;
    struct moments moments = measure(draw_between);
    assert_true(moments.smallest >= -3.0 && moments.smallest < -2.999);
    assert_true(moments.largest < 1.0 && moments.largest > 0.999);
    assert_true(fabs(moments.mean + 1.0) < 0.013);
}

static double fourth_power_of_normal(struct random *random)
{
    double value = random_normal(random);
    return value * value * value * value;
}

static void test_normal_has_the_moments_of_the_bell_curve(void **state)
{
    (void)state;
    struct moments moments = measure(random_normal);
    assert_true(fabs(moments.mean) < 0.012);
    assert_true(fabs(moments.variance - 1.0) < 0.016);
    assert_true(moments.largest > 3.5 && moments.largest < 6.5);
    assert_true(moments.smallest < -3.5 && moments.smallest > -6.5);
    assert_true(fabs(measure(fourth_power_of_normal).mean - 3.0) < 0.11);
}

static void test_below_takes_every_value_equally_often(void **state)
{
    (void)state;
    enum { VALUES = 7 };
    size_t counts[VALUES] = {0};
    struct random random = random_stream(12, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < DRAWS; i++) {
        uint64_t value = random_below(&random, VALUES);
        assert_true(value < VALUES);
        counts[value]++;
    }
    double expected = (double)DRAWS / VALUES;
    double chi_squared = 0.0;
    for (size_t i = 0; i < VALUES; i++) {
        double surplus = (double)counts[i] - expected;
        chi_squared += surplus * surplus / expected;
    }
    assert_true(chi_squared < 22.5); /* 6 degrees of freedom, one in a thousand */
}

static void test_below_keeps_to_extreme_limits(void **state)
{
    (void)state;
    struct random random = random_stream(13, RANDOM_TEST, 0, 0);
    const uint64_t limit = ((uint64_t)1 << 63) + 1;
    size_t upper_half = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(random_below(&random, 1) == 0);
        uint64_t value = random_below(&random, limit);
        assert_true(value < limit);
        upper_half += value >= limit / 2;
    }
    assert_in_range(upper_half, 420, 580);
}

/* Masks address words by position: neighbours must not resemble each other. */
static void test_neighbouring_positions_are_independent(void **state)
{
    (void)state;
    enum { POSITIONS = 50000 };
    double products = 0.0;
    double previous = 0.0;
    for (uint32_t position = 0; position < POSITIONS; position++) {
        uint32_t words[4];
        random_words_at(words, 3, RANDOM_DROPOUT, 1, 0, position);
        double value = (double)words[0] * 0x1p-32 - 0.5;
        products += value * previous;
        previous = value;
    }
    assert_true(fabs(products / POSITIONS * 12.0) < 0.0225);
}

/* --- Misuse ----------------------------------------------------------------------------------- */

static void draw_below_zero(void *argument)
{
    random_below(argument, 0);
}

static void name_too_large_a_step(void *argument)
{
    (void)argument;
    random_stream(1, RANDOM_TEST, (uint64_t)1 << 56, 0);
}

static void name_too_large_a_sample(void *argument)
{
    (void)argument;
    random_stream(1, RANDOM_TEST, 0, (uint64_t)1 << 32);
}

static void test_names_that_would_collide_are_refused(void **state)
{
    (void)state;
    struct random random = random_stream(1, RANDOM_TEST, 0, 0);
    support_expect_exit(draw_below_zero, &random, EXIT_CODE_BUG, "limit > 0");
    support_expect_exit(name_too_large_a_step, NULL, EXIT_CODE_BUG, "step <");
    support_expect_exit(name_too_large_a_sample, NULL, EXIT_CODE_BUG, "sample <=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_equal_published_answers),
        cmocka_unit_test(test_stream_hands_out_the_words_of_its_positions_in_order),
        cmocka_unit_test(test_words_of_many_positions_are_those_of_each),
        cmocka_unit_test(test_stream_repeats_from_its_name),
        cmocka_unit_test(test_every_part_of_the_name_changes_the_words),
        cmocka_unit_test(test_uniform_fills_zero_to_one),
        cmocka_unit_test(test_between_fills_its_limits),
        cmocka_unit_test(test_normal_has_the_moments_of_the_bell_curve),
        cmocka_unit_test(test_below_takes_every_value_equally_often),
        cmocka_unit_test(test_below_keeps_to_extreme_limits),
        cmocka_unit_test(test_neighbouring_positions_are_independent),
        cmocka_unit_test(test_names_that_would_collide_are_refused),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}

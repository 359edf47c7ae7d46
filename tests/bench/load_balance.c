/* The zigzag rule keeps all ranks of a ring busy, by count. */
#include "tests/support/support.h"

#include "bench/load_balance.h"

#include <math.h>

#include "comm/comm.h"
#include "tests/support/support_mpi.h"

enum { HEADS = 2 };

static struct load_balance count(size_t length, enum partition_rule rule)
{
    struct bench_options options = {
        .length = length,
        .learner = {.shape = {.width = 32, .heads = HEADS},
                    .attention = {.query_block = 384, .key_block = 144}},
        .threads = 2,
    };
    struct load_balance balance;
    load_balance_open(&balance, &options, rule);
    return balance;
}

/* Every pair of a query and a key that it sees is counted once, and little else. */
static void expect_all(const struct load_balance *balance, size_t length)
{
    double pairs = 0.5 * (double)HEADS * (double)length * ((double)length + 1.0);
    assert_true(balance->all >= pairs);
    assert_true(balance->all <= 1.15 * pairs);
}

static void expect_balance(size_t length)
{
    double ranks = (double)comm_size();
    struct load_balance zigzag = count(length, PARTITION_ZIGZAG);
    struct load_balance contiguous = count(length, PARTITION_CONTIGUOUS);
    expect_all(&zigzag, length);
    expect_all(&contiguous, length);
    double balanced = load_balance_efficiency(&zigzag);
    double plain = load_balance_efficiency(&contiguous);
    assert_true(balanced >= 0.95 && balanced <= 1.0);
    assert_true(balanced >= 1.28 * plain);
    /* At every ring step but the first, which is half masked, the last rank computes a whole
     * square. */
    assert_true(fabs(plain - ranks / (2.0 * ranks - 1.0)) < 0.03);
    for (size_t step = 1; step < contiguous.steps; step++) {
        assert_true(contiguous.least[step] == 0.0); /* the first rank sees no other's keys */
        assert_true(zigzag.least[step] > 0.0);
    }
    load_balance_close(&contiguous);
    load_balance_close(&zigzag);
}

static void test_zigzag_ranks_are_idle_less_than_a_twentieth(void **state)
{
    (void)state;
    expect_balance(4096);
    expect_balance(5003);
    expect_balance(16384);
}

static void test_efficiency_is_work_over_that_of_the_busiest_at_each_ring_step(void **state)
{
    (void)state;
    double most[] = {3.0, 1.0};
    struct load_balance balance = {.steps = 2, .all = 4.0, .most = most};
    assert_true(load_balance_efficiency(&balance) == 0.5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zigzag_ranks_are_idle_less_than_a_twentieth),
        cmocka_unit_test(test_efficiency_is_work_over_that_of_the_busiest_at_each_ring_step),
    };
    return support_mpi_run(argc, argv, "load_balance", tests, sizeof tests / sizeof tests[0]);
}

#include "train/ledger.h"

#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

static void test_charges_add_up_to_the_time_that_passed(void **state)
{
    (void)state;
    struct ledger ledger;
    ledger_begin(&ledger);
    double begun = ledger.since;
    for (size_t part = 0; part < LEDGER_PARTS; part++) {
        ledger_charge(&ledger, (enum ledger_part)part);
        assert_true(ledger.seconds[part] >= 0.0);
    }
    assert_true(fabs(ledger_total(&ledger) - (ledger.since - begun)) < 1e-9);
    assert_true(ledger.since <= clock_seconds());
}

static void test_moving_keeps_the_total(void **state)
{
    (void)state;
    struct ledger ledger = {.seconds = {[LEDGER_COMPUTE] = 5.0, [LEDGER_DATA] = 1.0}};
    ledger_move(&ledger, LEDGER_COMPUTE, LEDGER_RANKS, 2.0);
    assert_true(ledger.seconds[LEDGER_COMPUTE] == 3.0);
    assert_true(ledger.seconds[LEDGER_RANKS] == 2.0);
    assert_true(ledger_total(&ledger) == 6.0);
}

static void test_ledgers_add_part_by_part(void **state)
{
    (void)state;
    struct ledger sum = {.seconds = {[LEDGER_COMPUTE] = 1.0, [LEDGER_OTHER] = 2.0}};
    const struct ledger other = {.seconds = {[LEDGER_COMPUTE] = 3.0, [LEDGER_MESSAGES] = 4.0}};
    ledger_add(&sum, &other);
    assert_true(sum.seconds[LEDGER_COMPUTE] == 4.0);
    assert_true(sum.seconds[LEDGER_MESSAGES] == 4.0);
    assert_true(sum.seconds[LEDGER_OTHER] == 2.0);
}

static void test_every_part_has_its_own_name(void **state)
{
    (void)state;
    for (enum ledger_part i = 0; i < LEDGER_PARTS; i++) {
        assert_true(strlen(ledger_words(i)) > 0);
        for (enum ledger_part j = 0; j < i; j++) {
            assert_string_not_equal(ledger_key(i), ledger_key(j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charges_add_up_to_the_time_that_passed),
        cmocka_unit_test(test_moving_keeps_the_total),
        cmocka_unit_test(test_ledgers_add_part_by_part),
        cmocka_unit_test(test_every_part_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

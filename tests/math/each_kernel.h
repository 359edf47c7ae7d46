/* Tests that hold for every kernel of attention which this processor runs, one kernel after another
 * in one program. Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_MATH_EACH_KERNEL_H
#define CHAINRING_TESTS_MATH_EACH_KERNEL_H

#include "math/attention_block.h"
#include "math/attention_kernel.h"

#ifdef CHAINRING_REAL_DOUBLE
static const double close = 1e-12;
#else
static const double close = 1e-5;
#endif

/* What is emulated is tested alone. */
#ifdef CHAINRING_EMULATED_AMX
enum { IS_EMULATED = true };
#else
enum { IS_EMULATED = false };
#endif

/* Who computes in the tests that run now, and what queries, keys and values are. */
static enum attention_choice tested;
static enum dtype tested_dtype;
static size_t tested_width; /* of a head that it computes itself */

/* Returns how many tests have failed, as cmocka does for one group. */
static inline int each_kernel_run(const struct CMUnitTest *tests, size_t count, enum dtype dtype)
{
    int failed = 0;
    tested_dtype = dtype;
    for (int choice = IS_EMULATED ? ATTENTION_AMX : ATTENTION_AVX512; choice < ATTENTION_CHOICES;
         choice++) {
        tested = (enum attention_choice)choice;
        if (attention_runs(tested, dtype)) {
            tested_width = tested == ATTENTION_AMX ? 64 : 16;
            const char *name = attention_kernel_name(tested, dtype, tested_width);
            failed += _cmocka_run_group_tests(name, tests, count, NULL, NULL);
        }
    }
    return failed;
}

#endif

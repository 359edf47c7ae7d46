/* What every test file starts from: cmocka and its own needs, a scratch folder, and "does this end
 * the process with that code and that line?". */
#ifndef CHAINRING_TESTS_SUPPORT_H
#define CHAINRING_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A fresh folder for this test, removed with all that is in it when the test program ends. */
const char *support_scratch_folder(void);

/* The largest |found - wanted| / (1 + |wanted|) over count values; NaN anywhere gives infinity. */
double support_error_float(const float *found, const float *wanted, size_t count);
double support_error_double(const double *found, const double *wanted, size_t count);

/* Fail unless |found - wanted| <= tolerance; NaN fails. */
void support_expect_near(double found, double wanted, double tolerance);

/* Run action(argument) in a child process: it must exit with `code` and the one line that it
 * writes to standard error must contain `words`. */
void support_expect_exit(void (*action)(void *argument), void *argument, int code,
                         const char *words);

#endif

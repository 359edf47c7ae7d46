#include "tests/support/support.h"

#include "tests/support/support_mpi.h"

#include <stdlib.h>

#include "comm/comm.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* MPI leaves memory behind when it starts, works and ends. Leaks of ours are looked for before it
 * ends, and not again at exit, where its modules are unloaded and have no names to go by. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>

static int leaks_were_looked_for;

const char *__lsan_default_suppressions(void)
{
    return "leak:libmpi\nleak:libopen-pal\nleak:libopen-rte\nleak:libpmix\nleak:mca_\n";
}

int __lsan_is_turned_off(void)
{
    return leaks_were_looked_for;
}

static void start(int *argc, char ***argv)
{
    __lsan_disable();
    comm_start(argc, argv);
    __lsan_enable();
}

static int stop(void)
{
    int found = __lsan_do_recoverable_leak_check();
    leaks_were_looked_for = 1;
    comm_stop();
    return found;
}
#else
static void start(int *argc, char ***argv)
{
    comm_start(argc, argv);
}

static int stop(void)
{
    comm_stop();
    return 0;
}
#endif

int support_mpi_run(int argc, char **argv, const char *name, const struct CMUnitTest *tests,
                    size_t count)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    start(&argc, &argv);
    int failed = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
    return failed + stop();
}

#include "tests/support/support.h"

#include "tests/support/support_mpi.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "bench/fixture.h"
#include "comm/comm.h"

/* A sanitizer has its own malloc, and this test has too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

static void test_steps_take_no_memory(void **state)
{
    (void)state;
    skip();
}

static void test_the_counters_see_what_is_taken(void **state)
{
    (void)state;
    skip();
}

#else

/* --- Every allocation of the process passes here, its libraries' too -------------------------- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool is_counting;
static atomic_size_t of_ours, of_libraries;

/* Where the linker has put this program's own code. */
extern const char __executable_start[], etext[];

static void count(const void *caller)
{
    const char *code = caller;
    bool is_ours = code >= __executable_start && code < etext;
    if (atomic_load(&is_counting)) {
        atomic_fetch_add(is_ours ? &of_ours : &of_libraries, 1);
    }
}

void *malloc(size_t size)
{
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t items, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_calloc(items, size);
}

void *realloc(void *block, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    count(__builtin_return_address(0));
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : 12; /* ENOMEM */
}

/* --- Steps ------------------------------------------------------------------------------------ */

enum { WARM_STEPS = 2, STEPS = 6 };

static struct bench_options options_of(void)
{
    struct failure failure = {0};
    struct bench_options options = {
        .length = 600,
        .threads = 2,
        .learner = {.shape = {.width = 32, .layers = 2, .heads = 2, .hidden = 64},
                    .attention = {.query_block = 64, .key_block = 32},
                    .adamw = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
                    .schedule = {.rate = 1e-3, .warmup = 2, .steps = 100},
                    .clip = 1.0},
    };
    assert_true(token_layout_parse(&options.learner.shape.layout, "R,s,a,r,d", &failure));
    return options;
}

/* Bytes that are in use after a step, those of libraries included. */
static size_t bytes_after(struct learner *learner, uint64_t number)
{
    learner_step(learner, number);
    return mallinfo2().uordblks;
}

/* Open MPI and HDF5 take and give back; what they hold must not grow. */
static void test_steps_take_no_memory(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct bench_options options = options_of();
    struct learner_fixture fixture;
    struct learner *learner = memory_take(1, sizeof *learner);
    learner_fixture_open(&fixture, &options, &failure);
    assert_int_equal(failure.code, EXIT_CODE_DONE);
    learner_open(learner, &fixture.options, fixture.loader, fixture.ring, fixture.workers);
    size_t bytes = 0;
    for (uint64_t number = 1; number <= WARM_STEPS; number++) {
        bytes = bytes_after(learner, number);
    }
    atomic_store(&is_counting, true);
    for (uint64_t number = WARM_STEPS + 1; number <= WARM_STEPS + STEPS; number++) {
        assert_true(bytes_after(learner, number) <= bytes + 65536);
    }
    atomic_store(&is_counting, false);
    learner_close(learner);
    learner_fixture_close(&fixture);
    memory_free(learner);
    print_message("rank %zu, %d steps: libraries asked for memory %zu times\n", comm_rank(), STEPS,
                  atomic_load(&of_libraries));
    assert_int_equal(atomic_load(&of_ours), 0);
}

static void test_the_counters_see_what_is_taken(void **state)
{
    (void)state;
    size_t before = memory_taken();
    atomic_store(&of_ours, 0);
    atomic_store(&is_counting, true);
    memory_free(memory_take(1, 1));
    atomic_store(&is_counting, false);
    assert_int_equal(memory_taken(), before + 1);
    assert_int_equal(atomic_load(&of_ours), 1);
}

#endif

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_take_no_memory),
        cmocka_unit_test(test_the_counters_see_what_is_taken),
    };
    return support_mpi_run(argc, argv, "allocation", tests, sizeof tests / sizeof tests[0]);
}

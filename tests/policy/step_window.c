/* A window is decoded as the same last steps would be by whoever has kept all of them. */
#include "tests/support/support.h"

#include <string.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "policy/step_window.h"
#include "tests/model/problem.h"
#include "tests/support/support_mpi.h"

/* Contexts of 12, 9 and 5 steps. */
enum { SLOTS = 3, STEPS_MAX = 12, NUMBERS_MAX = 16 };

static const struct problem_options options = {
    .tokens = "R,s,a,r,d",
    .layers = 2,
    .heads = 2,
    .head_width = 8,
    .hidden = 16,
    .activation = ACTIVATION_GELU,
    .rule = PARTITION_ZIGZAG,
    .query_block = 32,
    .key_block = 64,
    .contexts = SLOTS,
    .trials = {{5, 7}, {2, 3, 4}, {5}},
};

struct fixture {
    struct ring *ring;
    struct workers *workers;
    struct problem problem;
    struct arena arena;
    struct decoder *decoder;
    struct step_window window;
    struct steps last, now;
    size_t slots[SLOTS], count; /* of the contexts that go on */
};

static void bind_all(struct fixture *fixture, size_t length)
{
    const struct model_shape *shape = &fixture->problem.shape;
    size_t observation_dim = shape->observation_dim, action_dim = shape->action_space.dim;
    const struct decoder_options decoder = {
        .context_max = SLOTS, .steps_max = STEPS_MAX, .workers = fixture->workers};
    fixture->decoder = decoder_bind(&fixture->arena, &decoder, &fixture->problem.parameters);
    step_window_bind(&fixture->window, &fixture->arena, SLOTS, length, observation_dim, action_dim);
    steps_bind(&fixture->last, &fixture->arena, SLOTS, observation_dim, action_dim);
    steps_bind(&fixture->now, &fixture->arena, SLOTS, observation_dim, action_dim);
}

static void fixture_open(struct fixture *fixture, size_t length)
{
    struct failure failure = {0};
    *fixture = (struct fixture){.ring = ring_open(1, 0), .workers = workers_open(2, &failure)};
    fatal_if_failed(&failure);
    problem_open(&fixture->problem, &options, fixture->ring);
    bind_all(fixture, length);
    arena_open(&fixture->arena, fixture->arena.peak);
    bind_all(fixture, length);
}

static void fixture_close(struct fixture *fixture)
{
    arena_close(&fixture->arena);
    problem_close(&fixture->problem);
    workers_close(fixture->workers);
    ring_close(fixture->ring);
}

static void describe_rows(struct fixture *fixture, size_t step)
{
    for (size_t i = 0; i < fixture->count; i++) {
        if (step > 0) {
            problem_describe(&fixture->last, i, &options, fixture->slots[i], step - 1);
        }
        problem_describe(&fixture->now, i, &options, fixture->slots[i], step);
    }
}

/* Steps from `first` to `end`, the first of which begins a context. */
static void decode_directly(real *predicted, struct fixture *fixture, size_t first, size_t end)
{
    decoder_begin(fixture->decoder, fixture->count);
    for (size_t step = first; step <= end; step++) {
        describe_rows(fixture, step);
        for (size_t i = 0; step == first && i < fixture->count; i++) {
            steps_clear_previous(&fixture->now, i);
        }
        decoder_predict(predicted, fixture->decoder, &fixture->last, &fixture->now);
    }
}

static void drop_ended(struct fixture *fixture, size_t step)
{
    size_t left = 0;
    for (size_t i = 0; i < fixture->count; i++) {
        if (step + 1 < problem_steps(&options, fixture->slots[i])) {
            fixture->slots[left++] = fixture->slots[i];
        }
    }
    fixture->count = left;
}

static void decode_windows(struct fixture *fixture)
{
    size_t length = fixture->window.length;
    size_t numbers = model_prediction_dim(&fixture->problem.shape);
    real found[SLOTS * NUMBERS_MAX], wanted[SLOTS * NUMBERS_MAX];
    assert_true(numbers <= NUMBERS_MAX);
    fixture->count = SLOTS;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        fixture->slots[slot] = slot;
    }
    step_window_begin(&fixture->window);
    for (size_t step = 0; fixture->count > 0; step++) {
        describe_rows(fixture, step);
        step_window_append(&fixture->window, fixture->slots, fixture->count, &fixture->last,
                           &fixture->now);
        step_window_predict(found, fixture->decoder, &fixture->window, fixture->slots,
                            fixture->count, &fixture->last, &fixture->now);
        decode_directly(wanted, fixture, step + 1 > length ? step + 1 - length : 0, step);
        assert_memory_equal(found, wanted, fixture->count * numbers * sizeof(real));
        drop_ended(fixture, step);
    }
}

static void test_windows_are_decoded_as_their_steps_are_to_the_bit(void **state)
{
    (void)state;
    const size_t lengths[] = {1, 2, 3, 5, STEPS_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct fixture fixture;
        fixture_open(&fixture, lengths[i]);
        decode_windows(&fixture);
        decode_windows(&fixture); /* whatever the first contexts have left */
        fixture_close(&fixture);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_are_decoded_as_their_steps_are_to_the_bit),
    };
    return support_mpi_run(argc, argv, "step_window", tests, sizeof tests / sizeof tests[0]);
}

#include "tests/optim/fixture.h"

#include "base/random.h"
#include "tests/support/support.h"

/* Called twice: on a measuring arena and on a real one. */
static void bind_fixture(struct fixture *fixture, const struct adamw_options *options)
{
    struct arena *arena = &fixture->arena;
    parameter_store_bind(&fixture->parameters, arena, &fixture->shape, ADAMW_SLOTS,
                         fixture->workers);
    parameter_array_bind(&fixture->gradients, arena, &fixture->parameters.layout);
    adamw_bind(&fixture->adamw, arena, options, &fixture->parameters.layout);
    executor_bind(&fixture->executor, arena, &fixture->shape, DTYPE_REAL, EXECUTOR_FORWARD,
                  fixture->workers, NULL);
}

void fixture_open(struct fixture *fixture, const struct model_shape *shape, const char *tokens,
                  const struct adamw_options *options, size_t threads)
{
    struct failure failure = {0};
    *fixture = (struct fixture){.shape = *shape};
    assert_true(token_layout_parse(&fixture->shape.layout, tokens, &failure));
    fixture->workers = threads > 0 ? workers_open(threads, &failure) : NULL;
    fatal_if_failed(&failure);
    bind_fixture(fixture, options);
    arena_open(&fixture->arena, fixture->arena.used);
    bind_fixture(fixture, options);
    parameter_store_initialise(&fixture->parameters, 3);
}

void fixture_close(struct fixture *fixture)
{
    arena_close(&fixture->arena);
    if (fixture->workers) {
        workers_close(fixture->workers);
    }
}

void fixture_draw_gradients(struct fixture *fixture, uint64_t step)
{
    struct random random = random_stream(1, RANDOM_TEST, step, 0);
    for (size_t i = 0; i < fixture->parameters.layout.entry_count; i++) {
        const struct parameter_entry *entry = &fixture->parameters.layout.entries[i];
        for (size_t j = 0; j < entry->rows * entry->columns; j++) {
            fixture->gradients.flat[entry->offset + j] = (real)random_normal(&random);
        }
    }
}

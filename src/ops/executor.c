#include "ops/executor.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/accumulate.h"

/* --- Memory ----------------------------------------------------------------------------------- */

static void workspace_bind(struct workspace *workspace, struct arena *arena,
                           const struct executor *executor, enum executor_use use)
{
    size_t narrow = ROW_CHUNK * executor->shape->width;
    size_t wide = ROW_CHUNK * executor->shape->hidden;
    size_t widest = executor->dtype == DTYPE_BF16 ? size_max(2 * narrow, wide) : 0;
    *workspace = (struct workspace){
        .stream = arena_take(arena, narrow, sizeof(real)),
        .normed = arena_take(arena, narrow, sizeof(real)),
        .branch = arena_take(arena, narrow, sizeof(real)),
        .up = arena_take(arena, wide, sizeof(real)),
        .activated = arena_take(arena, wide, sizeof(real)),
        .key_value = arena_take(arena, 2 * narrow, sizeof(real)),
        .input = arena_take(arena, widest, sizeof(uint16_t)),
        .output = arena_take(arena, widest, sizeof(uint16_t)),
    };
    if (use == EXECUTOR_TRAINING) {
        workspace->d_up = arena_take(arena, wide, sizeof(real));
        parameter_array_bind(&workspace->gradients, arena, &executor->one_layer);
    }
}

void executor_bind(struct executor *executor, struct arena *arena, const struct model_shape *shape,
                   enum dtype dtype, enum executor_use use, struct workers *workers,
                   void (*progress)(void))
{
    struct model_shape one_layer = *shape;
    one_layer.layers = 1;
    *executor =
        (struct executor){.shape = shape, .dtype = dtype, .workers = workers, .progress = progress};
    if (use == EXECUTOR_TRAINING) {
        parameter_layout_bind(&executor->one_layer, arena, &one_layer);
    }
    size_t threads = executor_threads(executor);
    executor->workspaces = arena_take(arena, threads, sizeof *executor->workspaces);
    for (size_t thread = 0; thread < threads; thread++) {
        struct workspace measured;
        workspace_bind(executor->workspaces ? &executor->workspaces[thread] : &measured, arena,
                       executor, use);
    }
}

struct tensor executor_activations(const struct executor *executor, struct arena *arena,
                                   size_t rows, size_t columns)
{
    return (struct tensor){
        .data = arena_take(arena, rows * columns, dtype_size(executor->dtype)),
        .rows = rows,
        .columns = columns,
        .dtype = executor->dtype,
    };
}

size_t executor_threads(const struct executor *executor)
{
    return executor->workers ? workers_count(executor->workers) : 1;
}

/* --- Work over threads ------------------------------------------------------------------------ */

struct work {
    struct executor *executor;
    workers_call *call;
    void *self;
};

/* Only the first thread meets MPI. */
static void do_item(void *self, size_t item, size_t thread)
{
    const struct work *work = self;
    work->call(work->self, item, thread);
    if (thread == 0 && work->executor->progress) {
        work->executor->progress();
    }
}

void executor_run(struct executor *executor, enum executor_order order, size_t items,
                  workers_call *call, void *self)
{
    struct work work = {executor, call, self};
    if (!executor->workers) {
        for (size_t item = 0; item < items; item++) {
            do_item(&work, item, 0);
        }
    } else if (order == EXECUTOR_ASCENDING) {
        workers_run_in_order(executor->workers, items, do_item, &work);
    } else {
        workers_run(executor->workers, items, do_item, &work);
    }
}

/* --- Blocks of rows --------------------------------------------------------------------------- */

/* Gradients are added up once a block: with as many tokens as twice the width that is little beside
 * computing them, and two chunks are worth waking a thread for. */
static size_t steps_of_block(const struct token_rows *rows, size_t width)
{
    size_t least = size_max(2 * ROW_CHUNK, 2 * width);
    size_t tokens = size_max(least, divide_up(rows->steps * rows->tokens_per_step, ROW_BLOCKS_MAX));
    return size_max(round_up(tokens, ROW_CHUNK) / rows->tokens_per_step,
                    divide_up(rows->steps, ROW_BLOCKS_MAX));
}

void executor_begin(struct executor *executor, struct token_rows rows,
                    const struct token_dropout *dropout)
{
    executor->rows = rows;
    executor->block_steps = steps_of_block(&rows, executor->shape->width);
    executor->block_count = divide_up(rows.steps, executor->block_steps);
    executor->dropout = dropout;
}

struct blocks {
    struct executor *executor;
    row_block_task *task;
    void *self;
};

static void do_block(void *self, size_t number, size_t thread)
{
    const struct blocks *blocks = self;
    struct executor *executor = blocks->executor;
    size_t kinds = executor->rows.tokens_per_step;
    size_t step = number * executor->block_steps;
    size_t steps = size_min(executor->rows.steps - step, executor->block_steps);
    const struct row_block block = {
        .executor = executor,
        .number = number,
        .thread = thread,
        .step = step,
        .steps = steps,
        .token = step * kinds,
        .tokens = steps * kinds,
        .workspace = &executor->workspaces[thread],
    };
    blocks->task(blocks->self, &block);
}

void executor_run_blocks(struct executor *executor, enum executor_order order, row_block_task *task,
                         void *self)
{
    struct blocks blocks = {executor, task, self};
    atomic_store(&executor->ticket, 0);
    executor_run(executor, order, executor->block_count, do_block, &blocks);
}

void executor_clear_gradients(const struct tensor *of_block)
{
    memset(of_block->data, 0, tensor_count(of_block) * dtype_size(of_block->dtype));
}

void executor_add_gradients(const struct row_block *block, const struct tensor *gradients,
                            const struct tensor *of_block)
{
    struct executor *executor = block->executor;
    if (executor->workers) {
        workers_await(executor->workers, block->thread, &executor->ticket, block->number);
    }
    accumulate(tensor_reals(gradients), tensor_reals(of_block), tensor_count(gradients));
    atomic_store(&executor->ticket, block->number + 1);
}

void executor_drop(const struct row_block *block, real *x, struct row_chunk chunk, size_t layer,
                   enum dropout_site site)
{
    const struct executor *executor = block->executor;
    token_dropout_apply(x, executor->shape->width, chunk.first, chunk.count, executor->dropout,
                        layer, site);
}

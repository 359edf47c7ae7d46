#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_block.h"
#include "math/attention_kernel.h"

static const size_t reals_per_line = 64 / sizeof(real);

/* Take `count` reals from the memory, from a whole cache line on; NULL only counts them. */
static real *take(real *memory, size_t *taken, size_t count)
{
    real *part = memory ? memory + *taken : NULL;
    *taken += round_up(count, reals_per_line);
    return part;
}

/* Returns the reals that it takes; without memory only that. */
static size_t bind(struct attention_workspace *workspace, real *memory,
                   const struct attention_options *options)
{
    const struct attention_kernel *kernel = attention_kernel_find(options->kernel);
    invariant(kernel != NULL);
    size_t lanes = kernel->lanes;
    size_t panels = divide_up(options->query_block, lanes);
    size_t row_stride = round_up(options->width, kernel->vector);
    size_t transposed = panels * row_stride * lanes;
    size_t key_rows = round_up(options->key_block, kernel->vector);
    size_t taken = 0;
    *workspace = (struct attention_workspace){.kernel = kernel,
                                              .options = *options,
                                              .lanes = lanes,
                                              .row_stride = row_stride,
                                              .panels = panels};
    workspace->query = take(memory, &taken, transposed);
    workspace->output = take(memory, &taken, transposed);
    workspace->d_output = take(memory, &taken, transposed);
    workspace->d_query = take(memory, &taken, transposed);
    workspace->maximum = take(memory, &taken, panels * lanes);
    workspace->sum = take(memory, &taken, panels * lanes);
    workspace->logsumexp = take(memory, &taken, panels * lanes);
    workspace->delta = take(memory, &taken, panels * lanes);
    workspace->query_rows = take(memory, &taken, options->query_block * row_stride);
    workspace->d_output_rows = take(memory, &taken, options->query_block * row_stride);
    workspace->scores = take(memory, &taken, key_rows * lanes);
    workspace->score_gradients = take(memory, &taken, key_rows * lanes);
    workspace->correction = take(memory, &taken, lanes);
    workspace->d_key = take(memory, &taken, options->key_block * row_stride);
    workspace->d_value = take(memory, &taken, options->key_block * row_stride);
    workspace->key_panels = take(memory, &taken, key_rows * row_stride);
    workspace->value_panels = take(memory, &taken, key_rows * row_stride);
    workspace->column_panels = take(memory, &taken, key_rows * row_stride);
    return taken;
}

size_t attention_workspace_size(const struct attention_options *options)
{
    struct attention_workspace workspace;
    return bind(&workspace, NULL, options);
}

void attention_workspace_bind(struct attention_workspace *workspace, real *memory,
                              const struct attention_options *options)
{
    (void)bind(workspace, memory, options);
}

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_block.h"
#include "math/attention_kernel.h"

static const size_t reals_per_line = 64 / sizeof(real);

/* Take `count` reals from the memory, from a whole cache line on; NULL only counts them. */
static real *workspace_take(real *memory, size_t *taken, size_t count)
{
    real *part = memory ? memory + *taken : NULL;
    *taken += round_up(count, reals_per_line);
    return part;
}

/* Returns the reals that it takes; without memory only that. */
static size_t workspace_bind_reals(struct attention_workspace *workspace, real *memory,
                                   const struct attention_options *options, size_t width)
{
    const struct attention_kernel *kernel = attention_kernel_find(options->kernel);
    invariant(kernel != NULL);
    size_t lanes = kernel->lanes;
    size_t panels = divide_up(options->query_block, lanes);
    size_t row_stride = round_up(width, kernel->vector);
    size_t transposed = panels * row_stride * lanes;
    size_t key_rows = round_up(options->key_block, kernel->vector);
    size_t taken = 0;
    *workspace = (struct attention_workspace){.kernel = kernel,
                                              .options = *options,
                                              .width = width,
                                              .lanes = lanes,
                                              .row_stride = row_stride,
                                              .panels = panels};
    workspace->query = workspace_take(memory, &taken, transposed);
    workspace->output = workspace_take(memory, &taken, transposed);
    workspace->d_output = workspace_take(memory, &taken, transposed);
    workspace->d_query = workspace_take(memory, &taken, transposed);
    workspace->maximum = workspace_take(memory, &taken, panels * lanes);
    workspace->sum = workspace_take(memory, &taken, panels * lanes);
    workspace->logsumexp = workspace_take(memory, &taken, panels * lanes);
    workspace->delta = workspace_take(memory, &taken, panels * lanes);
    workspace->query_rows = workspace_take(memory, &taken, options->query_block * row_stride);
    workspace->d_output_rows = workspace_take(memory, &taken, options->query_block * row_stride);
    workspace->scores = workspace_take(memory, &taken, key_rows * lanes);
    workspace->score_gradients = workspace_take(memory, &taken, key_rows * lanes);
    workspace->d_key = workspace_take(memory, &taken, options->key_block * row_stride);
    workspace->d_value = workspace_take(memory, &taken, options->key_block * row_stride);
    workspace->key_panels = workspace_take(memory, &taken, key_rows * row_stride);
    workspace->value_panels = workspace_take(memory, &taken, key_rows * row_stride);
    workspace->column_panels = workspace_take(memory, &taken, key_rows * row_stride);
    return taken;
}

size_t attention_workspace_size(const struct attention_options *options, size_t width)
{
    struct attention_workspace workspace;
    return workspace_bind_reals(&workspace, NULL, options, width);
}

void attention_workspace_bind(struct attention_workspace *workspace, real *memory,
                              const struct attention_options *options, size_t width)
{
    (void)workspace_bind_reals(workspace, memory, options, width);
}

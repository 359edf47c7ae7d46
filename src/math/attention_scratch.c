#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention.h"
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
static size_t bind(struct attention_scratch *scratch, real *memory,
                   const struct attention_options *options)
{
    const struct attention_kernel *kernel = attention_kernel_find(options->kernel);
    invariant(kernel != NULL);
    size_t lanes = kernel->lanes;
    size_t groups = divide_up(options->query_block, lanes);
    size_t row_stride = round_up(options->width, kernel->vector);
    size_t transposed = groups * row_stride * lanes;
    size_t key_rows = round_up(options->key_block, kernel->vector);
    size_t taken = 0;
    *scratch = (struct attention_scratch){.kernel = kernel,
                                          .options = *options,
                                          .lanes = lanes,
                                          .row_stride = row_stride,
                                          .groups = groups};
    scratch->query = take(memory, &taken, transposed);
    scratch->output = take(memory, &taken, transposed);
    scratch->d_output = take(memory, &taken, transposed);
    scratch->d_query = take(memory, &taken, transposed);
    scratch->maximum = take(memory, &taken, groups * lanes);
    scratch->sum = take(memory, &taken, groups * lanes);
    scratch->log_sum = take(memory, &taken, groups * lanes);
    scratch->delta = take(memory, &taken, groups * lanes);
    scratch->query_rows = take(memory, &taken, options->query_block * row_stride);
    scratch->d_output_rows = take(memory, &taken, options->query_block * row_stride);
    scratch->scores = take(memory, &taken, key_rows * lanes);
    scratch->score_gradients = take(memory, &taken, key_rows * lanes);
    scratch->correction = take(memory, &taken, lanes);
    scratch->d_key = take(memory, &taken, options->key_block * row_stride);
    scratch->d_value = take(memory, &taken, options->key_block * row_stride);
    scratch->key_panels = take(memory, &taken, key_rows * row_stride);
    scratch->value_panels = take(memory, &taken, key_rows * row_stride);
    scratch->column_panels = take(memory, &taken, key_rows * row_stride);
    return taken;
}

size_t attention_scratch_size(const struct attention_options *options)
{
    struct attention_scratch scratch;
    return bind(&scratch, NULL, options);
}

void attention_scratch_bind(struct attention_scratch *scratch, real *memory,
                            const struct attention_options *options)
{
    (void)bind(scratch, memory, options);
}

/* From rows of tokens into panels of queries side by side, which kernels compute, and back. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_block.h"
#include "math/attention_kernel.h"
#include "math/attention_panels.h"
#include "math/exponential.h"
#include "math/panel.h"
#include "math/vector.h"

static const double log2_e = 1.4426950408889634074;
static const real unseen_logsumexp = (real)1e30;

static real inverse_root(size_t width)
{
    return (real)(1.0 / sqrt((double)width));
}

/* Where a panel lies in what is transposed. */
static size_t panel_offset(const struct attention_workspace *workspace, size_t panel)
{
    return panel * workspace->row_stride * workspace->lanes;
}

/* Where its share of attention_state lies: (width x queries of the panel). */
static size_t state_offset(const struct attention_workspace *workspace, size_t panel)
{
    return panel * workspace->width * workspace->lanes;
}

/* lanes (panels x row_stride x lanes) = scale * rows (queries x width, row stride `stride`), with
 * zeros in the lanes that are left. */
static void load_rows(real *lanes, const real *rows, size_t stride, real scale,
                      const struct attention_workspace *workspace, size_t queries)
{
    size_t width = workspace->width;
    if (queries % workspace->lanes > 0) {
        real *last = lanes + panel_offset(workspace, queries / workspace->lanes);
        memset(last, 0, width * workspace->lanes * sizeof *last);
    }
    for (size_t query = 0; query < queries; query += VECTOR_LANES) {
        size_t panel = query / workspace->lanes;
        real *columns = lanes + panel_offset(workspace, panel) + query % workspace->lanes;
        panel_pack(columns, workspace->lanes, rows + query * stride, stride,
                   size_min(queries - query, VECTOR_LANES), width);
        for (size_t column = 0; column < width; column++) {
            real *line = columns + column * workspace->lanes;
            vector_store(line, vector_all(scale) * vector_load(line));
        }
    }
}

enum rows_store { ROWS_SET, ROWS_ADD };

/* row (count) = or += the first elements of a vector. */
static void store_row(real *row, enum rows_store store, vector line, size_t count)
{
    if (store == ROWS_ADD) {
        line = line + vector_load_first(row, count);
    }
    vector_store_first(row, line, count);
}

/* One panel's queries along the lanes: (width x queries), rows `stride` reals apart. */
struct panel_lanes {
    const real *lanes;
    size_t stride;
    size_t queries, width;
};

/* rows (queries x width, row stride `stride`) = or += scale * from. */
static void store_rows(real *rows, size_t stride, enum rows_store store, real scale,
                       struct panel_lanes from)
{
    _Alignas(vector) real block[VECTOR_LANES * VECTOR_LANES];
    for (size_t query = 0; query < from.queries; query += VECTOR_LANES) {
        size_t count = size_min(from.queries - query, VECTOR_LANES);
        for (size_t column = 0; column < from.width; column += VECTOR_LANES) {
            size_t columns = size_min(from.width - column, VECTOR_LANES);
            panel_turn(block, VECTOR_LANES, from.lanes + column * from.stride + query, from.stride,
                       columns, count);
            for (size_t i = 0; i < count; i++) {
                vector line = vector_all(scale) * vector_load(block + i * VECTOR_LANES);
                store_row(rows + (query + i) * stride + column, store, line, columns);
            }
        }
    }
}

/* out (panels x lanes) = in (queries), and `rest` in the lanes that are left. */
static void load_lanes(real *out, const real *in, real rest,
                       const struct attention_workspace *workspace, size_t queries)
{
    size_t lanes = panel_count(workspace, queries) * workspace->lanes;
    memcpy(out, in, queries * sizeof *out);
    for (size_t i = queries; i < lanes; i++) {
        out[i] = rest;
    }
}

static void load_queries(struct attention_workspace *workspace,
                         const struct attention_queries *queries)
{
    invariant(queries->count <= workspace->options.query_block);
    invariant(queries->width == workspace->width);
    real scale = (real)(log2_e / sqrt((double)queries->width)); /* and into base 2 */
    load_rows(workspace->query, queries->query, queries->stride, scale, workspace, queries->count);
}

/* --- Forward ---------------------------------------------------------------------------------- */

void attention_block_init(struct attention_state *state, const struct attention_queries *queries)
{
    memset(state->output, 0, queries->width * queries->count * sizeof *state->output);
    memset(state->sum, 0, queries->count * sizeof *state->sum);
    for (size_t i = 0; i < queries->count; i++) {
        state->maximum[i] = ATTENTION_LEAST_MAXIMUM;
    }
}

/* out (rows x out_stride) = in (rows x in_stride) as far as both reach, and zeros behind. */
static void copy_lines(real *out, size_t out_stride, const real *in, size_t in_stride, size_t rows)
{
    if (out_stride == in_stride) {
        memcpy(out, in, rows * out_stride * sizeof *out);
        return;
    }
    size_t both = out_stride < in_stride ? out_stride : in_stride;
    for (size_t row = 0; row < rows; row++, out += out_stride, in += in_stride) {
        memcpy(out, in, both * sizeof *out);
        memset(out + both, 0, (out_stride - both) * sizeof *out);
    }
}

void attention_block_load(struct attention_workspace *workspace,
                          const struct attention_queries *queries,
                          const struct attention_state *state)
{
    load_queries(workspace, queries);
    load_lanes(workspace->maximum, state->maximum, ATTENTION_LEAST_MAXIMUM, workspace,
               queries->count);
    load_lanes(workspace->sum, state->sum, 0, workspace, queries->count);
    for (size_t panel = 0; panel < panel_count(workspace, queries->count); panel++) {
        copy_lines(workspace->output + panel_offset(workspace, panel), workspace->lanes,
                   state->output + state_offset(workspace, panel),
                   panel_queries(workspace, panel, queries->count), queries->width);
    }
}

void attention_block_store(struct attention_state *state,
                           const struct attention_workspace *workspace,
                           const struct attention_queries *queries)
{
    memcpy(state->maximum, workspace->maximum, queries->count * sizeof *state->maximum);
    memcpy(state->sum, workspace->sum, queries->count * sizeof *state->sum);
    for (size_t panel = 0; panel < panel_count(workspace, queries->count); panel++) {
        copy_lines(state->output + state_offset(workspace, panel),
                   panel_queries(workspace, panel, queries->count),
                   workspace->output + panel_offset(workspace, panel), workspace->lanes,
                   queries->width);
    }
}

void attention_block_finalize(real *output, size_t output_stride, real *logsumexp,
                              const struct attention_state *state,
                              const struct attention_workspace *workspace,
                              const struct attention_queries *queries)
{
    for (size_t panel = 0; panel < panel_count(workspace, queries->count); panel++) {
        size_t count = panel_queries(workspace, panel, queries->count);
        struct panel_lanes from = {state->output + state_offset(workspace, panel), count, count,
                                   queries->width};
        store_rows(output + panel * workspace->lanes * output_stride, output_stride, ROWS_SET, 1,
                   from);
    }
    for (size_t i = 0; i < queries->count; i++) {
        real sum = state->sum[i];
        real inverse = sum > 0 ? 1 / sum : 0;
        logsumexp[i] = sum > 0 ? state->maximum[i] + logarithm_base2(sum) : unseen_logsumexp;
        for (size_t column = 0; column < queries->width; column++) {
            output[i * output_stride + column] *= inverse;
        }
    }
}

/* --- Backward --------------------------------------------------------------------------------- */

/* out (queries x row_stride) = scale * in, with zeros behind each row. */
static void copy_rows(real *restrict out, const real *restrict in, size_t stride, real scale,
                      const struct attention_workspace *workspace, size_t queries)
{
    size_t width = workspace->width;
    for (size_t i = 0; i < queries; i++, out += workspace->row_stride, in += stride) {
        for (size_t column = 0; column < width; column++) {
            out[column] = scale * in[column];
        }
        for (size_t column = width; column < workspace->row_stride; column++) {
            out[column] = 0;
        }
    }
}

static real dot(const real *a, const real *b, size_t count)
{
    vector sums = vector_all(0);
    size_t i = 0;
    for (; i + VECTOR_LANES <= count; i += VECTOR_LANES) {
        sums = vector_multiply_add(vector_load(a + i), vector_load(b + i), sums);
    }
    real sum = vector_sum(sums);
    for (; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

void attention_block_load_backward(struct attention_workspace *workspace,
                                   const struct attention_queries *queries,
                                   const struct attention_result *result)
{
    size_t count = queries->count;
    size_t panels = panel_count(workspace, count);
    load_queries(workspace, queries);
    load_rows(workspace->d_output, result->d_output, result->stride, 1, workspace, count);
    copy_rows(workspace->d_output_rows, result->d_output, result->stride, 1, workspace, count);
    copy_rows(workspace->query_rows, queries->query, queries->stride, inverse_root(queries->width),
              workspace, count);
    load_lanes(workspace->logsumexp, result->logsumexp, unseen_logsumexp, workspace, count);
    memset(workspace->delta, 0, panels * workspace->lanes * sizeof *workspace->delta);
    for (size_t i = 0; i < count; i++) {
        workspace->delta[i] = dot(result->d_output + i * result->stride,
                                  result->output + i * result->stride, queries->width);
    }
    memset(workspace->d_query, 0, panel_offset(workspace, panels) * sizeof *workspace->d_query);
}

void attention_block_store_backward(real *d_query, size_t d_query_stride,
                                    const struct attention_workspace *workspace,
                                    const struct attention_queries *queries)
{
    for (size_t panel = 0; panel < panel_count(workspace, queries->count); panel++) {
        struct panel_lanes from = {workspace->d_query + panel_offset(workspace, panel),
                                   workspace->lanes,
                                   panel_queries(workspace, panel, queries->count), queries->width};
        store_rows(d_query + panel * workspace->lanes * d_query_stride, d_query_stride, ROWS_ADD,
                   inverse_root(queries->width), from);
    }
}

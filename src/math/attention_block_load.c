/* From rows of tokens into panels of queries side by side, which kernels compute, and back. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_block.h"
#include "math/attention_kernel.h"
#include "math/attention_panels.h"
#include "math/exponential.h"
#include "math/linear.h"
#include "math/panel.h"
#include "math/vector.h"

static const real unseen_logsumexp = (real)1e30;

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

/* lanes (panels x row_stride x lanes) = scale * rows (queries x width), with zeros in the lanes
 * that are left. */
static void load_rows(real *lanes, struct linear_rows rows, size_t width, real scale,
                      const struct attention_workspace *workspace)
{
    size_t queries = rows.count;
    if (queries % workspace->lanes > 0) {
        real *last = lanes + panel_offset(workspace, queries / workspace->lanes);
        memset(last, 0, width * workspace->lanes * sizeof *last);
    }
    for (size_t query = 0; query < queries; query += VECTOR_LANES) {
        size_t panel = query / workspace->lanes;
        real *columns = lanes + panel_offset(workspace, panel) + query % workspace->lanes;
        panel_pack(columns, workspace->lanes, rows.data + query * rows.stride, rows.stride,
                   size_min(queries - query, VECTOR_LANES), width);
        for (size_t column = 0; scale != 1 && column < width; column++) {
            real *line = columns + column * workspace->lanes;
            vector_store(line, vector_all(scale) * vector_load(line));
        }
    }
}

/* The same of rows of bfloat16, for a kernel that reads them: they move as half as many reals. */
static void load_pairs(real *lanes, const uint16_t *rows, size_t stride, size_t queries,
                       const struct attention_workspace *workspace)
{
    struct linear_rows pairs =
        linear_rows_of((const real *)(const void *)rows, stride / 2, queries);
    load_rows(lanes, pairs, workspace->width / 2, 1, workspace);
}

/* out (pairs of queries x row_stride) = rows of bfloat16, two of them beside each other, and zeros
 * up to whole steps of queries. */
static void pair_query_rows(real *out, const uint16_t *rows, size_t stride, size_t queries,
                            const struct attention_workspace *workspace)
{
    uint16_t *pairs = (uint16_t *)(void *)out;
    size_t padded = round_up(queries, workspace->kernel->diagonal_step);
    memset(out, 0, padded / 2 * workspace->row_stride * sizeof *out);
    for (size_t i = 0; i < queries; i++) {
        uint16_t *to = pairs + i / 2 * 2 * workspace->row_stride + i % 2;
        for (size_t column = 0; column < workspace->width; column++) {
            to[2 * column] = rows[i * stride + column];
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

/* Rows of the queries' head, of any type, as reals: until the next are converted. */
static struct linear_rows rows_as_reals(const struct attention_workspace *workspace,
                                        const void *rows, enum dtype dtype, size_t stride,
                                        size_t count)
{
    if (dtype == DTYPE_REAL) {
        return linear_rows_of(rows, stride, count);
    }
    size_t width = workspace->width;
    return linear_rows_of(
        attention_convert_rows(workspace->converted, rows, dtype, stride, count, width), width,
        count);
}

static struct linear_rows query_rows(const struct attention_workspace *workspace,
                                     const struct attention_queries *queries)
{
    return rows_as_reals(workspace, queries->query, queries->dtype, queries->stride,
                         queries->count);
}

static void check_queries(const struct attention_workspace *workspace,
                          const struct attention_queries *queries)
{
    invariant(queries->count <= workspace->options.query_block);
    invariant(queries->width == workspace->width);
}

static bool multiplies_pairs(const struct attention_workspace *workspace)
{
    return workspace->kernel->dtype == DTYPE_BF16;
}

static void load_query_reals(struct attention_workspace *workspace, struct linear_rows rows)
{
    load_rows(workspace->query, rows, workspace->width, attention_score_scale(workspace->width),
              workspace);
}

static void load_query_pairs(struct attention_workspace *workspace,
                             const struct attention_queries *queries)
{
    load_pairs(workspace->query, queries->query, queries->stride, queries->count, workspace);
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
    check_queries(workspace, queries);
    if (multiplies_pairs(workspace)) {
        load_query_pairs(workspace, queries);
    } else {
        load_query_reals(workspace, query_rows(workspace, queries));
    }
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

/* The same as reals, where output is that: else in room. */
static void finalize_rows(real *rows, size_t stride, real *logsumexp,
                          const struct attention_state *state,
                          const struct attention_workspace *workspace,
                          const struct attention_queries *queries)
{
    for (size_t panel = 0; panel < panel_count(workspace, queries->count); panel++) {
        size_t count = panel_queries(workspace, panel, queries->count);
        struct panel_lanes from = {state->output + state_offset(workspace, panel), count, count,
                                   queries->width};
        store_rows(rows + panel * workspace->lanes * stride, stride, ROWS_SET, 1, from);
    }
    for (size_t i = 0; i < queries->count; i++) {
        real sum = state->sum[i];
        real inverse = sum > 0 ? 1 / sum : 0;
        logsumexp[i] = sum > 0 ? state->maximum[i] + logarithm_base2(sum) : unseen_logsumexp;
        for (size_t column = 0; column < queries->width; column++) {
            rows[i * stride + column] *= inverse;
        }
    }
}

void attention_block_finalize(const struct attention_output *output, real *logsumexp,
                              const struct attention_state *state,
                              const struct attention_workspace *workspace,
                              const struct attention_queries *queries)
{
    if (output->dtype == DTYPE_REAL) {
        finalize_rows(output->output, output->stride, logsumexp, state, workspace, queries);
        return;
    }
    real *rows = workspace->converted;
    finalize_rows(rows, queries->width, logsumexp, state, workspace, queries);
    size_t row_bytes = output->stride * dtype_size(output->dtype);
    for (size_t i = 0; i < queries->count; i++) {
        convert_to((char *)output->output + i * row_bytes, output->dtype, rows + i * queries->width,
                   queries->width);
    }
}

/* --- Backward --------------------------------------------------------------------------------- */

/* out (queries x row_stride) = scale * rows, with zeros behind each. */
static void copy_rows(real *restrict out, struct linear_rows rows, real scale,
                      const struct attention_workspace *workspace)
{
    size_t width = workspace->width;
    const real *restrict in = rows.data;
    for (size_t i = 0; i < rows.count; i++, out += workspace->row_stride, in += rows.stride) {
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

static void load_reals_backward(struct attention_workspace *workspace,
                                const struct attention_queries *queries,
                                const struct attention_result *result)
{
    struct linear_rows d_output = linear_rows_of(result->d_output, result->stride, queries->count);
    struct linear_rows rows = query_rows(workspace, queries);
    load_query_reals(workspace, rows);
    copy_rows(workspace->query_rows, rows, attention_inverse_root(queries->width), workspace);
    load_rows(workspace->d_output, d_output, queries->width, 1, workspace);
    copy_rows(workspace->d_output_rows, d_output, 1, workspace);
}

static void load_pairs_backward(struct attention_workspace *workspace,
                                const struct attention_queries *queries,
                                const struct attention_result *result)
{
    size_t width = queries->width;
    uint16_t *d_output = (uint16_t *)(void *)workspace->converted;
    for (size_t i = 0; i < queries->count; i++) {
        convert_to_bfloat16(d_output + i * width, result->d_output + i * result->stride, width);
    }
    load_query_pairs(workspace, queries);
    load_pairs(workspace->d_output, d_output, width, queries->count, workspace);
    pair_query_rows(workspace->d_output_rows, d_output, width, queries->count, workspace);
    pair_query_rows(workspace->query_rows, queries->query, queries->stride, queries->count,
                    workspace);
}

void attention_block_load_backward(struct attention_workspace *workspace,
                                   const struct attention_queries *queries,
                                   const struct attention_result *result)
{
    size_t count = queries->count;
    size_t panels = panel_count(workspace, count);
    check_queries(workspace, queries);
    if (multiplies_pairs(workspace)) {
        load_pairs_backward(workspace, queries, result);
    } else {
        load_reals_backward(workspace, queries, result);
    }
    load_lanes(workspace->logsumexp, result->logsumexp, unseen_logsumexp, workspace, count);
    memset(workspace->delta, 0, panels * workspace->lanes * sizeof *workspace->delta);
    struct linear_rows output =
        rows_as_reals(workspace, result->output, result->dtype, result->stride, count);
    for (size_t i = 0; i < count; i++) {
        workspace->delta[i] = dot(result->d_output + i * result->stride,
                                  output.data + i * output.stride, queries->width);
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
                   attention_inverse_root(queries->width), from);
    }
}

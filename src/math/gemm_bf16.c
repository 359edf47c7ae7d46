#include "math/gemm_bf16.h"

#include <oneapi/dnnl/dnnl.h>
#include <string.h>
#include <threads.h>

#include "base/fatal.h"

/* What oneDNN is told once about a product: numbers without gaps, which are compared and hashed. */
struct shape {
    struct gemm_sizes sizes;
    size_t c_stride;
    size_t a_row, a_column, b_row, b_column;
    size_t store; /* enum gemm_store */
};

/* A product that is ready to be computed. */
struct product {
    struct shape shape;
    dnnl_primitive_t primitive; /* NULL: none is here */
    dnnl_memory_t a, b, c;
};

enum { PRODUCTS = 512 }; /* that a thread keeps; a power of two */

struct product_cache {
    dnnl_stream_t stream;
    struct product products[PRODUCTS];
};

static once_flag opened = ONCE_FLAG_INIT;
static dnnl_engine_t engine;
static bool is_supported; /* on this processor, with reals that are floats */
static thread_local struct product_cache own_cache;
static tss_t caches; /* that are in use: so each is closed when its thread ends */

static void onednn_check(dnnl_status_t status)
{
    if (status != dnnl_success) {
        fatal(EXIT_CODE_SYSTEM,
              "oneDNN: found status %d of a product of bfloat16, expected none; set precision "
              "of train, eval or bench to f32",
              (int)status);
    }
}

/* --- What threads keep ------------------------------------------------------------------------ */

static void product_release(struct product *product)
{
    if (product->primitive) {
        dnnl_primitive_destroy(product->primitive);
        dnnl_memory_destroy(product->a);
        dnnl_memory_destroy(product->b);
        dnnl_memory_destroy(product->c);
    }
    product->primitive = NULL;
}

static void cache_close(void *kept)
{
    struct product_cache *cache = kept;
    for (size_t i = 0; i < PRODUCTS; i++) {
        product_release(&cache->products[i]);
    }
    dnnl_stream_destroy(cache->stream);
}

/* --- Preparing -------------------------------------------------------------------------------- */

static void describe_matrix(dnnl_memory_desc_t *matrix, dnnl_data_type_t type, size_t rows,
                            size_t columns, size_t row, size_t column)
{
    const dnnl_dims_t extents = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    const dnnl_dims_t steps = {(dnnl_dim_t)row, (dnnl_dim_t)column};
    onednn_check(dnnl_memory_desc_init_by_strides(matrix, 2, extents, type, steps));
}

/* What oneDNN would do about a product, and its matrices a, b and c; where it can do nothing, that
 * status. */
static dnnl_status_t describe_product(dnnl_primitive_desc_t *description,
                                      dnnl_memory_desc_t matrices[3], const struct shape *shape)
{
    const struct gemm_sizes *s = &shape->sizes;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t after;
    describe_matrix(&matrices[0], dnnl_bf16, s->m, s->k, shape->a_row, shape->a_column);
    describe_matrix(&matrices[1], dnnl_bf16, s->k, s->n, shape->b_row, shape->b_column);
    describe_matrix(&matrices[2], dnnl_f32, s->m, s->n, shape->c_stride, 1);
    onednn_check(dnnl_post_ops_create(&after));
    if (shape->store == GEMM_ADD) {
        onednn_check(dnnl_post_ops_append_sum(after, 1.0F));
    }
    onednn_check(dnnl_primitive_attr_create(&attributes));
    onednn_check(dnnl_primitive_attr_set_post_ops(attributes, after));
    dnnl_status_t status =
        dnnl_matmul_desc_init(&matmul, &matrices[0], &matrices[1], NULL, &matrices[2]);
    if (status == dnnl_success) {
        status = dnnl_primitive_desc_create(description, &matmul, attributes, engine, NULL);
    }
    dnnl_primitive_attr_destroy(attributes);
    dnnl_post_ops_destroy(after);
    return status;
}

static void product_prepare(struct product *product, const struct shape *shape)
{
    dnnl_memory_desc_t matrices[3];
    dnnl_primitive_desc_t description;
    product_release(product);
    onednn_check(describe_product(&description, matrices, shape));
    onednn_check(dnnl_primitive_create(&product->primitive, description));
    onednn_check(dnnl_memory_create(&product->a, &matrices[0], engine, DNNL_MEMORY_NONE));
    onednn_check(dnnl_memory_create(&product->b, &matrices[1], engine, DNNL_MEMORY_NONE));
    onednn_check(dnnl_memory_create(&product->c, &matrices[2], engine, DNNL_MEMORY_NONE));
    product->shape = *shape;
    dnnl_primitive_desc_destroy(description);
}

static size_t slot_of(const struct shape *shape)
{
    size_t numbers[sizeof *shape / sizeof(size_t)];
    size_t hash = 0;
    memcpy(numbers, shape, sizeof numbers);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hash = (hash ^ numbers[i]) * (size_t)0x9e3779b97f4a7c15U;
    }
    return hash >> 32 & (PRODUCTS - 1);
}

/* The thread's product of a shape; one that shares its place makes room. */
static const struct product *product_of(struct product_cache *cache, const struct shape *shape)
{
    struct product *product = &cache->products[slot_of(shape)];
    if (!product->primitive || memcmp(&product->shape, shape, sizeof *shape) != 0) {
        product_prepare(product, shape);
    }
    return product;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static bool is_describable(void)
{
    enum { SMALL = 16 };
    const struct shape shape = {
        .sizes = {SMALL, SMALL, SMALL},
        .c_stride = SMALL,
        .a_row = SMALL,
        .a_column = 1,
        .b_row = SMALL,
        .b_column = 1,
        .store = GEMM_ADD,
    };
    dnnl_memory_desc_t matrices[3];
    dnnl_primitive_desc_t description;
    bool is_done = describe_product(&description, matrices, &shape) == dnnl_success;
    if (is_done) {
        dnnl_primitive_desc_destroy(description);
    }
    return is_done;
}

static void onednn_open(void)
{
    onednn_check(dnnl_engine_create(&engine, dnnl_cpu, 0));
    is_supported = sizeof(real) == sizeof(float) && is_describable();
    invariant(tss_create(&caches, cache_close) == thrd_success);
}

static struct product_cache *cache_of_thread(void)
{
    call_once(&opened, onednn_open);
    if (!own_cache.stream) {
        onednn_check(dnnl_stream_create(&own_cache.stream, engine, dnnl_stream_default_flags));
        invariant(tss_set(caches, &own_cache) == thrd_success);
    }
    return &own_cache;
}

/* --- Computing -------------------------------------------------------------------------------- */

/* oneDNN takes all matrices alike, those too that it only reads. */
static void give(dnnl_memory_t memory, const void *matrix)
{
    void *writable;
    memcpy(&writable, &matrix, sizeof writable);
    onednn_check(dnnl_memory_set_data_handle(memory, writable));
}

static void compute(real *c, const struct product *product, const uint16_t *a, const uint16_t *b,
                    dnnl_stream_t stream)
{
    const dnnl_exec_arg_t factors[] = {
        {DNNL_ARG_SRC, product->a}, {DNNL_ARG_WEIGHTS, product->b}, {DNNL_ARG_DST, product->c}};
    give(product->a, a);
    give(product->b, b);
    give(product->c, c);
    onednn_check(dnnl_primitive_execute(product->primitive, stream, 3, factors));
}

/* How many of the rows that are left go together: powers of two up to this, so that there are few
 * shapes. */
enum { ROWS_MAX = 256 };

static size_t rows_together(size_t left)
{
    size_t rows = ROWS_MAX;
    while (rows > left) {
        rows /= 2;
    }
    return rows;
}

void gemm_bf16(real *c, size_t c_stride, enum gemm_store store, struct gemm_bf16_factor a,
               struct gemm_bf16_factor b, struct gemm_sizes sizes)
{
    struct product_cache *cache = cache_of_thread();
    /* Tokens are the rows of a, or where it is transposed the steps of the sum. */
    bool is_sum = a.row == 1 && a.column != 1;
    size_t tokens = is_sum ? sizes.k : sizes.m;
    for (size_t done = 0, rows; done < tokens; done += rows) {
        rows = rows_together(tokens - done);
        const struct shape shape = {
            .sizes = is_sum ? (struct gemm_sizes){sizes.m, sizes.n, rows}
                            : (struct gemm_sizes){rows, sizes.n, sizes.k},
            .c_stride = c_stride,
            .a_row = a.row,
            .a_column = a.column,
            .b_row = b.row,
            .b_column = b.column,
            .store = is_sum && done > 0 ? GEMM_ADD : store,
        };
        compute(is_sum ? c : c + done * c_stride, product_of(cache, &shape),
                a.data + done * (is_sum ? a.column : a.row),
                is_sum ? b.data + done * b.row : b.data, cache->stream);
    }
}

bool gemm_bf16_runs(void)
{
    call_once(&opened, onednn_open);
    return is_supported;
}

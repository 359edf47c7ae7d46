#include "parameters/parameter_store.h"

#include <math.h>

#include "base/fatal.h"
#include "base/random.h"
#include "math/convert.h"

static const double small_deviation = 0.1;

void parameter_store_bind(struct parameter_store *store, struct arena *arena,
                          const struct model_shape *shape, size_t slot_count,
                          struct workers *workers)
{
    const struct parameter_layout *layout = &store->layout;
    invariant(slot_count <= PARAMETER_SLOTS_MAX);
    *store =
        (struct parameter_store){.workers = workers, .dtype = DTYPE_REAL, .slot_count = slot_count};
    parameter_layout_bind(&store->layout, arena, shape);
    parameter_array_bind(&store->master, arena, layout);
    for (size_t slot = 0; slot < slot_count; slot++) {
        store->slots[slot] = arena_take(arena, layout->count, sizeof(real));
    }
    if (workers) {
        store->outer_copies.numbers = arena_take(arena, layout->outer_transposed_max, sizeof(real));
        store->layer_copies.numbers = arena_take(arena, layout->layer_transposed_max, sizeof(real));
    }
}

/* --- Initial values --------------------------------------------------------------------------- */

static double initial_deviation(const struct parameter_entry *entry, size_t layers)
{
    switch (entry->initial) {
    case PARAMETER_INITIAL_SMALL:
        return small_deviation;
    case PARAMETER_INITIAL_FAN_IN:
        return 1.0 / sqrt((double)entry->rows);
    case PARAMETER_INITIAL_RESIDUAL:
        return 1.0 / sqrt((double)(entry->rows * 2 * layers));
    case PARAMETER_INITIAL_ZERO:
    case PARAMETER_INITIAL_ONE:
        break;
    }
    return 0.0;
}

/* Each tensor has a stream of random numbers of its own. */
void parameter_store_initialise(struct parameter_store *store, uint64_t seed)
{
    const struct parameter_layout *layout = &store->layout;
    for (size_t i = 0; i < layout->entry_count; i++) {
        const struct parameter_entry *entry = &layout->entries[i];
        real *tensor = store->master.flat + entry->offset;
        struct random random = random_stream(seed, RANDOM_INITIAL_WEIGHTS, i, 0);
        double deviation = initial_deviation(entry, layout->shape.layers);
        real constant = entry->initial == PARAMETER_INITIAL_ONE ? 1 : 0;
        for (size_t j = 0; j < entry->rows * entry->columns; j++) {
            tensor[j] = deviation > 0.0 ? (real)(deviation * random_normal(&random)) : constant;
        }
    }
}

void parameter_store_multiply_in(struct parameter_store *store, enum dtype dtype)
{
    store->dtype = dtype;
}

/* --- Copies ----------------------------------------------------------------------------------- */

enum { MATRICES_MAX = 8 }; /* of a layer, that have a copy */

struct copying {
    struct tensor *matrix[MATRICES_MAX];
    void *to[MATRICES_MAX];
    enum dtype dtype;
};

static void copy_matrix(void *self, size_t item, size_t thread)
{
    (void)thread;
    const struct copying *copying = self;
    struct tensor *matrix = copying->matrix[item];
    if (copying->dtype == DTYPE_BF16) {
        convert_to_bfloat16(copying->to[item], tensor_reals(matrix), tensor_count(matrix));
        matrix->rounded = copying->to[item];
    } else {
        linear_transpose(copying->to[item], matrix);
        matrix->transposed = copying->to[item];
    }
}

static struct parameter_copies *copies_of(struct parameter_store *store, size_t layer)
{
    return layer == PARAMETER_OUTER ? &store->outer_copies : &store->layer_copies;
}

/* Copy the matrices of a layer that ask for it, one after the other. */
static void make_copies(struct parameter_store *store, size_t layer, enum dtype dtype)
{
    struct parameter_copies *copies = copies_of(store, layer);
    struct copying copying = {.dtype = dtype};
    size_t entry_count;
    const struct parameter_entry *entries =
        parameter_layout_entries(&store->layout, layer, &entry_count);
    char *next = copies->numbers;
    size_t count = 0;
    invariant(store->workers != NULL && !copies->are_made);
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].copy == PARAMETER_COPY_TRANSPOSED) {
            invariant(count < MATRICES_MAX);
            copying.matrix[count] = parameter_array_tensor(&store->master, &entries[i]);
            copying.to[count] = next;
            next += tensor_count(copying.matrix[count++]) * dtype_size(dtype);
        }
    }
    workers_run(store->workers, count, copy_matrix, &copying);
    copies->are_made = true;
}

/* Nobody finds the copies any more. Where there are none nothing is written: other threads read. */
static void forget_copies(struct parameter_store *store, size_t layer)
{
    struct parameter_copies *copies = copies_of(store, layer);
    if (copies->are_made) {
        size_t count;
        const struct parameter_entry *entries =
            parameter_layout_entries(&store->layout, layer, &count);
        for (size_t i = 0; i < count; i++) {
            struct tensor *tensor = parameter_array_tensor(&store->master, &entries[i]);
            tensor->transposed = tensor->rounded = NULL;
        }
        copies->are_made = false;
    }
}

/* --- Acquire and release ---------------------------------------------------------------------- */

const struct layer_weights *parameter_store_acquire(struct parameter_store *store, size_t layer,
                                                    enum parameter_use use)
{
    bool is_rounded = use == PARAMETER_FORWARD && store->dtype == DTYPE_BF16;
    if (use == PARAMETER_BACKWARD || is_rounded) {
        make_copies(store, layer, store->dtype);
    }
    return &store->master.views.layers[layer];
}

void parameter_store_release(struct parameter_store *store, size_t layer)
{
    forget_copies(store, layer);
}

const struct outer_weights *parameter_store_acquire_outer(struct parameter_store *store,
                                                          enum parameter_use use)
{
    if (use == PARAMETER_BACKWARD) {
        make_copies(store, PARAMETER_OUTER, DTYPE_REAL);
    }
    return &store->master.views.outer;
}

void parameter_store_release_outer(struct parameter_store *store)
{
    forget_copies(store, PARAMETER_OUTER);
}

#include "parameters/parameter_store.h"

#include "base/fatal.h"

void parameter_store_bind(struct parameter_store *store, struct arena *arena,
                          const struct model_shape *shape, size_t slot_count,
                          struct workers *workers)
{
    const struct parameter_layout *layout = &store->layout;
    invariant(slot_count <= PARAMETER_SLOTS_MAX);
    *store = (struct parameter_store){
        .workers = workers, .slot_count = slot_count, .copied_layer = PARAMETER_OUTER};
    parameter_layout_bind(&store->layout, arena, shape);
    parameter_array_bind(&store->master, arena, layout);
    for (size_t slot = 0; slot < slot_count; slot++) {
        store->slots[slot] = arena_take(arena, layout->count, sizeof(real));
    }
    if (workers) {
        store->outer_transposed = arena_take(arena, layout->outer_transposed_max, sizeof(real));
        store->layer_transposed = arena_take(arena, layout->layer_transposed_max, sizeof(real));
    }
}

void parameter_store_initialise(struct parameter_store *store, uint64_t seed)
{
    parameter_layout_initialise(store->master.flat, &store->layout, seed);
}

/* --- Transposed copies ------------------------------------------------------------------------ */

enum { MATRICES_MAX = 8 }; /* of a layer, that have a copy */

struct transposition {
    const struct tensor *from[MATRICES_MAX];
    real *to[MATRICES_MAX];
};

static void transpose_matrix(void *self, size_t item, size_t thread)
{
    (void)thread;
    const struct transposition *transposition = self;
    linear_transpose(transposition->to[item], transposition->from[item]);
}

/* Transpose the matrices of a layer that ask for it, one after the other into `copies`. */
static void transpose_layer(struct parameter_store *store, size_t layer, size_t entry_count,
                            real *copies)
{
    struct transposition transposition;
    const struct parameter_entry *entries = parameter_layout_entries(&store->layout, layer);
    size_t count = 0;
    invariant(store->workers != NULL);
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].copy == PARAMETER_COPY_TRANSPOSED) {
            struct tensor *matrix = parameter_array_tensor(&store->master, &entries[i]);
            invariant(count < MATRICES_MAX);
            transposition.from[count] = matrix;
            transposition.to[count++] = copies;
            matrix->transposed = copies;
            copies += tensor_count(matrix);
        }
    }
    workers_run(store->workers, count, transpose_matrix, &transposition);
}

/* Nobody finds the copies any more. */
static void forget_copies(struct parameter_store *store, size_t layer, size_t entry_count)
{
    const struct parameter_entry *entries = parameter_layout_entries(&store->layout, layer);
    for (size_t i = 0; i < entry_count; i++) {
        parameter_array_tensor(&store->master, &entries[i])->transposed = NULL;
    }
}

/* --- Acquire and release ---------------------------------------------------------------------- */

const struct layer_weights *parameter_store_acquire(struct parameter_store *store, size_t layer,
                                                    enum parameter_use use)
{
    if (use == PARAMETER_BACKWARD) {
        transpose_layer(store, layer, store->layout.layer_entries, store->layer_transposed);
        store->copied_layer = layer;
    }
    return &store->master.views.layers[layer];
}

void parameter_store_release(struct parameter_store *store, size_t layer)
{
    if (store->copied_layer == layer) {
        forget_copies(store, layer, store->layout.layer_entries);
        store->copied_layer = PARAMETER_OUTER;
    }
}

const struct outer_weights *parameter_store_acquire_outer(struct parameter_store *store,
                                                          enum parameter_use use)
{
    if (use == PARAMETER_BACKWARD) {
        transpose_layer(store, PARAMETER_OUTER, store->layout.outer_entries,
                        store->outer_transposed);
        store->has_outer_copies = true;
    }
    return &store->master.views.outer;
}

void parameter_store_release_outer(struct parameter_store *store)
{
    if (store->has_outer_copies) {
        forget_copies(store, PARAMETER_OUTER, store->layout.outer_entries);
        store->has_outer_copies = false;
    }
}

#include "parameters/parameter_store.h"

#include <math.h>

#include "base/fatal.h"
#include "base/random.h"

static const double small_deviation = 0.1;

void parameter_store_bind(struct parameter_store *store, struct arena *arena,
                          const struct model_shape *shape, size_t slot_count,
                          struct workers *workers)
{
    const struct parameter_layout *layout = &store->layout;
    invariant(slot_count <= PARAMETER_SLOTS_MAX);
    *store = (struct parameter_store){.workers = workers, .slot_count = slot_count};
    parameter_layout_bind(&store->layout, arena, shape);
    parameter_array_bind(&store->master, arena, layout);
    for (size_t slot = 0; slot < slot_count; slot++) {
        store->slots[slot] = arena_take(arena, layout->count, sizeof(real));
    }
    if (workers) {
        store->outer_copies.reals = arena_take(arena, layout->outer_transposed_max, sizeof(real));
        store->layer_copies.reals = arena_take(arena, layout->layer_transposed_max, sizeof(real));
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

static struct parameter_copies *copies_of(struct parameter_store *store, size_t layer)
{
    return layer == PARAMETER_OUTER ? &store->outer_copies : &store->layer_copies;
}

/* Transpose the matrices of a layer that ask for it, one after the other. */
static void make_copies(struct parameter_store *store, size_t layer)
{
    struct parameter_copies *copies = copies_of(store, layer);
    struct transposition transposition;
    size_t entry_count;
    const struct parameter_entry *entries =
        parameter_layout_entries(&store->layout, layer, &entry_count);
    real *next = copies->reals;
    size_t count = 0;
    invariant(store->workers != NULL && !copies->are_made);
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].copy == PARAMETER_COPY_TRANSPOSED) {
            struct tensor *matrix = parameter_array_tensor(&store->master, &entries[i]);
            invariant(count < MATRICES_MAX);
            transposition.from[count] = matrix;
            transposition.to[count++] = next;
            matrix->transposed = next;
            next += tensor_count(matrix);
        }
    }
    workers_run(store->workers, count, transpose_matrix, &transposition);
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
            parameter_array_tensor(&store->master, &entries[i])->transposed = NULL;
        }
        copies->are_made = false;
    }
}

/* --- Acquire and release ---------------------------------------------------------------------- */

const struct layer_weights *parameter_store_acquire(struct parameter_store *store, size_t layer,
                                                    enum parameter_use use)
{
    if (use == PARAMETER_BACKWARD) {
        make_copies(store, layer);
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
        make_copies(store, PARAMETER_OUTER);
    }
    return &store->master.views.outer;
}

void parameter_store_release_outer(struct parameter_store *store)
{
    forget_copies(store, PARAMETER_OUTER);
}

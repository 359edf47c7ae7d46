#include "model/parameters.h"

#include <math.h>
#include <stdio.h>

#include "base/arithmetic.h"
#include "base/random.h"

static const double small_deviation = 0.1;

/* Called for each tensor in turn; field is where its pointer is kept. */
typedef void visitor(void *context, const struct parameter_entry *entry, real **field);

#define KIND_ROWS(kind, rows) (token_layout_has(&s->layout, kind) ? (rows) : 0)

static struct parameter_entry describe(size_t rows, size_t columns, enum parameter_initial initial,
                                       enum parameter_decay decay)
{
    return (struct parameter_entry){
        .rows = rows, .columns = columns, .initial = initial, .decay = decay};
}

static void visit_layer(const struct model_shape *s, struct parameters *parameters, size_t layer,
                        visitor *visit, void *context)
{
    struct parameter_entry entry;
#define PARAMETER(field, text, row_count, column_count, initial, decay)
#define LAYER_PARAMETER(field, text, row_count, column_count, initial, decay)                      \
    entry =                                                                                        \
        describe(row_count, column_count, PARAMETER_INITIAL_##initial, PARAMETER_DECAY_##decay);   \
    snprintf(entry.name, sizeof entry.name, "layers.%zu." text, layer);                            \
    visit(context, &entry, &parameters->layers[layer].field);
#include "model/parameters.def"
#undef PARAMETER
#undef LAYER_PARAMETER
}

static void visit_once(const struct model_shape *s, struct parameters *parameters, visitor *visit,
                       void *context)
{
    struct parameter_entry entry;
#define PARAMETER(field, text, row_count, column_count, initial, decay)                            \
    entry =                                                                                        \
        describe(row_count, column_count, PARAMETER_INITIAL_##initial, PARAMETER_DECAY_##decay);   \
    snprintf(entry.name, sizeof entry.name, text);                                                 \
    if (entry.rows > 0) {                                                                          \
        visit(context, &entry, &parameters->field);                                                \
    }
#define LAYER_PARAMETER(field, text, row_count, column_count, initial, decay)
#include "model/parameters.def"
#undef PARAMETER
#undef LAYER_PARAMETER
}

static void visit_all(const struct model_shape *shape, struct parameters *parameters,
                      visitor *visit, void *context)
{
    visit_once(shape, parameters, visit, context);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        visit_layer(shape, parameters, layer, visit, context);
    }
}

/* Where the next tensor begins: whole cache lines. */
static size_t padded(size_t count)
{
    return round_up(count, 64 / sizeof(real));
}

struct listing {
    struct parameter_entry *entries; /* NULL: count only */
    size_t count;
    size_t offset;
    size_t learned;
};

static void list_entry(void *context, const struct parameter_entry *entry, real **field)
{
    (void)field;
    struct listing *listing = context;
    if (listing->entries) {
        listing->entries[listing->count] = *entry;
        listing->entries[listing->count].offset = listing->offset;
    }
    listing->count++;
    listing->offset += padded(entry->rows * entry->columns);
    listing->learned += entry->rows * entry->columns;
}

static struct listing list_all(struct parameter_entry *entries, const struct model_shape *shape)
{
    struct parameters unbound;
    struct listing listing = {.entries = entries};
    visit_all(shape, &unbound, list_entry, &listing);
    return listing;
}

size_t parameters_entries(struct parameter_entry *entries, const struct model_shape *shape)
{
    return list_all(entries, shape).count;
}

size_t parameters_learned(const struct model_shape *shape)
{
    return list_all(NULL, shape).learned;
}

static void bind_field(void *context, const struct parameter_entry *entry, real **field)
{
    real **next = context;
    *field = *next;
    *next += padded(entry->rows * entry->columns);
}

void parameters_bind(struct parameters *parameters, struct arena *arena,
                     const struct model_shape *shape)
{
    struct model_shape without_layers = *shape;
    without_layers.layers = 0;
    *parameters = (struct parameters){
        .count = list_all(NULL, shape).offset,
        .layers_begin = list_all(NULL, &without_layers).offset,
    };
    parameters->layer_count = (parameters->count - parameters->layers_begin) / shape->layers;
    parameters->flat = arena_take(arena, parameters->count, sizeof(real));
    if (parameters->flat) {
        real *next = parameters->flat;
        visit_all(shape, parameters, bind_field, &next);
    }
}

struct parameter_stretch parameters_outside(const struct parameters *parameters)
{
    return (struct parameter_stretch){parameters->flat, parameters->layers_begin};
}

struct parameter_stretch parameters_of_layer(const struct parameters *parameters, size_t layer)
{
    return (struct parameter_stretch){
        .flat = parameters->flat + parameters->layers_begin + layer * parameters->layer_count,
        .count = parameters->layer_count,
    };
}

struct initialisation {
    uint64_t seed;
    size_t layers;
    size_t index; /* of the tensor: each has its own stream */
};

static double deviation_of(const struct parameter_entry *entry, size_t layers)
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

static void initialise_tensor(void *context, const struct parameter_entry *entry, real **field)
{
    struct initialisation *how = context;
    struct random random = random_stream(how->seed, RANDOM_INITIAL_WEIGHTS, how->index++, 0);
    double deviation = deviation_of(entry, how->layers);
    real constant = entry->initial == PARAMETER_INITIAL_ONE ? 1 : 0;
    for (size_t i = 0; i < entry->rows * entry->columns; i++) {
        (*field)[i] = deviation > 0.0 ? (real)(deviation * random_normal(&random)) : constant;
    }
}

void parameters_initialise(struct parameters *parameters, const struct model_shape *shape,
                           uint64_t seed)
{
    struct initialisation how = {.seed = seed, .layers = shape->layers};
    visit_all(shape, parameters, initialise_tensor, &how);
}

#include "optim/adamw.h"

#include <math.h>

#include "base/arithmetic.h"

/* Reals that a thread takes at once. */
enum { PIECE = 32768 };

static size_t piece_count(size_t count)
{
    return divide_up(count, PIECE);
}

static size_t piece_length(size_t piece, size_t count)
{
    return size_min(count - piece * PIECE, PIECE);
}

void adamw_bind(struct adamw *adamw, struct arena *arena, const struct adamw_options *options,
                const struct model_shape *shape)
{
    struct parameters moments;
    *adamw = (struct adamw){
        .options = *options,
        .entry_count = parameters_entries(NULL, shape),
    };
    adamw->entries = arena_take(arena, adamw->entry_count, sizeof *adamw->entries);
    parameters_bind(&moments, arena, shape);
    adamw->first = moments.flat;
    parameters_bind(&moments, arena, shape);
    adamw->second = moments.flat;
    adamw->squares = arena_take(arena, piece_count(moments.count), sizeof *adamw->squares);
    if (adamw->entries) {
        parameters_entries(adamw->entries, shape);
    }
}

/* What is the same for all elements of one step. */
struct update {
    /* The tensor at hand: */
    real *weight, *first, *second;
    const real *gradient;
    size_t count;
    real keep; /* 1 - rate * weight decay */
    /* Of all: */
    real beta1, beta2;
    real scale;        /* of the gradient */
    real rate;         /* over the first moment's bias correction */
    real second_scale; /* 1 over the square root of the second moment's bias correction */
    real epsilon;
};

static void update_elements(real *restrict weight, real *restrict first, real *restrict second,
                            const real *restrict gradient, size_t count, struct update u)
{
    for (size_t i = 0; i < count; i++) {
        real g = u.scale * gradient[i];
        first[i] = u.beta1 * first[i] + (1 - u.beta1) * g;
        second[i] = u.beta2 * second[i] + (1 - u.beta2) * g * g;
        real deviation = (real)sqrt((double)second[i]) * u.second_scale + u.epsilon;
        weight[i] = u.keep * weight[i] - u.rate * first[i] / deviation;
    }
}

static void update_piece(void *self, size_t piece, size_t thread)
{
    (void)thread;
    const struct update *update = self;
    size_t begin = piece * PIECE;
    update_elements(update->weight + begin, update->first + begin, update->second + begin,
                    update->gradient + begin, piece_length(piece, update->count), *update);
}

void adamw_step(struct parameters *parameters, struct adamw *adamw,
                const struct parameters *gradients, double scale, double rate, uint64_t step,
                struct workers *workers)
{
    const struct adamw_options *options = &adamw->options;
    double first_correction = 1.0 - pow(options->beta1, (double)step);
    double second_correction = 1.0 - pow(options->beta2, (double)step);
    struct update update = {
        .beta1 = (real)options->beta1,
        .beta2 = (real)options->beta2,
        .scale = (real)scale,
        .rate = (real)(rate / first_correction),
        .second_scale = (real)(1.0 / sqrt(second_correction)),
        .epsilon = (real)options->epsilon,
    };
    for (size_t i = 0; i < adamw->entry_count; i++) {
        const struct parameter_entry *entry = &adamw->entries[i];
        double decay = entry->decay == PARAMETER_DECAY_YES ? options->weight_decay : 0.0;
        update.keep = (real)(1.0 - rate * decay);
        update.weight = parameters->flat + entry->offset;
        update.first = adamw->first + entry->offset;
        update.second = adamw->second + entry->offset;
        update.gradient = gradients->flat + entry->offset;
        update.count = entry->rows * entry->columns;
        workers_run(workers, piece_count(update.count), update_piece, &update);
    }
}

struct squares {
    const struct parameters *gradients;
    double *sums; /* of each piece */
};

/* In lanes, so that it vectorises: parameters are whole cache lines. */
static void add_squares(void *self, size_t piece, size_t thread)
{
    enum { LANES = 64 / sizeof(real) };
    (void)thread;
    const struct squares *squares = self;
    const real *gradient = squares->gradients->flat + piece * PIECE;
    size_t count = piece_length(piece, squares->gradients->count);
    double lanes[LANES] = {0.0};
    for (size_t i = 0; i < count; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes[lane] += (double)gradient[i + lane] * (double)gradient[i + lane];
        }
    }
    double sum = 0.0;
    for (size_t lane = 0; lane < LANES; lane++) {
        sum += lanes[lane];
    }
    squares->sums[piece] = sum;
}

double adamw_gradient_norm(const struct adamw *adamw, const struct parameters *gradients,
                           struct workers *workers)
{
    struct squares squares = {gradients, adamw->squares};
    size_t pieces = piece_count(gradients->count);
    workers_run(workers, pieces, add_squares, &squares);
    double sum = 0.0;
    for (size_t piece = 0; piece < pieces; piece++) {
        sum += squares.sums[piece];
    }
    return sqrt(sum);
}

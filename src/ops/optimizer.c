#include "ops/optimizer.h"

#include <math.h>

#include "base/fatal.h"
#include "base/pieces.h"

struct adamw_update {
    real *weight, *first, *second;
    const real *gradient;
    size_t count;
    struct adamw_step step;
};

/* 1 - beta is taken in double, because a float beta near 1 has lost it; and a weight is rounded
 * once, after its update and its decay: a decay below the weight's last bit is then kept in the
 * mean. */
static void adamw_update_elements(real *restrict weight, real *restrict first,
                                  real *restrict second, const real *restrict gradient,
                                  size_t count, struct adamw_step s)
{
    for (size_t i = 0; i < count; i++) {
        real g = s.scale * gradient[i];
        first[i] += s.first_gain * (g - first[i]);
        second[i] += s.second_gain * (g * g - second[i]);
        real deviation = (real)sqrt((double)second[i]) * s.second_scale + s.epsilon;
        double w = (double)weight[i];
        weight[i] = (real)(w - (s.decay * w + (double)(s.rate * first[i] / deviation)));
    }
}

static void adamw_update_piece(void *self, size_t number, size_t thread)
{
    (void)thread;
    const struct adamw_update *update = self;
    struct piece piece = piece_at(update->count, number);
    adamw_update_elements(update->weight + piece.first, update->first + piece.first,
                          update->second + piece.first, update->gradient + piece.first, piece.count,
                          update->step);
}

void optimizer_adamw(struct executor *executor, real *weight, real *moments[2],
                     const real *gradient, size_t count, const struct adamw_step *step)
{
    struct adamw_update update = {.weight = weight,
                                  .first = moments[0],
                                  .second = moments[1],
                                  .gradient = gradient,
                                  .count = count,
                                  .step = *step};
    executor_run(executor, EXECUTOR_ANY, piece_count(count), adamw_update_piece, &update);
}

struct squares {
    const real *gradient;
    size_t count;
    double *sums;
};

/* In lanes, so that it vectorises: flat arrays are whole cache lines. */
static void add_squares(void *self, size_t number, size_t thread)
{
    enum { LANES = 64 / sizeof(real) };
    (void)thread;
    const struct squares *squares = self;
    struct piece piece = piece_at(squares->count, number);
    const real *gradient = squares->gradient + piece.first;
    double lanes[LANES] = {0.0};
    for (size_t i = 0; i < piece.count; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes[lane] += (double)gradient[i + lane] * (double)gradient[i + lane];
        }
    }
    double sum = 0.0;
    for (size_t lane = 0; lane < LANES; lane++) {
        sum += lanes[lane];
    }
    squares->sums[number] = sum;
}

double optimizer_squares(struct executor *executor, double *sums, const real *gradient,
                         size_t count)
{
    struct squares squares = {gradient, count, sums};
    invariant(count % (64 / sizeof(real)) == 0);
    executor_run(executor, EXECUTOR_ANY, piece_count(count), add_squares, &squares);
    double sum = 0.0;
    for (size_t piece = 0; piece < piece_count(count); piece++) {
        sum += sums[piece];
    }
    return sum;
}

#include "math/categorical.h"

#include <math.h>

size_t categorical_likeliest(const real *logits, size_t count)
{
    size_t likeliest = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(logits[i])) {
            return count;
        }
        likeliest = logits[i] > logits[likeliest] ? i : likeliest;
    }
    return likeliest;
}

/* Probabilities are exp(logit - largest) / sum: so no exponential overflows. NaNs stay in the sum.
 */
struct softmax {
    double largest, sum;
};

static struct softmax softmax_of(const real *logits, size_t count)
{
    struct softmax softmax = {.largest = (double)logits[0]};
    for (size_t i = 1; i < count; i++) {
        softmax.largest = fmax(softmax.largest, (double)logits[i]);
    }
    for (size_t i = 0; i < count; i++) {
        softmax.sum += exp((double)logits[i] - softmax.largest);
    }
    return softmax;
}

double categorical_loss(real *d_logits, const real *logits, const real *target, real weight,
                        size_t count)
{
    struct softmax softmax = softmax_of(logits, count);
    double loss = log(softmax.sum);
    for (size_t i = 0; i < count; i++) {
        double shifted = (double)logits[i] - softmax.largest;
        double wanted = (double)target[i];
        loss -= wanted * shifted;
        d_logits[i] = (real)((double)weight * (exp(shifted) / softmax.sum - wanted));
    }
    return (double)weight * loss;
}

size_t categorical_draw(const real *logits, size_t count, double uniform)
{
    struct softmax softmax = softmax_of(logits, count);
    if (isnan(softmax.sum)) {
        return count;
    }
    double left = uniform * softmax.sum;
    size_t drawn = 0;
    for (size_t i = 0; i < count && left >= 0.0; i++) {
        double share = exp((double)logits[i] - softmax.largest);
        drawn =
            share > 0.0 ? i : drawn; /* where rounding leaves something: the last possible one */
        left -= share;
    }
    return drawn;
}

#include "math/activation.h"

#include "math/exponential.h"

/* GELU: x sigmoid(2 c (x + a x^3)), since (1 + tanh u) / 2 = sigmoid(2 u). */
static const real gelu_cubic = (real)0.044715;
static const real gelu_scale = (real)1.5957691216057308; /* 2 sqrt(2 / pi) */
static const real log2_e = (real)1.4426950408889634;

static inline real sigmoid(real u)
{
    real bounded = u > 80 ? 80 : u < -80 ? -80 : u;
    return 1 / (1 + exponential_base2(-bounded * log2_e));
}

void activation_forward(real *y, const real *x, enum activation kind, size_t count)
{
    if (kind == ACTIVATION_RELU) {
        for (size_t i = 0; i < count; i++) {
            y[i] = x[i] > 0 ? x[i] : 0;
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] * sigmoid(gelu_scale * (x[i] + gelu_cubic * x[i] * x[i] * x[i]));
    }
}

void activation_backward(real *d_x, const real *d_y, const real *x, enum activation kind,
                         size_t count)
{
    if (kind == ACTIVATION_RELU) {
        for (size_t i = 0; i < count; i++) {
            d_x[i] = x[i] > 0 ? d_y[i] : 0;
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        real s = sigmoid(gelu_scale * (x[i] + gelu_cubic * x[i] * x[i] * x[i]));
        real inner = gelu_scale * (1 + 3 * gelu_cubic * x[i] * x[i]);
        d_x[i] = d_y[i] * (s + x[i] * s * (1 - s) * inner);
    }
}

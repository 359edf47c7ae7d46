#include "tests/support/support.h"

#include "math/activation.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { COUNT = 401 };

struct layer {
    enum activation kind;
    real *x, *y, *d_y;
};

/* x from -10 to 10; with an even number of steps 0 would be among them, where relu has its kink. */
static struct layer layer_of(enum activation kind)
{
    struct layer layer = {kind, reals_zero(COUNT), reals_zero(COUNT), reals_normal(COUNT, 1)};
    for (size_t i = 0; i < COUNT; i++) {
        layer.x[i] = (real)(-10.01 + 0.05 * (double)i);
    }
    return layer;
}

static void release(struct layer *layer)
{
    memory_free(layer->x);
    memory_free(layer->y);
    memory_free(layer->d_y);
}

static double loss(void *argument)
{
    struct layer *layer = argument;
    activation_forward(layer->y, layer->x, layer->kind, COUNT);
    return reals_dot(layer->y, layer->d_y, COUNT);
}

static void test_relu_keeps_what_is_positive(void **state)
{
    (void)state;
    const real x[] = {-2, 0, 3};
    real y[3];
    activation_forward(y, x, ACTIVATION_RELU, 3);
    assert_true(y[0] == 0 && y[1] == 0 && y[2] == 3);
}

static void test_gelu_is_its_tanh_form(void **state)
{
    (void)state;
    struct layer layer = layer_of(ACTIVATION_GELU);
    loss(&layer);
    for (size_t i = 0; i < COUNT; i++) {
        double x = (double)layer.x[i];
        double inner = sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x);
        double wanted = 0.5 * x * (1.0 + tanh(inner));
        reals_expect("gelu", &layer.y[i], &wanted, 1, rounding);
    }
    release(&layer);
}

static void test_gelu_far_out_is_identity_or_zero(void **state)
{
    (void)state;
    const real x[] = {-1000, -50, 50, 1000};
    const double wanted[] = {0.0, 0.0, 50.0, 1000.0};
    const real one[] = {1, 1, 1, 1};
    const double slope[] = {0.0, 0.0, 1.0, 1.0};
    real y[4];
    real d_x[4];
    activation_forward(y, x, ACTIVATION_GELU, 4);
    activation_backward(d_x, one, x, ACTIVATION_GELU, 4);
    reals_expect("gelu", y, wanted, 4, rounding);
    reals_expect("slope", d_x, slope, 4, rounding);
}

static void check_backward(enum activation kind)
{
    struct layer layer = layer_of(kind);
    real *d_x = reals_filled(COUNT, (real)NAN);
    activation_backward(d_x, layer.d_y, layer.x, kind, COUNT);
    support_check_gradient(loss, &layer, layer.x, d_x, COUNT,
                           &(struct support_gradient_check){.name = "x"});
    activation_backward(layer.d_y, layer.d_y, layer.x, kind, COUNT);
    assert_memory_equal(layer.d_y, d_x, COUNT * sizeof *d_x);
    memory_free(d_x);
    release(&layer);
}

static void test_relu_backward_equals_differences(void **state)
{
    (void)state;
    check_backward(ACTIVATION_RELU);
}

static void test_gelu_backward_equals_differences(void **state)
{
    (void)state;
    check_backward(ACTIVATION_GELU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu_keeps_what_is_positive),
        cmocka_unit_test(test_gelu_is_its_tanh_form),
        cmocka_unit_test(test_gelu_far_out_is_identity_or_zero),
        cmocka_unit_test(test_relu_backward_equals_differences),
        cmocka_unit_test(test_gelu_backward_equals_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

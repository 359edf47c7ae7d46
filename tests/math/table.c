#include "tests/support/support.h"

#include "math/table.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { ROWS = 6, WIDTH = 3, X_STRIDE = 5, ENTRIES = 4 };

/* Entry 1 is used three times, entry 2 never. */
static const uint32_t entry_of[ROWS] = {1, 0, 1, 3, 3, 1};

/* The loss is sum(d_x (x + rows of the table)); x is what was there before. */
struct embedding {
    real *table, *before, *x, *d_x;
};

static struct embedding some_embedding(void)
{
    return (struct embedding){
        reals_normal((size_t)ENTRIES * WIDTH, 1), reals_normal((size_t)ROWS * X_STRIDE, 2),
        reals_zero((size_t)ROWS * X_STRIDE), reals_normal((size_t)ROWS * X_STRIDE, 3)};
}

static void release(struct embedding *embedding)
{
    memory_free(embedding->table);
    memory_free(embedding->before);
    memory_free(embedding->x);
    memory_free(embedding->d_x);
}

static double loss(void *argument)
{
    struct embedding *embedding = argument;
    for (size_t i = 0; i < (size_t)ROWS * X_STRIDE; i++) {
        embedding->x[i] = embedding->before[i];
    }
    table_add(embedding->x, X_STRIDE, embedding->table, entry_of, ROWS, WIDTH);
    double sum = 0.0;
    for (size_t row = 0; row < ROWS; row++) {
        sum += reals_dot(embedding->x + row * X_STRIDE, embedding->d_x + row * X_STRIDE, WIDTH);
    }
    return sum;
}

static void test_rows_of_the_table_are_added_to_rows_of_x(void **state)
{
    (void)state;
    struct embedding embedding = some_embedding();
    loss(&embedding);
    for (size_t i = 0; i < (size_t)ROWS * X_STRIDE; i++) {
        size_t column = i % X_STRIDE;
        real wanted = embedding.before[i];
        if (column < WIDTH) {
            wanted += embedding.table[entry_of[i / X_STRIDE] * WIDTH + column];
        }
        assert_true(embedding.x[i] == wanted);
    }
    release(&embedding);
}

static void test_backward_equals_differences(void **state)
{
    (void)state;
    struct embedding embedding = some_embedding();
    real *d_table = reals_zero((size_t)ENTRIES * WIDTH);
    table_add_backward(d_table, embedding.d_x, X_STRIDE, entry_of, ROWS, WIDTH);
    support_check_gradient(loss, &embedding, embedding.table, d_table, (size_t)ENTRIES * WIDTH,
                           &(struct support_gradient_check){.name = "table"});
    memory_free(d_table);
    release(&embedding);
}

static void test_backward_adds(void **state)
{
    (void)state;
    struct embedding embedding = some_embedding();
    real *d_table = reals_zero((size_t)ENTRIES * WIDTH);
    real *on_top = reals_filled((size_t)ENTRIES * WIDTH, 1);
    table_add_backward(d_table, embedding.d_x, X_STRIDE, entry_of, ROWS, WIDTH);
    table_add_backward(on_top, embedding.d_x, X_STRIDE, entry_of, ROWS, WIDTH);
    for (size_t i = 0; i < (size_t)ENTRIES * WIDTH; i++) {
        double wanted = 1.0 + (double)d_table[i];
        reals_expect("d_table", &on_top[i], &wanted, 1, rounding);
    }
    memory_free(on_top);
    memory_free(d_table);
    release(&embedding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_the_table_are_added_to_rows_of_x),
        cmocka_unit_test(test_backward_equals_differences),
        cmocka_unit_test(test_backward_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

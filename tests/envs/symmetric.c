/* Symmetric systems are solved, also those that are not regular. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "envs/symmetric.h"

enum { SIZE = 6 };

/* base' base: rows of base span what the matrix does not lose. */
static void make_matrix(double *matrix, const double *base, size_t rows, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < size; j++) {
            matrix[i * size + j] = 0.0;
            for (size_t k = 0; k < rows; k++) {
                matrix[i * size + j] += base[k * size + i] * base[k * size + j];
            }
        }
    }
}

static void multiply(double *product, const double *matrix, double ridge, const double *vector,
                     size_t size)
{
    for (size_t i = 0; i < size; i++) {
        product[i] = ridge * vector[i];
        for (size_t j = 0; j < size; j++) {
            product[i] += matrix[i * size + j] * vector[j];
        }
    }
}

static void test_drawn_systems_are_solved(void **state)
{
    (void)state;
    struct random random = random_stream(1, RANDOM_TEST, 0, 0);
    for (size_t draw = 0; draw < 200; draw++) {
        size_t size = 1 + draw % SIZE;
        double base[SIZE * SIZE], matrix[SIZE * SIZE], right[SIZE], solution[SIZE], product[SIZE];
        for (size_t i = 0; i < size * size; i++) {
            base[i] = random_normal(&random);
        }
        for (size_t i = 0; i < size; i++) {
            right[i] = random_normal(&random);
        }
        make_matrix(matrix, base, size, size);
        symmetric_solve(solution, matrix, 0.03, right, size);
        multiply(product, matrix, 0.03, solution, size);
        assert_true(support_error_double(product, right, size) <= 1e-12);
    }
}

/* A matrix of rank 2: the solution has no part in what the matrix loses, and the error no other. */
static void test_singular_systems_get_the_shortest_solution(void **state)
{
    (void)state;
    const double base[2 * 3] = {3.0, 0.0, 4.0, 0.0, 2.0, 0.0}; /* both normal to (4, 0, -3) */
    const double right[3] = {1.0, 2.0, 3.0};
    const double wanted[3] = {3.0 * 15.0 / 625.0, 0.5, 4.0 * 15.0 / 625.0};
    double matrix[9], solution[3];
    make_matrix(matrix, base, 2, 3);
    symmetric_solve(solution, matrix, 0.0, right, 3);
    assert_true(support_error_double(solution, wanted, 3) <= 1e-14);
}

static void test_nothing_is_the_solution_for_no_matrix(void **state)
{
    (void)state;
    const double matrix[9] = {0.0}, nothing[3] = {0.0};
    double vector[3] = {1.0, 2.0, 3.0};
    symmetric_solve(vector, matrix, 0.0, vector, 3);
    assert_memory_equal(vector, nothing, sizeof vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_systems_are_solved),
        cmocka_unit_test(test_singular_systems_get_the_shortest_solution),
        cmocka_unit_test(test_nothing_is_the_solution_for_no_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

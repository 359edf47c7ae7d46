#include "tests/support/support.h"

#include "tests/model/dense.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"

size_t dense_width(const struct dense *dense)
{
    return dense->heads * dense->head_width;
}

static double **dense_arrays(struct dense *dense, double **arrays[8])
{
    arrays[0] = &dense->query;
    arrays[1] = &dense->key;
    arrays[2] = &dense->value;
    arrays[3] = &dense->d_output;
    arrays[4] = &dense->output;
    arrays[5] = &dense->d_query;
    arrays[6] = &dense->d_key;
    arrays[7] = &dense->d_value;
    return arrays[0];
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void softmax_row(struct dense *dense, size_t i, size_t column)
{
    size_t width = dense_width(dense);
    double scale = 1.0 / sqrt((double)dense->head_width);
    double maximum = (double)-INFINITY;
    double sum = 0.0;
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] = scale * dot(dense->query + i * width + column,
                                            dense->key + j * width + column, dense->head_width);
        maximum = fmax(maximum, dense->probability[j]);
    }
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] = exp(dense->probability[j] - maximum);
        sum += dense->probability[j];
    }
    for (size_t j = 0; j <= i; j++) {
        dense->probability[j] /= sum;
    }
}

static void dense_row(struct dense *dense, size_t i, size_t column)
{
    size_t width = dense_width(dense);
    double scale = 1.0 / sqrt((double)dense->head_width);
    size_t at = i * width + column;
    softmax_row(dense, i, column);
    for (size_t j = 0; j <= i; j++) {
        for (size_t c = 0; c < dense->head_width; c++) {
            dense->output[at + c] += dense->probability[j] * dense->value[j * width + column + c];
        }
    }
    double delta = dot(dense->d_output + at, dense->output + at, dense->head_width);
    for (size_t j = 0; j <= i; j++) {
        size_t to = j * width + column;
        double d_probability = dot(dense->d_output + at, dense->value + to, dense->head_width);
        double d_score = scale * dense->probability[j] * (d_probability - delta);
        for (size_t c = 0; c < dense->head_width; c++) {
            dense->d_query[at + c] += d_score * dense->key[to + c];
            dense->d_key[to + c] += d_score * dense->query[at + c];
            dense->d_value[to + c] += dense->probability[j] * dense->d_output[at + c];
        }
    }
}

static void compute(struct dense *dense)
{
    for (size_t i = 0; i < dense->length; i++) {
        for (size_t head = 0; head < dense->heads; head++) {
            dense_row(dense, i, head * dense->head_width);
        }
    }
}

void dense_open(struct dense *dense, size_t length, size_t heads, size_t head_width)
{
    *dense = (struct dense){.length = length, .heads = heads, .head_width = head_width};
    double **arrays[8];
    dense_arrays(dense, arrays);
    struct random random = random_stream(9, RANDOM_TEST, length, heads);
    for (size_t i = 0; i < 8; i++) {
        size_t count = length * dense_width(dense);
        *arrays[i] = memory_take(count, sizeof(double));
        for (size_t j = 0; i < 4 && j < count; j++) {
            (*arrays[i])[j] = (double)(float)random_normal(&random);
        }
    }
    dense->probability = memory_take(length, sizeof(double));
    compute(dense);
}

void dense_close(struct dense *dense)
{
    double **arrays[8];
    dense_arrays(dense, arrays);
    for (size_t i = 0; i < 8; i++) {
        memory_free(*arrays[i]);
    }
    memory_free(dense->probability);
}

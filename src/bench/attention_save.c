#include "bench/attention.h"

#include "bench/subject.h"
#include "checkpoint/safetensors.h"
#include "comm/ring.h"

/* Keys and values lie side by side; others know them apart. */
static void part(real *keys, real *values, const real *key_value, size_t rows, size_t width)
{
    for (size_t i = 0; i < rows * width; i++) {
        size_t at = i / width * 2 * width + i % width;
        keys[i] = key_value[at];
        values[i] = key_value[at + width];
    }
}

bool bench_attention_save(const char *path, const struct bench_attention_options *options,
                          struct failure *failure)
{
    struct ring *ring = ring_open(1, 0);
    struct workers *workers = bench_workers_open(options->threads);
    struct bench_subject subject;
    bench_subject_open(&subject, options, ring, workers);
    bench_subject_forward(&subject);
    bench_subject_backward(&subject);
    size_t rows = subject.rows;
    size_t width = options->width;
    real *parted = memory_take(4 * rows * width, sizeof *parted);
    real *key = parted;
    real *value = key + rows * width;
    real *d_key = value + rows * width;
    real *d_value = d_key + rows * width;
    part(key, value, subject.attention.key_value, rows, width);
    part(d_key, d_value, subject.attention.d_key_value, rows, width);
    const struct tensor tensors[] = {
        {"query", rows, width, subject.query},   {"key", rows, width, key},
        {"value", rows, width, value},           {"d_output", rows, width, subject.d_output},
        {"output", rows, width, subject.output}, {"d_query", rows, width, subject.d_query},
        {"d_key", rows, width, d_key},           {"d_value", rows, width, d_value},
    };
    bool is_saved =
        safetensors_write(NULL, path, tensors, sizeof tensors / sizeof tensors[0], failure);
    memory_free(parted);
    bench_subject_close(&subject);
    workers_close(workers);
    ring_close(ring);
    return is_saved;
}

#include "bench/step.h"

#include <stdio.h>

#include "base/memory.h"
#include "bench/step_subject.h"
#include "checkpoint/safetensors.h"
#include "comm/comm.h"
#include "model/parameters.h"

/* Tensors for a file; those with numbers of their own are freed with it. */
struct album {
    struct tensor *tensors;
    size_t count;
};

static struct tensor *add(struct album *album, const char *prefix, const char *name, size_t rows,
                          size_t columns)
{
    struct tensor *tensor = &album->tensors[album->count++];
    snprintf(tensor->name, sizeof tensor->name, "%s.%s", prefix, name);
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->data = memory_take(rows * columns, sizeof *tensor->data);
    return tensor;
}

static void add_reals(struct album *album, const char *prefix, const char *name, size_t rows,
                      size_t columns, const real *values, double scale)
{
    struct tensor *tensor = add(album, prefix, name, rows, columns);
    for (size_t i = 0; i < rows * columns; i++) {
        tensor->data[i] = (float)(scale * (double)values[i]);
    }
}

static void add_numbers(struct album *album, const char *name, size_t rows, const uint32_t *values)
{
    struct tensor *tensor = add(album, "batch", name, rows, 1);
    for (size_t i = 0; i < rows; i++) {
        tensor->data[i] = (float)values[i];
    }
}

static void add_parameters(struct album *album, const char *prefix,
                           const struct parameters *parameters, const struct model_shape *shape,
                           double scale)
{
    size_t count = parameters_entries(NULL, shape);
    struct parameter_entry *entries = memory_take(count, sizeof *entries);
    parameters_entries(entries, shape);
    for (size_t i = 0; i < count; i++) {
        add_reals(album, prefix, entries[i].name, entries[i].rows, entries[i].columns,
                  parameters->flat + entries[i].offset, scale);
    }
    memory_free(entries);
}

static void add_batch(struct album *album, const struct batch *batch)
{
    const struct steps *steps = &batch->steps;
    size_t rows = batch_shard(batch)->row_count;
    add_reals(album, "batch", "return", rows, 1, steps->return_to_go, 1.0);
    add_reals(album, "batch", "state", rows, steps->observation_dim, steps->observation, 1.0);
    add_reals(album, "batch", "action", rows, steps->action_dim, steps->action, 1.0);
    add_reals(album, "batch", "reward", rows, 1, steps->reward, 1.0);
    add_reals(album, "batch", "done", rows, 1, steps->done, 1.0);
    add_numbers(album, "time", rows, steps->time);
    add_numbers(album, "trial", rows, steps->trial);
}

/* The batch of the first step once more, which depends on seed and step alone. */
static double save_batch(struct album *album, struct step_subject *subject, struct failure *failure)
{
    struct arena arena = {0};
    struct batch batch;
    double predicted = 0.0;
    const struct mesh_position whole = {
        .split = subject->options.rule, .ring_size = 1, .group_count = 1};
    loader_batch_bind(subject->loader, &batch, &arena, whole, failure);
    arena_open(&arena, arena.peak);
    loader_batch_bind(subject->loader, &batch, &arena, whole, failure);
    if (loader_fill(subject->loader, &batch, 1, 0, failure)) {
        add_batch(album, &batch);
        predicted = batch.predicted;
    }
    batch_close(&batch);
    arena_close(&arena);
    return predicted;
}

static void save_step(struct album *album, struct step_subject *subject, double predicted)
{
    const struct model_shape *shape = &subject->options.shape;
    struct learner *learner = memory_take(1, sizeof *learner);
    learner_open(learner, &subject->options, subject->loader, subject->ring, subject->workers);
    add_parameters(album, "parameters", &learner->weights, shape, 1.0);
    struct learner_step step = learner_step(learner, 1);
    add_parameters(album, "gradients", &learner->gradients, shape, 1.0 / predicted);
    struct tensor *loss = add(album, "step", "loss", 1, 1);
    loss->data[0] = (float)step.loss;
    learner_close(learner);
    memory_free(learner);
}

bool bench_step_save(const char *path, const struct bench_step_options *options,
                     struct failure *failure)
{
    enum { OF_BATCH = 7, OF_LOSS = 1 };
    struct step_subject subject;
    step_subject_open(&subject, options, failure);
    size_t tensors = 2 * parameters_entries(NULL, &subject.options.shape) + OF_BATCH + OF_LOSS;
    struct album album = {.tensors = memory_take(tensors, sizeof *album.tensors)};
    double predicted = save_batch(&album, &subject, failure);
    if (predicted > 0.0) {
        save_step(&album, &subject, predicted);
        safetensors_write(NULL, path, album.tensors, album.count, failure);
    }
    for (size_t i = 0; i < album.count; i++) {
        memory_free(album.tensors[i].data);
    }
    memory_free(album.tensors);
    step_subject_close(&subject);
    return failure->code == EXIT_CODE_DONE;
}

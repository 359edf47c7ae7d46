#include "tests/datasets/sample.h"

#include <math.h>

#include "base/memory.h"

/* Whole numbers in [0, limit). */
static double mixed(size_t a, size_t b, size_t c, size_t limit)
{
    return (double)((a * 131 + b * 17 + c * 7) % limit);
}

struct store_spec sample_spec(void)
{
    return (struct store_spec){
        .domain = "point_mass",
        .simulator = "MuJoCo 2.2.2",
        .source = "a formula, in 20 \xc2\xb5s",
        .tasks = {"reach", "rest-v2"},
        .reward_source = {"simulated", "relabelled"},
        .task_count = SAMPLE_TASKS,
        .observation_dim = SAMPLE_OBSERVATION,
        .action_dim = SAMPLE_ACTION,
        .physics_dim = SAMPLE_PHYSICS,
        .hidden_dim = SAMPLE_HIDDEN,
        .control_timestep = 0.02,
    };
}

static size_t length_of(size_t e)
{
    return 1 + e * 5 % 9;
}

static float *take_floats(size_t rows, size_t columns, size_t e, size_t limit, double unit)
{
    float *values = memory_take(rows * columns, sizeof *values);
    for (size_t t = 0; t < rows; t++) {
        for (size_t i = 0; i < columns; i++) {
            values[t * columns + i] = (float)((mixed(e, t, i, limit) - (double)(limit / 2)) / unit);
        }
    }
    return values;
}

static double *take_doubles(size_t rows, size_t columns, size_t e)
{
    double *values = memory_take(rows * columns, sizeof *values);
    for (size_t t = 0; t < rows; t++) {
        for (size_t i = 0; i < columns; i++) {
            values[t * columns + i] = mixed(e, t, i, 1009) / 7.0;
        }
    }
    return values;
}

/* Labels are unknown in every third step. */
static float *take_labels(size_t rows, size_t columns, size_t e)
{
    float *labels = take_floats(rows, columns, e + 1, 257, 128.0);
    for (size_t t = e % 3; t < rows; t += 3) {
        for (size_t i = 0; i < columns; i++) {
            labels[t * columns + i] = NAN;
        }
    }
    return labels;
}

struct store_episode sample_episode(const struct store_spec *spec, size_t e)
{
    size_t length = length_of(e);
    float *observation = take_floats(length + 1, spec->observation_dim, e, 257, 8.0);
    for (size_t t = 0; t <= length; t++) {
        observation[t * spec->observation_dim] = 0.1f; /* element 0 never changes */
    }
    struct store_episode episode = {
        .length = length,
        .observation = observation,
        .action = take_floats(length, spec->action_dim, e, 257, 128.0),
        .label = spec->has_label ? take_labels(length, spec->action_dim, e) : NULL,
        .physics = spec->physics_dim > 0 ? take_doubles(length + 1, spec->physics_dim, e) : NULL,
        .hidden = spec->hidden_dim > 0 ? take_doubles(1, spec->hidden_dim, e) : NULL,
        .group = (int64_t)(e / 3) - 1,
        .end = (enum store_end)(e % 3),
        .source = spec->source_count > 0 ? e * e % spec->source_count : 0,
    };
    for (size_t k = 0; k < spec->task_count; k++) {
        episode.reward[k] = take_floats(length, 1, e + k, 9, 8.0);
    }
    return episode;
}

/* The sample took these blocks itself, so they may be given back. */
static void give_back(const void *block)
{
    memory_free((void *)(uintptr_t)block);
}

void sample_episode_free(struct store_episode *episode)
{
    give_back(episode->observation);
    give_back(episode->action);
    give_back(episode->label);
    give_back(episode->physics);
    give_back(episode->hidden);
    for (size_t k = 0; k < STORE_TASKS_MAX; k++) {
        give_back(episode->reward[k]);
    }
    *episode = (struct store_episode){0};
}

bool sample_add(struct store_writer *writer, const struct store_spec *spec, size_t count,
                struct failure *failure)
{
    bool ok = true;
    for (size_t e = 0; ok && e < count; e++) {
        struct store_episode episode = sample_episode(spec, e);
        ok = store_writer_add(writer, &episode, failure);
        sample_episode_free(&episode);
    }
    return ok;
}

bool sample_write(const char *path, const struct store_spec *spec, struct failure *failure)
{
    struct store_writer *writer = store_writer_open(path, spec, failure);
    if (!writer) {
        return false;
    }
    if (!sample_add(writer, spec, SAMPLE_EPISODES, failure)) {
        store_writer_discard(writer);
        return false;
    }
    return store_writer_commit(writer, failure);
}

/* The sample took the labels itself, so they may be written to. */
static void forget_labels(const struct store_episode *episode, size_t columns, bool last_is_known)
{
    float *label = (float *)(uintptr_t)episode->label;
    for (size_t t = 0; t < episode->length; t++) {
        for (size_t i = 0; i < columns; i++) {
            label[t * columns + i] = last_is_known && t + 1 == episode->length ? 0.5F : NAN;
        }
    }
}

bool sample_write_unlabelled(const char *path, bool last_is_known, struct failure *failure)
{
    struct store_spec spec = sample_spec();
    spec.has_label = true;
    struct store_writer *writer = store_writer_open(path, &spec, failure);
    bool ok = writer;
    for (size_t e = 0; ok && e < SAMPLE_EPISODES; e++) {
        struct store_episode episode = sample_episode(&spec, e);
        forget_labels(&episode, spec.action_dim, last_is_known && e + 1 == SAMPLE_EPISODES);
        ok = store_writer_add(writer, &episode, failure);
        sample_episode_free(&episode);
    }
    return ok && store_writer_commit(writer, failure);
}

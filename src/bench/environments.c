#include "bench/environments.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bench/median.h"
#include "comm/comm.h"
#include "envs/env.h"
#include "envs/registry.h"

enum { ACTIONS = 512, STEPS_AT_LEAST = 64 };
static const double seconds_per_repeat = 0.02;

/* One task twice: as an environment and as a bare simulation, under the same random actions. */
struct subject {
    struct env_task *task;
    struct env *env;
    struct simulation_model *model;
    struct simulation *simulation;
    size_t substeps;
    size_t taken; /* control steps so far: where in the actions either is */
    struct random random;
    float *actions;   /* (ACTIONS x action_dim) */
    double *controls; /* (ACTIONS x action_dim), the same in the model's units */
    float *observation;
};

static void draw_actions(struct subject *subject, size_t dim)
{
    const double *range = simulation_view(subject->simulation)->control_range;
    subject->actions = memory_take(ACTIONS * dim, sizeof *subject->actions);
    subject->controls = memory_take(ACTIONS * dim, sizeof *subject->controls);
    for (size_t i = 0; i < ACTIONS * dim; i++) {
        double low = range[2 * (i % dim)];
        double high = range[2 * (i % dim) + 1];
        double action = random_between(&subject->random, -1.0, 1.0);
        subject->actions[i] = (float)action;
        subject->controls[i] = low + (high - low) * (action + 1.0) / 2.0;
    }
}

static void subject_open(struct subject *subject, size_t index)
{
    struct failure failure = {0};
    struct registry_entry entry = registry_at(index);
    *subject = (struct subject){.random = random_stream(1, RANDOM_BENCH, index, comm_rank())};
    subject->task = env_task_open(entry.task->name, &failure);
    subject->model = simulation_compile(&entry.domain->source, &failure);
    fatal_if_failed(&failure);
    const struct env_spec *spec = env_task_spec(subject->task);
    subject->env = env_open(subject->task);
    subject->simulation = simulation_open(subject->model);
    subject->substeps = entry.task->substeps;
    subject->observation = memory_take(spec->observation_dim, sizeof *subject->observation);
    draw_actions(subject, spec->action_dim);
    env_draw_hidden(subject->env, &subject->random);
    env_reset(subject->env, &subject->random);
}

static void subject_close(struct subject *subject)
{
    memory_free(subject->actions);
    memory_free(subject->controls);
    memory_free(subject->observation);
    simulation_close(subject->simulation);
    simulation_model_close(subject->model);
    env_close(subject->env);
    env_task_close(subject->task);
}

static void step_env(struct subject *subject, size_t dim)
{
    struct env_outcome outcome =
        env_step(subject->env, subject->actions + subject->taken % ACTIONS * dim);
    if (outcome.end != ENV_RUNNING) {
        env_reset(subject->env, &subject->random);
    }
    env_observe(subject->env, subject->observation);
}

static void step_bare(struct subject *subject, size_t dim)
{
    simulation_step_bare(subject->simulation, subject->controls + subject->taken % ACTIONS * dim,
                         subject->substeps);
}

/* Control steps per second of this rank. */
static double measure(struct subject *subject, void (*step)(struct subject *subject, size_t dim))
{
    size_t dim = env_task_spec(subject->task)->action_dim;
    size_t done = 0;
    double begun = clock_seconds();
    double seconds = 0.0;
    while (seconds < seconds_per_repeat) {
        for (size_t i = 0; i < STEPS_AT_LEAST; i++, subject->taken++) {
            step(subject, dim);
        }
        done += STEPS_AT_LEAST;
        seconds = clock_seconds() - begun;
    }
    return (double)done / seconds;
}

static struct bench_environment measure_task(size_t index, size_t repeats)
{
    struct subject subject;
    double *values = memory_take(3 * repeats, sizeof *values);
    double *steps = values;
    double *bare = values + repeats;
    double *ratios = values + 2 * repeats;
    subject_open(&subject, index);
    comm_barrier();
    for (size_t i = 0; i < repeats; i++) {
        steps[i] = measure(&subject, step_env);
        bare[i] = measure(&subject, step_bare);
    }
    comm_sum_double(values, 2 * repeats);
    for (size_t i = 0; i < repeats; i++) {
        ratios[i] = steps[i] / bare[i];
    }
    struct bench_environment result = {
        .task = env_task_name(index),
        .ratio = median_sort(ratios, repeats),
        .steps = median_sort(steps, repeats),
        .bare = median_sort(bare, repeats),
    };
    subject_close(&subject);
    memory_free(values);
    return result;
}

struct bench_environments bench_environments_run(size_t repeats)
{
    struct bench_environments result = {.ranks = comm_size(), .repeats = repeats};
    size_t total = 0;
    while (env_task_name(total)) {
        total++;
    }
    invariant(total <= BENCH_ENVIRONMENTS_MAX);
    struct progress progress = progress_begin("bench", 0, total);
    while (result.count < total) {
        result.tasks[result.count] = measure_task(result.count, repeats);
        result.count++;
        progress_show(&progress, result.count, "tasks");
    }
    return result;
}

void bench_environments_print_text(FILE *stream, const struct bench_environments *result)
{
    fprintf(stream, "environments, random actions, %zu rank%s together, medians of %zu\n\n",
            result->ranks, result->ranks == 1 ? "" : "s", result->repeats);
    fprintf(stream, "%-36s %16s %16s %8s\n", "", "control steps/s", "bare engine/s", "ratio");
    for (size_t i = 0; i < result->count; i++) {
        const struct bench_environment *task = &result->tasks[i];
        fprintf(stream, "%-36s %16.0f %16.0f %8.2f\n", task->task, task->steps, task->bare,
                task->ratio);
    }
}

void bench_environments_print_json(FILE *stream, const struct bench_environments *result)
{
    fprintf(stream, "{\"bench\": \"envs\", \"ranks\": %zu, \"repeats\": %zu, \"tasks\": [",
            result->ranks, result->repeats);
    for (size_t i = 0; i < result->count; i++) {
        const struct bench_environment *task = &result->tasks[i];
        fprintf(stream,
                "%s{\"task\": \"%s\", \"steps_per_second\": %.6g, \"bare_per_second\": %.6g, "
                "\"ratio\": %.4g}",
                i == 0 ? "" : ", ", task->task, task->steps, task->bare, task->ratio);
    }
    fprintf(stream, "]}\n");
}

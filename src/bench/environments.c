#include "bench/environments.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/workers.h"
#include "bench/median.h"
#include "comm/comm.h"
#include "envs/batch.h"
#include "envs/env.h"
#include "envs/registry.h"

/* STEPS divides every episode's length, so that none ends within a turn. */
enum { ENVS_PER_THREAD = 32, STEPS = 20, ACTIONS = 16 * STEPS, NAME_SIZE = 64 };
static const double seconds_per_repeat = 0.1;

/* The same environments in a batch, on one thread or on all. */
struct stepper {
    struct workers *workers;
    struct env_batch *batch;
    float *observation; /* (count x observation_dim) */
    float *reward;      /* (count) */
    enum env_end *end;  /* (count) */
    bool *runs;         /* (count): the episode has not ended */
    bool *ended;        /* (count) */
};

/* One task three times, each in `count` copies under the same random actions: as environments on
 * one thread and on all, and as bare simulations. */
struct subject {
    struct env_task *task;
    const struct env_spec *spec;
    size_t count, substeps;
    size_t taken; /* control steps so far: where in the actions all are */
    struct stepper alone, together;
    struct simulation_model *model;
    struct simulation **bare; /* (count) */
    float *actions;           /* (ACTIONS x count x action_dim) */
    double *controls;         /* (ACTIONS x count x action_dim), the same in the model's units */
    double *physics;          /* (physics_dim) */
};

/* Seconds that each took in one repeat, and for how many control steps. */
struct times {
    double alone, together, bare;
    size_t steps;
};

/* --- Opening and closing ---------------------------------------------------------------------- */

static void draw_actions(struct subject *subject, struct random *random)
{
    size_t dim = subject->spec->action_dim;
    size_t total = ACTIONS * subject->count * dim;
    const double *range = simulation_view(subject->bare[0])->control_range;
    subject->actions = memory_take(total, sizeof *subject->actions);
    subject->controls = memory_take(total, sizeof *subject->controls);
    for (size_t i = 0; i < total; i++) {
        float low = (float)range[2 * (i % dim)];
        float high = (float)range[2 * (i % dim) + 1];
        float action = (float)random_between(random, -1.0, 1.0);
        subject->actions[i] = action;
        subject->controls[i] = (double)(low + (high - low) / 2.0f * (action + 1.0f));
    }
}

static void stepper_open(struct stepper *stepper, const struct subject *subject, size_t threads,
                         struct failure *failure)
{
    size_t count = subject->count;
    struct workers *workers = workers_open(threads, failure);
    fatal_if_failed(failure);
    *stepper = (struct stepper){
        .batch = env_batch_open(subject->task, count, workers),
        .workers = workers,
        .observation = memory_take(count * subject->spec->observation_dim, sizeof(float)),
        .reward = memory_take(count, sizeof *stepper->reward),
        .end = memory_take(count, sizeof *stepper->end),
        .runs = memory_take(count, sizeof *stepper->runs),
        .ended = memory_take(count, sizeof *stepper->ended),
    };
    for (size_t i = 0; i < count; i++) {
        struct env_series series = {
            .seed = 1, .purpose = RANDOM_BENCH, .number = count * comm_rank() + i};
        env_batch_assign(stepper->batch, i, &series);
        stepper->runs[i] = true;
    }
    env_batch_reset(stepper->batch, NULL, stepper->observation);
}

static void stepper_close(struct stepper *stepper)
{
    env_batch_close(stepper->batch);
    workers_close(stepper->workers);
    memory_free(stepper->observation);
    memory_free(stepper->reward);
    memory_free(stepper->end);
    memory_free(stepper->runs);
    memory_free(stepper->ended);
}

/* Simulations as the task makes them and begins its episodes with. */
static void open_bare(struct subject *subject, const struct registry_entry *entry,
                      struct random *random)
{
    subject->bare = memory_take(subject->count, sizeof(struct simulation *));
    for (size_t i = 0; i < subject->count; i++) {
        double hidden[DOMAIN_HIDDEN_MAX];
        subject->bare[i] = simulation_open(subject->model);
        if (entry->task->prepare) {
            entry->task->prepare(subject->bare[i]);
        }
        if (entry->task->hidden) {
            entry->task->hidden->draw(hidden, random);
        }
        entry->task->reset(subject->bare[i], entry->task->hidden ? hidden : NULL, random);
    }
}

static void subject_open(struct subject *subject, const char *task, size_t threads)
{
    struct failure failure = {0};
    struct registry_entry entry = registry_find(task, &failure);
    struct random random = random_stream(1, RANDOM_BENCH, comm_rank(), UINT32_MAX);
    *subject = (struct subject){.count = ENVS_PER_THREAD * threads};
    subject->task = env_task_open(task, &failure);
    fatal_if_failed(&failure);
    subject->model = simulation_compile(&entry.domain->source, &failure);
    fatal_if_failed(&failure);
    subject->spec = env_task_spec(subject->task);
    subject->substeps = entry.task->substeps;
    subject->physics = memory_take(subject->spec->physics_dim, sizeof *subject->physics);
    stepper_open(&subject->alone, subject, 1, &failure);
    stepper_open(&subject->together, subject, threads, &failure);
    open_bare(subject, &entry, &random);
    draw_actions(subject, &random);
}

static void subject_close(struct subject *subject)
{
    for (size_t i = 0; i < subject->count; i++) {
        simulation_close(subject->bare[i]);
    }
    memory_free(subject->bare);
    memory_free(subject->actions);
    memory_free(subject->controls);
    memory_free(subject->physics);
    stepper_close(&subject->alone);
    stepper_close(&subject->together);
    simulation_model_close(subject->model);
    env_task_close(subject->task);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* Where the actions of all copies begin for a turn's step number `step`. */
static size_t offset_of(const struct subject *subject, size_t step)
{
    return (subject->taken + step) % ACTIONS * subject->count * subject->spec->action_dim;
}

/* Seconds that one turn takes. */
static double step_envs(const struct subject *subject, struct stepper *stepper)
{
    double begun = clock_seconds();
    for (size_t step = 0; step < STEPS; step++) {
        const struct env_batch_arrays arrays = {
            .action = subject->actions + offset_of(subject, step),
            .observation = stepper->observation,
            .reward = stepper->reward,
            .end = stepper->end,
        };
        env_batch_step(stepper->batch, stepper->runs, &arrays);
        for (size_t i = 0; i < subject->count; i++) {
            stepper->runs[i] = stepper->end[i] == ENV_RUNNING;
        }
    }
    return clock_seconds() - begun;
}

static double step_bare(const struct subject *subject)
{
    double begun = clock_seconds();
    for (size_t step = 0; step < STEPS; step++) {
        const double *controls = subject->controls + offset_of(subject, step);
        for (size_t i = 0; i < subject->count; i++) {
            simulation_step_bare(subject->bare[i], controls + i * subject->spec->action_dim,
                                 subject->substeps);
        }
    }
    return clock_seconds() - begun;
}

/* Ended episodes are followed by others. */
static void reset_ended(struct stepper *stepper, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stepper->ended[i] = !stepper->runs[i];
        stepper->runs[i] = true;
    }
    env_batch_reset(stepper->batch, stepper->ended, stepper->observation);
}

/* Put the bare simulations where the environments are: equal states cost equal time. */
static void synchronise(const struct subject *subject)
{
    for (size_t i = 0; i < subject->count; i++) {
        env_get_physics(env_batch_at(subject->alone.batch, i), subject->physics);
        simulation_set_physics(subject->bare[i], subject->physics);
    }
}

/* In short turns, so that what else this machine does slows down all alike. */
static struct times measure(struct subject *subject)
{
    struct times times = {0};
    while (times.alone + times.together + times.bare < seconds_per_repeat) {
        synchronise(subject);
        times.alone += step_envs(subject, &subject->alone);
        times.bare += step_bare(subject);
        times.together += step_envs(subject, &subject->together);
        times.steps += STEPS * subject->count;
        subject->taken += STEPS;
        reset_ended(&subject->alone, subject->count);
        reset_ended(&subject->together, subject->count);
    }
    return times;
}

static struct bench_environment measure_task(const char *task, size_t threads, size_t repeats)
{
    struct subject subject;
    double *values = memory_take(5 * repeats, sizeof *values);
    double *steps = values;
    double *bare = values + repeats;
    double *threaded = values + 2 * repeats;
    double *ratios = values + 3 * repeats;
    double *speed_ups = values + 4 * repeats;
    subject_open(&subject, task, threads);
    comm_barrier();
    for (size_t i = 0; i < repeats; i++) {
        struct times times = measure(&subject);
        steps[i] = (double)times.steps / times.alone;
        bare[i] = (double)times.steps / times.bare;
        threaded[i] = (double)times.steps / times.together;
    }
    comm_sum_double(values, 3 * repeats);
    for (size_t i = 0; i < repeats; i++) {
        ratios[i] = steps[i] / bare[i];
        speed_ups[i] = threaded[i] / steps[i];
    }
    struct bench_environment result = {
        .task = subject.spec->task,
        .ratio = median_sort(ratios, repeats),
        .speed_up = median_sort(speed_ups, repeats),
        .steps = median_sort(steps, repeats),
        .bare = median_sort(bare, repeats),
        .threaded = median_sort(threaded, repeats),
    };
    subject_close(&subject);
    memory_free(values);
    return result;
}

/* --- What to measure -------------------------------------------------------------------------- */

static bool add_task(struct bench_environments *result, const char *name, struct failure *failure)
{
    struct registry_entry entry = registry_find(name, failure);
    if (!entry.task) {
        return false;
    }
    if (result->count == BENCH_ENVIRONMENTS_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "tasks: found more than %d, expected at most as many; name fewer",
                           BENCH_ENVIRONMENTS_MAX);
    }
    result->tasks[result->count++].task = entry.task->name;
    return true;
}

static bool list_tasks(struct bench_environments *result, const char *names,
                       struct failure *failure)
{
    for (size_t i = 0; !names[0] && env_task_name(i); i++) {
        if (!add_task(result, env_task_name(i), failure)) {
            return false;
        }
    }
    for (const char *at = names; names[0]; at++) {
        char name[NAME_SIZE];
        size_t length = strcspn(at, ",");
        (void)snprintf(name, sizeof name, "%.*s", (int)length, at);
        if (!add_task(result, name, failure)) {
            return false;
        }
        at += length;
        if (*at == '\0') {
            break;
        }
    }
    return true;
}

bool bench_environments_run(struct bench_environments *result,
                            const struct bench_environments_options *options,
                            struct failure *failure)
{
    *result = (struct bench_environments){
        .ranks = comm_size(),
        .threads = comm_threads(options->threads),
        .repeats = options->repeats,
    };
    if (!list_tasks(result, options->tasks, failure)) {
        return false;
    }
    struct progress progress = progress_begin("bench", 0, result->count);
    for (size_t i = 0; i < result->count; i++) {
        result->tasks[i] = measure_task(result->tasks[i].task, result->threads, options->repeats);
        progress_show(&progress, i + 1, "tasks");
    }
    return true;
}

void bench_environments_print_text(FILE *stream, const struct bench_environments *result)
{
    fprintf(stream,
            "environments, control steps per second under random actions, medians of %zu; %zu "
            "rank%s together\n\n",
            result->repeats, result->ranks, result->ranks == 1 ? "" : "s");
    fprintf(stream, "%-36s%14s%14s%8s%9zu thread%s%10s\n", "", "1 thread", "bare engine", "ratio",
            result->threads, result->threads == 1 ? " " : "s", "speed-up");
    for (size_t i = 0; i < result->count; i++) {
        const struct bench_environment *task = &result->tasks[i];
        fprintf(stream, "%-36s%14.0f%14.0f%8.2f%17.0f%10.2f\n", task->task, task->steps, task->bare,
                task->ratio, task->threaded, task->speed_up);
    }
}

void bench_environments_print_json(FILE *stream, const struct bench_environments *result)
{
    fprintf(stream,
            "{\"bench\": \"envs\", \"ranks\": %zu, \"threads\": %zu, \"repeats\": %zu, "
            "\"tasks\": [",
            result->ranks, result->threads, result->repeats);
    for (size_t i = 0; i < result->count; i++) {
        const struct bench_environment *task = &result->tasks[i];
        fprintf(stream,
                "%s{\"task\": \"%s\", \"steps_per_second\": %.6g, \"bare_per_second\": %.6g, "
                "\"ratio\": %.4g, \"threaded_per_second\": %.6g, \"speed_up\": %.4g}",
                i == 0 ? "" : ", ", task->task, task->steps, task->bare, task->ratio,
                task->threaded, task->speed_up);
    }
    fprintf(stream, "]}\n");
}

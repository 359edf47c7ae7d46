#include "bench/bench.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/measure.h"
#include "comm/comm.h"
#include "envs/batch.h"
#include "envs/env.h"
#include "envs/registry.h"

/* STEPS divides every episode's length, so that none ends within a turn. */
enum { ENVS_PER_THREAD = 32, STEPS = 10, ACTIONS = 32 * STEPS };
static const double seconds_per_repeat = 0.1;

/* The same environments in a batch, on one thread or on all. */
struct env_stepper {
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
struct envs_fixture {
    struct env_task *task;
    const struct env_spec *spec;
    size_t count, substeps;
    size_t taken; /* control steps so far: where in the actions all are */
    struct env_stepper alone, together;
    struct simulation_model *model;
    struct simulation **bare; /* (count) */
    float *actions;           /* (ACTIONS x count x action_dim) */
    double *controls;         /* (ACTIONS x count x action_dim), the same in the model's units */
    double *physics;          /* (physics_dim) */
};

/* --- Opening and closing ---------------------------------------------------------------------- */

static void envs_draw_actions(struct envs_fixture *fixture, struct random *random)
{
    size_t dim = fixture->spec->action_dim;
    size_t total = ACTIONS * fixture->count * dim;
    const double *range = simulation_view(fixture->bare[0])->control_range;
    fixture->actions = memory_take(total, sizeof *fixture->actions);
    fixture->controls = memory_take(total, sizeof *fixture->controls);
    for (size_t i = 0; i < total; i++) {
        float low = (float)range[2 * (i % dim)];
        float high = (float)range[2 * (i % dim) + 1];
        float action = (float)random_between(random, -1.0, 1.0);
        fixture->actions[i] = action;
        fixture->controls[i] = (double)(low + (high - low) / 2.0f * (action + 1.0f));
    }
}

static void env_stepper_open(struct env_stepper *stepper, const struct envs_fixture *fixture,
                             size_t threads)
{
    size_t count = fixture->count;
    struct workers *workers = fixture_workers(threads);
    *stepper = (struct env_stepper){
        .batch = env_batch_open(fixture->task, count, workers),
        .workers = workers,
        .observation = memory_take(count * fixture->spec->observation_dim, sizeof(float)),
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

static void env_stepper_close(struct env_stepper *stepper)
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
static void envs_open_bare(struct envs_fixture *fixture, const struct registry_entry *entry,
                           struct random *random)
{
    fixture->bare = memory_take(fixture->count, sizeof(struct simulation *));
    for (size_t i = 0; i < fixture->count; i++) {
        double hidden[DOMAIN_HIDDEN_MAX];
        fixture->bare[i] = simulation_open(fixture->model);
        if (entry->task->prepare) {
            entry->task->prepare(fixture->bare[i]);
        }
        if (entry->task->hidden) {
            entry->task->hidden->draw(hidden, random);
        }
        entry->task->reset(fixture->bare[i], entry->task->hidden ? hidden : NULL, random);
    }
}

static void envs_fixture_open(struct envs_fixture *fixture, const char *task, size_t threads)
{
    struct failure failure = {0};
    struct registry_entry entry = registry_find(task, &failure);
    struct random random = random_stream(1, RANDOM_BENCH, comm_rank(), UINT32_MAX);
    *fixture = (struct envs_fixture){.count = ENVS_PER_THREAD * threads};
    fixture->task = env_task_open(task, &failure);
    fatal_if_failed(&failure);
    fixture->model = simulation_compile(&entry.domain->source, &failure);
    fatal_if_failed(&failure);
    fixture->spec = env_task_spec(fixture->task);
    fixture->substeps = entry.task->substeps;
    fixture->physics = memory_take(fixture->spec->physics_dim, sizeof *fixture->physics);
    env_stepper_open(&fixture->alone, fixture, 1);
    env_stepper_open(&fixture->together, fixture, threads);
    envs_open_bare(fixture, &entry, &random);
    envs_draw_actions(fixture, &random);
}

static void envs_fixture_close(struct envs_fixture *fixture)
{
    for (size_t i = 0; i < fixture->count; i++) {
        simulation_close(fixture->bare[i]);
    }
    memory_free(fixture->bare);
    memory_free(fixture->actions);
    memory_free(fixture->controls);
    memory_free(fixture->physics);
    env_stepper_close(&fixture->alone);
    env_stepper_close(&fixture->together);
    simulation_model_close(fixture->model);
    env_task_close(fixture->task);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* Where the actions of all copies begin for a turn's step number `step`. */
static size_t envs_action_offset(const struct envs_fixture *fixture, size_t step)
{
    return (fixture->taken + step) % ACTIONS * fixture->count * fixture->spec->action_dim;
}

/* Seconds that one turn takes. */
static double envs_time_steps(const struct envs_fixture *fixture, struct env_stepper *stepper)
{
    double begun = clock_seconds();
    for (size_t step = 0; step < STEPS; step++) {
        const struct env_batch_arrays arrays = {
            .action = fixture->actions + envs_action_offset(fixture, step),
            .observation = stepper->observation,
            .reward = stepper->reward,
            .end = stepper->end,
        };
        env_batch_step(stepper->batch, stepper->runs, &arrays);
        for (size_t i = 0; i < fixture->count; i++) {
            stepper->runs[i] = stepper->end[i] == ENV_RUNNING;
        }
    }
    return clock_seconds() - begun;
}

static double envs_time_bare(const struct envs_fixture *fixture)
{
    double begun = clock_seconds();
    for (size_t step = 0; step < STEPS; step++) {
        const double *controls = fixture->controls + envs_action_offset(fixture, step);
        for (size_t i = 0; i < fixture->count; i++) {
            simulation_step_bare(fixture->bare[i], controls + i * fixture->spec->action_dim,
                                 fixture->substeps);
        }
    }
    return clock_seconds() - begun;
}

/* Begin another episode where one has ended. */
static void env_stepper_reset(struct env_stepper *stepper, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stepper->ended[i] = !stepper->runs[i];
        stepper->runs[i] = true;
    }
    env_batch_reset(stepper->batch, stepper->ended, stepper->observation);
}

/* Put the bare simulations where the environments are: equal states cost equal time. */
static void envs_synchronise(const struct envs_fixture *fixture)
{
    for (size_t i = 0; i < fixture->count; i++) {
        env_get_physics(env_batch_at(fixture->alone.batch, i), fixture->physics);
        simulation_set_physics(fixture->bare[i], fixture->physics);
    }
}

/* Control steps per second, all ranks together: on one thread, by the bare engine and on all
 * threads; and the ratios of one thread to the engine, and of all threads to one. */
enum { ALONE, BARE, TOGETHER, RATES, RATIO = RATES, SPEED_UP, QUANTITIES };

/* One repeat, in short turns, so that a slow spell of the machine slows all alike. */
static void envs_measure(struct samples *samples, size_t repeat, struct envs_fixture *fixture)
{
    double seconds[RATES] = {0.0};
    size_t steps = 0;
    while (seconds[ALONE] + seconds[TOGETHER] + seconds[BARE] < seconds_per_repeat) {
        envs_synchronise(fixture);
        seconds[ALONE] += envs_time_steps(fixture, &fixture->alone);
        seconds[BARE] += envs_time_bare(fixture);
        seconds[TOGETHER] += envs_time_steps(fixture, &fixture->together);
        steps += STEPS * fixture->count;
        fixture->taken += STEPS;
        env_stepper_reset(&fixture->alone, fixture->count);
        env_stepper_reset(&fixture->together, fixture->count);
    }
    for (size_t i = 0; i < RATES; i++) {
        samples_of(samples, i)[repeat] = (double)steps / seconds[i];
    }
}

static struct table_row envs_measure_task(const char *task, size_t threads, size_t repeats)
{
    struct envs_fixture fixture;
    struct samples samples;
    samples_open(&samples, QUANTITIES, repeats);
    envs_fixture_open(&fixture, task, threads);
    comm_barrier();
    for (size_t i = 0; i < repeats; i++) {
        envs_measure(&samples, i, &fixture);
    }
    envs_fixture_close(&fixture);
    comm_sum_double(samples.values, RATES * repeats);
    for (size_t i = 0; i < repeats; i++) {
        double alone = samples_of(&samples, ALONE)[i];
        samples_of(&samples, RATIO)[i] = alone / samples_of(&samples, BARE)[i];
        samples_of(&samples, SPEED_UP)[i] = samples_of(&samples, TOGETHER)[i] / alone;
    }
    struct table_row row = {
        .label = task,
        .values = {samples_rates(&samples, ALONE).median, samples_rates(&samples, BARE).median,
                   samples_rates(&samples, RATIO).median, samples_rates(&samples, TOGETHER).median,
                   samples_rates(&samples, SPEED_UP).median},
    };
    samples_close(&samples);
    return row;
}

/* --- What to measure -------------------------------------------------------------------------- */

enum { TASKS_MAX = 64 };

/* A row for each of the named tasks, or for all; returns how many, 0 and a failure where one is not
 * known. */
static size_t envs_list_tasks(struct table_row rows[TASKS_MAX], const char *names,
                              struct failure *failure)
{
    size_t count = 0;
    for (; names[0] == '\0' && env_task_name(count); count++) {
        invariant(count < TASKS_MAX);
        rows[count].label = env_task_name(count);
    }
    for (const char *at = names; names[0] && at; count++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        struct registry_entry entry = registry_find(name, failure);
        if (!entry.task) {
            return 0;
        }
        if (count == TASKS_MAX) {
            failure_set(failure, EXIT_CODE_CONFIG,
                        "tasks: found more than %d, expected at most as many; name fewer",
                        TASKS_MAX);
            return 0;
        }
        rows[count].label = entry.task->name;
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return count;
}

void bench_environments(struct table_printer *printer, const struct bench_options *options,
                        struct failure *failure)
{
    struct table_row rows[TASKS_MAX];
    size_t count = envs_list_tasks(rows, options->tasks, failure);
    if (count == 0) {
        return;
    }
    struct progress progress = progress_begin("bench", 0, count);
    for (size_t i = 0; i < count; i++) {
        rows[i] = envs_measure_task(rows[i].label, options->threads, options->repeats);
        progress_show(&progress, i + 1, "tasks");
    }
    char threads[32];
    snprintf(threads, sizeof threads, "%zu thread%s", options->threads,
             options->threads == 1 ? "" : "s");
    const struct table table = {
        .form = TABLE_LIST,
        .list_key = "tasks",
        .label_key = "task",
        .columns = {{"1 thread", "steps_per_second", 1.0, 0, ""},
                    {"bare engine", "bare_per_second", 1.0, 0, ""},
                    {"ratio", "ratio", 1.0, 2, ""},
                    {threads, "threaded_per_second", 1.0, 0, ""},
                    {"speed-up", "speed_up", 1.0, 2, ""}},
    };
    table_word(printer, "bench", "envs");
    table_number(printer, "ranks", comm_size());
    table_number(printer, "threads", options->threads);
    table_number(printer, "repeats", options->repeats);
    table_say(printer,
              "environments, control steps per second under random actions, medians of %zu; %zu "
              "rank%s together\n\n",
              options->repeats, comm_size(), comm_size() == 1 ? "" : "s");
    table_print(printer, &table, rows, count);
}

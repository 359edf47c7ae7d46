/* Not a test of its own but our side of tests/parity: plays given actions from a given state.
 *
 * Reads from standard input, separated by blanks: the task, how many steps, `free` to go on from
 * where each step ends or `steps` to set the state before each, the initial physics and
 * observation, and then for every step its action and, with `steps`, the physics that it begins
 * in. Writes physics, observation and reward after every step, one line each. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "envs/env.h"

enum { DIM_MAX = 256 };

static double read_number(void)
{
    char word[64];
    char *end = word;
    double number = scanf("%63s", word) == 1 ? strtod(word, &end) : 0.0;
    if (end == word || *end != '\0') {
        fatal(EXIT_CODE_DATA, "standard input: found its end or no number, expected a number; "
                              "write what the head of tests/envs/parity.c says");
    }
    return number;
}

static void read_doubles(double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = read_number();
    }
}

static void read_floats(float *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (float)read_number();
    }
}

/* Hexadecimal, so that every bit arrives. */
static void write_row(const struct env *env, const struct env_spec *spec, double reward)
{
    double physics[DIM_MAX];
    float observation[DIM_MAX];
    env_get_physics(env, physics);
    env_observe(env, observation);
    for (size_t i = 0; i < spec->physics_dim; i++) {
        printf("%a ", physics[i]);
    }
    for (size_t i = 0; i < spec->observation_dim; i++) {
        printf("%a ", (double)observation[i]);
    }
    printf("%a\n", reward);
}

static void play(struct env *env, const struct env_spec *spec, size_t steps, bool is_free)
{
    double physics[DIM_MAX];
    float observation[DIM_MAX], action[DIM_MAX];
    read_doubles(physics, spec->physics_dim);
    read_floats(observation, spec->observation_dim);
    env_set_record(env, physics, observation);
    write_row(env, spec, (double)env_reward(env));
    for (size_t i = 0; i < steps; i++) {
        read_floats(action, spec->action_dim);
        if (!is_free) {
            read_doubles(physics, spec->physics_dim);
            env_set_physics(env, physics);
        }
        struct env_outcome outcome = env_step(env, action);
        if (outcome.end == ENV_FAILED) {
            fatal(EXIT_CODE_DATA, "%s: the simulation became unstable at step %zu", spec->task, i);
        }
        write_row(env, spec, (double)outcome.reward);
    }
}

int main(void)
{
    char name[64], mode[8];
    size_t steps = 0;
    struct failure failure = {0};
    if (scanf("%63s %zu %7s", name, &steps, mode) != 3) {
        fatal(EXIT_CODE_DATA, "standard input: expected a task, a number of steps and a mode");
    }
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    const struct env_spec *spec = env_task_spec(task);
    invariant(spec->observation_dim <= DIM_MAX && spec->physics_dim <= DIM_MAX);
    struct env *env = env_open(task);
    play(env, spec, steps, strcmp(mode, "free") == 0);
    env_close(env);
    env_task_close(task);
    return EXIT_CODE_DONE;
}

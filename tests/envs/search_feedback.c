/* Finds the numbers of a linear feedback (envs/linear_feedback.h) that drives a task's body, and
 * prints them as C. No test: envs/README.md says what was found with it.
 *
 *   search_feedback TASK STEPS ROUNDS EPISODES SEED [TIMESTEP] > numbers
 *
 * Augmented random search (arXiv 1803.07055, algorithm 2, version V2-t): in every round some
 * directions in the space of gains are tried both ways, and a step is taken along those that made
 * the largest difference; gains act on observations that are whitened by what has been seen. A
 * direction is tried on EPISODES episodes of STEPS steps; where a task hides one number, on as many
 * values of it, which the feedback is told as a command from -1 to 1. TIMESTEP, in seconds, makes
 * the simulation coarser, and cheaper. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "base/random.h"
#include "envs/env.h"
#include "envs/linear_feedback.h"

enum { DIRECTIONS = 24, KEPT = 8, OBSERVED_MAX = 96, ACTIONS_MAX = 32, JUDGED = 24 };

static const double step_length = 0.02, perturbation = 0.03;

struct search {
    struct env *env;
    const struct env_spec *spec;
    size_t steps, episodes;
    uint64_t seed;
    double low, high; /* of the hidden number */
    size_t gains;     /* (action_dim x (1 + observation_dim)), twice where there is a command */
    double seen, mean[OBSERVED_MAX], square[OBSERVED_MAX]; /* of observations */
    double centre[OBSERVED_MAX], deviation[OBSERVED_MAX];  /* that whiten them in this round */
};

/* --- What gains are worth --------------------------------------------------------------------- */

/* gain = whitened gains, for observations as they are. */
static void unwhiten(float *gain, const double *whitened, const struct search *search)
{
    size_t observed = search->spec->observation_dim;
    for (size_t row = 0; row < search->gains; row += 1 + observed) {
        double bias = whitened[row];
        for (size_t i = 0; i < observed; i++) {
            double of_number = whitened[row + 1 + i] / search->deviation[i];
            gain[row + 1 + i] = (float)of_number;
            bias -= of_number * search->centre[i];
        }
        gain[row] = (float)bias;
    }
}

static void watch(struct search *search, const float *observation)
{
    search->seen++;
    for (size_t i = 0; i < search->spec->observation_dim; i++) {
        double away = (double)observation[i] - search->mean[i];
        search->mean[i] += away / search->seen;
        search->square[i] += away * ((double)observation[i] - search->mean[i]);
    }
}

/* Numbers that never change get no gain. */
static void whiten(struct search *search)
{
    for (size_t i = 0; i < search->spec->observation_dim; i++) {
        double variance = search->square[i] / search->seen;
        search->centre[i] = search->mean[i];
        search->deviation[i] = variance < 1e-8 ? 1e4 : sqrt(variance);
    }
}

static struct linear_feedback feedback_of(const float *gain, const struct search *search)
{
    size_t half = search->spec->action_dim * (1 + search->spec->observation_dim);
    return (struct linear_feedback){
        .observation_dim = search->spec->observation_dim,
        .action_dim = search->spec->action_dim,
        .gain = gain,
        .command = search->gains > half ? gain + half : NULL,
    };
}

/* The return of one episode; share in [0, 1]: which hidden task it is. */
static double play(struct search *search, const float *gain, uint64_t episode, double share)
{
    const struct linear_feedback feedback = feedback_of(gain, search);
    float observation[OBSERVED_MAX], action[ACTIONS_MAX];
    struct random random = random_stream(search->seed, RANDOM_TEST, episode, 0);
    double hidden = search->low + share * (search->high - search->low);
    if (search->spec->hidden_dim > 0) {
        env_set_hidden(search->env, &hidden);
    }
    env_reset(search->env, &random);
    double sum = 0.0;
    struct env_outcome outcome = {.end = ENV_RUNNING};
    for (size_t t = 0; t < search->steps && outcome.end == ENV_RUNNING; t++) {
        env_observe(search->env, observation);
        watch(search, observation);
        linear_feedback_act(action, &feedback, observation, 2.0 * share - 1.0);
        outcome = env_step(search->env, action);
        sum += (double)outcome.reward;
    }
    return sum;
}

static double worth(struct search *search, const double *whitened, float *gain, uint64_t round,
                    size_t episodes)
{
    double sum = 0.0;
    unwhiten(gain, whitened, search);
    for (size_t i = 0; i < episodes; i++) {
        double share = ((double)i + (double)(round * 7 % 10) / 10.0) / (double)episodes;
        sum += play(search, gain, round * JUDGED + i, share);
    }
    return sum / (double)episodes;
}

/* --- Searching -------------------------------------------------------------------------------- */

struct trial {
    const double *direction;
    double worth[2]; /* forwards, backwards */
};

static int by_the_better_way(const void *a, const void *b)
{
    const struct trial *one = a, *other = b;
    double first = fmax(one->worth[0], one->worth[1]);
    double second = fmax(other->worth[0], other->worth[1]);
    return (first < second) - (first > second);
}

static double deviation_of(const struct trial *trials, size_t count)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        for (size_t way = 0; way < 2; way++) {
            sum += trials[i].worth[way];
            squares += trials[i].worth[way] * trials[i].worth[way];
        }
    }
    double values = 2.0 * (double)count;
    return sqrt(fmax(squares / values - sum / values * (sum / values), 0.0)) + 1e-6;
}

static void improve(double *whitened, struct search *search, double *directions, uint64_t round)
{
    struct trial trials[DIRECTIONS];
    double *tried = memory_take(search->gains, sizeof *tried);
    float *gain = memory_take(search->gains, sizeof *gain);
    struct random random = random_stream(search->seed, RANDOM_TEST, round, 1);
    for (size_t i = 0; i < DIRECTIONS; i++) {
        double *direction = directions + i * search->gains;
        trials[i].direction = direction;
        for (size_t j = 0; j < search->gains; j++) {
            direction[j] = random_normal(&random);
        }
        for (size_t way = 0; way < 2; way++) {
            for (size_t j = 0; j < search->gains; j++) {
                tried[j] = whitened[j] + (way == 0 ? perturbation : -perturbation) * direction[j];
            }
            trials[i].worth[way] = worth(search, tried, gain, round, search->episodes);
        }
    }
    qsort(trials, DIRECTIONS, sizeof trials[0], by_the_better_way);
    double step = step_length / (KEPT * deviation_of(trials, KEPT));
    for (size_t i = 0; i < KEPT; i++) {
        for (size_t j = 0; j < search->gains; j++) {
            whitened[j] +=
                step * (trials[i].worth[0] - trials[i].worth[1]) * trials[i].direction[j];
        }
    }
    whiten(search);
    memory_free(gain);
    memory_free(tried);
}

/* best = the gains of the best round, judged by episodes of their own from time to time. */
static double search_for(float *best, struct search *search, uint64_t rounds)
{
    enum { ROUNDS_JUDGED = 10 };
    double *whitened = memory_take(search->gains, sizeof *whitened);
    double *directions = memory_take(DIRECTIONS * search->gains, sizeof *directions);
    float *gain = memory_take(search->gains, sizeof *gain);
    double most = -(double)INFINITY;
    memset(whitened, 0, search->gains * sizeof *whitened);
    for (size_t i = 0; i < search->spec->observation_dim; i++) {
        search->deviation[i] = 1.0;
    }
    double begun = clock_seconds();
    for (uint64_t round = 1; round <= rounds; round++) {
        improve(whitened, search, directions, round);
        if (round % ROUNDS_JUDGED == 0 || round == rounds) {
            double found = worth(search, whitened, gain, 0, JUDGED);
            fprintf(stderr, "round %llu, %.0f s: %.2f\n", (unsigned long long)round,
                    clock_seconds() - begun, found);
            if (found > most) {
                most = found;
                memcpy(best, gain, search->gains * sizeof *best);
            }
        }
    }
    memory_free(gain);
    memory_free(directions);
    memory_free(whitened);
    return most;
}

/* --- Printing --------------------------------------------------------------------------------- */

static void print_gain(const char *task, const char *name, const float *gain,
                       const struct env_spec *spec)
{
    size_t columns = 1 + spec->observation_dim;
    printf("static const float %s_%s[] = {\n", task, name);
    for (size_t i = 0; i < spec->action_dim * columns; i++) {
        printf("%#.4gF,%s", (double)gain[i], i % columns + 1 == columns ? "\n" : " ");
    }
    printf("};\n");
}

/* The range of the hidden number, by drawing it. */
static void find_range(struct search *search)
{
    enum { DRAWS = 10000 };
    search->low = (double)INFINITY;
    search->high = -(double)INFINITY;
    for (size_t i = 0; i < DRAWS; i++) {
        double hidden;
        struct random random = random_stream(search->seed, RANDOM_TEST, i, 2);
        env_draw_hidden(search->env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(search->env, &hidden);
        search->low = fmin(search->low, hidden);
        search->high = fmax(search->high, hidden);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: search_feedback TASK STEPS ROUNDS EPISODES SEED [TIMESTEP]\n");
        return EXIT_CODE_USAGE;
    }
    struct failure failure = {0};
    struct env_task *task = env_task_open(argv[1], &failure);
    fatal_if_failed(&failure);
    struct search search = {
        .env = env_open(task),
        .spec = env_task_spec(task),
        .steps = strtoul(argv[2], NULL, 10),
        .episodes = strtoul(argv[4], NULL, 10),
        .seed = strtoul(argv[5], NULL, 10),
    };
    const struct env_spec *spec = search.spec;
    size_t gains = spec->action_dim * (1 + spec->observation_dim);
    invariant(spec->observation_dim <= OBSERVED_MAX && spec->action_dim <= ACTIONS_MAX &&
              spec->hidden_dim <= 1 && search.episodes > 0);
    search.gains = spec->hidden_dim > 0 ? 2 * gains : gains;
    if (argc == 7) {
        env_coarsen(search.env, strtod(argv[6], NULL));
    }
    if (spec->hidden_dim > 0) {
        find_range(&search);
    }
    float *best = memory_take(search.gains, sizeof *best);
    double found = search_for(best, &search, strtoul(argv[3], NULL, 10));
    printf("/* Found by tests/envs/search_feedback.c: %s, %.1f in %zu steps. */\n", spec->task,
           found, search.steps);
    print_gain(spec->task, "gain", best, spec);
    if (spec->hidden_dim > 0) {
        print_gain(spec->task, "command", best + gains, spec);
    }
    memory_free(best);
    env_close(search.env);
    env_task_close(task);
    return EXIT_CODE_DONE;
}

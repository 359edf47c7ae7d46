#include "behaviours/planner.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "base/workers.h"
#include "behaviours/random_actions.h"

/* Far above the rounding of a sum of rewards, far below what tells plans apart. */
#define BOUND_SLACK 1e-9

/* How the planner of an expertise plans. */
struct budget {
    size_t samples;
    size_t steps;      /* of the horizon */
    double knot_steps; /* from one knot to the next */
    double weight;     /* of the plan in what is executed */
};

/* What is followed in one slot. */
struct plan {
    struct budget budget;
    uint64_t key;   /* of its random streams */
    size_t time;    /* the step that it begins at */
    float *knots;   /* (points, action_dim) */
    double *hidden; /* (hidden_dim) */
};

struct planner {
    struct planner_options options;
    const struct env_spec *spec;
    struct spline spline;
    struct workers *workers;
    size_t copy_count;    /* that the samples are dealt out to */
    struct env **copies;  /* (copy_count) */
    float *copy_action;   /* (copy_count, action_dim) */
    struct plan *plans;   /* (slots) */
    float *knots;         /* (slots, points, action_dim): of the plans */
    double *hidden;       /* (slots, hidden_dim): of the plans */
    float *shifted;       /* (points, action_dim) */
    float *candidates;    /* (samples, points, action_dim) */
    double *returns;      /* (samples) */
    float *random_action; /* (action_dim) */
    double *physics;      /* (physics_dim), where the roll-outs begin */

    /* Borrowed while roll-outs run: */
    const struct plan *plan;
    const float *observation;
};

/* --- One planning step ------------------------------------------------------------------------ */

/* Candidate 0 is the plan itself, the others are noisy variations of it. The noise rises as a root:
 * most candidates are wide, and few of them are then enough. */
static void perturb(struct planner *planner, size_t sample, size_t time)
{
    size_t count = planner->spline.points * planner->spline.width;
    float *candidate = planner->candidates + sample * count;
    memcpy(candidate, planner->plan->knots, count * sizeof *candidate);
    if (sample == 0) {
        return;
    }
    double fraction = sqrt((double)sample / (double)(planner->plan->budget.samples - 1));
    struct random random = random_stream(planner->plan->key, RANDOM_PLAN, time, sample);
    for (size_t i = 0; i < count; i++) {
        double noise = planner->options.deviation * fraction * random_normal(&random);
        candidate[i] = (float)fmin(fmax((double)candidate[i] + noise, -1.0), 1.0);
    }
}

/* The return of a candidate from the state that holds; -INFINITY where the simulation fails, or as
 * soon as not even the largest rewards bring it to `best`. */
static double roll_out(const struct planner *planner, struct env *env, float *action,
                       const float *candidate, double best)
{
    const struct budget *budget = &planner->plan->budget;
    double sum = 0.0;
    env_set_hidden(env, planner->plan->hidden);
    env_set_record(env, planner->physics, planner->observation);
    for (size_t step = 0; step < budget->steps; step++) {
        spline_at(action, &planner->spline, candidate, (double)step / budget->knot_steps);
        struct env_outcome outcome = env_step(env, action);
        if (outcome.end == ENV_FAILED) {
            return -(double)INFINITY;
        }
        sum += (double)outcome.reward;
        double rest = planner->spec->reward_max * (double)(budget->steps - step - 1);
        if (sum + rest < best - BOUND_SLACK) {
            return -(double)INFINITY;
        }
        if (outcome.end != ENV_RUNNING) {
            break;
        }
    }
    return sum;
}

/* Every copy_count-th sample, from the number of the copy on. What it gives up depends on the
 * number of copies; the winner does not, because none that is given up could have won. */
static void roll_out_in_copy(void *self, size_t copy, size_t thread)
{
    (void)thread; /* each copy is used by one thread at a time */
    struct planner *planner = self;
    size_t count = planner->spline.points * planner->spline.width;
    float *action = planner->copy_action + copy * planner->spline.width;
    double best = -(double)INFINITY;
    for (size_t i = copy; i < planner->plan->budget.samples; i += planner->copy_count) {
        planner->returns[i] =
            roll_out(planner, planner->copies[copy], action, planner->candidates + i * count, best);
        best = fmax(best, planner->returns[i]);
    }
}

static size_t argmax(const double *returns, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = returns[i] > returns[best] ? i : best;
    }
    return best;
}

static void replan(struct planner *planner, struct plan *plan, const struct behaviour_row *row)
{
    size_t count = planner->spline.points * planner->spline.width;
    double passed = (double)(row->time - plan->time) / plan->budget.knot_steps;
    if (planner->options.start == PLANNER_START_NONE) {
        memset(plan->knots, 0, count * sizeof *plan->knots);
    } else {
        spline_shift(planner->shifted, &planner->spline, plan->knots, passed);
        memcpy(plan->knots, planner->shifted, count * sizeof *plan->knots);
    }
    plan->time = row->time;
    if (plan->budget.samples == 1) {
        return; /* nothing to compare with */
    }
    env_get_physics(row->env, planner->physics);
    planner->plan = plan;
    planner->observation = row->observation;
    for (size_t i = 0; i < plan->budget.samples; i++) {
        perturb(planner, i, row->time);
    }
    workers_run(planner->workers, planner->copy_count, roll_out_in_copy, planner);
    size_t best = argmax(planner->returns, plan->budget.samples);
    memcpy(plan->knots, planner->candidates + best * count, count * sizeof *plan->knots);
}

/* --- The behaviour ---------------------------------------------------------------------------- */

static struct budget budget_of(const struct planner *planner, double expertise)
{
    const struct planner_options *options = &planner->options;
    double seconds = options->horizon * (1.0 + 3.0 * expertise) / 4.0;
    double steps = fmax(round(seconds / planner->spec->control_timestep), 1.0);
    struct budget budget = {
        .samples = (size_t)fmax(round(pow((double)options->samples, expertise)), 1.0),
        .steps = (size_t)fmin(steps, (double)planner->spec->steps_max),
        .weight = expertise,
    };
    /* A knot that holds has a segment of its own; the others are the ends of segments. */
    size_t segments = options->order == SPLINE_ZERO ? options->points : options->points - 1;
    budget.knot_steps = (double)budget.steps / (double)(segments > 0 ? segments : 1);
    return budget;
}

static void planner_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    struct planner *planner = behaviour->self;
    struct plan *plan = &planner->plans[row->slot];
    plan->budget = budget_of(planner, row->expertise);
    plan->key = (uint64_t)random_word(&row->random) << 32;
    plan->key |= random_word(&row->random);
    plan->time = 0;
    memset(plan->knots, 0, planner->spline.points * planner->spline.width * sizeof *plan->knots);
    env_get_hidden(row->env, plan->hidden);
}

static void planner_act_row(struct planner *planner, struct behaviour_row *row)
{
    struct plan *plan = &planner->plans[row->slot];
    if (row->time % planner->options.every == 0) {
        replan(planner, plan, row);
    }
    double since = (double)(row->time - plan->time) / plan->budget.knot_steps;
    spline_at(row->action, &planner->spline, plan->knots, since);
    random_action(planner->random_action, &planner->spec->actions, &row->random);
    float weight = (float)plan->budget.weight;
    for (size_t i = 0; i < planner->spline.width; i++) {
        float planned = fminf(fmaxf(row->action[i], -1.0f), 1.0f); /* cubic splines overshoot */
        row->action[i] = weight * planned + (1.0f - weight) * planner->random_action[i];
    }
}

/* One row after the other: the threads roll out the candidates of one. */
static void planner_act(const struct behaviour *behaviour, struct behaviour_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        planner_act_row(behaviour->self, &rows[i]);
    }
}

static void planner_close(const struct behaviour *behaviour)
{
    struct planner *planner = behaviour->self;
    workers_close(planner->workers);
    for (size_t copy = 0; copy < planner->copy_count; copy++) {
        env_close(planner->copies[copy]);
    }
    memory_free(planner->copies);
    memory_free(planner->copy_action);
    memory_free(planner->plans);
    memory_free(planner->knots);
    memory_free(planner->shifted);
    memory_free(planner->candidates);
    memory_free(planner->returns);
    memory_free(planner->random_action);
    memory_free(planner->physics);
    memory_free(planner->hidden);
    memory_free(planner);
}

static bool planner_check(const struct planner_options *options, struct failure *failure)
{
    if (options->samples == 0 || options->points == 0 || options->every == 0 ||
        options->threads == 0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found %zu samples, %zu points, a plan every %zu steps and %zu threads "
                           "for the planner, expected at least 1 of each; change them",
                           options->samples, options->points, options->every, options->threads);
    }
    return (options->horizon > 0.0 && isfinite(options->horizon) && options->deviation >= 0.0 &&
            isfinite(options->deviation) && options->timestep >= 0.0 &&
            isfinite(options->timestep)) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found a planner's horizon of %g s, noise of deviation %g and timestep of "
                       "%g s, expected a horizon above 0 and the others 0 or more; change them",
                       options->horizon, options->deviation, options->timestep);
}

static struct planner *planner_take(const struct env_task *task,
                                    const struct planner_options *options, size_t slots)
{
    struct planner *planner = memory_take(1, sizeof *planner);
    const struct env_spec *spec = env_task_spec(task);
    size_t knots = options->points * spec->action_dim;
    planner->options = *options;
    planner->spec = spec;
    planner->spline = (struct spline){
        .order = options->order, .points = options->points, .width = spec->action_dim};
    planner->copy_count = size_min(options->threads, options->samples);
    planner->copies = memory_take(planner->copy_count, sizeof(struct env *));
    for (size_t copy = 0; copy < planner->copy_count; copy++) {
        planner->copies[copy] = env_open(task);
        if (options->timestep > 0.0) {
            env_coarsen(planner->copies[copy], options->timestep);
        }
    }
    planner->copy_action = memory_take(planner->copy_count * spec->action_dim, sizeof(float));
    planner->plans = memory_take(slots, sizeof *planner->plans);
    planner->knots = memory_take(slots * knots, sizeof(float));
    planner->hidden = memory_take(slots * spec->hidden_dim, sizeof(double));
    for (size_t slot = 0; slot < slots; slot++) {
        planner->plans[slot].knots = planner->knots + slot * knots;
        planner->plans[slot].hidden = planner->hidden + slot * spec->hidden_dim;
    }
    planner->shifted = memory_take(knots, sizeof(float));
    planner->candidates = memory_take(options->samples * knots, sizeof(float));
    planner->returns = memory_take(options->samples, sizeof(double));
    planner->random_action = memory_take(spec->action_dim, sizeof(float));
    planner->physics = memory_take(spec->physics_dim, sizeof(double));
    return planner;
}

void planner_set_defaults(struct planner_options *options, const struct env_spec *spec)
{
    const struct env_planning *usual = &spec->planning;
    options->samples = options->samples > 0 ? options->samples : usual->samples;
    options->horizon = options->horizon > 0.0 ? options->horizon : usual->horizon;
    options->deviation = options->deviation > 0.0 ? options->deviation : usual->deviation;
    options->points = options->points > 0 ? options->points : usual->points;
}

bool planner_open(struct behaviour *behaviour, const struct env_task *task,
                  const struct planner_options *options, size_t slots, struct failure *failure)
{
    static const char *const orders[] = {"zero-order", "linear", "cubic"};
    if (!planner_check(options, failure) ||
        !behaviour_check_continuous("planner", env_task_spec(task), failure)) {
        return false;
    }
    struct planner *planner = planner_take(task, options, slots);
    *behaviour = (struct behaviour){
        .self = planner,
        .name = "planner",
        .has_curriculum = true,
        .begin_trial = planner_begin_trial,
        .act = planner_act,
        .close = planner_close,
    };
    snprintf(behaviour->source, sizeof behaviour->source,
             "planner, %zu samples of %.9g s, simulated by %.9g s, %s spline of %zu points, noise "
             "up to %.9g as a root, every %zu steps%s",
             options->samples, options->horizon, options->timestep, orders[options->order],
             options->points, options->deviation, options->every,
             options->start == PLANNER_START_NONE ? ", from no plan" : "");
    planner->workers = workers_open(planner->copy_count, failure);
    if (!planner->workers) {
        planner_close(behaviour);
        return false;
    }
    return true;
}

/* Bodies and targets begin where their tasks say: bounds and moments over many resets, against the
 * formula or against a sample drawn here by it. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"
#include "envs/registry.h"
#include "tests/envs/golden_cheetah.h"

enum { DIM_MAX = 24 };

static const double degree = M_PI / 180.0;

/* --- Samples ---------------------------------------------------------------------------------- */

/* Moments of `dim` numbers, over `draws` draws. */
struct sample {
    size_t draws, dim;
    double sum[DIM_MAX], squares[DIM_MAX], lowest[DIM_MAX], highest[DIM_MAX];
};

static struct sample sample_of(size_t dim)
{
    struct sample sample = {.dim = dim};
    assert_true(dim <= DIM_MAX);
    for (size_t i = 0; i < dim; i++) {
        sample.lowest[i] = (double)INFINITY;
        sample.highest[i] = -(double)INFINITY;
    }
    return sample;
}

static void sample_add(struct sample *sample, const double *values)
{
    for (size_t i = 0; i < sample->dim; i++) {
        sample->sum[i] += values[i];
        sample->squares[i] += values[i] * values[i];
        sample->lowest[i] = fmin(sample->lowest[i], values[i]);
        sample->highest[i] = fmax(sample->highest[i], values[i]);
    }
    sample->draws++;
}

static double mean_of(const struct sample *sample, size_t i)
{
    return sample->sum[i] / (double)sample->draws;
}

static double deviation_of(const struct sample *sample, size_t i)
{
    double mean = mean_of(sample, i);
    return sqrt(fmax(sample->squares[i] / (double)sample->draws - mean * mean, 0.0));
}

static void check_uniform(const struct sample *sample, size_t i, double low, double high)
{
    double width = high - low, deviation = width / sqrt(12.0);
    support_expect_near(mean_of(sample, i), (low + high) / 2.0,
                        5.0 * deviation / sqrt((double)sample->draws));
    support_expect_near(deviation_of(sample, i), deviation, 0.05 * deviation);
    assert_true(sample->lowest[i] >= low && sample->lowest[i] < low + 0.01 * width);
    assert_true(sample->highest[i] <= high && sample->highest[i] > high - 0.01 * width);
}

static void check_constant(const struct sample *sample, size_t i, double value)
{
    assert_true(sample->lowest[i] == value && sample->highest[i] == value);
}

/* Two samples of one distribution. */
static void check_same(const struct sample *one, const struct sample *other)
{
    for (size_t i = 0; i < one->dim; i++) {
        double deviation = deviation_of(one, i);
        double error = deviation * sqrt(1.0 / (double)one->draws + 1.0 / (double)other->draws);
        support_expect_near(mean_of(one, i), mean_of(other, i), 5.0 * error);
        support_expect_near(deviation, deviation_of(other, i), 0.15 * deviation);
    }
}

/* --- What environments begin with ------------------------------------------------------------- */

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

static struct sample sample_task(const char *name, size_t draws)
{
    struct env_task *task = open_task(name);
    struct env *env = env_open(task);
    struct sample sample = sample_of(env_task_spec(task)->physics_dim);
    struct random random = random_stream(12, RANDOM_TEST, 0, 0);
    for (size_t draw = 0; draw < draws; draw++) {
        double physics[DIM_MAX];
        env_reset(env, &random);
        env_get_physics(env, physics);
        sample_add(&sample, physics);
    }
    env_close(env);
    env_task_close(task);
    return sample;
}

/* --- Bodies in any pose ----------------------------------------------------------------------- */

struct interval {
    double low, high; /* degrees */
};

/* `joints` are those from `first` on; what comes before them and all velocities are 0. */
static void check_pose(const char *name, size_t first, const struct interval *joints, size_t count)
{
    struct sample sample = sample_task(name, 4000);
    for (size_t i = 0; i < sample.dim; i++) {
        if (i < first || i >= first + count) {
            check_constant(&sample, i, 0.0);
        } else {
            check_uniform(&sample, i, joints[i - first].low * degree,
                          joints[i - first].high * degree);
        }
    }
}

static void test_walker_starts_in_any_pose_at_rest(void **state)
{
    (void)state;
    static const struct interval joints[] = {{-180, 180}, {-20, 100}, {-150, 0}, {-45, 45},
                                             {-20, 100},  {-150, 0},  {-45, 45}};
    check_pose("walker_walk", 2, joints, sizeof joints / sizeof joints[0]);
}

static void test_hopper_starts_in_any_pose_at_rest(void **state)
{
    (void)state;
    static const struct interval joints[] = {
        {-180, 180}, {-30, 30}, {-170, 10}, {5, 150}, {-45, 45}};
    check_pose("hopper_flip_backward", 2, joints, sizeof joints / sizeof joints[0]);
}

/* --- Against a sample of our own -------------------------------------------------------------- */

static struct simulation_model *compile(const char *name)
{
    struct failure failure = {0};
    struct registry_entry entry = registry_find(name, &failure);
    fatal_if_failed(&failure);
    struct simulation_model *model = simulation_compile(&entry.domain->source, &failure);
    fatal_if_failed(&failure);
    return model;
}

/* `draw` brings a simulation from its reference pose into an initial state. */
static void check_against(const char *name, size_t draws,
                          void (*draw)(struct simulation *, struct random *))
{
    struct sample found = sample_task(name, draws), wanted = sample_of(found.dim);
    struct simulation_model *model = compile(name);
    struct simulation *simulation = simulation_open(model);
    struct random random = random_stream(13, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < draws; i++) {
        double physics[DIM_MAX];
        simulation_reset(simulation);
        draw(simulation, &random);
        simulation_get_physics(simulation, physics);
        sample_add(&wanted, physics);
    }
    check_same(&found, &wanted);
    simulation_close(simulation);
    simulation_model_close(model);
}

/* Two seconds without control, from the legs' joints as they are put. */
static void settle_cheetah(struct simulation *simulation, const double joints[6])
{
    static const double no_control[6];
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    memcpy(position + 3, joints, 6 * sizeof *joints);
    assert_true(simulation_step(simulation, no_control, 200));
}

static const struct interval cheetah_joints[6] = {{-30, 60},  {-50, 50}, {-230, 50},
                                                  {-57, 0.4}, {-70, 50}, {-28, 28}};

static void draw_cheetah(struct simulation *simulation, struct random *random)
{
    double joints[6];
    for (size_t i = 0; i < 6; i++) {
        joints[i] = random_between(random, cheetah_joints[i].low, cheetah_joints[i].high) * degree;
    }
    settle_cheetah(simulation, joints);
}

static void test_cheetah_settles_from_any_pose(void **state)
{
    (void)state;
    check_against("cheetah_walk", 400, draw_cheetah);
}

static void test_cheetah_starts_on_its_feet_and_nearly_at_rest(void **state)
{
    (void)state;
    static const double soft = 0.05; /* limits give way a little, radians */
    struct sample sample = sample_task("cheetah_run", 400);
    for (size_t i = 0; i < 6; i++) {
        assert_true(sample.lowest[3 + i] > cheetah_joints[i].low * degree - soft);
        assert_true(sample.highest[3 + i] < cheetah_joints[i].high * degree + soft);
    }
    assert_true(sample.lowest[1] > -0.2 && sample.highest[1] < 0.0); /* on its feet */
    for (size_t i = 9; i < 18; i++) {
        assert_true(sample.lowest[i] > -0.5 && sample.highest[i] < 0.5);
    }
}

/* The golden trace begins with the original's settling from one pose. */
static void test_cheetah_settles_as_the_original(void **state)
{
    (void)state;
    static const double shares[6] = {0.2, 0.35, 0.5, 0.65, 0.8, 0.4};
    struct simulation_model *model = compile("cheetah_run");
    struct simulation *simulation = simulation_open(model);
    double joints[6], physics[DIM_MAX];
    for (size_t i = 0; i < 6; i++) {
        double low = cheetah_joints[i].low, high = cheetah_joints[i].high;
        joints[i] = (low + shares[i] * (high - low)) * degree;
    }
    settle_cheetah(simulation, joints);
    simulation_get_physics(simulation, physics);
    assert_true(support_error_double(physics, golden_cheetah.moments[0].physics, 18) < 1e-9);
    simulation_close(simulation);
    simulation_model_close(model);
}

static void draw_ball(struct simulation *simulation, struct random *random)
{
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    do {
        position[2] = random_between(random, -0.2, 0.2);
        position[3] = random_between(random, 0.2, 0.5);
        simulation_forward(simulation);
    } while (simulation_contact_count(simulation) > 0);
}

static void draw_finger(struct simulation *simulation, struct random *random)
{
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    do {
        position[0] = random_between(random, -110.0, 110.0) * degree;
        position[1] = random_between(random, -110.0, 110.0) * degree;
        position[2] = random_between(random, -180.0, 180.0) * degree;
        simulation_forward(simulation);
    } while (simulation_contact_count(simulation) > 0);
}

static void test_ball_and_finger_start_where_nothing_touches(void **state)
{
    (void)state;
    check_against("ball_in_cup_catch", 3000, draw_ball);
    check_against("finger_spin", 3000, draw_finger);
    check_against("finger_turn_hard", 3000, draw_finger);
}

static void check_apart(const char *name, const double *low, const double *high)
{
    struct env_task *task = open_task(name);
    struct env *env = env_open(task);
    struct simulation_model *model = compile(name);
    struct simulation *simulation = simulation_open(model);
    struct random random = random_stream(14, RANDOM_TEST, 0, 0);
    for (size_t draw = 0; draw < 1000; draw++) {
        double physics[DIM_MAX];
        env_reset(env, &random);
        env_get_physics(env, physics);
        simulation_set_physics(simulation, physics);
        simulation_forward(simulation);
        assert_int_equal(simulation_contact_count(simulation), 0);
        for (size_t i = 0; i < env_task_spec(task)->physics_dim; i++) {
            assert_true(physics[i] >= low[i] && physics[i] <= high[i]);
        }
    }
    simulation_close(simulation);
    simulation_model_close(model);
    env_close(env);
    env_task_close(task);
}

static void test_ball_and_finger_never_start_in_touch(void **state)
{
    (void)state;
    const double ball_low[8] = {0.0, 0.0, -0.2, 0.2}, ball_high[8] = {0.0, 0.0, 0.2, 0.5};
    const double limit = 110.0 * degree;
    const double finger_low[6] = {-limit, -limit, -M_PI}, finger_high[6] = {limit, limit, M_PI};
    check_apart("ball_in_cup_catch", ball_low, ball_high);
    check_apart("finger_turn_easy", finger_low, finger_high);
}

/* --- Targets ---------------------------------------------------------------------------------- */

/* Radius and direction of a target, from what is observed of it. */
static void finger_target(double *polar, const float *observation)
{
    double x = (double)observation[9], z = (double)observation[10];
    polar[0] = hypot(x, z);
    polar[1] = atan2(x, z);
}

static void reacher_target(double *polar, const float *observation)
{
    double shoulder = (double)observation[0], wrist = shoulder + (double)observation[1];
    double x = 0.12 * (cos(shoulder) + cos(wrist)) + (double)observation[2];
    double y = 0.12 * (sin(shoulder) + sin(wrist)) + (double)observation[3];
    polar[0] = hypot(x, y);
    polar[1] = atan2(x, y);
}

static struct sample sample_targets(const char *name, void (*read)(double *, const float *))
{
    struct env_task *task = open_task(name);
    struct env *env = env_open(task);
    struct sample sample = sample_of(2);
    struct random random = random_stream(15, RANDOM_TEST, 0, 0);
    for (size_t draw = 0; draw < 3000; draw++) {
        float observation[DIM_MAX];
        double polar[2];
        env_reset(env, &random);
        env_observe(env, observation);
        read(polar, observation);
        sample_add(&sample, polar);
    }
    env_close(env);
    env_task_close(task);
    return sample;
}

static void test_targets_lie_around_what_shall_reach_them(void **state)
{
    (void)state;
    struct sample spinner = sample_targets("finger_turn_easy", finger_target);
    struct sample arm = sample_targets("reacher_hard", reacher_target);
    support_expect_near(spinner.lowest[0], 0.13, 1e-7);
    support_expect_near(spinner.highest[0], 0.13, 1e-7);
    check_uniform(&spinner, 1, -M_PI, M_PI);
    check_uniform(&arm, 0, 0.05 - 1e-7, 0.2 + 1e-7); /* observed in single precision */
    check_uniform(&arm, 1, -M_PI, M_PI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walker_starts_in_any_pose_at_rest),
        cmocka_unit_test(test_hopper_starts_in_any_pose_at_rest),
        cmocka_unit_test(test_cheetah_settles_from_any_pose),
        cmocka_unit_test(test_cheetah_settles_as_the_original),
        cmocka_unit_test(test_cheetah_starts_on_its_feet_and_nearly_at_rest),
        cmocka_unit_test(test_ball_and_finger_start_where_nothing_touches),
        cmocka_unit_test(test_ball_and_finger_never_start_in_touch),
        cmocka_unit_test(test_targets_lie_around_what_shall_reach_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

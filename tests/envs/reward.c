/* What every task pays at the edges of its reward: within, at the margin's end, outside. The views
 * are made by hand, so that no physics is in between. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/registry.h"

enum { NUMBERS = 24, PUTS = 6, SENSOR_NUMBERS = 9 };

/* --- What a view is made of ------------------------------------------------------------------- */

enum where { NOWHERE, IN_POSITION, IN_VELOCITY, IN_CONTROL, IN_HIDDEN, IN_SENSOR };

/* One number of a view; all others are 0. */
struct put {
    enum where where;
    size_t index;
    double value;
    enum simulation_quantity quantity; /* IN_SENSOR */
    const char *name;
};

struct reward_case {
    const char *task;
    double wanted;
    struct put puts[PUTS];
};

/* clang-format off */
#define POSITION(number, amount) {.where = IN_POSITION, .index = number, .value = amount}
#define VELOCITY(number, amount) {.where = IN_VELOCITY, .index = number, .value = amount}
#define CONTROL(number, amount) {.where = IN_CONTROL, .index = number, .value = amount}
#define HIDDEN(number, amount) {.where = IN_HIDDEN, .index = number, .value = amount}
#define SENSOR(kind, of, number, amount)                                                            \
    {.where = IN_SENSOR, .quantity = SIMULATION_##kind, .name = of, .index = number, .value = amount}

/* Of an upward axis with the vertical. */
#define COSINE(body, amount) SENSOR(BODY_ROTATION, body, 8, amount)
#define FACING(number, amount) SENSOR(BODY_ROTATION, "torso", number, amount)
#define SPEED(amount) SENSOR(MODEL_SENSOR, "torso_subtreelinvel", 0, amount)
#define PINCH(number, amount)                                                                      \
    SENSOR(SITE_POSITION, "jaco_arm/jaco_hand/pinchsite", number, amount)
#define MOMENTUM(amount) SENSOR(BODY_MOMENTUM, "torso", 1, amount)

static const struct reward_case cases[] = {
    /* (cosine + 1) / 2, then factors of at least 4/5, 1/2 and 1/2 for control, swing and place */
    {"cartpole_balance", 1.0, {COSINE("pole_1", 1.0)}},
    {"cartpole_balance", 0.0, {COSINE("pole_1", -1.0)}},
    {"cartpole_balance", 0.55, {COSINE("pole_1", 1.0), POSITION(0, -2.0)}},
    {"cartpole_balance", 0.55, {COSINE("pole_1", 1.0), VELOCITY(1, 5.0)}},
    {"cartpole_balance", 0.95, {COSINE("pole_1", 1.0), CONTROL(0, 0.5)}},
    {"cartpole_swingup", 1.0, {COSINE("pole_1", 1.0)}},
    {"cartpole_swingup", 0.5, {COSINE("pole_1", 0.0)}},
    {"cartpole_swingup", 0.8, {COSINE("pole_1", 1.0), CONTROL(0, -1.0)}},
    {"cartpole_swingup", 0.5 * (1.0 + 0.0001), {COSINE("pole_1", 1.0), POSITION(0, 4.0)}},
    {"cartpole_swingup_dynamics", 1.0, {COSINE("pole_1", 1.0)}},
    {"cartpole_swingup_dynamics", 0.5, {COSINE("pole_1", 0.0)}},
    {"cartpole_swingup_dynamics", 0.8, {COSINE("pole_1", 1.0), CONTROL(0, -1.0)}},
    {"cartpole_balance_sparse", 1.0, {COSINE("pole_1", 0.995), POSITION(0, 0.25)}},
    {"cartpole_balance_sparse", 0.0, {COSINE("pole_1", 0.995), POSITION(0, -0.2500001)}},
    {"cartpole_swingup_sparse", 1.0, {COSINE("pole_1", 1.0), POSITION(0, -0.25)}},
    {"cartpole_swingup_sparse", 0.0, {COSINE("pole_1", 0.9949999)}},

    {"pendulum_swingup", 1.0, {COSINE("pole", 0.9902680688)}},
    {"pendulum_swingup", 0.0, {COSINE("pole", 0.9902680687)}},

    /* shares of a speed or of a momentum */
    {"cheetah_run", 1.0, {SPEED(10.0)}},
    {"cheetah_run", 1.0, {SPEED(11.0)}},
    {"cheetah_run", 0.25, {SPEED(2.5)}},
    {"cheetah_run", 0.0, {SPEED(-1.0)}},
    {"cheetah_run_dynamics", 1.0, {SPEED(10.0)}},
    {"cheetah_run_dynamics", 0.25, {SPEED(2.5)}},
    {"cheetah_run_backward", 1.0, {SPEED(-10.0)}},
    {"cheetah_run_backward", 0.0, {SPEED(10.0)}},
    {"cheetah_walk", 1.0, {SPEED(2.0)}},
    {"cheetah_walk", 0.5, {SPEED(1.0)}},
    {"cheetah_walk", 0.0, {SPEED(-2.0)}},
    {"cheetah_walk_backward", 1.0, {SPEED(-2.0)}},
    {"cheetah_walk_backward", 0.0, {SPEED(0.0)}},
    {"cheetah_flip", 1.0, {MOMENTUM(5.0)}},
    {"cheetah_flip", 0.5, {MOMENTUM(2.5)}},
    {"cheetah_flip", 0.0, {MOMENTUM(-5.0)}},
    {"cheetah_flip_backward", 1.0, {MOMENTUM(-5.0)}},
    {"cheetah_flip_backward", 0.0, {MOMENTUM(5.0)}},

    /* three parts height, one part upright; then (5 moving + 1) / 6 */
    {"walker_stand", 1.0, {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0)}},
    {"walker_stand", 0.325, {SENSOR(BODY_POSITION, "torso", 2, 0.6), COSINE("torso", 1.0)}},
    {"walker_stand", 0.75, {SENSOR(BODY_POSITION, "torso", 2, 1.3), COSINE("torso", -1.0)}},
    {"walker_walk", 1.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(1.0)}},
    {"walker_walk", 3.5 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(0.5)}},
    {"walker_walk", 1.0 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(0.0)}},
    {"walker_walk_dynamics", 1.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(1.0)}},
    {"walker_walk_dynamics", 3.5 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(0.5)}},
    {"walker_run", 1.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(8.0)}},
    {"walker_run", 3.5 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(4.0)}},
    {"walker_run", 1.0 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), SPEED(-8.0)}},
    {"walker_flip", 1.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), MOMENTUM(5.0)}},
    {"walker_flip", 3.5 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), MOMENTUM(2.5)}},
    {"walker_flip", 1.0 / 6.0,
     {SENSOR(BODY_POSITION, "torso", 2, 1.2), COSINE("torso", 1.0), MOMENTUM(-1.0)}},

    /* standing is all or nothing: torso 0.6 to 2 m above the foot */
    {"hopper_stand", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 0.6)}},
    {"hopper_stand", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 0.5999999)}},
    {"hopper_stand", 0.95, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 2.0), CONTROL(3, 1.0)}},
    {"hopper_stand", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 2.0000001)}},
    {"hopper_stand", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 5.0),
     SENSOR(BODY_INERTIA_POSITION, "foot", 2, 4.0)}},
    {"hopper_hop", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(2.0)}},
    {"hopper_hop", 0.5, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(1.0)}},
    {"hopper_hop", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(0.0)}},
    {"hopper_hop", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 0.5), SPEED(2.0)}},
    {"hopper_hop_dynamics", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(2.0)}},
    {"hopper_hop_dynamics", 0.5, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(1.0)}},
    {"hopper_hop_backward", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(-2.0)}},
    {"hopper_hop_backward", 0.5, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(-1.0)}},
    {"hopper_hop_backward", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), SPEED(2.0)}},
    {"hopper_flip", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), MOMENTUM(5.0)}},
    {"hopper_flip", 0.5, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), MOMENTUM(2.5)}},
    {"hopper_flip", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 0.5), MOMENTUM(5.0)}},
    {"hopper_flip_backward", 1.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), MOMENTUM(-5.0)}},
    {"hopper_flip_backward", 0.0, {SENSOR(BODY_INERTIA_POSITION, "torso", 2, 1.0), MOMENTUM(5.0)}},

    /* upright, times a speed's share of at least a half for standing still */
    {"quadruped_stand", 1.0, {COSINE("torso", 1.0)}},
    {"quadruped_stand", 0.5, {COSINE("torso", 0.0)}},
    {"quadruped_stand", 0.0, {COSINE("torso", -1.0)}},
    {"quadruped_walk", 1.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, 0.5)}},
    {"quadruped_walk", 0.5, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 1, 0.5)}},
    {"quadruped_walk", 0.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, -0.5)}},
    {"quadruped_run", 1.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, 5.0)}},
    {"quadruped_run", 0.25, {COSINE("torso", 0.0)}},
    {"quadruped_run", 0.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, -5.0)}},
    /* upright, facing along x or y, times progress / 0.5 along the heading */
    {"quadruped_direction", 0.5,
     {FACING(0, 1.0), FACING(4, 1.0), FACING(8, 1.0), HIDDEN(0, M_PI / 2.0),
      SENSOR(MODEL_SENSOR, "velocimeter", 1, 0.25)}},
    {"quadruped_direction", 0.0,
     {FACING(0, 1.0), FACING(4, 1.0), FACING(8, 1.0), HIDDEN(0, -M_PI / 2.0),
      SENSOR(MODEL_SENSOR, "velocimeter", 1, 0.25)}},
    {"quadruped_direction", 1.0,
     {FACING(1, -1.0), FACING(3, 1.0), FACING(8, 1.0), HIDDEN(0, M_PI / 2.0),
      SENSOR(MODEL_SENSOR, "velocimeter", 0, 5.0)}},
    {"quadruped_direction", 0.5 * 0.6,
     {FACING(0, 1.0), FACING(4, 1.0), FACING(8, 0.0), HIDDEN(0, 0.0),
      SENSOR(MODEL_SENSOR, "velocimeter", 0, 0.3)}},
    {"quadruped_jump", 1.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "center_of_mass", 2, 1.0)}},
    {"quadruped_jump", 0.5, {COSINE("torso", 1.0)}},
    {"quadruped_roll", 1.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, -0.3),
     SENSOR(MODEL_SENSOR, "velocimeter", 2, 0.4)}},
    {"quadruped_roll", 0.75, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 1, -0.25)}},
    {"quadruped_roll", 0.25, {COSINE("torso", 0.0)}},
    {"quadruped_roll_fast", 1.0, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 1, 3.0),
     SENSOR(MODEL_SENSOR, "velocimeter", 2, -4.0)}},
    {"quadruped_roll_fast", 0.75, {COSINE("torso", 1.0), SENSOR(MODEL_SENSOR, "velocimeter", 0, -2.5)}},
    {"quadruped_roll_fast", 0.5, {COSINE("torso", 1.0)}},

    /* a distance; where the suite's, times a factor of at least 4/5 for the control */
    {"point_mass_easy", 1.0, {POSITION(0, -0.0149999)}},
    {"point_mass_easy", 0.1, {POSITION(1, 0.03)}},
    {"point_mass_easy", 0.9, {CONTROL(0, 1.0)}},
    {"point_mass_easy", 0.8, {CONTROL(0, 1.0), CONTROL(1, -1.0)}},
    {"point_mass_hidden", 1.0, {HIDDEN(0, 0.1), POSITION(0, 0.1149999), CONTROL(0, 1.0)}},
    {"point_mass_hidden", 0.1, {HIDDEN(1, 0.215)}},
    /* a goal's cell; steps that find the key and the door, and later ones */
    {"dark_room", 1.0, {HIDDEN(0, 3.0), HIDDEN(1, 8.0), POSITION(0, 3.0), POSITION(1, 8.0)}},
    {"dark_room", 0.0, {HIDDEN(0, 3.0), HIDDEN(1, 8.0), POSITION(0, 3.0), POSITION(1, 7.0)}},
    {"key_to_door", 0.0, {HIDDEN(2, 5.0), HIDDEN(3, 6.0)}},
    {"key_to_door", 1.0, {HIDDEN(2, 5.0), HIDDEN(3, 6.0), POSITION(2, 1.0)}},
    {"key_to_door", 0.0, {HIDDEN(2, 5.0), HIDDEN(3, 6.0), POSITION(2, 2.0)}},
    {"key_to_door", 1.0, {HIDDEN(2, 5.0), HIDDEN(3, 6.0), POSITION(2, 3.0)}},
    {"key_to_door", 0.0, {HIDDEN(2, 5.0), HIDDEN(3, 6.0), POSITION(2, 4.0)}},

    /* 1 - |speed - target| / 3 */
    {"cheetah_velocity", 1.0, {HIDDEN(0, 1.5), SPEED(1.5)}},
    {"cheetah_velocity", 0.75, {HIDDEN(0, 1.5), SPEED(0.75)}},
    {"cheetah_velocity", 0.5, {HIDDEN(0, 1.5), SPEED(3.0)}},
    {"cheetah_velocity", 0.0, {HIDDEN(0, 2.0), SPEED(-1.0)}},
    {"cheetah_velocity", 0.0, {HIDDEN(0, 2.0), SPEED(-5.0)}},
    {"point_mass_search", 1.0, {HIDDEN(0, 0.1), POSITION(0, 0.1299999), CONTROL(0, 1.0)}},
    {"point_mass_search", 0.0, {HIDDEN(0, 0.1), POSITION(0, 0.1300001)}},
    {"point_mass_search_small", 1.0, {HIDDEN(1, 0.2), POSITION(1, 0.1850001)}},
    {"point_mass_search_small", 0.0, {HIDDEN(1, 0.2), POSITION(1, 0.1849999)}},
    {"point_mass_maze_reach_top_left", 1.0, {POSITION(0, -0.15), POSITION(1, 0.1649999)}},
    {"point_mass_maze_reach_top_left", 0.1, {POSITION(0, -0.18), POSITION(1, 0.15)}},
    {"point_mass_maze_reach_top_right", 1.0, {POSITION(0, 0.15), POSITION(1, 0.15)}},
    {"point_mass_maze_reach_top_right", 0.8,
     {POSITION(0, 0.15), POSITION(1, 0.15), CONTROL(0, 1.0), CONTROL(1, 1.0)}},
    {"point_mass_maze_reach_top_right", 0.1, {POSITION(0, 0.15), POSITION(1, 0.12)}},
    {"point_mass_maze_reach_bottom_left", 1.0, {POSITION(0, -0.15), POSITION(1, -0.15)}},
    {"point_mass_maze_reach_bottom_left", 0.0, {POSITION(0, -0.15), POSITION(1, 0.15)}},
    {"point_mass_maze_reach_bottom_right", 1.0, {POSITION(0, 0.15), POSITION(1, -0.15)}},
    {"point_mass_maze_reach_bottom_right", 0.1, {POSITION(0, 0.18), POSITION(1, -0.15)}},
    {"point_mass_maze_hidden", 1.0, {HIDDEN(0, 2.0), POSITION(0, -0.15), POSITION(1, -0.15)}},
    {"point_mass_maze_hidden", 0.0, {HIDDEN(0, 3.0), POSITION(0, -0.15), POSITION(1, -0.15)}},

    /* from the pinch to a place on the floor: 5 cm are near, 5 cm more the margin */
    {"jaco_reach_top_left", 1.0, {PINCH(0, -0.09), PINCH(1, 0.09), PINCH(2, 0.0509999)}},
    {"jaco_reach_top_left", 0.1, {PINCH(0, -0.19), PINCH(1, 0.09), PINCH(2, 0.001)}},
    {"jaco_reach_top_right", 1.0, {PINCH(0, 0.1399999), PINCH(1, 0.09), PINCH(2, 0.001)}},
    {"jaco_reach_top_right", 0.1, {PINCH(0, 0.09), PINCH(1, 0.19), PINCH(2, 0.001)}},
    {"jaco_reach_bottom_left", 1.0, {PINCH(0, -0.09), PINCH(1, -0.09), PINCH(2, 0.001)}},
    {"jaco_reach_bottom_left", 0.1, {PINCH(0, -0.09), PINCH(1, -0.09), PINCH(2, 0.101)}},
    {"jaco_reach_bottom_right", 1.0, {PINCH(0, 0.09), PINCH(1, -0.0400001), PINCH(2, 0.001)}},
    {"jaco_reach_bottom_right", 0.1, {PINCH(0, 0.09), PINCH(1, -0.09), PINCH(2, -0.099)}},
    {"jaco_hidden", 1.0, {HIDDEN(0, 2.0), PINCH(0, -0.09), PINCH(1, -0.09), PINCH(2, 0.001)}},
    {"jaco_hidden", 0.1, {HIDDEN(0, 3.0), PINCH(0, 0.19), PINCH(1, -0.09), PINCH(2, 0.001)}},

    {"reacher_easy", 1.0, {SENSOR(GEOM_POSITION, "target", 0, 0.0599999)}},
    {"reacher_easy", 0.0, {SENSOR(GEOM_POSITION, "target", 1, -0.0600001)}},
    {"reacher_hard", 1.0, {SENSOR(GEOM_POSITION, "finger", 1, 0.0249999)}},
    {"reacher_hard", 0.0, {SENSOR(GEOM_POSITION, "finger", 0, 0.0250001)}},
    {"reacher_hidden", 1.0, {HIDDEN(0, 0.1), SENSOR(GEOM_POSITION, "finger", 0, 0.1249999)}},
    {"reacher_hidden", 0.1, {HIDDEN(1, 0.145), SENSOR(GEOM_POSITION, "target", 1, 0.145)}},

    {"ball_in_cup_catch", 1.0, {SENSOR(BODY_POSITION, "ball", 0, 0.0249999)}},
    {"ball_in_cup_catch", 0.0, {SENSOR(BODY_POSITION, "ball", 0, 0.0250001)}},
    {"ball_in_cup_catch", 1.0, {SENSOR(SITE_POSITION, "target", 2, 0.0249999)}},
    {"ball_in_cup_catch", 0.0, {SENSOR(SITE_POSITION, "target", 2, -0.0250001)}},

    {"finger_spin", 1.0, {VELOCITY(2, -15.0)}},
    {"finger_spin", 0.0, {VELOCITY(2, -14.999999)}},
    {"finger_spin", 0.0, {VELOCITY(2, 15.0)}},
    {"finger_turn_easy", 1.0, {SENSOR(MODEL_SENSOR, "tip", 2, 0.0699999)}},
    {"finger_turn_easy", 0.0, {SENSOR(MODEL_SENSOR, "tip", 0, -0.0700001)}},
    {"finger_turn_hard", 1.0, {SENSOR(SITE_POSITION, "target", 0, 0.0299999)}},
    {"finger_turn_hard", 0.0, {SENSOR(SITE_POSITION, "target", 2, 0.0300001)}},
};
/* clang-format on */

enum { CASES = sizeof cases / sizeof cases[0] };

/* --- Making it -------------------------------------------------------------------------------- */

struct made {
    double position[NUMBERS], velocity[NUMBERS], control[NUMBERS], hidden[NUMBERS];
    double sensor[SIMULATION_SENSORS_MAX][SENSOR_NUMBERS];
    struct simulation_view view;
};

static size_t sensor_of(const struct domain *domain, const struct put *put)
{
    for (size_t i = 0; i < domain->source.sensor_count; i++) {
        const struct simulation_sensor *sensor = &domain->source.sensors[i];
        if (sensor->quantity == put->quantity && strcmp(sensor->name, put->name) == 0) {
            return i;
        }
    }
    fail_msg("%s does not look at %s", domain->source.name, put->name);
    return 0;
}

static double *number_of(struct made *made, const struct domain *domain, const struct put *put)
{
    switch (put->where) {
    case IN_POSITION:
        return made->position + put->index;
    case IN_VELOCITY:
        return made->velocity + put->index;
    case IN_CONTROL:
        return made->control + put->index;
    case IN_HIDDEN:
        return made->hidden + put->index;
    case IN_SENSOR:
        return made->sensor[sensor_of(domain, put)] + put->index;
    case NOWHERE:
        break;
    }
    return NULL;
}

static void make(struct made *made, const struct domain *domain, const struct put *puts)
{
    memset(made, 0, sizeof *made);
    for (size_t i = 0; i < PUTS && puts[i].where != NOWHERE; i++) {
        *number_of(made, domain, &puts[i]) = puts[i].value;
    }
    made->view.position = made->position;
    made->view.velocity = made->velocity;
    made->view.control = made->control;
    for (size_t i = 0; i < SIMULATION_SENSORS_MAX; i++) {
        made->view.sensor[i] = made->sensor[i];
    }
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void test_rewards_are_as_published_at_their_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct failure failure = {0};
        struct registry_entry entry = registry_find(cases[i].task, &failure);
        fatal_if_failed(&failure);
        struct made made;
        make(&made, entry.domain, cases[i].puts);
        double found = entry.task->reward(&made.view, entry.task->hidden ? made.hidden : NULL);
        if (!(fabs(found - cases[i].wanted) <= 1e-12)) {
            fail_msg("%s, case %zu: reward %.17g, expected %.17g", cases[i].task, i, found,
                     cases[i].wanted);
        }
    }
}

/* Planners give up a plan that not even the largest rewards can save. */
static void test_largest_reward_is_that_of_the_task(void **state)
{
    (void)state;
    for (size_t index = 0; registry_at(index).task; index++) {
        struct failure failure = {0};
        struct env_task *task = env_task_open(registry_at(index).task->name, &failure);
        fatal_if_failed(&failure);
        const struct env_spec *spec = env_task_spec(task);
        double highest = 0.0;
        for (size_t i = 0; i < CASES; i++) {
            if (strcmp(cases[i].task, spec->task) == 0) {
                highest = fmax(highest, cases[i].wanted);
            }
        }
        if (highest != spec->reward_max) {
            fail_msg("%s: the largest reward here is %.17g, its own says %.17g", spec->task,
                     highest, spec->reward_max);
        }
        env_task_close(task);
    }
}

static void test_every_task_has_its_edges_here(void **state)
{
    (void)state;
    for (size_t index = 0; registry_at(index).task; index++) {
        const char *name = registry_at(index).task->name;
        double lowest = 1.0, highest = 0.0;
        for (size_t i = 0; i < CASES; i++) {
            if (strcmp(cases[i].task, name) == 0) {
                lowest = fmin(lowest, cases[i].wanted);
                highest = fmax(highest, cases[i].wanted);
            }
        }
        if (!(lowest < highest)) {
            fail_msg("no two different rewards of %s are known", name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewards_are_as_published_at_their_edges),
        cmocka_unit_test(test_every_task_has_its_edges_here),
        cmocka_unit_test(test_largest_reward_is_that_of_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

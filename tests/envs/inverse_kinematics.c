/* An arm finds the angles that bring its tip to a place, where there are any. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/inverse_kinematics.h"

/* Three links in a plane: x, z and the pitch of the tip can be asked for. */
static const char arm_xml[] =
    "<mujoco><worldbody><body><joint axis='0 1 0'/><geom size='0.1' pos='0 0 1'/>"
    "<body pos='0 0 1'><joint axis='0 1 0'/><geom size='0.1' pos='0 0 1'/>"
    "<body pos='0 0 1'><joint axis='0 1 0'/><geom size='0.1' pos='0 0 0.5'/>"
    "<site name='tip' pos='0 0 0.5'/></body></body></body></worldbody></mujoco>";

enum { TIP, SENSORS, JOINTS = 3 };

static const struct simulation_sensor sensors[SENSORS] = {
    [TIP] = {SIMULATION_SITE_POSITION, "tip"}};

static const struct simulation_source source = {
    .name = "arm", .xml = {arm_xml}, .sensors = sensors, .sensor_count = SENSORS};

struct fixture {
    struct simulation_model *model;
    struct simulation *simulation;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct failure failure = {0};
    fixture.model = simulation_compile(&source, &failure);
    fatal_if_failed(&failure);
    fixture.simulation = simulation_open(fixture.model);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    simulation_close(fixture->simulation);
    simulation_model_close(fixture->model);
    return 0;
}

static void put_angles(struct simulation *simulation, const double angles[JOINTS])
{
    double *position, *velocity;
    simulation_reset(simulation);
    simulation_state(simulation, &position, &velocity);
    memcpy(position, angles, JOINTS * sizeof *angles);
}

/* Where the tip is under `angles`. */
static struct inverse_kinematics_target target_of(const double angles[JOINTS])
{
    double pitch = angles[0] + angles[1] + angles[2];
    double elbow = angles[0] + angles[1];
    return (struct inverse_kinematics_target){
        .site = TIP,
        .position = {sin(angles[0]) + sin(elbow) + 0.5 * sin(pitch), 0.0,
                     cos(angles[0]) + cos(elbow) + 0.5 * cos(pitch)},
        .orientation = {cos(0.5 * pitch), 0.0, sin(0.5 * pitch), 0.0},
    };
}

static void test_the_tip_arrives(void **state)
{
    struct simulation *simulation = ((struct fixture *)*state)->simulation;
    const double wanted[JOINTS] = {0.4, 0.9, -0.6};
    const double beginnings[][JOINTS] = {{0.5, 0.8, -0.5}, {0.0, 1.5, 0.0}, {1.0, 0.3, -1.0}};
    struct inverse_kinematics_target target = target_of(wanted);
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        put_angles(simulation, beginnings[i]);
        assert_true(inverse_kinematics_reach(simulation, &target, JOINTS));
        const struct simulation_view *view = simulation_view(simulation);
        assert_true(support_error_double(view->sensor[TIP], target.position, 3) <= 1e-14);
        assert_true(support_error_double(view->position, wanted, JOINTS) <= 1e-12);
    }
}

static void test_what_is_out_of_reach_is_told(void **state)
{
    struct simulation *simulation = ((struct fixture *)*state)->simulation;
    const double bent[JOINTS] = {0.5, 0.8, -0.5};
    struct inverse_kinematics_target far_away = target_of(bent), turned = target_of(bent);
    struct inverse_kinematics_target nowhere = target_of(bent);
    far_away.position[0] = 5.0;
    turned.orientation[2] = 0.0; /* a roll, which no joint has */
    turned.orientation[1] = 1.0;
    nowhere.position[2] = (double)NAN;
    put_angles(simulation, bent);
    assert_false(inverse_kinematics_reach(simulation, &far_away, JOINTS));
    put_angles(simulation, bent);
    assert_false(inverse_kinematics_reach(simulation, &turned, JOINTS));
    put_angles(simulation, bent);
    assert_false(inverse_kinematics_reach(simulation, &nowhere, JOINTS));
}

static void test_joints_beyond_the_count_stay(void **state)
{
    struct simulation *simulation = ((struct fixture *)*state)->simulation;
    const double bent[JOINTS] = {0.5, 0.8, -0.5}, wanted[JOINTS] = {0.6, 0.7, -0.5};
    struct inverse_kinematics_target target = target_of(wanted);
    put_angles(simulation, bent);
    assert_true(inverse_kinematics_reach(simulation, &target, 2));
    assert_true(simulation_view(simulation)->position[2] == -0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tip_arrives),
        cmocka_unit_test(test_what_is_out_of_reach_is_told),
        cmocka_unit_test(test_joints_beyond_the_count_stay),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Sensors show what they name, random poses keep to the joints' limits, geoms move for one only. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/domain.h"
#include "envs/simulation.h"

static const char arm_xml[] =
    "<mujoco><compiler autolimits='false'/><worldbody>"
    "<geom name='mark' type='sphere' size='0.1' pos='1 2 3'/><site name='spot' pos='1 2 3'/>"
    "<geom name='floor' type='plane' size='5 5 .1' pos='0 0 -5'/>"
    "<body name='cart'><joint name='rail' type='slide' axis='1 0 0' limited='true' range='-2 1'/>"
    "<joint name='free_rail' type='slide' axis='0 1 0'/><geom name='box' size='0.2'/>"
    "<body name='arm' pos='0 0 1'><joint name='hinge' axis='0 1 0'/>"
    "<geom name='link' type='capsule' fromto='0 0 0 0 0 1' size='0.05'/>"
    "<site name='tip' pos='0 0 1'/></body></body></worldbody>"
    "<sensor><framepos name='tip_place' objtype='site' objname='tip'/>"
    "<subtreelinvel name='arm_velocity' body='arm'/></sensor></mujoco>";

enum {
    MARK,
    SPOT,
    ARM,
    ARM_ROTATION,
    TIP,
    TIP_SENSOR,
    LINK_SIZE,
    HINGE,
    HINGE_SPEED,
    CART_COM,
    SENSORS
};

static const struct simulation_sensor sensors[SENSORS] = {
    [MARK] = {SIMULATION_GEOM_POSITION, "mark"},
    [SPOT] = {SIMULATION_SITE_POSITION, "spot"},
    [ARM] = {SIMULATION_BODY_POSITION, "arm"},
    [ARM_ROTATION] = {SIMULATION_BODY_ROTATION, "arm"},
    [TIP] = {SIMULATION_SITE_POSITION, "tip"},
    [TIP_SENSOR] = {SIMULATION_MODEL_SENSOR, "tip_place"},
    [LINK_SIZE] = {SIMULATION_GEOM_SIZE, "link"},
    [HINGE] = {SIMULATION_JOINT_POSITION, "hinge"},
    [HINGE_SPEED] = {SIMULATION_JOINT_VELOCITY, "hinge"},
    [CART_COM] = {SIMULATION_BODY_COM, "cart"},
};

static const struct simulation_source source = {
    .name = "arm", .xml = {arm_xml}, .sensors = sensors, .sensor_count = SENSORS};

struct fixture {
    struct simulation_model *model;
    struct simulation *simulation;
    const struct simulation_view *view;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct failure failure = {0};
    fixture.model = simulation_compile(&source, &failure);
    fatal_if_failed(&failure);
    fixture.simulation = simulation_open(fixture.model);
    fixture.view = simulation_view(fixture.simulation);
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

static void test_sensors_show_what_they_name(void **state)
{
    struct fixture *fixture = *state;
    const double physics[] = {0.5, -0.25, 0.3, 0.0, 0.0, 0.7};
    simulation_set_physics(fixture->simulation, physics);
    simulation_forward(fixture->simulation);
    const double *const *sensor = fixture->view->sensor;
    support_expect_near(sensor[MARK][2], 3.0, 0.0);
    support_expect_near(sensor[ARM][0], 0.5, 1e-15);
    support_expect_near(sensor[ARM][2], 1.0, 1e-15);
    support_expect_near(sensor[ARM_ROTATION][8], cos(0.3), 1e-15);
    support_expect_near(sensor[TIP][0], 0.5 + sin(0.3), 1e-15);
    support_expect_near(sensor[TIP][2], 1.0 + cos(0.3), 1e-15);
    assert_memory_equal(sensor[TIP_SENSOR], sensor[TIP], 3 * sizeof(double));
    support_expect_near(sensor[LINK_SIZE][0], 0.05, 0.0);
    support_expect_near(*sensor[HINGE], 0.3, 0.0);
    support_expect_near(*sensor[HINGE_SPEED], 0.7, 0.0);
    assert_true(sensor[CART_COM][0] > 0.5 && sensor[CART_COM][0] < 0.5 + sin(0.3));
}

static void test_joints_are_described(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(simulation_sizes(fixture->simulation)->joints, 3);
    struct simulation_joint rail = simulation_joint(fixture->simulation, 0);
    assert_int_equal(rail.kind, SIMULATION_JOINT_SLIDE);
    assert_true(rail.is_limited && rail.low == -2.0 && rail.high == 1.0);
    struct simulation_joint hinge = simulation_joint(fixture->simulation, 2);
    assert_int_equal(hinge.kind, SIMULATION_JOINT_HINGE);
    assert_false(hinge.is_limited);
    assert_int_equal(hinge.position, 2);
}

static void test_random_poses_fill_the_limits(void **state)
{
    struct fixture *fixture = *state;
    struct random random = random_stream(3, RANDOM_TEST, 0, 0);
    double lowest[3] = {9.0, 9.0, 9.0};
    double highest[3] = {-9.0, -9.0, -9.0};
    for (size_t draw = 0; draw < 2000; draw++) {
        simulation_reset(fixture->simulation);
        domain_randomise_joints(fixture->simulation, &random);
        for (size_t i = 0; i < 3; i++) {
            lowest[i] = fmin(lowest[i], fixture->view->position[i]);
            highest[i] = fmax(highest[i], fixture->view->position[i]);
        }
    }
    assert_true(lowest[0] >= -2.0 && lowest[0] < -1.98 && highest[0] < 1.0 && highest[0] > 0.98);
    assert_true(lowest[1] == 0.0 && highest[1] == 0.0);
    assert_true(lowest[2] >= -M_PI && lowest[2] < -3.1 && highest[2] < M_PI && highest[2] > 3.1);
}

static void test_geom_and_site_move_in_one_simulation_only(void **state)
{
    struct fixture *fixture = *state;
    struct simulation *other = simulation_open(fixture->model);
    const double place[3] = {-1.0, 0.5, 0.25};
    const double spot[3] = {0.5, -2.0, 0.75};
    simulation_move_geom(fixture->simulation, MARK, place);
    simulation_move_site(fixture->simulation, SPOT, spot);
    simulation_reset(fixture->simulation);
    simulation_reset(other);
    assert_memory_equal(fixture->view->sensor[MARK], place, sizeof place);
    assert_memory_equal(fixture->view->sensor[SPOT], spot, sizeof spot);
    support_expect_near(simulation_view(other)->sensor[MARK][0], 1.0, 0.0);
    support_expect_near(simulation_view(other)->sensor[SPOT][0], 1.0, 0.0);
    simulation_close(other);
}

static void test_contacts_are_counted_and_named(void **state)
{
    struct fixture *fixture = *state;
    const double apart[3] = {1.0, 2.0, 3.0};
    const double inside_the_cart[3] = {0.0, 0.0, 0.0};
    simulation_move_geom(fixture->simulation, MARK, apart);
    simulation_reset(fixture->simulation);
    assert_int_equal(simulation_contact_count(fixture->simulation), 0);
    simulation_move_geom(fixture->simulation, MARK, inside_the_cart);
    simulation_forward(fixture->simulation);
    assert_int_equal(simulation_contact_count(fixture->simulation), 1);
    struct simulation_contact contact = simulation_contact(fixture->simulation, 0);
    assert_string_equal(contact.geoms[0], "mark");
    assert_string_equal(contact.geoms[1], "box");
    support_expect_near(contact.distance, -0.3, 1e-15);
}

/* The tip is a metre from the hinge, which is 0.3 away from upright and turns about y. */
static void test_sites_tell_how_they_move_and_turn(void **state)
{
    struct fixture *fixture = *state;
    const double physics[] = {0.5, -0.25, 0.3, 0.0, 0.0, 0.0}, upright[] = {1.0, 0.0, 0.0, 0.0};
    const double wanted[6][3] = {{1.0, 0.0, cos(0.3)}, {0.0, 1.0, 0.0}, {0.0, 0.0, -sin(0.3)},
                                 {0.0, 0.0, 0.0},      {0.0, 0.0, 1.0}, {0.0, 0.0, 0.0}};
    const double missing[3] = {0.0, -0.3, 0.0};
    double jacobian[6][3], turn[3];
    simulation_reset(fixture->simulation);
    simulation_set_physics(fixture->simulation, physics);
    simulation_kinematics(fixture->simulation);
    simulation_site_jacobian(fixture->simulation, TIP, jacobian[0]);
    simulation_site_rotation_error(fixture->simulation, TIP, upright, turn);
    assert_true(support_error_double(jacobian[0], wanted[0], 18) <= 1e-15);
    assert_true(support_error_double(turn, missing, 3) <= 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sensors_show_what_they_name),
        cmocka_unit_test(test_joints_are_described),
        cmocka_unit_test(test_random_poses_fill_the_limits),
        cmocka_unit_test(test_geom_and_site_move_in_one_simulation_only),
        cmocka_unit_test(test_contacts_are_counted_and_named),
        cmocka_unit_test(test_sites_tell_how_they_move_and_turn),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

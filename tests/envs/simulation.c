/* The door to MuJoCo: its errors become ours, and it leaves nothing behind. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mujoco/mujoco.h>

#include "envs/simulation.h"

static const char pendulum_xml[] =
    "<mujoco><worldbody><body name='arm'><joint name='hinge' axis='0 1 0'/>"
    "<geom size='0.1' pos='0 0 1'/></body></worldbody>"
    "<actuator><motor joint='hinge' ctrllimited='true' ctrlrange='-1 1'/></actuator></mujoco>";

static const struct simulation_source pendulum = {.name = "pendulum", .xml = {pendulum_xml}};

static struct simulation_model *compile(const struct simulation_source *source)
{
    struct failure failure = {0};
    struct simulation_model *model = simulation_compile(source, &failure);
    fatal_if_failed(&failure);
    return model;
}

static void test_engine_names_its_version(void **state)
{
    (void)state;
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "MuJoCo %s", mj_versionString());
    assert_string_equal(simulation_engine(), wanted);
}

static void test_broken_model_is_refused_in_one_line(void **state)
{
    (void)state;
    const char *const broken[] = {"<mujoco><worldbody><body></mujoco>",
                                  "<mujoco><worldbody><body/></nonsense></mujoco>",
                                  "<mujoco>\n<worldbody>\n<geom size='-1'/></worldbody></mujoco>"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct failure failure = {0};
        struct simulation_source source = {.name = "broken", .xml = {broken[i]}};
        assert_null(simulation_compile(&source, &failure));
        assert_int_equal(failure.code, EXIT_CODE_DATA);
        assert_non_null(strstr(failure.text, "broken.xml: found \""));
        assert_null(strchr(failure.text, '\n'));
    }
}

static void compile_with_unknown_body(void *argument)
{
    (void)argument;
    static const struct simulation_sensor sensors[] = {{SIMULATION_BODY_ROTATION, "arm"},
                                                       {SIMULATION_BODY_ROTATION, "leg"}};
    struct simulation_source source = pendulum;
    source.sensors = sensors;
    source.sensor_count = 2;
    compile(&source);
}

static void test_unknown_body_is_a_bug(void **state)
{
    (void)state;
    support_expect_exit(compile_with_unknown_body, NULL, EXIT_CODE_BUG, "invariant");
}

static void test_view_shows_the_named_body(void **state)
{
    (void)state;
    static const struct simulation_sensor sensors[] = {{SIMULATION_BODY_ROTATION, "arm"}};
    struct simulation_source source = pendulum;
    source.sensors = sensors;
    source.sensor_count = 1;
    struct simulation_model *model = compile(&source);
    struct simulation *simulation = simulation_open(model);
    const double physics[] = {0.3, 0.0};
    simulation_set_physics(simulation, physics);
    simulation_forward(simulation);
    support_expect_near(simulation_view(simulation)->sensor[0][8], cos(0.3), 1e-15);
    support_expect_near(simulation_view(simulation)->sensor[0][2], sin(0.3), 1e-15);
    simulation_close(simulation);
    simulation_model_close(model);
}

static void test_forward_leaves_the_actuators_working(void **state)
{
    (void)state;
    struct simulation_model *model = compile(&pendulum);
    struct simulation *idle = simulation_open(model), *driven = simulation_open(model);
    const double none = 0.0, full = 1.0;
    simulation_forward(driven);
    assert_true(simulation_step(idle, &none, 10) && simulation_step(driven, &full, 10));
    assert_true(simulation_view(idle)->velocity[0] == 0.0);
    assert_true(simulation_view(driven)->velocity[0] > 0.0);
    simulation_close(idle);
    simulation_close(driven);
    simulation_model_close(model);
}

static void test_unstable_step_is_told_and_reset_forgives(void **state)
{
    (void)state;
    struct simulation_model *model = compile(&pendulum);
    struct simulation *simulation = simulation_open(model);
    const double control = 0.0, bad_position[] = {(double)NAN, 0.0}, bad_velocity[] = {0.0, 1e30};
    simulation_set_physics(simulation, bad_position);
    simulation_forward(simulation);
    assert_false(simulation_step(simulation, &control, 1));
    simulation_forward(simulation); /* as at the end of an environment's reset */
    assert_false(simulation_step(simulation, &control, 1));
    simulation_reset(simulation);
    assert_true(simulation_step(simulation, &control, 1));
    simulation_set_physics(simulation, bad_velocity);
    simulation_forward(simulation);
    assert_false(simulation_step(simulation, &control, 1));
    simulation_close(simulation);
    simulation_model_close(model);
}

static void raise_error(void *argument)
{
    (void)argument;
    simulation_engine();
    mju_error("first line\nsecond line");
}

/* MuJoCo's own handler would wait for a key and write a file. */
static void test_engine_error_ends_with_one_line_and_leaves_no_file(void **state)
{
    (void)state;
    char back[4096];
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(support_scratch_folder()), 0);
    support_expect_exit(raise_error, NULL, EXIT_CODE_SYSTEM, "\"first line second line\"");
    simulation_engine();
    mju_warning("not worth a file");
    int found = access("MUJOCO_LOG.TXT", F_OK);
    assert_int_equal(chdir(back), 0);
    assert_int_equal(found, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_names_its_version),
        cmocka_unit_test(test_broken_model_is_refused_in_one_line),
        cmocka_unit_test(test_unknown_body_is_a_bug),
        cmocka_unit_test(test_view_shows_the_named_body),
        cmocka_unit_test(test_forward_leaves_the_actuators_working),
        cmocka_unit_test(test_unstable_step_is_told_and_reset_forgives),
        cmocka_unit_test(test_engine_error_ends_with_one_line_and_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pictures of every domain, where this machine can draw; and what is said where it cannot. */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "envs/camera.h"

enum { WIDTH = 120, HEIGHT = 90, PIXELS = WIDTH * HEIGHT, CHANNELS = 3, STEPS = 5 };

/* --- What the tests share --------------------------------------------------------------------- */

struct scene {
    struct env_task *task;
    struct env *env;
    struct camera *camera;
    struct random random;
    unsigned char pixels[PIXELS * CHANNELS];
};

static void need_drawing(void)
{
    struct failure failure = {0};
    if (!camera_check(&failure)) {
        print_message("not tested, this machine does not draw: %s\n", failure.text);
        skip();
    }
}

static void scene_open(struct scene *scene, const char *name)
{
    struct failure failure = {0};
    scene->task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    scene->env = env_open(scene->task);
    scene->random = random_stream(7, RANDOM_TEST, 0, 0);
    env_draw_hidden(scene->env, ENV_SPLIT_TRAINING, &scene->random);
    env_reset(scene->env, &scene->random);
    scene->camera = camera_open(scene->env, WIDTH, HEIGHT, &failure);
    fatal_if_failed(&failure);
}

static void scene_close(struct scene *scene)
{
    camera_close(scene->camera);
    env_close(scene->env);
    env_task_close(scene->task);
}

static void shoot(struct scene *scene)
{
    camera_render(scene->pixels, scene->camera, scene->env);
}

static void step(struct env *env, struct random *random)
{
    float action[64];
    for (size_t i = 0; i < env_spec(env)->action_dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
    assert_int_equal(env_step(env, action).end, ENV_RUNNING);
}

/* The colour that only goals have. */
static bool is_red(const unsigned char *pixel)
{
    return pixel[0] > 150 && pixel[0] > pixel[1] + 60 && pixel[0] > pixel[2] + 60 &&
           pixel[2] + 60 > pixel[1];
}

/* How many pixels are red, and the mean of their columns and rows. */
static size_t find_red(const struct scene *scene, double *column, double *row)
{
    size_t count = 0;
    *column = *row = 0.0;
    for (size_t i = 0; i < PIXELS; i++) {
        if (is_red(scene->pixels + i * CHANNELS)) {
            count++;
            *column += (double)(i % WIDTH);
            *row += (double)(i / WIDTH);
        }
    }
    *column /= (double)(count ? count : 1);
    *row /= (double)(count ? count : 1);
    return count;
}

/* --- Drawing ---------------------------------------------------------------------------------- */

/* Neither empty nor in one colour: a hundred different ones at least. */
static void expect_a_picture(const struct scene *scene, const char *task)
{
    static bool seen[1 << 15];
    size_t kinds = 0;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < PIXELS; i++) {
        const unsigned char *pixel = scene->pixels + i * CHANNELS;
        size_t kind = (size_t)(pixel[0] >> 3 << 10 | pixel[1] >> 3 << 5 | pixel[2] >> 3);
        kinds += seen[kind] ? 0 : 1;
        seen[kind] = true;
    }
    if (kinds < 40) {
        fail_msg("%s: found %zu colours", task, kinds);
    }
}

static void expect_task_shown(struct scene *scene, const char *task)
{
    struct env_goal goal;
    double column, row;
    scene_open(scene, task);
    shoot(scene);
    expect_a_picture(scene, task);
    size_t red = find_red(scene, &column, &row);
    if ((red >= 4) != env_goal(scene->env, &goal)) {
        fail_msg("%s: found %zu pixels of a goal", task, red);
    }
    scene_close(scene);
}

/* Is this the last task of its domain? They share their looks. */
static bool ends_domain(size_t index)
{
    const char *name = env_task_name(index), *next = env_task_name(index + 1);
    size_t length = strcspn(name, "_") + 1;
    bool is_maze = strncmp(name, "point_mass_maze", 15) == 0;
    return !next || strncmp(name, next, length) != 0 ||
           is_maze != (strncmp(next, "point_mass_maze", 15) == 0);
}

/* Is there anything to draw? */
static bool has_model(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    bool found = strcmp(env_task_spec(task)->simulator, env_simulator()) == 0;
    env_task_close(task);
    return found;
}

static void test_every_domain_has_a_picture_with_its_goal(void **state)
{
    (void)state;
    need_drawing();
    struct scene *scene = memory_take(1, sizeof *scene);
    for (size_t i = 0; env_task_name(i); i++) {
        if (ends_domain(i) && has_model(env_task_name(i))) {
            expect_task_shown(scene, env_task_name(i));
        }
    }
    memory_free(scene);
}

static void test_the_picture_shows_the_hidden_goal_that_holds(void **state)
{
    (void)state;
    need_drawing();
    struct scene *scene = memory_take(1, sizeof *scene);
    double columns[4], rows[4];
    scene_open(scene, "point_mass_maze_hidden");
    for (size_t room = 0; room < 4; room++) {
        double hidden = (double)room;
        env_set_hidden(scene->env, &hidden);
        shoot(scene);
        assert_true(find_red(scene, &columns[room], &rows[room]) > 0);
    }
    assert_true(columns[0] < columns[1] && columns[2] < columns[3]); /* left of right */
    assert_true(rows[0] < rows[2] && rows[1] < rows[3]);             /* top above bottom */
    scene_close(scene);
    memory_free(scene);
}

static void test_one_state_has_one_picture(void **state)
{
    (void)state;
    need_drawing();
    struct scene *scene = memory_take(1, sizeof *scene);
    unsigned char *first = memory_take(1, sizeof scene->pixels);
    scene_open(scene, "walker_walk");
    shoot(scene);
    memcpy(first, scene->pixels, sizeof scene->pixels);
    shoot(scene);
    assert_memory_equal(first, scene->pixels, sizeof scene->pixels);
    step(scene->env, &scene->random);
    shoot(scene);
    assert_memory_not_equal(first, scene->pixels, sizeof scene->pixels);
    scene_close(scene);
    memory_free(first);
    memory_free(scene);
}

/* Physics after some steps, with pictures in between or without. */
static void play(double *physics, const char *name, bool is_seen)
{
    struct scene *scene = memory_take(1, sizeof *scene);
    scene_open(scene, name);
    for (size_t i = 0; i < STEPS; i++) {
        if (is_seen) {
            shoot(scene);
        }
        step(scene->env, &scene->random);
    }
    env_get_physics(scene->env, physics);
    scene_close(scene);
    memory_free(scene);
}

static void test_looking_changes_nothing(void **state)
{
    (void)state;
    need_drawing();
    static const char *const tasks[] = {"walker_walk", "quadruped_walk", "finger_turn_easy"};
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        double unseen[64] = {0}, seen[64] = {0};
        play(unseen, tasks[i], false);
        play(seen, tasks[i], true);
        assert_memory_equal(unseen, seen, sizeof seen);
    }
}

/* --- Where nothing can be drawn --------------------------------------------------------------- */

static void test_an_unknown_wish_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(setenv("MUJOCO_GL", "glfw", 1), 0);
    assert_false(camera_check(&failure));
    assert_int_equal(unsetenv("MUJOCO_GL"), 0);
    assert_int_equal(failure.code, EXIT_CODE_USAGE);
    assert_non_null(strstr(failure.text, "found \"glfw\", expected egl or osmesa"));
}

/* EGL without any driver, as on a machine that has none. */
static void test_a_machine_that_cannot_draw_says_what_to_install(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_int_equal(setenv("MUJOCO_GL", "egl", 1), 0);
    assert_int_equal(setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/none.json", 1), 0);
    assert_false(camera_check(&failure));
    assert_int_equal(unsetenv("__EGL_VENDOR_LIBRARY_FILENAMES"), 0);
    assert_int_equal(unsetenv("MUJOCO_GL"), 0);
    assert_int_equal(failure.code, EXIT_CODE_SYSTEM);
    assert_non_null(strstr(failure.text, "libgl1-mesa-dri"));
    assert_null(strchr(failure.text, '\n'));
}

static void test_a_task_without_bodies_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct env_task *task = env_task_open("dark_room", &failure);
    fatal_if_failed(&failure);
    struct env *env = env_open(task);
    assert_null(camera_open(env, WIDTH, HEIGHT, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "task dark_room: found no bodies"));
    env_close(env);
    env_task_close(task);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest drawing[] = {
        cmocka_unit_test(test_every_domain_has_a_picture_with_its_goal),
        cmocka_unit_test(test_the_picture_shows_the_hidden_goal_that_holds),
        cmocka_unit_test(test_one_state_has_one_picture),
        cmocka_unit_test(test_looking_changes_nothing),
    };
    /* On their own: EGL asks for its drivers once in the life of a process. */
    const struct CMUnitTest refusals[] = {
        cmocka_unit_test(test_an_unknown_wish_is_refused),
        cmocka_unit_test(test_a_task_without_bodies_is_refused),
        cmocka_unit_test(test_a_machine_that_cannot_draw_says_what_to_install),
    };
    (void)argv;
    return argc > 1 ? cmocka_run_group_tests(refusals, NULL, NULL)
                    : cmocka_run_group_tests(drawing, NULL, NULL);
}

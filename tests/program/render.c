/* Episodes as pictures, as a user asks for them. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "tests/program/program.h"

/* Skip where this machine cannot draw, which it must then have said in one line. */
static void need_drawing(const struct program *program)
{
    struct support_outcome outcome = program_run(
        program, 0, "render --task=pendulum_swingup --steps=1 --size=16x16 --output=first");
    if (outcome.code == EXIT_CODE_SYSTEM) {
        support_expect_line(&outcome, EXIT_CODE_SYSTEM, "chainring: ", "libgl1-mesa-dri");
        print_message("not tested, this machine does not draw: %s", outcome.text);
        skip();
    }
    support_expect_code(&outcome, EXIT_CODE_DONE);
}

static void expect_refused(const struct program *program, const char *arguments, int code,
                           const char *words)
{
    struct support_outcome outcome = program_run(program, 0, arguments);
    support_expect_line(&outcome, code, "chainring: ", words);
}

/* Render on one rank; what is printed must contain `words`. */
static void expect_video(const struct program *program, const char *arguments, const char *words)
{
    char all[512];
    snprintf(all, sizeof all, "render %s --size=48x36 >printed", arguments);
    struct support_outcome outcome = program_run(program, 0, all);
    support_expect_code(&outcome, EXIT_CODE_DONE);
    char *printed = program_read(program, "printed", NULL);
    if (!strstr(printed, words)) {
        fail_msg("%s: expected \"%s\"; found \"%s\"", arguments, words, printed);
    }
    memory_free(printed);
}

static void expect_file(const struct program *program, const char *name, const char *begin)
{
    size_t size;
    char *bytes = program_read(program, name, &size);
    assert_true(size > strlen(begin));
    assert_memory_equal(bytes, begin, strlen(begin));
    memory_free(bytes);
}

static void test_render_refuses_what_makes_no_sense(void **state)
{
    const struct program *program = *state;
    expect_refused(program, "render", EXIT_CODE_USAGE, "found no RUN, --store or --task");
    expect_refused(program, "render runs/x --store=store.h5", EXIT_CODE_NO_INPUT, "config.yaml");
    expect_refused(program, "render --task=walker_walk --size=400", EXIT_CODE_USAGE,
                   "expected WIDTHxHEIGHT");
    expect_refused(program, "render --task=walker_walk --size=0x300", EXIT_CODE_USAGE,
                   "expected WIDTHxHEIGHT");
    struct support_outcome outcome =
        support_run("cd %s && MUJOCO_GL=glfw %s render --task=walker_walk", program->folder,
                    program->chainring);
    support_expect_line(&outcome, EXIT_CODE_USAGE, "chainring: ", "expected egl or osmesa");
}

static void test_a_machine_that_cannot_draw_says_so_in_one_line(void **state)
{
    const struct program *program = *state;
    struct support_outcome outcome =
        support_run("cd %s && MUJOCO_GL=egl __EGL_VENDOR_LIBRARY_FILENAMES=/none.json %s render "
                    "--task=walker_walk",
                    program->folder, program->chainring);
    support_expect_line(&outcome, EXIT_CODE_SYSTEM, "chainring: ", "libgl1-mesa-dri");
}

static void test_render_refuses_episodes_that_are_not_there(void **state)
{
    const struct program *program = *state;
    need_drawing(program);
    expect_refused(program, "render --store=store.h5 --episode=120", EXIT_CODE_USAGE,
                   "expected 0 to 119");
    expect_refused(program, "render --store=store.h5 --task=walker_walk", EXIT_CODE_CONFIG,
                   "walker_walk");
    expect_refused(program, "render --store=none.h5", EXIT_CODE_NO_INPUT, "none.h5");
}

static void test_render_plays_random_actions_and_scripts(void **state)
{
    const struct program *program = *state;
    need_drawing(program);
    expect_video(program, "--task=point_mass_hidden --policy=script --frames --output=script",
                 "script/point_mass_hidden.webp: video of 21 frames, 48x36, 4.20 s");
    expect_file(program, "script/point_mass_hidden.webp", "RIFF");
    expect_file(program, "script/point_mass_hidden.png", "\x89PNG");
    expect_file(program, "script/point_mass_hidden/00020.png", "\x89PNG");
    expect_video(program, "--task=cartpole_swingup --steps=9 --every=3 --fps=10 --strip=2",
                 "pictures/cartpole_swingup.webp: video of 4 frames, 48x36, 0.40 s");
}

static void test_render_shows_a_stored_episode(void **state)
{
    const struct program *program = *state;
    need_drawing(program);
    expect_video(program, "--store=store.h5 --episode=3 --strip=5 --output=stored",
                 "stored/point_mass_hidden.png: strip of 5 frames, 256x36");
}

static void test_render_shows_a_trained_policy(void **state)
{
    const struct program *program = *state;
    need_drawing(program);
    struct support_outcome outcome = program_train(program, 1, "seen", "--steps=3");
    support_expect_code(&outcome, EXIT_CODE_DONE);
    expect_video(program, "runs/seen --output=policy", "point_mass_hidden: 20 steps, return ");
    expect_video(program, "runs/seen --trial=1 --output=policy", "video of 21 frames");
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_render_refuses_what_makes_no_sense, &program),
        cmocka_unit_test_prestate(test_a_machine_that_cannot_draw_says_so_in_one_line, &program),
        cmocka_unit_test_prestate(test_render_refuses_episodes_that_are_not_there, &program),
        cmocka_unit_test_prestate(test_render_plays_random_actions_and_scripts, &program),
        cmocka_unit_test_prestate(test_render_shows_a_stored_episode, &program),
        cmocka_unit_test_prestate(test_render_shows_a_trained_policy, &program),
    };
    program_open(&program, argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    program_close(&program);
    return failed;
}

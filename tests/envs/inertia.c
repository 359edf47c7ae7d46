/* Both rules of inertia give the bodies of the originals what they had; everything else stays. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "base/file.h"
#include "base/memory.h"
#include "envs/env.h"
#include "envs/registry.h"
#include "tests/envs/golden_inertia.h"
#include "tests/support/command.h"

enum { DOMAINS_MAX = 32 };

static const char *python, *script; /* legacy_inertia.py */

/* Have the script rewrite a model into `legacy`, a path of at least 4096 bytes. */
static struct support_outcome rewrite(char *legacy, const char *xml)
{
    struct failure failure = {0};
    const char *folder = support_scratch_folder();
    char exact[4096];
    assert_true(file_join(exact, folder, "other.xml", &failure) &&
                file_join(legacy, folder, "legacy.xml", &failure) &&
                file_write_text(exact, xml, &failure));
    return support_run("LD_PRELOAD= '%s' '%s' '%s' '%s'", python, script, exact, legacy);
}

static struct simulation_model *compile(const struct simulation_source *source,
                                        enum inertia_rule rule)
{
    struct failure failure = {0};
    static struct simulation_source sources[INERTIA_RULES];
    sources[rule] = *source;
    sources[rule].inertia = rule;
    struct simulation_model *model = simulation_compile(&sources[rule], &failure);
    fatal_if_failed(&failure);
    return model;
}

/* Every domain with a model, once. */
static size_t list_domains(const struct domain *domains[DOMAINS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; registry_at(i).task; i++) {
        const struct domain *domain = registry_at(i).domain;
        if (!domain->source.rules && (count == 0 || domains[count - 1] != domain)) {
            assert_true(count < DOMAINS_MAX);
            domains[count++] = domain;
        }
    }
    return count;
}

/* tensor (3, 3) = rotation * diagonal * its transpose: the same for any choice of axes. */
static void tensor_of(double *tensor, const double *rotation, const double *diagonal)
{
    double axes[9];
    mju_quat2Mat(axes, rotation);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            tensor[3 * i + j] = 0.0;
            for (size_t k = 0; k < 3; k++) {
                tensor[3 * i + j] += axes[3 * i + k] * diagonal[k] * axes[3 * j + k];
            }
        }
    }
}

static void expect_inertial(const mjModel *model, const struct golden_inertial *golden)
{
    int body = mj_name2id(model, mjOBJ_BODY, golden->body);
    assert_true(body > 0);
    double found[9], wanted[9];
    tensor_of(found, model->body_iquat + 4 * body, model->body_inertia + 3 * body);
    tensor_of(wanted, golden->rotation, golden->inertia);
    double largest = fmax(golden->inertia[0], fmax(golden->inertia[1], golden->inertia[2]));
    support_expect_near(model->body_mass[body], golden->mass, 1e-14 * golden->mass);
    for (size_t i = 0; i < 9; i++) {
        support_expect_near(found[i], wanted[i], 1e-14 * largest);
    }
    for (size_t i = 0; i < 3; i++) {
        support_expect_near(model->body_ipos[3 * body + (int)i], golden->position[i], 1e-15);
    }
}

static void test_inertials_of_both_rules_equal_the_originals(void **state)
{
    (void)state;
    const struct domain *domains[DOMAINS_MAX];
    size_t count = list_domains(domains), compared = 0;
    for (size_t d = 0; d < count; d++) {
        for (int rule = INERTIA_EXACT; rule < INERTIA_RULES; rule++) {
            struct simulation_model *model = compile(&domains[d]->source, (enum inertia_rule)rule);
            for (size_t i = 0; i < sizeof golden_inertials / sizeof golden_inertials[0]; i++) {
                const struct golden_inertial *golden = &golden_inertials[i];
                if ((int)golden->rule == rule &&
                    strcmp(golden->domain, domains[d]->source.name) == 0) {
                    expect_inertial(simulation_model_mj_model(model), golden);
                    compared++;
                }
            }
            simulation_model_close(model);
        }
    }
    assert_int_equal(compared, sizeof golden_inertials / sizeof golden_inertials[0]);
}

/* The rule itself, on one capsule: radius r, half-length h, density 1000. */
static void test_a_legacy_capsule_weighs_as_a_longer_cylinder(void **state)
{
    (void)state;
    char path[4096];
    struct support_outcome outcome =
        rewrite(path, "<mujoco><worldbody><body><freejoint/><geom name='a &quot;&amp;&lt;' "
                      "type='capsule' size='.05 .2'></geom></body></worldbody></mujoco>");
    support_expect_code(&outcome, 0);
    struct failure failure = {0};
    size_t size = 0;
    char *xml = file_read(path, 4096, &size, &failure);
    fatal_if_failed(&failure);
    const struct simulation_source source = {.name = "capsule", .xml = {NULL, xml}};
    struct simulation_model *model = compile(&source, INERTIA_LEGACY);
    const mjModel *engine = simulation_model_mj_model(model);
    double radius = 0.05, length = 2.0 * 0.2 + radius;
    double mass = 1000.0 * M_PI * radius * radius * length;
    double across = mass * (3.0 * radius * radius + length * length) / 12.0;
    support_expect_near(engine->body_mass[1], mass, 1e-14);
    support_expect_near(engine->body_inertia[3], across, 1e-15);
    support_expect_near(engine->body_inertia[4], across, 1e-15);
    support_expect_near(engine->body_inertia[5], mass * radius * radius / 2.0, 1e-15);
    assert_true(mj_name2id(engine, mjOBJ_GEOM, "a \"&<") >= 0);
    simulation_model_close(model);
    memory_free(xml);
}

/* The geoms that have names are all that touches anything, and are as they were. */
static void expect_same_geoms(const mjModel *exact, const mjModel *legacy)
{
    int at = 0;
    for (int geom = 0; geom < legacy->ngeom; geom++) {
        if (legacy->geom_type[geom] == mjGEOM_CYLINDER && legacy->geom_contype[geom] == 0 &&
            legacy->geom_rgba[4 * geom + 3] == 0.0f) {
            assert_int_equal(legacy->geom_conaffinity[geom], 0);
            continue;
        }
        assert_true(at < exact->ngeom);
        const char *name = mj_id2name(exact, mjOBJ_GEOM, at);
        const char *found = mj_id2name(legacy, mjOBJ_GEOM, geom);
        assert_true(!name == !found);
        if (name) {
            assert_string_equal(found, name);
        }
        assert_int_equal(legacy->geom_type[geom], exact->geom_type[at]);
        assert_int_equal(legacy->geom_bodyid[geom], exact->geom_bodyid[at]);
        assert_memory_equal(legacy->geom_size + 3 * geom, exact->geom_size + 3 * at,
                            3 * sizeof(double));
        assert_memory_equal(legacy->geom_pos + 3 * geom, exact->geom_pos + 3 * at,
                            3 * sizeof(double));
        assert_memory_equal(legacy->geom_quat + 4 * geom, exact->geom_quat + 4 * at,
                            4 * sizeof(double));
        at++;
    }
    assert_int_equal(at, exact->ngeom);
}

static void test_the_legacy_rule_changes_nothing_but_inertials(void **state)
{
    (void)state;
    const struct domain *domains[DOMAINS_MAX];
    size_t count = list_domains(domains);
    for (size_t d = 0; d < count; d++) {
        struct simulation_model *exact = compile(&domains[d]->source, INERTIA_EXACT);
        struct simulation_model *legacy = compile(&domains[d]->source, INERTIA_LEGACY);
        expect_same_geoms(simulation_model_mj_model(exact), simulation_model_mj_model(legacy));
        simulation_model_close(exact);
        simulation_model_close(legacy);
    }
}

/* The largest change of a number of the physics after one step of full control. */
static double difference_of_rules(const char *name)
{
    double physics[INERTIA_RULES][128];
    size_t count = 0;
    for (int rule = INERTIA_EXACT; rule < INERTIA_RULES; rule++) {
        struct failure failure = {0};
        struct env_task *task = env_task_open_by(name, (enum inertia_rule)rule, &failure);
        fatal_if_failed(&failure);
        assert_int_equal(env_task_spec(task)->inertia, rule);
        struct env *env = env_open(task);
        struct random random = random_stream(3, RANDOM_COLLECT, 0, 0);
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_reset(env, &random);
        float action[32];
        for (size_t i = 0; i < env_task_spec(task)->action_dim; i++) {
            action[i] = 1.0f;
        }
        (void)env_step(env, action);
        count = env_task_spec(task)->physics_dim;
        assert_true(count <= 128);
        env_get_physics(env, physics[rule]);
        env_close(env);
        env_task_close(task);
    }
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(physics[INERTIA_LEGACY][i] - physics[INERTIA_EXACT][i]));
    }
    return largest;
}

static void test_the_rules_move_apart_where_capsules_weigh(void **state)
{
    (void)state;
    static const char *const heavy[] = {"cartpole_swingup", "cheetah_run", "walker_walk",
                                        "hopper_hop", "reacher_easy"};
    static const char *const weightless[] = {"pendulum_swingup", "point_mass_easy",
                                             "point_mass_maze_reach_top_left"};
    for (size_t i = 0; i < sizeof heavy / sizeof heavy[0]; i++) {
        assert_true(difference_of_rules(heavy[i]) > 1e-6);
    }
    for (size_t i = 0; i < sizeof weightless / sizeof weightless[0]; i++) {
        assert_true(difference_of_rules(weightless[i]) == 0.0);
    }
}

static void test_bodies_that_are_not_written_out_have_no_legacy_rule(void **state)
{
    (void)state;
    static const struct {
        const char *xml, *refused;
    } others[] = {{"<mujoco><compiler coordinate='global'/><worldbody/></mujoco>", "<compiler>"},
                  {"<mujoco><worldbody><body><composite type='grid' count='2 2 1' spacing='.5'>"
                   "<geom size='.1'/></composite></body></worldbody></mujoco>",
                   "<composite>"},
                  {"<mujoco><worldbody><replicate count='2' offset='1 0 0'><body>"
                   "<geom size='.1'/></body></replicate></worldbody></mujoco>",
                   "<replicate>"},
                  {"<mujoco><worldbody><body><frame pos='1 0 0'><geom type='capsule' "
                   "size='.1 .2'/></frame></body></worldbody></mujoco>",
                   "<frame>"},
                  {"<mujoco><include file='bodies.xml'/></mujoco>", "<include>"},
                  {"<mujoco><asset><texture fileup='a.png'/></asset></mujoco>", "<texture>"},
                  {"<mujoco><worldbody><body><geom type='capsule' size='.1 .2' quat='0 1 0 0'/>"
                   "</body></worldbody></mujoco>",
                   "<geom>"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char path[4096];
        struct support_outcome outcome = rewrite(path, others[i].xml);
        support_expect_line(&outcome, EXIT_CODE_DATA, "other.xml: found <", others[i].refused);
    }
}

int main(int argc, char **argv)
{
    assert_int_equal(argc, 3);
    python = argv[1];
    script = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inertials_of_both_rules_equal_the_originals),
        cmocka_unit_test(test_a_legacy_capsule_weighs_as_a_longer_cylinder),
        cmocka_unit_test(test_the_legacy_rule_changes_nothing_but_inertials),
        cmocka_unit_test(test_the_rules_move_apart_where_capsules_weigh),
        cmocka_unit_test(test_bodies_that_are_not_written_out_have_no_legacy_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

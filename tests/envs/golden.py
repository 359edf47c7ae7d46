#!/usr/bin/env python3
"""Write the numbers that a domain of ours is held against as a C header.

usage: golden.py FACTS.json DOMAIN | clang-format > golden_DOMAIN.h

FACTS.json describes the DeepMind control suite's models as MuJoCo compiles them, and traces of
their states, observations and rewards under fixed actions. Only what a test reads is taken, and
nothing that differs between MuJoCo 2 and 3 without an effect on these models (body_invweight0).
"""
import json
import sys

# Which of the facts' rewards belongs to which of our tasks.
TASKS = {
    "cartpole": {
        "cartpole_balance": "dense",
        "cartpole_balance_sparse": "sparse",
        "cartpole_swingup": "dense",
        "cartpole_swingup_sparse": "sparse",
    },
    "cheetah": {
        "cheetah_run": "run",
        "cheetah_run_backward": "run_backward",
        "cheetah_flip": "flip",
        "cheetah_flip_backward": "flip_backward",
    },
    "walker": {
        "walker_stand": "stand",
        "walker_walk": "walk",
        "walker_run": "run",
        "walker_flip": "flip",
    },
    "hopper": {"hopper_stand": "stand", "hopper_hop": "hop"},
    "jaco": {
        "jaco_reach_top_left": "reach_top_left",
        "jaco_reach_top_right": "reach_top_right",
        "jaco_reach_bottom_left": "reach_bottom_left",
        "jaco_reach_bottom_right": "reach_bottom_right",
    },
    "quadruped": {
        "quadruped_stand": "stand",
        "quadruped_walk": "walk",
        "quadruped_run": "run",
        "quadruped_jump": "jump",
    },
    "point_mass": {"point_mass_easy": "easy"},
    "point_mass_maze": {
        "point_mass_maze_reach_top_left": "reach_top_left",
        "point_mass_maze_reach_top_right": "reach_top_right",
        "point_mass_maze_reach_bottom_left": "reach_bottom_left",
        "point_mass_maze_reach_bottom_right": "reach_bottom_right",
    },
    "reacher": {"reacher_easy": "easy"},
    "pendulum": {"pendulum_swingup": "swingup"},
    "ball_in_cup": {"ball_in_cup_catch": "catch"},
    "finger": {"finger_spin": "spin"},
}

SIZES = "nq nv nu na nbody njnt ngeom ntendon nwrap nsensordata".split()
OPTIONS = ("timestep impratio tolerance integrator cone solver iterations disableflags "
           "enableflags gravity").split()
ARRAYS = """
    qpos0 qpos_spring body_parentid body_pos body_quat body_ipos body_iquat body_mass body_inertia
    jnt_type jnt_bodyid jnt_limited jnt_pos jnt_axis jnt_range jnt_stiffness
    jnt_solref jnt_solimp dof_armature dof_damping dof_frictionloss dof_invweight0 dof_M0 geom_type
    geom_bodyid geom_contype geom_conaffinity geom_condim geom_size geom_pos geom_quat geom_friction
    geom_rbound actuator_trntype actuator_trnid actuator_dyntype actuator_gaintype
    actuator_biastype actuator_ctrllimited actuator_ctrlrange actuator_forcelimited actuator_gear
    actuator_acc0 tendon_limited tendon_length0 tendon_invweight0 wrap_type wrap_objid wrap_prm
""".split()
NAMES = {"body_names": "body", "jnt_names": "joint", "geom_names": "geom",
         "tendon_names": "tendon", "actuator_names": "actuator"}

# The original jaco has meshes, ours two capsules for each: its geoms are its own, and its trace is
# that of the original with such capsules.
WITHOUT_MESHES = {"jaco": ("compiled_mesh_model", "golden_2capsule_model")}


def flat(value):
    if isinstance(value, list):
        return [x for item in value for x in flat(item)]
    return [value]


def numbers(values, suffix=""):
    texts = [repr(float(x)) + suffix for x in flat(values)]
    return "{" + ", ".join(texts) + "}"


def strings(values):
    return "{" + "".join(f'"{x}", ' for x in values) + "NULL}"


def table(kind, name, rows):
    print(f"\nstatic const struct {kind} {name}[] = {{")
    for row in rows:
        print(f"    {{{row}}},")
    print("};")


def array_row(name, values):
    # An empty array still needs an element to point to.
    return f'"{name}", {len(flat(values))}, (const double[]){numbers(values if flat(values) else [0])}'


def without_geoms(compiled):
    kept = {key: value for key, value in compiled.items() if not key.startswith("geom_")}
    kept["sizes"] = {key: value for key, value in compiled["sizes"].items() if key != "ngeom"}
    return kept


def model_and_trace(domain, name):
    if name not in WITHOUT_MESHES:
        return domain["compiled"], domain["golden"]
    compiled, golden = (domain[key] for key in WITHOUT_MESHES[name])
    return without_geoms(compiled), golden


def model_rows(compiled):
    for name in (name for name in SIZES if name in compiled["sizes"]):
        yield array_row(name, [compiled["sizes"][name]])
    for name in OPTIONS:
        yield array_row("opt." + name, [compiled["opt"][name]])
    yield array_row("stat.meaninertia", [compiled["meaninertia"]])
    for name in ARRAYS:
        if flat(compiled.get(name, [])):
            yield array_row(name, compiled[name])


def names_rows(compiled):
    for key, kind in ((key, kind) for key, kind in NAMES.items() if key in compiled):
        yield f'"{kind}", (const char *const[]){strings(compiled[key])}'


def moment_rows(golden, tasks):
    for moment in golden["trace"]:
        physics = moment["qpos"] + moment["qvel"] + moment["act"]
        rewards = [moment["reward"][kind] for kind in tasks.values()]
        yield (f'{moment["t"]}, (const float[]){numbers(moment["obs"], "f")}, '
               f"(const double[]){numbers(physics)}, (const double[]){numbers(rewards)}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        domain = json.load(file)["domains"][sys.argv[2]]
    name = sys.argv[2]
    tasks = TASKS[name]
    compiled, golden = model_and_trace(domain, name)
    guard = f"CHAINRING_TESTS_ENVS_GOLDEN_{name.upper()}_H"
    print(f"/* The {name} of the original; written by golden.py, change that instead. */")
    print(f'#ifndef {guard}\n#define {guard}\n\n#include "tests/envs/golden.h"')
    table("golden_array", f"{name}_arrays", model_rows(compiled))
    table("golden_names", f"{name}_names", names_rows(compiled))
    table("golden_moment", f"{name}_moments", moment_rows(golden, tasks))
    print(f"\nstatic const char *const {name}_tasks[] = {strings(tasks)};")
    print(f"\nstatic const struct golden_domain golden_{name} = {{.name = \"{name}\",")
    for field, plural in (("array", "arrays"), ("names", "names"), ("moment", "moments")):
        table_name = f"{name}_{plural}"
        print(f"     .{field}_count = sizeof {table_name} / sizeof {table_name}[0],")
        print(f"     .{plural} = {table_name},")
    print(f"     .task_count = sizeof {name}_tasks / sizeof {name}_tasks[0] - 1,")
    print(f"     .tasks = {name}_tasks}};")
    print("\n#endif")


if __name__ == "__main__":
    main()

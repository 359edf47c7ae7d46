#!/usr/bin/python3
"""Labels: what an expert would have done at every state, while collecting, afterwards, and learnt.

usage: check_labels.py SCRIPTS_MPI CHAINRING"""

import os
import sys
import tempfile

import h5py
import numpy as np

from convert_check import Program, same, same_file

SMALL = ("--groups=3", "--episodes=4")


def collect(program, output, *options, ranks=1):
    output = os.path.join(program.folder, output)
    run = program.run("collect", "--output=" + output, *options, ranks=ranks)
    assert run.returncode == 0, run.stderr
    return output


def labels_of(path):
    with h5py.File(path) as store:
        return store["action_label"][:]


def steps_of(store):
    """Number, rows of states, rows of steps of each episode."""
    for number, (start, length) in enumerate(zip(store["episode/start"], store["episode/length"])):
        yield number, slice(start + number, start + number + length), slice(start, start + length)


def test_a_script_labels_every_state_as_its_formula_says(program):
    path = collect(program, "script.h5", "--label=script", *SMALL)
    with h5py.File(path) as store:
        for number, states, steps in steps_of(store):
            physics, goal = store["physics"][states], store["episode/hidden"][number]
            push = 15.0 * (goal - physics[:, :2]) - 8.0 * physics[:, 2:]
            wanted = np.clip(push, -1, 1).astype(np.float32)
            assert np.allclose(store["action_label"][steps], wanted, atol=1e-6)
            assert number % 4 == 3 or not np.array_equal(store["action"][steps], wanted)
        assert store.attrs["source"].endswith(b"; labels: script, noise 0, coefficient 0")


def test_labelling_afterwards_is_the_same_as_at_once(program):
    for label in ("script", "planner"):
        options = ("--planner.samples=8",)
        at_once = collect(program, label + "-once.h5", "--label=" + label, *SMALL, *options)
        bare = collect(program, label + "-bare.h5", *SMALL)
        after, printed = program.convert(bare, label + "-after.h5", "--label=" + label, *options)
        same(labels_of(after), labels_of(at_once))
        again, _ = program.convert(bare, label + "-again.h5", "--label=" + label, *options, ranks=2)
        same_file(again, after)
        with h5py.File(after) as store, h5py.File(bare) as original:
            for name in ("observation", "action", "physics", "episode/hash"):
                assert name == "episode/hash" or np.array_equal(store[name][:], original[name][:])
        assert "point_mass_hidden" in printed


def test_a_planner_begins_with_its_plan_or_with_none(program):
    bare = collect(program, "plans.h5", *SMALL)
    carried, _ = program.convert(bare, "carried.h5", "--label=planner", "--planner.samples=8")
    none, _ = program.convert(bare, "none.h5", "--label=planner", "--planner.samples=8",
                              "--planner.start=none")
    with h5py.File(carried) as one, h5py.File(none) as other:
        starts = one["episode/start"][:]
        assert np.array_equal(one["action_label"][starts], other["action_label"][starts])
        assert not np.array_equal(one["action_label"][:], other["action_label"][:])
        assert other.attrs["source"].endswith(b"from no plan")


def train(program, store, name, *options, steps=3, ranks=1):
    config = os.path.join(program.folder, name + ".yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"data:\n  store: {store}\n")
    runs = os.path.join(program.folder, "runs")
    run = program.run("train", config, "--run.folder=" + runs, "--train.contexts=4", f"--steps={steps}",
                      "--chain.trials=3", *options, ranks=ranks)
    return run, os.path.join(runs, name)


def test_what_is_learnt_are_labels(program):
    path = collect(program, "learn.h5", "--label=script", *SMALL)
    run, folder = train(program, path, "labelled", "--loss=label", "--tokens=R+s+-a+-r+-d")
    assert run.returncode == 0, run.stderr
    # A policy's labels are its own actions, so that it has nothing to learn from them but noise.
    own, _ = program.convert(path, "own.h5", "--label=checkpoint:" + folder)
    found = labels_of(own)
    assert np.isfinite(found).all() and not np.array_equal(found, labels_of(path))
    run, _ = train(program, own, "distilled", "--loss=label")
    assert run.returncode == 0, run.stderr


def test_new_labels_take_the_place_of_others(program):
    path = collect(program, "first.h5", "--label=script", *SMALL)
    other, printed = program.convert(path, "second.h5", "--label=planner", "--planner.samples=4")
    assert "\nlabels: planner, 4 samples" in printed, printed
    with h5py.File(path) as before, h5py.File(other) as after:
        origin = before.attrs["source"].partition(b"; labels: ")[0]
        assert after.attrs["source"].startswith(origin + b"; labels: planner, 4 samples"), after.attrs["source"]
        assert after.attrs["source"].count(b"labels: ") == 1
    _, printed = program.convert(path, "same.h5")
    assert "\nlabels: as recorded\n" in printed, printed
    _, printed = program.convert(collect(program, "without.h5", *SMALL), "none.h5")
    assert "labels" not in printed, printed


def long_store(program, steps):
    """An episode that lasts longer than its task, which has 1000 steps."""
    folder = os.path.join(program.folder, "long")
    os.mkdir(folder)
    state = np.zeros((steps + 1, 4))
    for name, array in (("length", np.array([steps])), ("observation", state.astype(np.float32)), ("physics", state),
                        ("action", np.zeros((steps, 2), np.float32)), ("reward", np.zeros(steps, np.float32))):
        np.save(os.path.join(folder, name + ".npy"), array)
    store, _ = program.convert(folder, "long.h5", "--task=point_mass_easy", "--domain=point_mass")
    return store


def test_a_policy_labels_no_more_steps_than_it_remembers(program):
    store = long_store(program, 1001)
    options = ("--model.width=16", "--model.heads=2", "--train.contexts=1", "--chain.trials=1", "--loss=all")
    run, folder = train(program, store, "whole", *options, steps=1)
    assert run.returncode == 0, run.stderr
    program.refuse(store, ["found 1001 steps in episode 0, expected at most 1000", "point_mass_easy",
                           "label with script or planner"], "--label=checkpoint:" + folder, code=78)
    run, folder = train(program, store, "window", *options, "--chain.window=20", steps=1)
    assert run.returncode == 0, run.stderr
    labelled, _ = program.convert(store, "windows.h5", "--label=checkpoint:" + folder)
    assert np.isfinite(labels_of(labelled)).all() and len(labels_of(labelled)) == 1001


def test_refusals_name_the_way_out(program):
    bare = collect(program, "bare.h5", *SMALL)
    run, _ = train(program, bare, "bare", "--loss=label", ranks=2)
    lines = run.stderr.splitlines()
    assert run.returncode == 78 and sum("--label=script --output=NEW.h5" in line for line in lines) == 1, run.stderr
    program.refuse(bare, ['convert.label: found "expert"', "checkpoint:RUN"], "--label=expert", code=78)
    program.refuse(bare, ['convert.label: found "checkpoint:" without a run', "checkpoint:RUN"], "--label=checkpoint:",
                   code=78)
    program.refuse(bare, ["no checkpoint"], "--label=checkpoint:" + program.folder, code=66)
    program.refuse(bare, ["label", "export"], "--label=script", "--to=exorl", code=78)
    walker = collect(program, "walker.h5", "--task=walker_walk", "--policy=random", "--groups=1", "--episodes=1")
    program.refuse(walker, ["convert.label: found script, expected planner or checkpoint:RUN",
                            "walker_walk has no script"], "--label=script", code=78)
    program.refuse(walker, ["relabel with a task of the same domain"], "--label=script", "--relabel=point_mass_hidden", code=78)
    table = os.path.join(program.folder, "table.csv")
    with open(table, "w", encoding="utf-8") as file:
        file.write("episode,observation_0,action_0,reward\n0,1,0,1\n0,2,1,1\n")
    store, _ = program.convert(table, "table.h5", "--task=point_mass_hidden")
    program.refuse(store, ["without physics"], "--label=script", code=78)


def main():
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(sys.argv[1], sys.argv[2], folder))
    print(f"{len(tests)} rules of labels hold")


if __name__ == "__main__":
    main()

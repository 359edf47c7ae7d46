#!/usr/bin/python3
"""Grids with hidden goals, whose actions are categorical: collect, label, train, evaluate.

usage: check_grid.py SCRIPTS_MPI CHAINRING"""

import json
import os
import sys
import tempfile

import h5py
import numpy as np

from check_labels import collect, labels_of, train
from convert_check import Program, same, same_file

SMALL = ("--task=dark_room", "--groups=6", "--episodes=4")
STAY, UP, DOWN, LEFT, RIGHT = np.eye(5, dtype=np.float32)


def steps_of(store):
    """Rows of states and of steps, and what is hidden, of each episode."""
    index = zip(store["episode/start"], store["episode/length"], store["episode/hidden"])
    for number, (start, length, hidden) in enumerate(index):
        yield slice(start + number, start + number + length), slice(start, start + length), hidden


def towards(cell, goal):
    if cell[0] != goal[0]:
        return DOWN if cell[0] < goal[0] else UP
    if cell[1] != goal[1]:
        return RIGHT if cell[1] < goal[1] else LEFT
    return STAY


def expect_one_hot(rows):
    assert rows.shape[1] == 5 and np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all()


def test_episodes_obey_the_rules_of_the_room(program):
    shifts = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
    for policy in ("random", "script"):
        path = collect(program, policy + ".h5", "--policy=" + policy, *SMALL)
        with h5py.File(path) as store:
            assert store.attrs["action_kind"] == b"categorical" and list(store.attrs["action_counts"]) == [5]
            assert store.attrs["simulator"] == b"rules"
            expect_one_hot(store["action"][:])
            for states, steps, goal in steps_of(store):
                before = store["physics"][states]
                after = store["physics"][states.start + 1:states.stop + 1]
                moves = shifts[store["action"][steps].argmax(axis=1)]
                assert (before[0] == 4).all() and (after == np.clip(before + moves, 0, 8)).all()
                assert (store["reward/dark_room"][steps] == (after == goal).all(axis=1)).all()
                assert (store["observation"][states] == before / 4 - 1).all()


def test_labels_are_one_hot_and_lead_to_the_goal(program):
    path = collect(program, "labelled.h5", "--label=script", *SMALL)
    with h5py.File(path) as store:
        expect_one_hot(store["action_label"][:])
        for states, steps, goal in steps_of(store):
            wanted = [towards(cell, goal) for cell in store["physics"][states]]
            assert np.array_equal(store["action_label"][steps], wanted)
    bare = collect(program, "bare.h5", *SMALL)
    after, _ = program.convert(bare, "after.h5", "--label=script")
    same(labels_of(after), labels_of(path))
    again, _ = program.convert(bare, "again.h5", "--label=script", ranks=2)
    same_file(again, after)


def test_labels_of_the_key_lead_to_it_and_then_to_the_door(program):
    path = collect(program, "key.h5", "--task=key_to_door", "--label=script", "--groups=3", "--episodes=4")
    ends = set()
    with h5py.File(path) as store:
        for states, steps, hidden in steps_of(store):
            wanted = [towards(state[:2], hidden[2:] if state[2] else hidden[:2])
                      for state in store["physics"][states]]
            assert np.array_equal(store["action_label"][steps], wanted)
        for length, found, end in zip(store["episode/length"], store["episode/return/key_to_door"],
                                      store["episode/end"]):
            ends.add(int(end))
            assert end != 1 or found == 2
            assert end == 1 or length == 50
    assert ends == {1, 2}


def test_a_policy_learns_and_acts_in_the_room_that_it_was_trained_on(program):
    path = collect(program, "learn.h5", "--label=script", *SMALL)
    run, folder = train(program, path, "room", "--loss=label", "--tokens=R+s+-a+-r+-d")
    assert run.returncode == 0, run.stderr
    for ranks in (1, 2):
        run = program.run("eval", folder, "--contexts=8", ranks=ranks)
        assert run.returncode == 0, run.stderr
        with open(os.path.join(folder, "evaluation.json"), encoding="utf-8") as file:
            rows = {row["behaviour"]: row for row in json.load(file)["behaviours"]}
        assert list(rows) == ["policy", "control", "random", "script"]
        assert 13 <= rows["script"]["last"]["mean"] <= 20
        assert rows["random"]["last"]["mean"] <= 20
    run = program.run("eval", folder, "--contexts=1", "--task=point_mass_hidden")
    assert run.returncode == 78 and "task point_mass_hidden: found 4 observations" in run.stderr, run.stderr
    run, _ = train(program, path, "head", "--model.head=gaussian")
    assert run.returncode == 0 and run.stderr.count("model.head: found gaussian, but the actions") == 1, run.stderr
    again = collect(program, "acted.h5", "--policy=checkpoint", "--run=" + folder, "--task=dark_room",
                    "--groups=2", "--episodes=3")
    with h5py.File(again) as store:
        expect_one_hot(store["action"][:])


def held_out(cells):
    """A copy of the rule of envs/README.md: SplitMix64's finaliser of the cells' number."""
    bits, mask = 0, 2**64 - 1
    for row, column in cells:
        bits = 81 * bits + 9 * int(row) + int(column)
    bits = bits + 0x9e3779b97f4a7c15 & mask
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9 & mask
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb & mask
    return (bits ^ bits >> 31) % 5 == 1


def test_what_is_collected_leaves_a_fifth_of_the_goals_for_evaluation(program):
    for task, cells in (("dark_room", 1), ("key_to_door", 2)):
        path = collect(program, task + ".h5", "--task=" + task, "--policy=random", "--groups=600", "--episodes=1")
        with h5py.File(path) as store:
            goals = {tuple(hidden) for hidden in store["episode/hidden"][:]}
        assert not any(held_out(np.reshape(goal, (cells, 2))) for goal in goals)
        assert cells == 2 or len(goals) == 65


def test_what_a_room_cannot_do_is_refused_in_one_line(program):
    bare = collect(program, "room.h5", *SMALL)
    program.refuse(bare, ["dark_room, whose hidden goals are not numbered"], "--relabel=dark_room", code=78)
    for policy in ("planner", "ornstein_uhlenbeck"):
        run = program.run("collect", "--task=dark_room", "--policy=" + policy,
                          "--output=" + os.path.join(program.folder, "refused.h5"))
        lines = run.stderr.splitlines()
        assert run.returncode == 78 and len(lines) == 1, run.stderr
        assert "task dark_room: found categorical actions" in lines[0] and policy in lines[0], lines
    program.refuse(bare, ["convert.label: found planner, expected script or checkpoint:RUN", "dark_room are categorical"],
                   "--label=planner", code=78)


def main():
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(sys.argv[1], sys.argv[2], folder))
    print(f"{len(tests)} rules of grids hold")


if __name__ == "__main__":
    main()

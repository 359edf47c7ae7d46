#!/usr/bin/python3
"""Options of `chainring convert`: each acts, or is refused by name; and what leaves a store is whole.

usage: check_convert_options.py SCRIPTS_MPI CHAINRING STORE_TOOL"""

import os
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from convert_check import Program, same_file

STORE_TOOL = None


def write_table(program, name="table.csv", rows=("0,1,0,1", "0,2,2,1", "1,3,1,0")):
    path = os.path.join(program.folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("episode,observation_0,action_0,reward\n" + "\n".join(rows) + "\n")
    return path


def write_store(program):
    path = os.path.join(program.folder, "store.h5")
    subprocess.run([STORE_TOOL, "write", path], check=True)
    return path


def change_number(path, array):
    """One number of an array, as a disk might; the file stays what it is else."""
    with h5py.File(path) as store:
        place = store[array].id.get_offset()
    with open(path, "r+b") as file:
        file.seek(place + 1)
        byte = file.read(1)[0]
        file.seek(place + 1)
        file.write(bytes([byte ^ 1]))


def test_counts_make_choices_of_plain_numbers(program):
    store, printed = program.convert(write_table(program), "discrete.h5", "--action_counts=4")
    assert "discrete, 4 categories" in printed, printed
    with h5py.File(store) as file:
        assert file.attrs["action_kind"] == b"categorical" and list(file.attrs["action_counts"]) == [4]
        assert np.array_equal(file["action"][:], np.eye(4, dtype=np.float32)[[0, 2, 1]])
    program.refuse(write_table(program, "half.csv", ("0,1,0.5,1",)), ["0.5", "a category, 0 to 3"],
                   "--action_counts=4")
    program.refuse(write_table(program), ["found 2 in row 1", "a category, 0 to 1"], "--action_counts=2")
    program.refuse(write_table(program), ["action_low", "discrete"], "--action_counts=4",
                   "--action_low=0", "--action_high=3", code=78)


def test_what_would_be_ignored_is_refused_by_name(program):
    store, table = write_store(program), write_table(program, rows=("0,1,0,1", "0,2,1,1"))
    for option in ("--action_low=-2", "--action_counts=4", "--actions=refuse", "--observation_keys=a"):
        program.refuse(store, ["convert." + option[2:].split("=")[0], "store" if "action" in option
                               else "no names"], option, code=78)
    program.refuse(table, ["convert.observation_keys", "no names"], "--observation_keys=a", code=78)
    program.refuse(store, ["convert.task", "convert.relabel"], "--task=a", "--relabel=point_mass_easy",
                   code=78)
    for option in ("--relabel=point_mass_easy", "--task=a", "--domain=walker", "--actions=clip",
                   "--action_counts=2", "--observation_keys=a", "--skip_bad", "--timestep=1"):
        program.refuse(store, ["convert." + option[2:].split("=")[0], "convert.to"], "--to=minari",
                       option, code=78)


def test_bounds_alone_for_nothing_or_for_choices_are_told_apart(program):
    table = write_table(program, rows=("0,1,0,1", "0,2,1,1"))
    program.refuse(table, ["action_low", "alone"], "--action_low=-2", code=78)
    program.refuse(table, ["action_low", "actions=refuse"], "--action_low=-2", "--action_high=2",
                   "--actions=refuse", code=78)


def test_a_changed_number_leaves_in_no_export_and_is_not_replayed(program):
    for array in ("observation", "action", "physics", "reward/reach"):
        store = write_store(program)
        change_number(store, array)
        for form in ("exorl", "minari"):
            program.refuse(store, ["episode 0", "hash"], "--to=" + form)
        os.remove(store)
    run = program.run("collect", "--task=point_mass_hidden", "--groups=1", "--episodes=2",
                      "--output=" + os.path.join(program.folder, "own.h5"))
    assert run.returncode == 0, run.stderr
    change_number(os.path.join(program.folder, "own.h5"), "physics")
    for command in (("inspect", "--replay"), ("render", "--steps=2")):
        named = ("--store=" if command[0] == "render" else "") + os.path.join(program.folder, "own.h5")
        run = program.run(*command, named, *(["--output=" + os.path.join(program.folder, "p")]
                                             if command[0] == "render" else []))
        assert run.returncode == 65 and "hash" in run.stderr, (command, run.returncode, run.stderr)


def test_all_episodes_dropped_says_why(program):
    table = write_table(program, rows=("0,1,7,1", "1,2,8,1"))
    program.refuse(table, ["all 2 episodes", "outside the bounds, as 7"], "--skip_bad")


def test_what_the_export_has_no_place_for_is_said(program):
    store = write_store(program)
    run = program.run("convert", store, "--to=exorl", "--output=" + os.path.join(program.folder, "e"))
    assert run.returncode == 0 and "groups" in run.stderr, run.stderr


def test_a_changed_input_is_not_gone_on_with(program):
    """An unfinished conversion of other files, also of one deep in a folder, is refused."""
    folder = os.path.join(program.folder, "arrays")
    os.mkdir(folder)
    arrays = {"length": np.full(3, 2), "observation": np.zeros((9, 1)), "action": np.zeros((6, 1)),
              "reward": np.zeros(6)}
    for name, array in arrays.items():
        np.save(os.path.join(folder, name + ".npy"), array)
    whole, _ = program.convert(folder, "whole.h5")
    output = os.path.join(program.folder, "again.h5")
    unfinished = os.path.join(program.folder, "whole.h5.unfinished")
    limit = subprocess.run(["/bin/sh", "-c", 'ulimit -f 1; exec "$@"', "sh", program.path, "convert", folder,
                            "--output=" + output], capture_output=True, text=True, check=False)
    assert limit.returncode == 74, (limit.returncode, limit.stderr)
    assert not os.path.exists(unfinished)
    left = output + ".unfinished"
    if os.path.exists(left):
        np.save(os.path.join(folder, "reward.npy"), np.ones(6))
        run = program.run("convert", folder, "--output=" + output)
        assert run.returncode == 64 and "files = " in run.stderr, (run.returncode, run.stderr)
        shutil.rmtree(left)
    again, _ = program.convert(folder, "again.h5")
    assert os.path.getsize(whole) == os.path.getsize(again)


def test_a_store_goes_through_unchanged(program):
    store, _ = program.convert(write_store(program), "same.h5")
    same_file(store, os.path.join(program.folder, "store.h5"))


def main():
    global STORE_TOOL
    launcher, path, STORE_TOOL = sys.argv[1:]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(launcher, path, folder))
    print(f"{len(tests)} tests passed")


if __name__ == "__main__":
    main()

"""Stores of earlier versions are read, trained on and brought to the present version.

check_store_versions.py LAUNCHER CHAINRING: the fixtures are a store without sources (version 1) and
one with them (version 2), written by the program when these were its formats.
"""

import os
import shutil
import sys
import tarfile
import tempfile

import h5py
import numpy as np

from convert_check import Program, same, same_file

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "stores.tar.xz")
NEW = {"version", "description_hash", "index_hash", "blocks", "block_rows", "label_dim",
       "action_kind", "action_low", "action_high"}


def arrays_of(store):
    names = []
    store.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    return {name: store[name][:] for name in names if not name.startswith("block/")}


def check_upgrade(program, old):
    """All arrays and attributes, but for hashes and what came later, are the same bits."""
    new, _ = program.convert(old, "new-" + os.path.basename(old))
    twice, _ = program.convert(new, "twice-" + os.path.basename(old), ranks=2)
    same_file(new, twice)
    with h5py.File(old, "r") as left, h5py.File(new, "r") as right:
        before, after = arrays_of(left), arrays_of(right)
        assert set(before) == set(after), (set(before), set(after))
        for name in set(before) - {"episode/hash"}:
            same(after[name], before[name])
        for name in set(left.attrs) - NEW:
            same(right.attrs[name], left.attrs[name])
        assert right.attrs["version"] == 3 and set(right.attrs) - set(left.attrs) <= NEW
        assert (right.attrs["action_low"] == -1).all() and (right.attrs["action_high"] == 1).all()
    run = program.run("inspect", "--verify", new)
    assert run.returncode == 0, run.stderr


def check_damage(program, old, name, words):
    """One changed number is found by --verify, by a conversion, and before it is trained on."""
    bad = os.path.join(program.folder, "bad.h5")
    shutil.copyfile(old, bad)
    with h5py.File(bad, "r+", libver="v110") as store:
        values = store[name][:]
        values[len(values) // 2] += np.float32(0.25)
        store[name][...] = values
    run = program.run("inspect", "--verify", bad)
    assert run.returncode == 65 and words in run.stdout, (run.stdout, run.stderr)
    program.refuse(bad, ["found hash", words])
    config = os.path.join(program.folder, "bad.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"data:\n  store: {bad}\nrun:\n  folder: {program.folder}/runs\n"
                   "train:\n  steps: 40\n  contexts: 8\nmodel:\n  width: 8\n  heads: 2\n  hidden: 8\n"
                   "chain:\n  loss: all\n")
    run = program.run("train", config)
    assert run.returncode == 65 and words in run.stderr, (run.returncode, run.stderr)
    run = program.run("train", config, "--data.verify=no", "--run.name=blind-" + words.replace("/", "-").replace(" ", "-"))
    assert run.returncode == 0, run.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(FIXTURES) as archive:
            archive.extractall(folder)
        program = Program(sys.argv[1], sys.argv[2], folder)
        for name in ["version_1.h5", "version_2.h5"]:
            check_upgrade(program, os.path.join(folder, name))
        hidden = os.path.join(folder, "version_2.h5")
        check_damage(program, hidden, "observation", "all arrays")
        for name in ["observation", "action", "reward/point_mass_hidden"]:
            check_damage(program, os.path.join(folder, "new-version_2.h5"), name, "of " + name)
    print("stores of versions 1 and 2 become version 3, and a changed number is found")


if __name__ == "__main__":
    main()

"""Do data survive Minari -> store -> Minari, and store -> Minari -> store, to the bit?

check_minari_export.py CHAINRING STORE_TOOL (tests/producers/make has minari itself read them)"""

import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile

import h5py
import numpy as np

import minari_sample as sample
from formats_check import fixture


def convert(chainring, source, output, *options, code=0, **more):
    run = subprocess.run([chainring, "convert", source, f"--convert.output={output}", *options],
                         capture_output=True, text=True, timeout=120, **more)
    assert run.returncode == code, (source, run.returncode, run.stderr)
    return run.stderr


def expect(found, wanted, name):
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (name, found, wanted)
    assert found.tobytes() == wanted.tobytes(), (name, found, wanted)


def check_minari(chainring, folder):
    """Single precision comes back as it was; rewards, which were in double, rounded."""
    with tarfile.open(fixture("minari_flat.tar.xz")) as archive:
        archive.extractall(folder)
    store, back = os.path.join(folder, "a.h5"), os.path.join(folder, "back again")
    convert(chainring, os.path.join(folder, "flat-v0"), store)
    convert(chainring, store, back, "--convert.to=minari")
    assert sorted(os.listdir(os.path.join(back, "data"))) == ["main_data.hdf5", "metadata.json"]
    with h5py.File(os.path.join(back, "data/main_data.hdf5")) as file:
        for number in range(len(sample.LENGTHS)):
            group = file[f"episode_{number}"]
            terminations, truncations = sample.flags(number)
            states = sample.infos(number)
            for key, wanted in {
                    "observations": sample.flat(number), "actions": sample.actions(number),
                    "rewards": sample.rewards(number).astype(np.float32),
                    "terminations": terminations, "truncations": truncations,
                    "infos/physics": np.hstack([states["qpos"], states["qvel"]])}.items():
                expect(group[key][:], wanted, key)
                assert group[key].maxshape[0] is None, key
            assert group.attrs["id"] == number
            assert group.attrs["total_steps"] == sample.LENGTHS[number]
    with open(os.path.join(back, "data/metadata.json"), encoding="utf-8") as file:
        metadata = json.load(file)
    assert metadata["dataset_id"] == "back-again" and metadata["total_episodes"] == 2, metadata
    assert metadata["total_steps"] == sum(sample.LENGTHS) and metadata["data_format"] == "hdf5"
    assert json.loads(metadata["observation_space"]) == {
        "type": "Box", "dtype": "float32", "shape": [3], "low": [-np.inf] * 3, "high": [np.inf] * 3}
    assert json.loads(metadata["action_space"])["low"] == [-1, -1]
    check_refusals(chainring, store, back, folder)


def check_store(chainring, store_tool, sample, folder):
    """Tasks, physics, hidden numbers, groups, ends, labels, sources: every array and attribute."""
    store, between, back = (os.path.join(folder, sample + name) for name in (".h5", "", "-2.h5"))
    subprocess.run([store_tool, sample, store], check=True)
    convert(chainring, store, between, "--convert.to=minari")
    convert(chainring, between, back)
    with h5py.File(store) as first, h5py.File(back) as second:
        names = []
        first.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert len(names) > 10, names
        for name in names:
            expect(second[name][:], first[name][:], name)
        for name in set(first.attrs) - {"source", "description_hash"}:
            assert np.array_equal(first.attrs[name], second.attrs[name]), name


OBSERVATIONS = {"type": "Dict", "subspaces": {
    "at": {"type": "Box", "dtype": "float64", "shape": [2], "low": [0, 0], "high": [99, 99]},
    "door": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 3}}}


def write_actions(folder, name, space, actions):
    """A data set of one episode, as minari writes it."""
    data = os.path.join(folder, name, "data")
    os.makedirs(data)
    steps = len(actions)
    with h5py.File(os.path.join(data, "main_data.hdf5"), "w") as file:
        group = file.create_group("episode_0")
        group["observations/at"] = np.arange(2.0 * (steps + 1)).reshape(-1, 2)
        group["observations/door"] = np.arange(steps + 1) % 3
        group["actions"], group["rewards"] = actions, np.ones(steps)
        group["terminations"] = group["truncations"] = np.zeros(steps, bool)
    with open(os.path.join(data, "metadata.json"), "w", encoding="utf-8") as file:
        json.dump({"data_format": "hdf5", "observation_space": json.dumps(OBSERVATIONS),
                   "action_space": json.dumps(space)}, file)
    return os.path.join(folder, name)


def check_actions(chainring, folder):
    """They leave as they came: within their bounds, or as the numbers of categories from 0 on."""
    random = np.random.default_rng(4)
    tiny = random.uniform([-2, -0.25], [2, 0.25], (9, 2)).astype(np.float32)
    tiny[0], tiny[1], tiny[2] = (-0.0, 1e-12), (3e-9, -2e-38), (-2, 0.25)
    spaces = {
        "tiny": ({"type": "Box", "dtype": "float32", "shape": [2], "low": [-2.0, -0.25],
                  "high": [2.0, 0.25]}, tiny),
        "box": ({"type": "Box", "dtype": "float32", "shape": [2], "low": [-2.0, -1.0],
                 "high": [2.0, 1.0]}, random.uniform([-2, -1], [2, 1], (9, 2)).astype(np.float32)),
        "one": ({"type": "Discrete", "dtype": "int64", "start": 0, "n": 4},
                random.integers(0, 4, 9)),
        "two": ({"type": "MultiDiscrete", "dtype": "int64", "nvec": [3, 2], "start": [0, 0]},
                random.integers(0, [3, 2], (9, 2))),
    }
    for name, (space, actions) in spaces.items():
        source = write_actions(folder, name, space, actions)
        store, back, again = (os.path.join(folder, name + end) for end in (".h5", "-back", "-2.h5"))
        convert(chainring, source, store)
        convert(chainring, store, back, "--convert.to=minari")
        with h5py.File(os.path.join(back, "data/main_data.hdf5")) as file:
            expect(file["episode_0/actions"][:], actions, name)
        with open(os.path.join(back, "data/metadata.json"), encoding="utf-8") as file:
            assert json.loads(json.load(file)["action_space"]) == space, name
        convert(chainring, back, again)
        with h5py.File(store) as first, h5py.File(again) as second:
            expect(second["action"][:], first["action"][:], name)
            assert list(second.attrs["observation_keys"]) == [b"at", b"door"], dict(second.attrs)
            for key in set(first.attrs) - {"source", "description_hash"}:
                assert np.array_equal(first.attrs[key], second.attrs[key]), (name, key)
    check_rounding(chainring, folder, random)
    line = convert(chainring, os.path.join(folder, "one.h5"), os.path.join(folder, "x"),
                   "--convert.to=exorl", code=64)
    assert "found discrete actions" in line and not os.path.exists(os.path.join(folder, "x")), line


def check_rounding(chainring, folder, random):
    """Bounds that no power of two divides: to a millionth."""
    low, high = [-0.3, 5.0], [0.7, 12.0]
    actions = random.uniform(low, high, (50, 2)).astype(np.float32)
    space = {"type": "Box", "dtype": "float32", "shape": [2], "low": low, "high": high}
    source = write_actions(folder, "odd", space, actions)
    store, back, again = (os.path.join(folder, "odd" + end) for end in (".h5", "-back", "-2.h5"))
    convert(chainring, source, store)
    convert(chainring, store, back, "--convert.to=minari")
    convert(chainring, back, again)
    with h5py.File(os.path.join(back, "data/main_data.hdf5")) as file:
        assert np.abs(file["episode_0/actions"][:] - actions).max() <= 12e-6
    with h5py.File(store) as first, h5py.File(again) as second:
        assert np.abs(first["action"][:] - second["action"][:]).max() <= 1e-6
        wanted = 2 * (actions.astype(float) - low) / np.subtract(high, low) - 1
        assert np.abs(first["action"][:] - wanted).max() <= 1e-6


def check_refusals(chainring, store, back, folder):
    line = convert(chainring, store, back, "--convert.to=minari", code=64)
    assert "expected nothing there" in line and line.count("\n") == 1, line
    full = os.path.join(folder, "full")

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    line = convert(chainring, store, full, "--convert.to=minari", code=74, preexec_fn=no_room)
    assert "main_data.hdf5: cannot be written" in line, line
    assert not [name for name in os.listdir(folder) if name.startswith("full")]


def main():
    chainring, store_tool = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        check_minari(chainring, folder)
        check_store(chainring, store_tool, "write", folder)
        check_store(chainring, store_tool, "write_labels", folder)
        check_actions(chainring, folder)
    print("Minari and stores come back to the bit")


if __name__ == "__main__":
    main()

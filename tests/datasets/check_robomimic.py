"""Are robomimic's files read as they are meant, and bad ones refused?

check_robomimic.py FORMATS_TOOL"""

import json
import os
import sys
import tempfile

import h5py
import numpy as np

from formats_check import expect_refusal, expect_rows, read, run_tool

LENGTHS = {"demo_10": 4, "demo_2": 6, "demo_0": 5}  # as they stand in the file
SORTED = ["demo_0", "demo_2", "demo_10"]
KEYS = [("object", 4), ("robot0_eef_pos", 3), ("robot0_gripper", 2)]
ENVIRONMENT = {"env_name": "Lift", "env_version": "1.4.1", "type": 1,
               "env_kwargs": {"control_freq": 20, "robots": ["Panda"]}}


def demo(length, seed):
    random = np.random.default_rng(seed)
    arrays = {"actions": random.uniform(-1, 1, (length, 2)), "states": random.standard_normal((length, 6)),
              "rewards": random.standard_normal(length), "dones": np.arange(length) == length - 1}
    for group in ("obs", "next_obs"):
        for key, dim in reversed(KEYS):
            arrays[f"{group}/{key}"] = random.standard_normal((length, dim))
    return arrays


def demos():
    return {name: demo(length, seed) for seed, (name, length) in enumerate(LENGTHS.items())}


def write(path, data, environment=ENVIRONMENT, **options):
    with h5py.File(path, "w") as file:
        for name, arrays in data.items():
            for key, array in arrays.items():
                file.create_dataset(f"data/{name}/{key}", data=array, **options)
            file[f"data/{name}"].attrs["num_samples"] = len(arrays["rewards"])
            file[f"data/{name}"].attrs["model_file"] = "<mujoco/>"
        file["data"].attrs["total"] = sum(len(arrays["rewards"]) for arrays in data.values())
        file["data"].attrs["env_args"] = json.dumps(environment, indent=4)
        file["mask/train"] = np.array([name.encode() for name in data])
    return path


def changed(data, name, **arrays):
    """The same demos, with other arrays (None: without) in one; "obs__x" means obs/x."""
    arrays = {key.replace("__", "/"): array for key, array in arrays.items()}
    one = {key: array for key, array in {**data[name], **arrays}.items() if array is not None}
    return {**data, name: one}


def without_next(data):
    return {name: {key: array for key, array in arrays.items() if not key.startswith("next_obs")}
            for name, arrays in data.items()}


def states_of(arrays, keys=KEYS, has_next=True):
    """T + 1 observations."""
    rows = np.hstack([arrays[f"obs/{key}"] for key, _ in keys])
    after = np.hstack([arrays[f"next_obs/{key}"][-1] for key, _ in keys]) if has_next else rows[-1]
    return np.vstack([rows, after])


def check_whole(tool, path):
    data = demos()
    spec, episodes = read(tool, "robomimic", write(path, data))
    assert (spec["observation"], spec["action"], spec["physics"]) == (9, 2, 6), spec
    assert spec["keys"] == [list(key) for key in KEYS], spec
    assert spec["tasks"] == [["recorded", "recorded"]] and spec["source"] == "robomimic", spec
    assert (spec["domain"], spec["simulator"]) == ("Lift", "robosuite 1.4.1"), spec
    assert spec["timestep"] == 0.05, spec
    assert [episode["name"] for episode in episodes] == SORTED
    assert [episode["end"] for episode in episodes] == [1, 1, 1]
    assert not any(episode["partial"] for episode in episodes)
    for episode in episodes:
        arrays = data[episode["name"]]
        assert episode["length"] == LENGTHS[episode["name"]]
        expect_rows(episode["observation"], states_of(arrays))
        expect_rows(episode["action"], arrays["actions"])
        expect_rows(episode["recorded"], arrays["rewards"])
        expect_rows(episode["physics"], np.vstack([arrays["states"], arrays["states"][-1]]), np.float64)
    # Without a form named, the names in the file say it; so do they of other HDF5 files.
    assert read(tool, "", path) == (spec, episodes)
    assert read(tool, "", write(path, data, compression="gzip", chunks=True)) == (spec, episodes)


def check_what_may_be_missing(tool, path):
    data = without_next(demos())
    for name in data:
        data = changed(data, name, states=None)
    spec, episodes = read(tool, "robomimic", write(path, data, environment="none"))
    assert (spec["physics"], spec["domain"], spec["timestep"]) == (0, "unknown", 0), spec
    for episode in episodes:
        expect_rows(episode["observation"], states_of(data[episode["name"]], has_next=False))


def check_keys(tool, path):
    data = demos()
    image = {name: {**arrays, "obs/agentview_image": np.zeros((len(arrays["rewards"]), 8, 8, 3), np.uint8)}
             for name, arrays in data.items()}
    write(path, image)
    expect_refusal(tool, "", path, "data/demo_0/obs/agentview_image: found images")
    expect_refusal(tool, "", path, "--convert.observation_keys=")
    for choice in ("object,robot0_gripper", "robot0_gripper,object"):
        spec, episodes = read(tool, "", path, keys=choice)
        assert spec["keys"] == [["object", 4], ["robot0_gripper", 2]], spec
        for episode in episodes:
            expect_rows(episode["observation"], states_of(data[episode["name"]], [KEYS[0], KEYS[2]]))
    for choice in ("object,robot0", "object,object", "object,", "objec"):
        expect_refusal(tool, "", path, "expected some of agentview_image,object,robot0_eef_pos", code=78,
                       keys=choice)
    # Other rows than vectors: of any shape, and flags.
    shaped = {name: {**arrays, "obs/object": arrays["obs/object"].reshape(-1, 2, 2)} for name, arrays in data.items()}
    assert read(tool, "", write(path, shaped)) == read(tool, "", write(path, data))


def check_ends(tool, path):
    data = demos()
    ends = {"none": ([0, 0, 0, 0, 0], 0), "success held": ([0, 0, 1, 1, 1], 1), "always": ([1] * 5, 1)}
    for name, (dones, end) in ends.items():
        _, episodes = read(tool, "", write(path, changed(data, "demo_0", dones=np.array(dones))))
        assert [episode["end"] for episode in episodes] == [end, 1, 1], name


def check_bad_demos(tool, path):
    """One bad demo, and the others are read."""
    data = demos()
    good = data["demo_2"]
    cases = {
        "in the middle": ({"dones": np.array([0, 0, 1, 0, 0, 1])}, "dones: found 0 in row 3 of 6 after a 1"),
        "no flag": ({"dones": np.full(6, 0.5)}, "dones: found 0.5 in row 0"),
        "nan": ({"dones": np.full(6, np.nan)}, "dones: found NaN in row 0"),  # as formats_check has it
        "short": ({"dones": good["dones"][1:]}, "dones: found 5 rows of 1 numbers, expected 6 of 1"),
        "no reward": ({"rewards": np.zeros((6, 2))}, "rewards: found 6 rows of 2 numbers"),
        "no rewards": ({"dones": None}, "dones: found no array of this name"),
        "a wide observation": ({"obs__object": np.zeros((6, 5))}, "obs/object: found 6 rows of 5 numbers"),
        "no next": ({"next_obs__object": None}, "next_obs/object: found no array of this name"),
        "no observation": ({"obs__robot0_eef_pos": None}, "obs/robot0_eef_pos: found no array of this name"),
        "states": ({"states": good["states"][:, 1:]}, "states: found 6 rows of 5 numbers, expected 6 of 6"),
        "large": ({"obs__object": np.full((6, 4), 1e300)}, "obs/object: found in row 0, column 0"),
        "fewer actions": ({"actions": good["actions"][:5]}, "actions: found 5 rows of 2 numbers, expected one for each step, 6 by"),
    }
    for name, (arrays, words) in cases.items():
        _, episodes = read(tool, "", write(path, changed(data, "demo_2", **arrays)))
        assert [("bad" in episode) for episode in episodes] == [False, True, False], name
        assert f"data/demo_2/{words}" in episodes[1]["bad"], (name, episodes[1])


def check_refusals(tool, path):
    data = demos()

    def bad(words, **arrays):
        expect_refusal(tool, "robomimic", write(path, changed(data, "demo_0", **arrays)), words)

    bad("actions: found integers (discrete actions)", actions=np.zeros((5, 2), int))
    bad("actions: found no array of this name", actions=None)
    bad("obs/object: found values of another type", obs__object=np.array([b"x"] * 5))
    bad("states: found values of another type", states=np.array([b"x"] * 5))
    nothing = {f"obs__{key}": None for key, _ in KEYS}
    bad("data/demo_0: found no obs in it, expected observations; have robomimic's", **nothing)
    for name in ("data", "data/other", "demo_0"):
        with h5py.File(path, "w") as file:
            file[name] = np.zeros(3)
        expect_refusal(tool, "robomimic", path, "found no data/demo_0")
    with h5py.File(path, "w") as file:
        for number in range(70):
            file[f"data/demo_0/obs/key_{number}"] = np.zeros((3, 1))
        file["data/demo_0/actions"] = np.zeros((3, 1))
    expect_refusal(tool, "robomimic", path, "found more than 64 observations")


def check_other_hdf5_is_not_taken(tool, path):
    """D4RL's files are known by what robomimic's lack, and the other way round."""
    flat = {"observations": np.ones((4, 3)), "actions": np.zeros((4, 2)), "rewards": np.ones(4),
            "terminals": np.arange(4) == 3, "timeouts": np.zeros(4, bool)}
    for name in ("data/demo", "data/demo_x", "demo_0/actions"):
        with h5py.File(path, "w") as file:
            for key, array in flat.items():
                file[key] = array
            file[name] = np.zeros((4, 2))
        assert read(tool, "", path)[0]["source"] == "a D4RL file", name
    expect_refusal(tool, "robomimic", path, "found no data/demo_0")
    minari = os.path.join(os.path.dirname(path), "main_data.hdf5")
    with h5py.File(minari, "w") as file:
        for key, array in {**flat, "observations": np.ones((5, 3))}.items():
            file[f"episode_0/{key}"] = array
        file["episode_0/terminations"], file["episode_0/truncations"] = flat["terminals"], flat["timeouts"]
    assert read(tool, "", minari)[0]["source"] == "Minari"
    expect_refusal(tool, "d4rl", write(path, demos()), "observations: found no array of this name")


def check_damage(tool, path):
    """Links and flipped bits: one line, exit code 65, or bad demos, and the tool lives on."""
    random = np.random.default_rng(5)
    write(path, demos())
    with h5py.File(path, "r+") as file:
        del file["data/demo_0/obs/object"]
        file["data/demo_0/obs/object"] = h5py.ExternalLink("other.h5", "/x")
    expect_refusal(tool, "robomimic", path, "obs/object")
    with open(write(path, demos()), "rb") as file:
        good = file.read()
    for _ in range(40):
        bad = bytearray(good)
        for position in random.integers(8, 6000, 3):
            bad[position] ^= 1 << random.integers(8)
        with open(path, "wb") as file:
            file.write(bad)
        for form in ("robomimic", ""):
            run = run_tool(tool, form, path)
            assert run.returncode in (0, 65), (run.returncode, run.stderr)
            assert run.stderr.count("\n") == (run.returncode != 0), run.stderr
    with open(path, "wb") as file:
        file.write(good[: len(good) // 2])
    expect_refusal(tool, "robomimic", path, "truncated")


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "low_dim.hdf5")
        for check in (check_whole, check_what_may_be_missing, check_keys, check_ends, check_bad_demos,
                      check_refusals, check_other_hdf5_is_not_taken, check_damage):
            check(tool, path)
    print("robomimic's files are read as they are meant")


if __name__ == "__main__":
    main()

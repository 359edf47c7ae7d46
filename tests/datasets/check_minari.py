"""Are Minari data sets read as they are meant, and bad ones refused?  check_minari.py FORMATS_TOOL

The fixtures are minari's own work (tests/producers/make)."""

import json
import os
import shutil
import sys
import tarfile
import tempfile

import h5py
import numpy as np

import minari_sample as sample
from formats_check import expect_refusal, expect_rows, fixture, read


def expect_sample(spec, episodes, observations, source):
    assert spec["episodes"] == len(episodes) == len(sample.LENGTHS), spec
    assert spec["source"] == source and spec["tasks"] == [["recorded", "recorded"]], spec
    for number, episode in enumerate(episodes):
        assert episode["name"] == f"episode_{number}" and episode["end"] == sample.ENDS[number]
        assert episode["length"] == sample.LENGTHS[number] and not episode["partial"], episode
        expect_rows(episode["observation"], observations(number))
        expect_rows(episode["action"], sample.actions(number))
        expect_rows(episode["recorded"], sample.rewards(number))


def check_fixtures(tool, folder):
    for name in ("minari_nested", "minari_flat", "d4rl"):
        with tarfile.open(fixture(name + ".tar.xz")) as archive:
            archive.extractall(folder)
    nested = os.path.join(folder, "nested-v0")
    spec, episodes = read(tool, "minari", nested)
    assert spec["observation"] == 18 and spec["physics"] == 0, spec
    expect_sample(spec, episodes, sample.flattened, "Minari sample/nested-v0")
    # The folder, its data folder, its file; with or without the form's name.
    for path in ("", "data", "data/main_data.hdf5"):
        assert read(tool, "", os.path.join(nested, path)) == (spec, episodes), path
    # Version 0.4 had no metadata.json but attributes, h5py's texts of variable length.
    with open(os.path.join(nested, "data/metadata.json"), encoding="utf-8") as file:
        metadata = json.load(file)
    spaces = {name: metadata[name] for name in ("observation_space", "action_space")}
    os.remove(os.path.join(nested, "data/metadata.json"))
    unknown = {**spec, "low": [-np.inf] * 2, "high": [np.inf] * 2}
    for source, names in [("Minari", {}), ("Minari", {"dataset_id": 7, "env_spec": "{"}),
                          ("Minari old-v0, Old-v1", {"dataset_id": "old-v0", "env_spec": '{"id": "Old-v1"}'}),
                          ("Minari fixed-v0", {"dataset_id": np.bytes_(b"fixed-v0"), "env_spec": np.ones(3)})]:
        with h5py.File(os.path.join(nested, "data/main_data.hdf5"), "a") as file:
            file.attrs.clear()
            file.attrs.update(names)
        old, again = read(tool, "", nested)
        assert again == episodes and old == {**unknown, "source": source}, (old, names)
        with h5py.File(os.path.join(nested, "data/main_data.hdf5"), "a") as file:
            file.attrs.update(spaces)
        old, again = read(tool, "", nested)
        assert again == episodes and old == {**spec, "source": source}, (old, names)

    spec, episodes = read(tool, "", os.path.join(folder, "flat-v0"))
    assert spec["observation"] == 3 and spec["physics"] == 5, spec
    expect_sample(spec, episodes, sample.flat, "Minari sample/flat-v0")
    for number, episode in enumerate(episodes):
        states = sample.infos(number)
        expect_rows(episode["physics"], np.hstack([states["qpos"], states["qvel"]]), np.float64)
    check_d4rl_fixture(tool, os.path.join(folder, "d4rl.hdf5"))


def check_d4rl_fixture(tool, path):
    """The flat sample again, its last observations from next_observations."""
    spec, episodes = read(tool, "", path)
    assert spec["source"] == "a D4RL file", spec
    for number, episode in enumerate(episodes):
        assert episode["end"] == sample.ENDS[number] and not episode["partial"], episode
        expect_rows(episode["observation"], sample.flat(number))
        expect_rows(episode["action"], sample.actions(number))
        expect_rows(episode["recorded"], sample.rewards(number))


def write(folder, change=None, episodes=(0, 1), metadata=None):
    """The flat sample as minari would write it, then changed."""
    data = os.path.join(folder, "made", "data")
    shutil.rmtree(os.path.dirname(data), ignore_errors=True)
    os.makedirs(data)
    with h5py.File(os.path.join(data, "main_data.hdf5"), "w") as file:
        for place, number in enumerate(episodes):
            group = file.create_group(f"episode_{number}")
            terminations, truncations = sample.flags(place)
            arrays = {"observations": sample.flat(place), "actions": sample.actions(place),
                      "rewards": sample.rewards(place), "terminations": terminations,
                      "truncations": truncations}
            for name, array in arrays.items():
                group.create_dataset(name, data=array, chunks=True,
                                     maxshape=(None,) + array.shape[1:])
            group["infos/text"] = np.array(["a"] * 3, h5py.string_dtype())
        if change:
            change(file)
    if metadata is not None:
        with open(os.path.join(data, "metadata.json"), "w", encoding="utf-8") as file:
            file.write(metadata)
    return os.path.dirname(data)


def replace(key, array):
    def change(file):
        del file[key]
        file[key] = array
    return change


def move_into_group(file):
    file.move("episode_1/observations", "episode_1/other")
    file.move("episode_1/other", "episode_1/observations/only")


def replace_by_group(file):
    del file["episode_1/actions"]
    file["episode_1/actions/move"] = np.zeros((6, 2))


# What is done to episode 1, and a word of the line by which it must be refused.
BAD_EPISODES = {
    "no rewards": (lambda file: file.__delitem__("episode_1/rewards"),
                   "episode_1/rewards: found no array"),
    "no actions": (lambda file: file.__delitem__("episode_1/actions"),
                   "episode_1/actions: found no array"),
    "T observations": (replace("episode_1/observations", sample.flat(1)[1:]),
                       "episode_1/observations: found 6 rows, expected 7"),
    "an action too many": (replace("episode_1/actions", np.zeros((7, 2))), "found 7 rows"),
    "wider actions": (replace("episode_1/actions", np.zeros((6, 3))), "found 3 columns"),
    "integer actions": (replace("episode_1/actions", np.zeros((6, 2), int)), "discrete actions"),
    "another observation": (replace("episode_1/observations", np.zeros((7, 4))), "found 4 columns"),
    "another key": (move_into_group, "episode_1/observations: found a group, expected an array"),
    "a narrower observation": (replace("episode_1/observations", np.zeros(7, int)),
                               "found 1 columns, expected 3"),
    "JPEG": (replace("episode_1/observations", np.zeros((7, 2), np.uint8)), "jpeg_encoding=False"),
    "no steps": (replace("episode_1/rewards", np.zeros(0)), "found 0 rows"),
    "two rewards": (replace("episode_1/rewards", np.zeros((6, 2))), "found 6 rows of 2"),
    "an early end": (replace("episode_1/terminations", np.arange(6) == 2), "in row 2 of 6"),
    "half an end": (replace("episode_1/truncations", np.full(6, 0.5)), "found 0.5 in row 0"),
    "a group": (replace_by_group, "episode_1/actions: found a group, expected an array"),
    "a flat episode": (replace("episode_1", np.zeros(3)), "episode_1: found an array, expected a g"),
    "never written": (lambda file: (file.__delitem__("episode_1/actions"),
                                    file.create_dataset("episode_1/actions", (6, 2))),
                      "episode_1/actions: found numbers that were never written"),
    "texts": (replace("episode_1/rewards", np.array([b"x"] * 6)), "values of another type"),
    "too large": (replace("episode_1/observations", np.full((7, 3), 1e40)), "in row 0, column 0"),
}


def check_bad_episodes(tool, folder):
    for name, (change, words) in BAD_EPISODES.items():
        _, episodes = read(tool, "", write(folder, change))
        assert words in episodes[1]["bad"] and "main_data.hdf5" in episodes[1]["bad"], (
            name, episodes[1])
        expect_rows(episodes[0]["observation"], sample.flat(0))


def remove_all(file):
    for name in list(file):
        del file[name]


def check_refusals(tool, folder):
    """What spoils the whole data set."""
    def bad(words, change=None, metadata=None, episodes=(0, 1)):
        path = write(folder, change, episodes, metadata)
        expect_refusal(tool, "minari", path, words)

    bad("found no episode_0", remove_all)
    bad("episode_0/observations: found no array",
        lambda file: file.__delitem__("episode_0/observations"))
    bad("no numbers", lambda file: (file.__delitem__("episode_0/observations"),
                                    file.create_group("episode_0/observations")))
    bad("found no object of JSON", metadata="{")
    bad("found no object of JSON", metadata="[" * 100000)
    bad('in the form "arrow", expected "hdf5"', metadata='{"data_format": "arrow"}')
    bad('in the form "a??b"', metadata='{"data_format": "a\\n\\u0001b"}')
    # What is there but leads nowhere is no absence.
    path = write(folder)
    os.symlink("gone.json", os.path.join(path, "data/metadata.json"))
    expect_refusal(tool, "minari", path, "metadata.json", code=66)
    # Without any HDF5 the form is still known by its metadata.
    path = write(folder, metadata='{"data_format": "arrow"}')
    os.remove(os.path.join(path, "data/main_data.hdf5"))
    expect_refusal(tool, "", path, '"arrow"')
    expect_refusal(tool, "minari", folder, "found no main_data.hdf5")


def check_variations(tool, folder):
    """Gaps between the numbers, an order that is not that of texts, ends that nobody marked."""
    _, episodes = read(tool, "", write(folder, episodes=(2, 10)))
    assert [episode["name"] for episode in episodes] == ["episode_2", "episode_10"]

    def unmark(file):
        file["episode_1/truncations"][...] = False
        file.create_group("episode_01")
        file.create_group("other")
    _, episodes = read(tool, "", write(folder, unmark))
    assert [episode["end"] for episode in episodes] == [1, 0]

    def never_write(file):
        for name in ("terminations", "truncations"):
            del file[f"episode_1/{name}"]
            file.create_dataset(f"episode_1/{name}", (sample.LENGTHS[1],), bool)
    assert read(tool, "", write(folder, never_write))[1][1]["end"] == 0
    environment = json.dumps({"id": "Hopper-v5"})
    path = write(folder, metadata=json.dumps(
        {"dataset_id": "a\nb", "env_spec": environment, "data_format": "hdf5", "author": ["x"]}))
    assert read(tool, "", path)[0]["source"] == "Minari a?b, Hopper-v5"
    # Small integers are numbers too.
    picture = np.arange(5 * 3, dtype=np.uint8).reshape(5, 3)
    _, episodes = read(tool, "", write(folder, replace("episode_0/observations", picture)))
    expect_rows(episodes[0]["observation"], picture)


# --- Spaces, whose flattening is written down here once more --------------------------------------

BOX = {"type": "Box", "dtype": "float32", "shape": [2], "low": [-2.0, -np.inf], "high": [2.0, 3.0]}
SPACES = {
    "at": BOX,
    "bits": {"type": "MultiBinary", "n": [3]},
    "colour": {"type": "Discrete", "dtype": "int64", "start": 1, "n": 4},
    "grid": {"type": "MultiDiscrete", "dtype": "int64", "shape": [2], "nvec": [3, 2]},
    "pixel": {"type": "Box", "dtype": "int64", "shape": [1], "low": [0], "high": [9]},
    "say": {"type": "Text", "max_length": 8},
}


def one_hot(values, counts, start=0):
    values = np.asarray(values).reshape(len(values), -1) - start
    return np.hstack([np.eye(n)[values[:, i]] for i, n in enumerate(counts)])


def leaves(number, rows):
    random = np.random.default_rng(number)
    return {"at": random.standard_normal((rows, 2)).astype(np.float32),
            "bits": random.integers(0, 2, (rows, 3)).astype(np.int8),
            "colour": random.integers(1, 5, rows), "grid": random.integers(0, [3, 2], (rows, 2)),
            "pixel": random.integers(0, 10, (rows, 1))}


def flattened(number, rows):
    found = leaves(number, rows)
    return {"at": found["at"], "bits": found["bits"], "colour": one_hot(found["colour"], [4], 1),
            "grid": one_hot(found["grid"], [3, 2]), "pixel": found["pixel"]}


def write_spaces(folder, action_space, actions, observation_space=None, change=None):
    """Two episodes of 6 and 5 steps; `actions` gives those of one."""
    def make(file):
        for number in (0, 1):
            group = file[f"episode_{number}"]
            steps = len(group["rewards"])
            del group["observations"], group["actions"]
            for key, rows in leaves(number, steps + 1).items():
                group["observations/x/" + key] = rows
            group["observations/x/say"] = np.array(["a"] * (steps + 1), h5py.string_dtype())
            for key, rows in actions(number, steps).items():
                group["actions" + key] = rows
        if change:
            change(file)
    space = {"type": "Dict", "subspaces": {"x": {"type": "Dict", "subspaces": SPACES}}}
    metadata = {"data_format": "hdf5", "dataset_id": "spaces",
                "observation_space": json.dumps(observation_space or space),
                "action_space": json.dumps(action_space)}
    return write(folder, make, metadata=json.dumps(metadata))


def numbers(number, steps):
    return {"": np.random.default_rng(number + 7).integers(2, 5, steps)}


def check_spaces(tool, folder):
    three = {"type": "Discrete", "dtype": "int64", "start": 2, "n": 3}
    path = write_spaces(folder, three, numbers)
    keys = "x/at,x/bits,x/colour,x/grid,x/pixel"
    spec, episodes = read(tool, "minari", path, keys=keys)
    assert spec["observation"] == 2 + 3 + 4 + 5 + 1 and spec["action"] == 3, spec
    for number, episode in enumerate(episodes):
        steps = episode["length"]
        wanted = flattened(number, steps + 1)
        expect_rows(episode["observation"], np.hstack(list(wanted.values())))
        expect_rows(episode["action"], one_hot(numbers(number, steps)[""], [3], 2))
    # Some of them, in the space's own order.
    _, episodes = read(tool, "minari", path, keys="x/colour,x/at")
    expect_rows(episodes[0]["observation"], np.hstack(
        [flattened(0, episodes[0]["length"] + 1)[key] for key in ("at", "colour")]))
    assert spec["kinds"] == [0, 3, 1, 2, 0] and spec["keys"] == [
        ["x/at", 2], ["x/bits", 3], ["x/colour", 4], ["x/grid", 5], ["x/pixel", 1]], spec
    expect_refusal(tool, "minari", path, 'observation_space: found texts, "x/say", ')
    for keys in ("x", ""):  # a whole group; all
        expect_refusal(tool, "minari", path, "--convert.observation_keys=", keys=keys)
    for keys, word in {"x/at,x/hue": "x/hue", ",": "", "x/a": "x/a"}.items():
        expect_refusal(tool, "minari", path, f'found "{word}", expected some of x/at, x/bits, '
                       "x/colour, x/grid, x/pixel, x/say", code=78, keys=keys)
    expect_refusal(tool, "minari", write(folder), "have no names", code=78, keys="x")
    # Several choices, in groups of a Dict, which has its keys in the order of their bytes.
    both = {"type": "Dict", "subspaces": {"turn": three, "go": SPACES["grid"]}}
    path = write_spaces(folder, both, lambda number, steps: {
        "/turn": numbers(number, steps)[""], "/go": leaves(number, steps)["grid"]})
    spec, episodes = read(tool, "minari", path, keys="x/at")
    steps = episodes[1]["length"]
    expect_rows(episodes[1]["action"], np.hstack(
        [one_hot(leaves(1, steps)["grid"], [3, 2]), one_hot(numbers(1, steps)[""], [3], 2)]))


def check_bad_spaces(tool, folder):
    three = {"type": "Discrete", "dtype": "int64", "start": 2, "n": 3}

    def bad(words, action_space=three, actions=numbers, code=65, **others):
        path = write_spaces(folder, action_space, actions, **others)
        expect_refusal(tool, "minari", path, words, keys="x/at", code=code)

    bad('action_space: found categories, "b", beside continuous numbers, "a"',
        {"type": "Dict", "subspaces": {"a": BOX, "b": three}})
    bad("action_space: found texts", {"type": "Text"})
    bad("action_space: found no numbers", {"type": "Tuple", "subspaces": []})
    bad("no category, or more than a million", {**three, "n": 1e300})
    bad("no category, or more than a million", {**three, "n": 0})
    bad("no category, or more than a million", {**three, "start": 0.5})
    for space in ({"type": "Discrete"}, {**three, "start": [1, 2]},
                  {"type": "MultiDiscrete", "nvec": [[2], ["3"]], "start": [[0], [0]]}):
        bad("found categories without n, nvec or start that fit", space)
    for space in ({**BOX, "shape": [3]}, {**BOX, "low": None}, {**BOX, "shape": [1e300]}):
        bad("found a Box without shape, low and high that fit", space)
    bad("found a Box whose low is above its high", {**BOX, "low": [2.5, 0.0]})
    bad("found Graph at a/_index_1, expected a Box, Discrete", {"type": "Dict", "subspaces": {
        "a": {"type": "Tuple", "subspaces": [three, {"type": "Graph"}]}}})
    bad("found no type", {})
    bad("a MultiBinary without n", {"type": "MultiBinary"})
    deep = three
    for _ in range(20):
        deep = {"type": "Dict", "subspaces": {"a": deep}}
    bad("groups deep within groups", deep)
    # What fits in itself, but not to the file.
    _, episodes = read(tool, "minari", write_spaces(
        folder, {"type": "MultiDiscrete", "nvec": [2, 3]}, numbers), keys="x/at")
    assert "episode_0/actions: found 1 columns, expected 2" in episodes[0]["bad"], episodes
    _, episodes = read(tool, "minari", write_spaces(
        folder, {"type": "Dict", "subspaces": {"a": three}}, numbers), keys="x/at")
    assert "episode_0/actions: found an array, expected a group" in episodes[0]["bad"], episodes
    path = write_spaces(folder, three, lambda number, steps: {"": np.full(steps, 5 - 4 * number)})
    _, episodes = read(tool, "minari", path, keys="x/at")
    words = "actions: found 5 in row 0, column 0, expected a category, 2 to 4"
    assert words in episodes[0]["bad"], episodes
    assert "actions: found 1 in row 0" in episodes[1]["bad"], episodes


def check_undescribed_integers(tool, folder):
    """Actions are categories, as many as the whole data set has; observations are numbers."""
    def change(file):
        for number, most in ((0, 2), (1, 6)):
            group = file[f"episode_{number}"]
            steps = len(group["rewards"])
            del group["actions"], group["observations"]
            group["actions"] = np.arange(steps) % (most + 1)
            group["observations"] = np.arange(2 * (steps + 1)).reshape(-1, 2)
    spec, episodes = read(tool, "minari", write(folder, change))
    steps = len(episodes[0]["action"]) // spec["action"]
    wanted = max(3, min(6, len(sample.rewards(1)) - 1) + 1)
    assert spec["action"] == wanted, spec
    expect_rows(episodes[0]["action"], np.eye(wanted)[np.arange(steps) % 3])
    expect_rows(episodes[0]["observation"], np.arange(2 * (steps + 1)))


def check_kinds_of_actions(tool, folder):
    """Bounds that bound nothing, truth values, counts of the user's, groups without description."""
    wide = {"type": "Box", "dtype": "float32", "shape": [4], "low": [0.0, -3.4e38, 5.0, -np.inf],
            "high": [1.0, 3.4e38, 5.0, 2 ** 64 - 1]}
    path = write_spaces(folder, wide, lambda number, steps: {"": np.zeros((steps, 4))})
    spec, _ = read(tool, "minari", path, keys="x/at")
    assert spec["low"] == [0] + [-np.inf] * 3 and spec["high"] == [1] + [np.inf] * 3, spec
    unknown = {**wide, "low": [np.nan] + wide["low"][1:]}
    path = write_spaces(folder, unknown, lambda number, steps: {"": np.zeros((steps, 4))})
    assert read(tool, "minari", path, keys="x/at")[0]["low"] == [-np.inf] * 4
    expect_refusal(tool, "minari", path, 'action_counts: found "4", expected nothing', code=78,
                   keys="x/at", counts="4")

    def bits(number, steps):
        return np.random.default_rng(number).integers(0, 2, (steps, 2))
    path = write_spaces(folder, {"type": "MultiBinary", "n": 2},
                        lambda number, steps: {"": bits(number, steps).astype(np.int8)})
    spec, episodes = read(tool, "minari", path, keys="x/at")
    assert spec["counts"] == [2, 2], spec
    expect_rows(episodes[1]["action"], one_hot(bits(1, episodes[1]["length"]), [2, 2]))
    spec, episodes = read(tool, "minari", path, keys="x/at", counts="2,5")
    assert spec["counts"] == [2, 5], spec
    expect_rows(episodes[1]["action"], one_hot(bits(1, episodes[1]["length"]), [2, 5]))
    expect_refusal(tool, "minari", path, "expected 2 numbers", code=78, keys="x/at", counts="2")

    def group(file):
        for number in (0, 1):
            steps = len(file[f"episode_{number}/rewards"])
            del file[f"episode_{number}/actions"]
            file[f"episode_{number}/actions/b"] = bits(number, steps)
            file[f"episode_{number}/actions/a"] = np.full(steps, 2 + number)
    path = write(folder, group)
    spec, episodes = read(tool, "minari", path)
    assert spec["counts"] == [4, 2, 2], spec
    for number, episode in enumerate(episodes):
        steps = episode["length"]
        expect_rows(episode["action"], np.hstack([one_hot(np.full(steps, 2 + number), [4]),
                                                  one_hot(bits(number, steps), [2, 2])]))
    _, episodes = read(tool, "minari", path, counts="3,2,2")
    assert "actions/a: found 3 in row 0" in episodes[1]["bad"], episodes

    def mix(file):
        group(file)
        del file["episode_0/actions/b"]
        file["episode_0/actions/b"] = np.zeros((len(file["episode_0/rewards"]), 2))
    expect_refusal(tool, "minari", write(folder, mix), 'found continuous numbers, "b", beside')


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        check_fixtures(tool, folder)
        check_variations(tool, folder)
        check_bad_episodes(tool, folder)
        check_refusals(tool, folder)
        check_spaces(tool, folder)
        check_bad_spaces(tool, folder)
        check_kinds_of_actions(tool, folder)
        check_undescribed_integers(tool, folder)
    print(f"Minari data sets are read as they are meant, {len(BAD_EPISODES)} bad episodes refused")


if __name__ == "__main__":
    main()

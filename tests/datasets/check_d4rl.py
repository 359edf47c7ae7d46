"""Are D4RL files read as they are meant, and bad ones refused?  check_d4rl.py FORMATS_TOOL CHAINRING
"""

import os
import shlex
import subprocess
import sys
import tempfile

import h5py
import numpy as np

from formats_check import expect_refusal, expect_rows, read, run_tool

LENGTHS = [5, 3, 7]  # and a partial episode of 2
STEPS = sum(LENGTHS) + 2


def arrays():
    """All arrays of a file of three episodes, the second terminated, and a partial one."""
    random = np.random.default_rng(1)
    ends = np.cumsum(LENGTHS) - 1
    terminals, timeouts = np.zeros(STEPS, bool), np.zeros(STEPS, bool)
    terminals[ends[1]] = True
    timeouts[[ends[0], ends[2]]] = True
    return {
        "observations": random.standard_normal((STEPS, 3)).astype(np.float32),
        "next_observations": random.standard_normal((STEPS, 3)).astype(np.float32),
        "actions": random.uniform(-1, 1, (STEPS, 2)).astype(np.float32),
        "rewards": random.standard_normal(STEPS).astype(np.float32),
        "terminals": terminals,
        "timeouts": timeouts,
        "infos/qpos": random.standard_normal((STEPS, 4)),
        "infos/qvel": random.standard_normal((STEPS, 3)),
        "infos/action_log_probs": random.standard_normal(STEPS),
    }


def write(path, data, **options):
    with h5py.File(path, "w") as file:
        for name, array in data.items():
            file.create_dataset(name, data=array, **options)
        file["metadata/algorithm"] = "SAC"
        file["metadata/policy/fc0/weight"] = np.ones((4, 4))
    return path


def without(data, *names):
    return {name: array for name, array in data.items() if name not in names}


def expect_episodes(data, episodes, lengths, has_next=True):
    first = 0
    for episode, length in zip(episodes, lengths):
        rows = slice(first, first + length)
        last = first + length - 1
        after = data["next_observations" if has_next else "observations"][last]
        expect_rows(episode["observation"], np.vstack([data["observations"][rows], after]))
        expect_rows(episode["action"], data["actions"][rows])
        expect_rows(episode["recorded"], data["rewards"][rows])
        first += length
    assert len(episodes) == len(lengths)


def check_whole(tool, path):
    data = arrays()
    spec, episodes = read(tool, "d4rl", write(path, data))
    assert (spec["observation"], spec["action"], spec["physics"]) == (3, 2, 7), spec
    assert spec["tasks"] == [["recorded", "recorded"]] and spec["domain"] == "unknown", spec
    expect_episodes(data, episodes, LENGTHS + [2])
    assert [episode["end"] for episode in episodes] == [2, 1, 2, 0]
    assert [episode["partial"] for episode in episodes] == [0, 0, 0, 1]
    assert episodes[1]["name"] == "rows 5 to 7", episodes[1]["name"]
    physics = np.hstack([data["infos/qpos"], data["infos/qvel"]])[:5]
    expect_rows(episodes[0]["physics"], np.vstack([physics, physics[-1]]), np.float64)
    # Without a form named, the first bytes say it.
    assert read(tool, "", path) == (spec, episodes)


def check_other_forms(tool, path):
    """The same numbers in every way that h5py stores them."""
    data = arrays()
    wanted = read(tool, "d4rl", write(path, data))
    for options in ({"compression": "gzip"}, {"chunks": True, "shuffle": True},
                    {"compression": "gzip", "shuffle": True, "fletcher32": True}):
        assert read(tool, "d4rl", write(path, data, **options)) == wanted, options
    other = dict(data)
    for name in ("observations", "next_observations", "actions", "rewards"):
        other[name] = data[name].astype(">f8")
    for name in ("terminals", "timeouts"):
        other[name] = data[name].astype(np.uint8).reshape(-1, 1)
    other["rewards"] = other["rewards"].reshape(-1, 1)
    assert read(tool, "d4rl", write(path, other)) == wanted
    half = dict(data, rewards=data["rewards"].astype(np.float16))
    half["rewards"][:4] = [6e-8, -6.1e-5, 65504, np.inf]
    _, episodes = read(tool, "d4rl", write(path, half))
    expect_rows(episodes[0]["recorded"], half["rewards"][:5])
    for kind in ("i1", "u1", ">i2", "<u4", ">i8", "<u8"):
        numbers = data["observations"] * 20
        whole = dict(data, observations=(np.abs(numbers) if "u" in kind else numbers).astype(kind))
        _, episodes = read(tool, "d4rl", write(path, whole))
        expect_rows(episodes[0]["observation"][:15], whole["observations"][:5])
    # What HDF5 itself can decode.
    with h5py.File(write(path, without(whole, "observations")), "a") as file:
        file.create_dataset("observations", data=whole["observations"].astype("i4"), scaleoffset=0)
    assert read(tool, "d4rl", path)[1][1] == episodes[1]


def check_large_chunks(tool, path):
    """Rows beyond a piece of reading, and chunks beyond HDF5's usual cache."""
    random = np.random.default_rng(2)
    steps, length = 20000, 1000
    data = {"observations": random.standard_normal((steps, 20)),
            "actions": random.uniform(-1, 1, (steps, 2)),
            "rewards": random.standard_normal(steps),
            "terminals": np.zeros(steps), "timeouts": np.arange(steps) % length == length - 1}
    with h5py.File(path, "w") as file:
        for name, array in data.items():
            file.create_dataset(name, data=array, compression="gzip", chunks=array.shape)
    spec, episodes = read(tool, "d4rl", path)
    assert spec["physics"] == 0, spec
    expect_episodes(data, episodes, [length] * 20, has_next=False)


def check_ends(tool, path):
    data = arrays()
    _, episodes = read(tool, "d4rl", write(path, without(data, "next_observations")))
    expect_episodes(data, episodes, LENGTHS + [2], has_next=False)
    # Without timeouts, terminals and the longest episode end them.
    flagless = write(path, without(data, "timeouts", "infos/qvel"))
    spec, episodes = read(tool, "d4rl", flagless, steps_max=5)
    assert spec["physics"] == 0, spec
    expect_episodes(data, episodes, [5, 3, 5, 4])
    assert [episode["end"] for episode in episodes] == [2, 1, 2, 0]
    _, episodes = read(tool, "d4rl", flagless)
    assert [episode["length"] for episode in episodes] == [8, 9]
    # Timeouts, where they are, are believed.
    _, episodes = read(tool, "d4rl", write(path, data), steps_max=2)
    assert [episode["length"] for episode in episodes] == LENGTHS + [2]


def check_length_one(tool, path):
    """Episodes of one step, after each kind of end; an end of both kinds is a terminal."""
    data = arrays()
    for name, rows in (("terminals", [4, 5, 16]), ("timeouts", [0, 12, 16])):
        data[name] = np.isin(np.arange(STEPS), rows)
    for has_next in (True, False):
        wanted = data if has_next else without(data, "next_observations")
        _, episodes = read(tool, "d4rl", write(path, wanted))
        expect_episodes(data, episodes, [1, 4, 1, 7, 4], has_next)
        assert [episode["end"] for episode in episodes] == [2, 1, 1, 2, 1]
        assert not any(episode["partial"] for episode in episodes)


def check_never_written(tool, path):
    """Flags that were never true need not be written: they have the array's fill value. What else
    was never written is lost."""
    data = arrays()
    for name in ("terminals", "timeouts"):
        for options in ({}, {"chunks": (4,)}, {"chunks": (4,), "compression": "gzip"},
                        {"fillvalue": True, "chunks": (4,)}):
            with h5py.File(write(path, without(data, name)), "a") as file:
                flags = file.create_dataset(name, (STEPS,), bool, **options)
                if options.get("fillvalue"):
                    flags[4:12] = False
                written = flags[:]
            unwritten = read(tool, "d4rl", path)
            assert unwritten == read(tool, "d4rl", write(path, {**data, name: written})), options
    for name in ("observations", "next_observations", "actions", "rewards", "infos/qpos"):
        with h5py.File(write(path, without(data, name)), "a") as file:
            file.create_dataset(name, data[name].shape, data[name].dtype)
        expect_refusal(tool, "d4rl", path, f"{name}: found numbers that were never written")


def check_advice(tool, path):
    """What is to be done about a filter gives the same numbers, names and attributes."""
    data = arrays()
    wanted = read(tool, "d4rl", write(path, data))
    with h5py.File(path, "w") as file:
        for name, array in data.items():
            file.create_dataset(name, data=array, compression="lzf").attrs["unit"] = "m"
        file["metadata/algorithm"] = "SAC"
        file["metadata"].attrs["steps"] = file.attrs["steps"] = STEPS
    line = run_tool(tool, "d4rl", path).stderr
    command, copy = line[line.index("python3 -c"):].strip(), path + " copy"
    assert command.endswith(" OLD NEW"), line
    command = command.removesuffix("OLD NEW") + shlex.quote(path) + " " + shlex.quote(copy)
    here = {**os.environ, "PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}
    subprocess.run(command, shell=True, check=True, env=here)
    assert read(tool, "d4rl", copy) == wanted
    with h5py.File(copy) as file:
        assert file.attrs["steps"] == file["metadata"].attrs["steps"] == STEPS
        assert file["rewards"].attrs["unit"] == "m" and file["metadata/algorithm"][()] == b"SAC"


def check_rows_are_the_file_s(chainring, path):
    """The program names the row of the array, not that of the episode."""
    here = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    for name in ("observations", "actions", "rewards", "infos/qpos"):
        data = arrays()
        data[name][6] = np.nan
        command = [chainring, "convert", write(path, data), "--output=" + path + ".h5"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=here)
        assert run.returncode == 65 and "rows 5 to 7: " in run.stderr, (name, run.stderr)
        assert "found NaN in row 6," in run.stderr, (name, run.stderr)


def check_not_finite(tool, path):
    """They are the converter's to see."""
    data = arrays()
    data["observations"][1, 1] = np.nan
    data["rewards"][2] = np.inf
    run = read(tool, "d4rl", write(path, data))
    assert np.isnan(run[1][0]["observation"][4]) and np.isinf(run[1][0]["recorded"][2])


def check_refusals(tool, path):
    data = arrays()

    def bad(words, change, steps_max=0):
        expect_refusal(tool, "d4rl", write(path, {**data, **change}), words, steps_max=steps_max)

    for name in ("observations", "actions", "rewards", "terminals"):
        write(path, without(data, name))
        expect_refusal(tool, "d4rl", path, f"{name}: found no array of this name")
    bad("actions: found 16 rows, expected 17", {"actions": data["actions"][1:]})
    bad("infos/qpos: found 3 rows, expected 17", {"infos/qpos": data["infos/qpos"][:3]})
    bad("rewards: found 2 columns, expected 1", {"rewards": data["actions"]})
    bad("next_observations: found 2 columns", {"next_observations": data["actions"]})
    bad("actions: found actions of 257 numbers", {"actions": np.full(STEPS, 999)})
    write(path, without(data, "actions"))
    with h5py.File(path, "a") as file:
        file["actions/mean"] = data["actions"]
    expect_refusal(tool, "d4rl", path, "actions: found a group, expected an array")
    bad("observations: found values of another type", {"observations": np.array([b"x"] * STEPS)})
    bad("terminals: found 0.5 in row 3", {"terminals": np.where(np.arange(STEPS) == 3, 0.5, 0)})
    bad("terminals: found nan in row 0", {"terminals": np.full(STEPS, np.nan)})
    bad("found no steps", {name: array[:0] for name, array in data.items()})
    no_end = without(data, "timeouts")
    no_end["terminals"] = np.zeros(STEPS, bool)
    expect_refusal(tool, "d4rl", write(path, no_end), "--convert.episode_steps")


def check_bad_episodes(tool, path):
    """One number that does not fit spoils one episode."""
    data = arrays()
    data["observations"] = data["observations"].astype(np.float64)
    data["observations"][6, 2] = 1e300
    _, episodes = read(tool, "d4rl", write(path, data))
    assert "observations: found in row 6, column 2" in episodes[1]["bad"], episodes[1]
    assert [("bad" in episode) for episode in episodes] == [False, True, False, False]
    whole = np.zeros((STEPS, 3), np.int64)
    whole[9, 1] = -(2**24) - 1
    _, episodes = read(tool, "d4rl", write(path, dict(arrays(), observations=whole)))
    assert "observations: found in row 9, column 1" in episodes[2]["bad"], episodes[2]


def check_discrete_actions(tool, path):
    """Integers are categories: a one-hot vector for each column, side by side."""
    data = arrays()
    for shape, kind in (((STEPS,), np.int64), ((STEPS, 1), ">i4"), ((STEPS, 2), np.uint8)):
        numbers = np.random.default_rng(5).integers(0, 4, shape)
        numbers[0], numbers[-1] = 3, 0
        spec, episodes = read(tool, "d4rl", write(path, {**data, "actions": numbers.astype(kind)}))
        rows = np.eye(4)[numbers].reshape(STEPS, -1)
        assert spec["action"] == rows.shape[1], spec
        expect_rows(episodes[1]["action"], rows[5:8])


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hopper.hdf5")
        for check in (check_whole, check_other_forms, check_large_chunks, check_ends,
                      check_length_one, check_never_written, check_advice, check_not_finite,
                      check_refusals, check_bad_episodes, check_discrete_actions):
            check(tool, path)
        check_rows_are_the_file_s(sys.argv[2], path)
    print("D4RL files are read as they are meant")


if __name__ == "__main__":
    main()

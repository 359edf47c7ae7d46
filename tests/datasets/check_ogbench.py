"""Are OGBench's files read as they are meant, and bad ones refused?

check_ogbench.py LAUNCHER PROGRAM: writes them with numpy and converts them.
"""

import os
import sys
import tempfile

import numpy as np

from convert_check import Program, episode_of, open_store, same, same_file, tasks_of

STATES = [6, 2, 10]  # rows of each trajectory, one more than steps
ROWS = sum(STATES)


def sample():
    random = np.random.default_rng(6)
    return {"observations": random.standard_normal((ROWS, 3)).astype(np.float32),
            "actions": random.uniform(-1, 1, (ROWS, 2)).astype(np.float32),
            "terminals": np.isin(np.arange(ROWS), np.cumsum(STATES) - 1).astype(np.float32),
            "qpos": random.standard_normal((ROWS, 4)), "qvel": random.standard_normal((ROWS, 3)).astype(np.float32),
            "button_states": np.zeros((ROWS, 2), np.int64)}


def write(program, name, arrays, save=np.savez_compressed):
    path = os.path.join(program.folder, name + ".npz")
    save(path, **arrays)
    return path


def expect_trajectories(path, arrays, states, physics=True):
    with open_store(path) as store:
        assert tasks_of(store) == ["unrewarded"]
        assert store.attrs["reward_source"][0] == b"none: OGBench data have no rewards"
        assert list(store["episode/length"]) == [count - 1 for count in states]
        assert ("physics" in store) == physics
        first = 0
        for number, count in enumerate(states):
            rows, steps = slice(first, first + count), slice(first, first + count - 1)
            episode = episode_of(store, number)
            same(episode["observation"], arrays["observations"][rows].astype(np.float32))
            same(episode["action"], arrays["actions"][steps].astype(np.float32))
            same(episode["unrewarded"], np.zeros(count - 1, np.float32))
            assert episode["end"] == 0 and episode["group"] == 0
            if physics:
                same(episode["physics"], np.hstack([arrays["qpos"], arrays["qvel"].astype(float)])[rows])
            first += count


def test_a_trajectory_has_a_row_more_than_steps(program):
    arrays = sample()
    one, text = program.convert(write(program, "antmaze", arrays), "one.h5", "--source=x")
    assert "ogbench" in text, text
    expect_trajectories(one, arrays, STATES)
    # Stored instead of deflated, other types and a column of flags; on several ranks.
    other = {**arrays, "terminals": arrays["terminals"].astype(bool).reshape(-1, 1),
             "observations": arrays["observations"].astype(">f8")}
    three, _ = program.convert(write(program, "other", other, np.savez), "three.h5", "--source=x", ranks=3)
    same_file(one, three)


def test_physics_are_qpos_and_qvel_together(program):
    arrays = sample()
    del arrays["qvel"]
    path, _ = program.convert(write(program, "half", arrays), "half.h5")
    expect_trajectories(path, arrays, STATES, physics=False)


def test_rows_behind_the_last_terminal_are_a_partial_trajectory(program):
    arrays = sample()
    arrays["terminals"][-1] = 0
    path = write(program, "cut", arrays)
    dropped, text = program.convert(path, "dropped.h5")
    assert "1 episodes" in text, text
    expect_trajectories(dropped, arrays, STATES[:2])
    kept, _ = program.convert(path, "kept.h5", "--partial=keep")
    expect_trajectories(kept, arrays, STATES)


def test_arrays_that_do_not_fit_are_refused(program):
    good = sample()
    alone = good["terminals"].copy()
    alone[6] = 1
    cases = {
        "alone": ({"terminals": alone}, ["terminals", "trajectory of row 6 alone"]),
        "flags": ({"terminals": good["terminals"] / 2}, ["terminals", "0.5 in row 5"]),
        "columns": ({"terminals": good["qpos"]}, ["terminals", "several columns"]),
        "rows": ({"actions": good["actions"][1:]}, ["actions", "shape (17, 2)", "as many rows"]),
        "physics": ({"qvel": good["qvel"][1:]}, ["qvel", "as many rows"]),
        "integers": ({"actions": np.zeros((ROWS, 2), np.int32)}, ["actions", "discrete actions"]),
        "images": ({"observations": np.zeros((ROWS, 4, 4, 3), np.uint8)}, ["observations", "images", "visual"]),
        "objects": ({"observations": good["observations"].astype(object)}, ["observations", "pickled objects"]),
        "fortran": ({"actions": np.asfortranarray(good["actions"])}, ["actions", "Fortran"]),
        "empty": ({key: array[:0] for key, array in good.items()}, ["observations", "shape (0, 3)"]),
        "rewarded": ({"rewards": np.zeros(ROWS)}, ["rewards.npy", "datasets/README.md"]),
        "regular": ({"next_observations": good["observations"]}, ["next_observations.npy"]),
        "large": ({"observations": np.full((ROWS, 3), 1e300)}, ["rows 0 to 5", "row 0"]),
        "nan": ({"observations": np.where(np.arange(ROWS)[:, None] == 7, np.nan, 0)}, ["rows 6 to 7", "NaN"]),
    }
    for name, (arrays, words) in cases.items():
        program.refuse(write(program, name, {**good, **arrays}), words)
    with open(write(program, "whole", good), "rb") as file:
        whole = file.read()
    for name, content in {"cut": whole[:-40], "flipped": whole[:200] + bytes([whole[200] ^ 64]) + whole[201:]}.items():
        path = os.path.join(program.folder, name + ".npz")
        with open(path, "wb") as file:
            file.write(content)
        program.refuse(path, [path])
    del good["actions"]
    program.refuse(write(program, "none", good), ["actions.npy: found no such array"], "--from=ogbench")


def main():
    launcher, path = sys.argv[1:]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(launcher, path, folder))
    print(f"{len(tests)} tests passed")


if __name__ == "__main__":
    main()

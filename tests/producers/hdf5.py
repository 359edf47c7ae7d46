"""hdf5.py SCRATCH FIXTURES CHAINRING: write fixtures with minari and h5py, and have minari read what
chainring exports. tests/producers/make runs it in an environment that has both."""

import os
import subprocess
import sys
import tarfile
import warnings

import h5py
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

import minari_sample as sample


def box(shape, kind=np.float64):
    return spaces.Box(-np.inf, np.inf, shape, kind)


SPACES = {
    "nested": spaces.Dict({"z": box((2,)), "a": spaces.Tuple([box((1,))] * 11),
                           "goal": spaces.Dict({"x": box((2, 2), np.float32)}),
                           "B": box((1,), np.float32)}),
    "flat": box((3,), np.float32),
}
ACTIONS = spaces.Box(-1, 1, (2,), np.float32)


def make_minari(name):
    buffers = []
    for episode in range(len(sample.LENGTHS)):
        terminations, truncations = sample.flags(episode)
        observations = sample.nested(episode) if name == "nested" else sample.flat(episode)
        buffers.append(EpisodeBuffer(
            observations=observations, actions=sample.actions(episode),
            rewards=sample.rewards(episode), terminations=terminations, truncations=truncations,
            seed=episode, infos=sample.infos(episode) if name == "flat" else {}))
    minari.create_dataset_from_buffers(
        f"sample/{name}-v0", buffers, observation_space=SPACES[name], action_space=ACTIONS,
        author="chainring", description="a formula")


def check_order():
    """Does Gymnasium flatten as the sample says?"""
    for episode in range(len(sample.LENGTHS)):
        whole = sample.nested(episode)
        first = {"z": whole["z"][0], "a": tuple(part[0] for part in whole["a"]),
                 "goal": {"x": whole["goal"]["x"][0]}, "B": whole["B"][0]}
        flat = spaces.flatten(SPACES["nested"], first)
        assert (flat == sample.flattened(episode)[0]).all()


def make_d4rl(path):
    """As D4RL's own scripts do: every array compressed, metadata as texts and numbers."""
    steps = sum(sample.LENGTHS)
    flags = [np.concatenate([sample.flags(e)[which] for e in range(2)]) for which in range(2)]
    with h5py.File(path, "w") as file:
        for name, array in {
                "observations": np.vstack([sample.flat(e)[:-1] for e in range(2)]),
                "next_observations": np.vstack([sample.flat(e)[1:] for e in range(2)]),
                "actions": np.vstack([sample.actions(e) for e in range(2)]),
                "rewards": np.concatenate([sample.rewards(e) for e in range(2)]),
                "terminals": flags[0], "timeouts": flags[1],
                "infos/action_log_probs": np.zeros(steps)}.items():
            file.create_dataset(name, data=array, compression="gzip")
        file["metadata/algorithm"] = np.bytes_("SAC")
        file["metadata/iteration"] = np.array([300], np.int32)


def pack(path, folder, names):
    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry
    with tarfile.open(path, "w:xz") as archive:
        for name in names:
            archive.add(os.path.join(folder, name), name, filter=plain)
    print(f"{path}: {os.path.getsize(path)} bytes")


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check_export(chainring, scratch, name):
    """Minari -> store -> Minari, as minari reads it."""
    source = os.path.join(os.environ["MINARI_DATASETS_PATH"], "sample", f"{name}-v0")
    store = os.path.join(scratch, f"{name}.h5")
    back = os.path.join(os.environ["MINARI_DATASETS_PATH"], "back", f"{name}-v0")
    os.makedirs(os.path.dirname(back), exist_ok=True)
    run(chainring, "convert", source, f"--convert.output={store}")
    run(chainring, "convert", store, "--convert.to=minari", f"--convert.output={back}")
    data = minari.load_dataset(f"back/{name}-v0")
    assert (data.total_episodes, data.total_steps) == (2, sum(sample.LENGTHS)), data
    for episode, found in enumerate(data.iterate_episodes()):
        observation = sample.flattened(episode) if name == "nested" else sample.flat(episode)
        terminations, truncations = sample.flags(episode)
        for got, wanted in [(found.observations, observation.astype(np.float32)),
                            (found.actions, sample.actions(episode)),
                            (found.rewards, sample.rewards(episode).astype(np.float32)),
                            (found.terminations, terminations), (found.truncations, truncations)]:
            assert got.dtype == wanted.dtype and (got == wanted).all(), (got, wanted)
        assert data.observation_space.contains(found.observations[0])
        assert data.action_space.contains(found.actions[0])
    for sampled in data.sample_episodes(1):
        assert len(sampled.rewards) in sample.LENGTHS
    print(f"minari {minari.__version__} reads {name} as exported")


def main():
    scratch, fixtures, chainring = sys.argv[1:]
    warnings.simplefilter("ignore")
    root = os.environ["MINARI_DATASETS_PATH"]
    os.makedirs(root, exist_ok=True)
    check_order()
    for name in SPACES:
        make_minari(name)
        pack(os.path.join(fixtures, f"minari_{name}.tar.xz"), os.path.join(root, "sample"),
             [f"{name}-v0"])
    make_d4rl(os.path.join(scratch, "d4rl.hdf5"))
    pack(os.path.join(fixtures, "d4rl.tar.xz"), scratch, ["d4rl.hdf5"])
    if os.path.exists(chainring):
        for name in SPACES:
            check_export(os.path.abspath(chainring), scratch, name)


if __name__ == "__main__":
    main()

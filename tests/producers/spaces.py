"""spaces.py SCRATCH CHAINRING: are Gymnasium's spaces, as minari writes data of them, flattened as
gymnasium.spaces.flatten does it, and does minari load what is exported? tests/producers/make runs
it in an environment that has both."""

import os
import subprocess
import sys
import warnings

import h5py
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer


def box(low, high, shape, kind=np.float32):
    return spaces.Box(low, high, shape, kind)


OBSERVATIONS = {
    "integers": box(0, 9, (2, 3), np.int64),
    "choice": spaces.Discrete(5, start=-2),
    "choices": spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "bits": spaces.MultiBinary([2, 2]),
    "nested": spaces.Dict({
        "z": spaces.Discrete(3),
        "a": spaces.Tuple([box(-1, 1, (1,)), spaces.MultiBinary(2), spaces.Discrete(2, start=5)]),
        "G": spaces.Dict({"picture": box(0, 255, (2, 2, 3), np.uint8),
                          "wide": box(-np.inf, np.inf, (3,), np.float64)}),
        "\u00e9": spaces.MultiDiscrete([3, 2])}),
}
ACTIONS = {
    "box": box(-2, 2, (2,)),
    "odd": spaces.Box(np.float32([-0.3, 0]), np.float32([0.7, 10])),
    "whole": box(-4, 4, (2,), np.int64),
    "choice": spaces.Discrete(4, start=3),
    "choices": spaces.MultiDiscrete([[3, 2], [4, 2]], start=[[0, 1], [2, -3]]),
    "group": spaces.Dict({"b": box(-1, 1, (2,)), "a": box(-2, 2, (1,))}),
    "pair": spaces.Tuple([spaces.Discrete(2), spaces.MultiDiscrete([2, 3])]),
}


def stack(space, samples):
    """Samples as EpisodeBuffer has them."""
    if isinstance(space, spaces.Dict):
        return {key: stack(below, [sample[key] for sample in samples])
                for key, below in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(stack(below, [sample[i] for sample in samples])
                     for i, below in enumerate(space.spaces))
    return np.stack(samples)


def flatten(space, samples):
    return np.stack([spaces.flatten(space, sample) for sample in samples])


def check(name, observation_space, action_space, scratch, chainring):
    observation_space.seed(1)
    action_space.seed(2)
    steps = 20
    observations = [observation_space.sample() for _ in range(steps + 1)]
    actions = [action_space.sample() for _ in range(steps)]
    episode = EpisodeBuffer(
        observations=stack(observation_space, observations), actions=stack(action_space, actions),
        rewards=np.arange(steps) / 2, terminations=np.zeros(steps, bool),
        truncations=np.arange(steps) == steps - 1, infos={})
    minari.create_dataset_from_buffers(
        f"spaces/{name}-v0", [episode], observation_space=observation_space,
        action_space=action_space, jpeg_encoding=False)
    root = os.environ["MINARI_DATASETS_PATH"]
    store = os.path.join(scratch, name + ".h5")
    back = os.path.join(root, "exported", f"{name}-v0")
    os.makedirs(os.path.dirname(back), exist_ok=True)
    for source, output, *more in [(os.path.join(root, "spaces", f"{name}-v0"), store),
                                  (store, back, "--convert.to=minari")]:
        subprocess.run([chainring, "convert", source, "--convert.output=" + output, *more],
                       check=True, capture_output=True)
    with h5py.File(store) as file:
        expected = flatten(observation_space, observations).astype(np.float32)
        assert (file["observation"][:] == expected).all(), name
        expected = flatten(action_space, actions)
        if file.attrs["action_kind"] == b"continuous":
            flat = spaces.flatten_space(action_space)
            low, high = flat.low.astype(float), flat.high.astype(float)
            expected = 2 * (expected - low) / (high - low) - 1
        assert np.abs(file["action"][:] - expected).max() <= 1e-6, name
    data = minari.load_dataset(f"exported/{name}-v0")
    for found in data.iterate_episodes():
        assert all(data.observation_space.contains(row) for row in found.observations), name
        assert all(data.action_space.contains(row) for row in found.actions), name


def main():
    scratch, chainring = sys.argv[1:]
    warnings.simplefilter("ignore")
    for observation, observation_space in OBSERVATIONS.items():
        for action, action_space in ACTIONS.items():
            check(observation + action, observation_space, action_space, scratch,
                  os.path.abspath(chainring))
    print(f"{len(OBSERVATIONS) * len(ACTIONS)} data sets of minari {minari.__version__} are "
          "flattened as gymnasium does it")


if __name__ == "__main__":
    main()

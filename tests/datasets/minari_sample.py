"""Two small Minari data sets whose numbers follow from a formula: the producers' script writes them
with minari itself, the test knows what must be in them."""

import numpy as np

LENGTHS = [4, 6]
ENDS = [1, 2]  # terminated, truncated


def numbers(episode, key, rows, shape, kind):
    """Sevenths: in double precision they must be rounded."""
    count = rows * int(np.prod(shape, dtype=int))
    values = (episode * 131 + key * 17 + 7 * np.arange(count)) % 257 - 128
    return (values / 7).astype(kind).reshape((rows,) + shape)


def nested(episode):
    """A Dict of a Tuple of 11, a Dict and a Box, whose order is not that of making."""
    rows = LENGTHS[episode] + 1
    return {
        "z": numbers(episode, 0, rows, (2,), np.float64),
        "a": tuple(numbers(episode, 1 + i, rows, (1,), np.float64) for i in range(11)),
        "goal": {"x": numbers(episode, 13, rows, (2, 2), np.float32)},
        "B": numbers(episode, 14, rows, (1,), np.float32),
    }


def flattened(episode):
    """In the order of Gymnasium's flatten: keys by their bytes, members by number."""
    sample = nested(episode)
    rows = LENGTHS[episode] + 1
    parts = [sample["B"], *sample["a"], sample["goal"]["x"], sample["z"]]
    return np.hstack([part.reshape(rows, -1) for part in parts])


def flat(episode):
    return numbers(episode, 20, LENGTHS[episode] + 1, (3,), np.float32)


def actions(episode):
    return numbers(episode, 21, LENGTHS[episode], (2,), np.float32) / np.float32(32)


def rewards(episode):
    return numbers(episode, 22, LENGTHS[episode], (), np.float64)


def flags(episode):
    """(terminations, truncations)"""
    last = np.arange(LENGTHS[episode]) == LENGTHS[episode] - 1
    return last & (ENDS[episode] == 1), last & (ENDS[episode] == 2)


def infos(episode):
    rows = LENGTHS[episode] + 1
    return {"qpos": numbers(episode, 23, rows, (3,), np.float64),
            "qvel": numbers(episode, 24, rows, (2,), np.float64)}

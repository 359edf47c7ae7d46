"""exorl.py FIXTURES: play dm_control's cartpole and keep its episodes as ExoRL's replay buffer does.

Rows are dm_env's time steps, the reset first: observation and physics after the step, the action
that led there (0 for the reset), its reward and discount of shape (1,), and a skill; one file for
each episode, TIME_NUMBER_STEPS.npz, by numpy's savez_compressed. tests/producers/make runs it."""

import os
import sys
import tarfile
import tempfile

import numpy as np
from dm_control import suite

EPISODES, SECONDS, TIME = 3, 0.4, "20211122T101530"


def row(environment, step, action):
    observation = np.concatenate([np.ravel(part) for part in step.observation.values()])
    return {
        "observation": observation.astype(np.float32),
        "action": action,
        "reward": np.array([step.reward or 0.0], np.float32),
        "discount": np.array([1.0 if step.discount is None else step.discount], np.float32),
        "physics": environment.physics.state(),
        "skill": np.array([0.25, -0.75], np.float32),
    }


def play(environment, draw):
    """One episode: its arrays."""
    size = environment.action_spec().shape
    step = environment.reset()
    rows = [row(environment, step, np.zeros(size, np.float32))]
    while not step.last():
        action = draw.uniform(-1, 1, size).astype(np.float32)
        step = environment.step(action.astype(np.float64))
        rows.append(row(environment, step, action))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def main():
    fixtures = sys.argv[1]
    environment = suite.load("cartpole", "swingup",
                             task_kwargs={"random": 1, "time_limit": SECONDS})
    draw = np.random.RandomState(2)
    path = os.path.join(fixtures, "exorl.tar.xz")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(path, "w:xz") as archive:
        for number in range(EPISODES):
            episode = play(environment, draw)
            name = f"{TIME}_{number}_{len(episode['action']) - 1}.npz"
            np.savez_compressed(os.path.join(folder, name), **episode)
            member = tarfile.TarInfo("buffer/" + name)  # no times and owners: the same bytes again
            member.size = os.path.getsize(os.path.join(folder, name))
            with open(os.path.join(folder, name), "rb") as stream:
                archive.addfile(member, stream)
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()

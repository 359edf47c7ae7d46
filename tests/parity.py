"""Compare our environments with dm_control's, for tests/parity.

usage: parity.py PROGRAM same|other

PROGRAM is the compiled tests/envs/parity.c, with the MuJoCo of dm_control (same) or another. Every
task that the control suite has too is played for an episode of uniformly random actions in
dm_control, from each of its own resets by SEEDS. PROGRAM plays the same actions twice: step by
step, each from the state in which dm_control began it, and freely from the initial state on. Prints
the largest differences over all steps; exits with 1 where one is over its bound, with the same
MuJoCo, or is no number.
"""
import subprocess
import sys

import mujoco
import numpy
from dm_control import suite

TASKS = [("ball_in_cup", "catch"), ("cartpole", "balance"), ("cartpole", "balance_sparse"),
         ("cartpole", "swingup"), ("cartpole", "swingup_sparse"), ("cheetah", "run"),
         ("finger", "spin"), ("finger", "turn_easy"), ("finger", "turn_hard"), ("hopper", "hop"),
         ("hopper", "stand"), ("pendulum", "swingup"), ("point_mass", "easy"),
         ("quadruped", "run"), ("quadruped", "walk"), ("reacher", "easy"), ("reacher", "hard"),
         ("walker", "run"), ("walker", "stand"), ("walker", "walk")]

SEEDS = (1, 2, 3)

# Largest differences of physics, observation and reward, where both sides have the same MuJoCo; what
# another version computes otherwise is shown and not judged. Step by step, a state that is set starts
# the solver of limits and contacts from another guess than one that is reached, and it stops within
# its tolerance of 1e-8: 2.4e-6 for the cart-pole at the ends of its rail, 2e-16 where both sides
# solve to 1e-15. Observed targets are taken from single precision.
BOUNDS = numpy.array([1e-5, 1e-5, 1e-6, 1e-10, 1e-7, 1e-9])


def observed(step):
    """The observation as the wrappers of recorded data make it: in a row, in single precision."""
    return numpy.concatenate([numpy.ravel(part) for part in step.observation.values()]).astype("f4")


def scaled(action, spec):
    """From [-1, 1] to the range of the controls, in single precision."""
    low, high = spec.minimum.astype("f4"), spec.maximum.astype("f4")
    return low + (high - low) / numpy.float32(2) * (action + numpy.float32(1))


def play(domain, task, seed):
    """An episode of dm_control: actions, and rows of physics, observation and reward."""
    env = suite.load(domain, task, task_kwargs={"random": seed})
    random = numpy.random.default_rng(seed)
    step = env.reset()
    spec = env.action_spec()
    actions, rows = [], []
    while True:
        physics = env.physics.get_state().copy()
        reward = step.reward if rows else env.task.get_reward(env.physics)
        rows.append((physics, observed(step), float(numpy.float32(reward))))
        if step.last():
            return actions, rows
        actions.append(random.uniform(-1, 1, spec.shape).astype("f4"))
        step = env.step(scaled(actions[-1], spec))


def ours(program, name, mode, actions, rows):
    """The same of PROGRAM, as one matrix."""
    words = [f"{name} {len(actions)} {mode}", *map(repr, rows[0][0].tolist()),
             *map(repr, rows[0][1].tolist())]
    for action, row in zip(actions, rows):
        words += map(repr, action.tolist())
        if mode == "steps":
            words += map(repr, row[0].tolist())
    run = subprocess.run([program], input="\n".join(words), text=True, check=True,
                         stdout=subprocess.PIPE)
    return numpy.array([[float.fromhex(word) for word in line.split()]
                        for line in run.stdout.splitlines()])


def differences(found, rows):
    """Largest of physics (relative above 1), observation and reward over all steps."""
    physics, observation = len(rows[0][0]), len(rows[0][1])
    wanted = numpy.array([numpy.concatenate([row[0], row[1], [row[2]]]) for row in rows])
    apart = numpy.abs(found - wanted) / numpy.maximum(1.0, numpy.abs(wanted))
    return (apart[:, :physics].max(), apart[:, physics:physics + observation].max(),
            apart[:, -1].max())


def compare(program, domain, task):
    """The largest differences of all seeds: step by step, then freely."""
    largest = numpy.zeros(6)
    for seed in SEEDS:
        actions, rows = play(domain, task, seed)
        found = [differences(ours(program, f"{domain}_{task}", mode, actions, rows), rows)
                 for mode in ("steps", "free")]
        largest = numpy.maximum(largest, numpy.concatenate(found))  # NaN stays NaN
    return largest


def main():
    program, engine = sys.argv[1:]
    print(f"dm_control on MuJoCo {mujoco.__version__}, ours on {engine} MuJoCo\n"
          f"{'':24} {'step by step':>29} {'freely':>29}\n{'task':24}"
          + " ".join(f"{'physics':>10}{'observed':>10}{'reward':>9}" for _ in range(2)))
    failed = []
    for domain, task in TASKS:
        found = compare(program, domain, task)
        print(f"{domain + '_' + task:24}", *(f"{value:9.1e}" for value in found), flush=True)
        if not numpy.isfinite(found).all() or engine == "same" and (found > BOUNDS).any():
            failed.append(f"{domain}_{task}")
    if failed:
        sys.exit(f"parity: over the bounds of tests/parity.py: {' '.join(failed)}")


if __name__ == "__main__":
    main()

"""What tests of `chainring convert` share: run the program, compare stores, expect refusals."""

import os
import subprocess

import h5py
import numpy as np


class Program:
    """The program as its users run it, on some number of ranks."""

    def __init__(self, launcher, path, folder):
        self.launcher, self.path, self.folder = launcher, path, folder

    def run(self, *arguments, ranks=1):
        command = [self.path, *arguments]
        if ranks > 1:
            command = [self.launcher, str(ranks), *command]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def convert(self, source, output, *options, ranks=1):
        """Returns the path written and what was printed."""
        output = os.path.join(self.folder, output)
        run = self.run("convert", source, "--output=" + output, *options, ranks=ranks)
        assert run.returncode == 0, (source, options, run.returncode, run.stderr)
        return output, run.stdout

    def refuse(self, source, words, *options, code=65, ranks=1):
        """One line that says all of `words`, and nothing written."""
        output = os.path.join(self.folder, "refused")
        before = sorted(os.listdir(self.folder))
        run = self.run("convert", source, "--output=" + output, *options, ranks=ranks)
        assert run.returncode == code, (source, run.returncode, run.stdout, run.stderr)
        lines = [line for line in run.stderr.splitlines() if line.startswith("chainring:")]
        assert len(lines) == 1, (source, run.stderr)
        for word in words:
            assert word in lines[0], (source, word, lines[0])
        assert sorted(os.listdir(self.folder)) == before, (source, os.listdir(self.folder))


def same(found, wanted):
    """Equal in type, shape and bits."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (
        found.dtype, found.shape, wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes(), (found, wanted)


def same_file(one, other):
    with open(one, "rb") as left, open(other, "rb") as right:
        assert left.read() == right.read(), (one, other)


def episode_of(store, number):
    """An episode's arrays, its rewards by task."""
    start, length = store["episode/start"][number], store["episode/length"][number]
    steps, states = slice(start, start + length), slice(start + number, start + number + length + 1)
    episode = {"observation": store["observation"][states], "action": store["action"][steps],
               "end": store["episode/end"][number], "group": store["episode/group"][number]}
    for task in store["reward"]:
        episode[task] = store["reward"][task][steps]
    for name in ("physics",) if "physics" in store else ():
        episode[name] = store[name][states]
    return episode


def tasks_of(store):
    return [task.decode() for task in store.attrs["tasks"]]


def open_store(path):
    return h5py.File(path, "r")

"""What tests of formats share: read a path with the tool, and expect what comes back."""

import json
import os
import re
import subprocess

import numpy as np


def run_tool(tool, form, path, steps_max=0, keys="", counts=""):
    command = [tool, "read", form, path, str(steps_max), keys, counts]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def read(tool, form, path, steps_max=0, keys="", counts=""):
    """(spec, episodes) of a path that must open."""
    run = run_tool(tool, form, path, steps_max, keys, counts)
    assert run.returncode == 0, (path, run.returncode, run.stderr)
    text = re.sub(r"-?\bnan\b", "NaN", re.sub(r"\binf\b", "Infinity", run.stdout))
    lines = [json.loads(line) for line in text.splitlines()]
    return lines[0], lines[1:]


def expect_refusal(tool, form, path, words, code=65, steps_max=0, name=None, keys="",
                   counts=""):
    """One line that names the file and says `words`."""
    run = run_tool(tool, form, path, steps_max, keys, counts)
    assert run.returncode == code, (name, run.returncode, run.stdout[:300], run.stderr)
    assert run.stderr.count("\n") == 1 and (path in run.stderr or code == 78), (name, run.stderr)
    assert words in run.stderr, (name, words, run.stderr)
    return run


def expect_rows(found, wanted, kind=np.float32):
    """Equal to the bit, after rounding to `kind` as numpy does it."""
    wanted = np.asarray(wanted).astype(kind).reshape(-1)
    found = np.array(found, dtype=kind)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    assert (found == wanted).all(), (found, wanted)


def fixture(name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", name)

"""Does any failing write, or a kill before it, leave wrong data, lose some, or end the repetitions?

check_write_faults.py PROGRAM SHIM [STEP]: runs small jobs again and again; in each run one call that
changes the disk fails (tests/support/write_fault.c): the first, then every STEP-th after it.
"""

import collections
import multiprocessing.pool
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

Job = collections.namedtuple("Job", "name arguments")
KINDS = ("full", "error", "kill")
CODES = {"full": (74, 71), "error": (74, 71), "kill": (-9, 74)}  # 74: it was a child that wrote


def write_input(folder):
    """ExoRL's files; one has a NaN."""
    os.makedirs(folder)
    random = np.random.default_rng(7)
    for number, length in enumerate((7, 1, 40, 3)):
        rows = length + 1
        episode = {
            "observation": random.standard_normal((rows, 5)).astype(np.float32),
            "action": random.uniform(-1, 1, (rows, 2)).astype(np.float32),
            "reward": random.uniform(0, 1, (rows, 1)).astype(np.float32),
            "discount": np.ones((rows, 1), np.float32),
            "physics": random.standard_normal((rows, 3)),
        }
        episode["action"][0] = 0
        if number == 2:
            episode["observation"][9, 1] = np.nan
        np.savez(os.path.join(folder, f"episode_{number:06d}_{length}.npz"), **episode)


def contents(path):
    """A file's bytes, or those of each file of a folder; None where there is nothing."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return file.read()
    if not os.path.isdir(path):
        return None
    return {name: contents(os.path.join(path, name)) for name in os.listdir(path)}


class Bench:
    """Where a job is disturbed, and what comes out of it undisturbed."""

    def __init__(self, program, shim, folder):
        self.program, self.shim, self.folder = program, shim, folder
        self.input = os.path.join(folder, "input")
        write_input(self.input)
        self.store = os.path.join(folder, "store.h5")
        self.run(("convert", self.input, "--skip_bad"), self.store)
        self.inputs = contents(self.input), contents(self.store)

    def run(self, arguments, output, **environment):
        # Open MPI takes away what a killed one has left there while the next one comes.
        session = tempfile.mkdtemp()
        environment_all = {**os.environ, **environment, "OMPI_MCA_orte_tmpdir_base": session}
        run = subprocess.run([self.program, *arguments, "--output=" + output], capture_output=True,
                             text=True, timeout=100, env=environment_all)
        shutil.rmtree(session, ignore_errors=True)
        assert environment or run.returncode == 0, (arguments, run.returncode, run.stderr)
        return run

    def jobs(self):
        collect = ("collect", "--policy=random", "--groups=2", "--episodes=2")
        return (Job("collect", collect), Job("convert", ("convert", self.input, "--skip_bad")),
                Job("exorl", ("convert", self.store, "--to=exorl")),
                Job("minari", ("convert", self.store, "--to=minari")))


def lines_of(run):
    return [line for line in run.stderr.splitlines()
            if line.startswith("chainring:") and "warning:" not in line]


def expect_end(run, kind, call, is_whole):
    """The right code, and one line where there is a failure."""
    if run.returncode == 0 and kind != "kill":
        assert is_whole, (*call, run.stderr)
        return
    assert run.returncode in CODES[kind], (*call, run.returncode, run.stderr)
    assert len(lines_of(run)) == (run.returncode > 0), (*call, run.stderr)


def disturb(bench, job, kind, number, wanted):
    """One run whose call `number` fails, and its repetition. False where there are fewer calls."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        output, keep = os.path.join(folder, "output"), os.path.join(folder, "keep")
        with open(keep, "w", encoding="ascii") as file:
            file.write("mine")
        log = os.path.join(bench.folder, "log-" + os.path.basename(folder))
        run = bench.run(job.arguments, output, LD_PRELOAD=bench.shim, WRITE_FAULT_FOLDER=folder,
                        WRITE_FAULT_CALL=str(number), WRITE_FAULT_KIND=kind, WRITE_FAULT_LOG=log,
                        ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0")
        if not os.path.exists(log):
            return False
        with open(log, encoding="utf-8") as file:
            call = (job.name, kind, number, file.read().strip())
        os.unlink(log)
        found = contents(output)
        assert found is None or found == wanted, (*call, "wrong data under the output's name")
        expect_end(run, kind, call, found is not None)
        left = sorted(os.listdir(folder))
        if left != ["keep", "output"]:
            expect_repetition(bench, job, call, output, wanted)
        assert contents(keep) == b"mine", call
        assert (contents(bench.input), contents(bench.store)) == bench.inputs, call
    return True


def expect_repetition(bench, job, call, output, wanted):
    """It ends well, or finds that all was done; nothing else is left then."""
    is_done = contents(output) is not None
    run = bench.run(job.arguments, output, WRITE_FAULT_CALL="0")
    assert run.returncode == 0 or (is_done and run.returncode == 64), (
        *call, "then", run.returncode, run.stderr)
    assert contents(output) == wanted, (*call, "then other data")
    left = sorted(os.listdir(os.path.dirname(output)))
    assert left == ["keep", "output"], (*call, "then", left)


def disturb_all(bench, job, kind, step):
    """How many calls were made to fail, and what went wrong after them."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        path = os.path.join(folder, "output")
        bench.run(job.arguments, path)
        wanted = contents(path)
    count, faults, number = 0, [], 1 + KINDS.index(kind) % step
    while True:
        try:
            if not disturb(bench, job, kind, number, wanted):
                return count, faults
        except AssertionError as fault:
            faults.append(fault.args)
        count, number = count + 1, number + step


def main():
    program, shim = map(os.path.abspath, sys.argv[1:3])
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    folder = os.path.realpath(tempfile.mkdtemp())
    try:
        bench = Bench(program, shim, folder)
        cases = [(bench, job, kind, step) for job in bench.jobs() for kind in KINDS]
        with multiprocessing.pool.ThreadPool(2) as pool:
            results = pool.starmap(disturb_all, cases, chunksize=1)
    finally:
        shutil.rmtree(folder)
    faults = []
    for (_, job, kind, _), (count, found) in zip(cases, results):
        print(f"{job.name}, {kind}: {count} calls, {len(found)} faults")
        faults += found
    for fault in faults:
        print(*fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

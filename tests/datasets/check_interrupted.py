"""Are jobs that were killed, hindered by others or met bad data as if nothing had been?

check_interrupted.py LAUNCHER PROGRAM [ROUNDS]: `convert` and `collect` on one and two ranks.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from convert_check import Program, same_file

EPISODES = 150
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
COLLECT = ("collect", "--policy=planner", "--groups=6", "--episodes=4", "--planner.samples=16", "--planner.points=3")


def write_input(folder, bad=()):
    os.makedirs(folder)
    for number in range(EPISODES):
        numbers = np.random.default_rng(number)
        rows = 2 + number * 7 % 300
        episode = {
            "observation": numbers.standard_normal((rows, 24)).astype(np.float32),
            "action": numbers.uniform(-1, 1, (rows, 6)).astype(np.float32),
            "reward": numbers.uniform(0, 1, (rows, 1)).astype(np.float32),
            "discount": np.ones((rows, 1), np.float32),
        }
        episode["action"][0] = 0
        if number in bad:
            episode["observation"][1, 3] = np.inf
        path = os.path.join(folder, f"episode_{number:06d}_{rows - 1}.npz")
        np.savez_compressed(path, **episode)
    return folder


# --- Killed --------------------------------------------------------------------------------------

def processes_of(program, output):
    """All ranks that make this output."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0] == program.path and "--output=" + output in words:
            found.append(int(process))
    return found


# Open MPI takes away what a killed one has left in its folder while the next one comes.
SESSIONS = tempfile.TemporaryDirectory()


def start(program, arguments, output, ranks):
    command = [program.path, *arguments, "--output=" + output]
    command = command if ranks == 1 else [program.launcher, str(ranks), *command]
    session = tempfile.mkdtemp(dir=SESSIONS.name)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "OMPI_MCA_orte_tmpdir_base": session})


def kill_after(program, arguments, output, ranks, seconds):
    """Kill all ranks, so long after they began. Was that before the job was done?"""
    job = start(program, arguments, output, ranks)
    while job.poll() is None and len(processes_of(program, output)) < ranks:
        time.sleep(0.005)
    time.sleep(seconds)
    for process in processes_of(program, output):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    try:
        job.communicate(timeout=10)
    except subprocess.TimeoutExpired:  # mpirun 4.1 may wait for itself once its ranks were killed
        with open(f"/proc/{job.pid}/task/{job.pid}/children", encoding="ascii") as children:
            for process in children.read().split():
                os.kill(int(process), signal.SIGKILL)
        job.communicate()
    return job.returncode != 0


def expect_recovery(program, name, arguments, ranks):
    """Killed at random moments, then repeated on either number of ranks."""
    wanted, output = (os.path.join(program.folder, name + end) for end in (".wanted", ".killed"))
    begun = time.monotonic()
    assert start(program, arguments, wanted, ranks).wait() == 0
    seconds = time.monotonic() - begun
    left = sorted(os.listdir(program.folder))
    killed = 0
    for number in range(ROUNDS):
        moments = random.Random(f"{name}, {ranks}, {number}")
        for _ in range(1 + number % 3):
            is_killed = kill_after(program, arguments, output, ranks, moments.uniform(0, seconds))
            killed += is_killed
            if not is_killed:
                break
        job = start(program, arguments, output, 1 + number % 2)
        _, said = job.communicate(timeout=60)
        assert job.returncode == (0 if is_killed else 64) or (
            job.returncode == 64 and "found something of that name" in said), (name, ranks, said)
        same_file(output, wanted)
        os.remove(output)
        assert sorted(os.listdir(program.folder)) == left, os.listdir(program.folder)
    os.remove(wanted)
    print(f"{name}, {ranks} ranks: killed {killed} times")
    assert killed >= ROUNDS / 4


def test_killed_conversions_go_on(program, folder):
    for ranks in (1, 2):
        expect_recovery(program, "convert", ("convert", folder), ranks)


def test_killed_collections_go_on(program, _):
    for ranks in (1, 2):
        expect_recovery(program, "collect", COLLECT, ranks)


# --- Two at once ---------------------------------------------------------------------------------

def tree(path):
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.relpath(file.name, path)] = file.read()
    return found


def expect_one_winner(program, arguments, output):
    jobs = [start(program, arguments, output, 1) for _ in range(2)]
    said = [job.communicate()[1] for job in jobs]
    codes = [job.returncode for job in jobs]
    assert sorted(codes) == [0, 64], (codes, said)
    lines = [line for line in said[codes.index(64)].splitlines() if line.startswith("chainring:")]
    assert len(lines) == 1, said
    assert "another run is writing it" in lines[0] or "found something of that name" in lines[0], said
    assert not os.path.exists(output + ".unfinished")


def test_of_two_at_once_one_wins(program, folder):
    store, _ = program.convert(folder, "store.h5")
    output = os.path.join(program.folder, "output")
    for arguments in (("convert", store, "--to=exorl"), ("convert", store, "--to=minari"),
                      ("convert", folder)):
        wanted = os.path.join(program.folder, "alone", "output") # its name is in what it holds
        assert start(program, arguments, wanted, 1).wait() == 0
        for _ in range(5):
            expect_one_winner(program, arguments, output)
            if os.path.isdir(output):
                assert tree(output) == tree(wanted)
            else:
                same_file(output, wanted)
            subprocess.run(["rm", "-r", output], check=True)
        subprocess.run(["rm", "-r", wanted], check=True)


# --- Bad data ------------------------------------------------------------------------------------

def test_the_first_bad_episode_is_the_same_on_all_numbers_of_ranks(program, _):
    for number, bad in enumerate(([97, 41, 40, 140], [0], [149], [33, 32, 31, 65], [64, 96])):
        folder = write_input(os.path.join(program.folder, f"bad-{number}"), bad)
        for ranks in (1, 2, 3):
            words = [f"episode_{min(bad):06d}", "infinity", "--convert.skip_bad"]
            program.refuse(folder, words, ranks=ranks)
            path, said = program.convert(folder, f"skipped-{ranks}.h5", "--skip_bad", ranks=ranks)
            assert f"{EPISODES - len(bad)} episodes" in said, said
            same_file(path, os.path.join(program.folder, "skipped-1.h5"))
        for ranks in (1, 2, 3):
            os.remove(os.path.join(program.folder, f"skipped-{ranks}.h5"))


def main():
    launcher, path = sys.argv[1:3]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as root:
            program = Program(launcher, path, os.path.join(root, "work"))
            os.makedirs(program.folder)
            test(program, write_input(os.path.join(root, "toy")))
    print(f"{len(tests)} tests passed")


main()

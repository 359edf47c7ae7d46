"""The program's commands as processes that end, and save, when the ladder is asked to."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXIT_USAGE, EXIT_DATA, EXIT_NO_INPUT, EXIT_SYSTEM, EXIT_STOPPED = 64, 65, 66, 71, 75

running = set()
starting = threading.RLock()  # held while a process starts, so that no signal misses it
asked_at = None               # to stop, by the monotonic clock


class Stopped(Exception):
    """The ladder was asked to stop."""


def fail(code, text):
    print("ladder: " + text, file=sys.stderr, flush=True)
    sys.exit(code)


def pass_on(_number, _frame):
    """TERM saves a run and ends it; the second one ends it at once. Some senders say it twice in a row."""
    global asked_at
    if asked_at is not None and time.monotonic() < asked_at + 1:
        return
    os.write(sys.stderr.fileno(), b"ladder: asked to stop; runs save first (asked again, they end at once)\n")
    with starting:
        asked_at = time.monotonic()
        for process in list(running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def listen():
    """Only for the main thread, and processes start in others: they are waited for, it is interrupted."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, pass_on)


def start(command):
    """In a session of its own, so that Ctrl-C reaches it by the ladder only; TERM if the ladder is killed."""
    with starting:
        if asked_at is not None:
            raise Stopped
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
        running.add(process)
        return process


def chainring(*arguments, ranks=1):
    launcher = [os.path.join(ROOT, "scripts/mpi"), str(ranks)] if ranks > 1 else []
    command = [*launcher, os.path.join(ROOT, "build/chainring"), *arguments]
    process = start(command)
    print("ladder:", *arguments, flush=True)
    _, said = process.communicate()  # until the last rank has closed it: then the run's lock is free
    running.discard(process)
    if asked_at is not None and process.returncode != 0:
        raise Stopped
    if process.returncode != 0:
        code = process.returncode if EXIT_USAGE <= process.returncode <= 78 else EXIT_SYSTEM
        fail(code, f"{' '.join(command)} ended with {process.returncode}: {said[-2000:].strip()}")

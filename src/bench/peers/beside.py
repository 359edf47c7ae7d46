"""What attention and step share: Chainring's benches, a peer beside them, turns and the table."""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy


def fail(words, code):
    print(f"peers: {words}", file=sys.stderr)
    sys.exit(code)


def parser_of(description, **defaults):
    """The options that every comparison has."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(**defaults)
    parser.add_argument("chainring", help="the program")
    parser.add_argument("peer", help="a file of libraries/")
    parser.add_argument("--length", type=int, help="tokens; the peer's own if left out")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--ranks", type=int, default=1, help="of a ring that shares the context")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="of both")
    parser.add_argument("--rounds", type=int, default=3, help="turns of both")
    parser.add_argument("--repeats", type=int, help="times in a turn")
    return parser


def open_peer(arguments):
    """The library that is the peer, on as many cores as Chainring has threads, and on the same."""
    cores = sorted(os.sched_getaffinity(0))
    wanted = arguments.ranks * arguments.threads
    if not 1 <= wanted <= len(cores):
        fail(f"found --ranks={arguments.ranks} and --threads={arguments.threads}, expected both"
             f" positive and their product at most {len(cores)}, the cores", 64)
    os.sched_setaffinity(0, cores[-wanted:])
    library = importlib.import_module(f"libraries.{arguments.peer}").Library
    if arguments.ranks > 1 and not library.has_ring:
        fail(f"found --ranks={arguments.ranks}, expected 1: {library.title} has no ring", 64)
    if arguments.precision == "bf16" and not library.has_bf16:
        fail("found --precision=bf16, expected f32: it is compared with PyTorch's only", 64)
    arguments.length = arguments.length or library.length
    return library(arguments.threads, arguments.ranks)


class Bench:
    """`chainring bench NAME` with the options of the arguments that `options` names."""

    def __init__(self, arguments, name, options):
        self.arguments = arguments
        self.found = None  # by the latest run
        self.command = [arguments.chainring, "bench", name, "--format=json"]
        self.command += [f"--{option}={getattr(arguments, option)}"
                         for option in ("length", "width", "heads", "threads", "precision", *options)]

    def run(self):
        """What a bench of all ranks measures, as it says it in JSON."""
        ring = ["scripts/mpi", str(self.arguments.ranks)] if self.arguments.ranks > 1 else []
        self.found = self.measure([*ring, *self.command, f"--repeats={self.arguments.repeats}"])
        return self.found

    def tensors(self, folder):
        """What one pass on one rank reads and gives, by name."""
        path = os.path.join(folder, "saved.safetensors")
        self.measure([*self.command, "--repeats=1", f"--save={path}"])
        return read_tensors(path)

    @staticmethod
    def measure(command):
        surroundings = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True,
                              env=surroundings)
        if done.returncode != 0:
            sys.exit(done.returncode)
        return json.loads(done.stdout)


def read_tensors(path):
    with open(path, "rb") as file:
        blob = file.read()
    length = int.from_bytes(blob[:8], "little")
    tensors = {}
    for name, entry in json.loads(blob[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            numbers = numpy.frombuffer(blob[begin:end], "<f4").reshape(entry["shape"])
            tensors[name] = numbers.copy()
    return tensors


class Stopwatch:
    """Times a peer, and sees how many threads it kept busy."""

    def __init__(self):
        self.seconds = self.processor_seconds = 0.0

    def time(self, call, *inputs):
        processor, begun = time.process_time(), time.perf_counter()
        call(*inputs)
        seconds = time.perf_counter() - begun
        self.seconds += seconds
        self.processor_seconds += time.process_time() - processor
        return seconds

    def busy(self):
        return self.processor_seconds / self.seconds


def memory_gib():
    """The most memory that was the peer's at one time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timing(seconds):
    """Best and median."""
    return numpy.array([min(seconds), statistics.median(seconds)])


def take_turns(rounds, *sides):
    """Each side measures once a round and gives {name: (best, median)}; of all rounds the best and
    the median of the medians, for each side."""
    turns = [[side() for side in sides] for _ in range(rounds)]
    return [{name: (min(times[name][0] for times in side),
                    statistics.median(times[name][1] for times in side)) for name in side[0]}
            for side in zip(*turns)]


def print_table(arguments, bench, peer, watch, shape, ours, theirs):
    """A line for each name: best and median of both in ms, and how many times as fast we are.

    ours and theirs: {name: (best, median)} in seconds."""
    print(f"\n{shape}; {arguments.precision}; {arguments.ranks} rank(s) of {arguments.threads} thread(s); chainring"
          f" {bench.found['kernel']}, {peer.title} {peer.version}, which kept"
          f" {watch.busy():.2f} threads busy and took {memory_gib():.1f} GiB")
    width = max(len(name) for name in ours) + 2
    print(f"{'':{width}}{'chainring ms':>26}{peer.title + ' ms':>26}"
          f"{peer.title + ' / chainring':>26}")
    print(f"{'':{width}}" + f"{'best':>13}{'median':>13}" * 3)
    for name, (best, median) in ours.items():
        peer_best, peer_median = theirs[name]
        print(f"{name:{width}}{1e3 * best:13.1f}{1e3 * median:13.1f}{1e3 * peer_best:13.1f}"
              f"{1e3 * peer_median:13.1f}{peer_best / best:13.2f}{peer_median / median:13.2f}")

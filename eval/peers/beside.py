"""What the peers share: Chainring's benches, and the tensors that they save."""

import json
import os
import subprocess

import numpy
import torch


def read_tensors(path):
    with open(path, "rb") as file:
        blob = file.read()
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            numbers = numpy.frombuffer(blob[begin:end], "<f4").reshape(entry["shape"])
            tensors[name] = torch.from_numpy(numbers.copy())
    return tensors


def bench(chainring, name, *options):
    """What `chainring bench NAME` measures, as it says it in JSON."""
    surroundings = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1",
                    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run([chainring, "bench", name, "--format=json", *options], check=True,
                          capture_output=True, text=True, env=surroundings)
    return json.loads(done.stdout)


def print_times(ours, theirs):
    """A line for each name: best and median of both in ms, and how many times as fast we are.

    ours and theirs: {name: (best, median)} in seconds."""
    width = max(len(name) for name in ours) + 2
    print(f"{'':{width}}{'chainring ms':>26}{'PyTorch ms':>26}{'PyTorch / chainring':>26}")
    print(f"{'':{width}}" + f"{'best':>13}{'median':>13}" * 3)
    for name, (best, median) in ours.items():
        peer_best, peer_median = theirs[name]
        print(f"{name:{width}}{1e3 * best:13.1f}{1e3 * median:13.1f}{1e3 * peer_best:13.1f}"
              f"{1e3 * peer_median:13.1f}{peer_best / best:13.2f}{peer_median / median:13.2f}")

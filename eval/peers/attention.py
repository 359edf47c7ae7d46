"""Causal attention of PyTorch on the processor beside Chainring's: the same arrays, the same threads.

usage: attention.py CHAINRING [--length N] [--width D] [--heads H] [--threads T]
                    [--rounds R] [--repeats K]

First `chainring bench attention --save` writes its inputs and results, and PyTorch's
scaled_dot_product_attention must give the same output and gradients. Then both are timed in turns,
R rounds of K repeats, each on T threads (1). Prints the times and their ratio; exit status 1 where
the results differ.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import torch

import beside

AGREEMENT = 1e-4  # of the largest element: both round in single precision


def bench(arguments, *extra):
    return beside.bench(arguments.chainring, "attention", f"--length={arguments.length}",
                        f"--width={arguments.width}", f"--heads={arguments.heads}",
                        f"--threads={arguments.threads}", f"--repeats={arguments.repeats}", *extra)


class Peer:
    """The same attention in PyTorch; arrays are (tokens x width), heads side by side."""

    def __init__(self, tensors, heads):
        self.heads = heads
        self.inputs = [self.split(tensors[name]).requires_grad_()
                       for name in ("query", "key", "value")]
        self.d_output = self.split(tensors["d_output"])

    def split(self, tokens):
        length, width = tokens.shape
        heads = tokens.reshape(length, self.heads, width // self.heads)
        return heads.transpose(0, 1).unsqueeze(0).contiguous()

    def join(self, heads):
        return heads.squeeze(0).transpose(0, 1).reshape(heads.shape[2], -1)

    def forward(self):
        return torch.nn.functional.scaled_dot_product_attention(*self.inputs, is_causal=True)

    def run(self):
        """Output, gradients, and the seconds of both directions."""
        begun = time.perf_counter()
        output = self.forward()
        middle = time.perf_counter()
        gradients = torch.autograd.grad(output, self.inputs, self.d_output)
        ended = time.perf_counter()
        return output.detach(), gradients, (middle - begun, ended - middle)


def expect_agreement(peer, tensors):
    output, gradients, _ = peer.run()
    found = dict(zip(("output", "d_query", "d_key", "d_value"), (output, *gradients)))
    agree = True
    for name, heads in found.items():
        wanted = tensors[name]
        error = (peer.join(heads) - wanted).abs().max() / wanted.abs().max()
        agree &= bool(error < AGREEMENT)
        print(f"{name}: largest difference {error:.1e} of the largest element")
    return agree


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("chainring")
    parser.add_argument("--length", type=int, default=16384)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "attention.safetensors")
        bench(arguments, f"--save={path}", "--repeats=1")
        tensors = beside.read_tensors(path)
    peer = Peer(tensors, arguments.heads)
    if not expect_agreement(peer, tensors):
        sys.exit("the results differ: no times")

    ours, theirs = {"forward": [], "backward": []}, {"forward": [], "backward": []}
    for _ in range(arguments.rounds):
        result = bench(arguments)
        for name in ours:
            ours[name].append((result[f"alone_{name}"]["best_seconds"],
                               result[f"alone_{name}"]["median_seconds"]))
        for _ in range(arguments.repeats):
            seconds = peer.run()[2]
            for name, value in zip(theirs, seconds):
                theirs[name].append(value)

    print(f"\n{arguments.length} tokens, width {arguments.width}, {arguments.heads} heads, {arguments.threads} thread(s);"
          f" chainring {result['kernel']}, PyTorch {torch.__version__}"
          f" ({torch.backends.cpu.get_cpu_capability()})")
    beside.print_times(
        {name: (min(best for best, _ in pairs), statistics.median(median for _, median in pairs))
         for name, pairs in ours.items()},
        {name: (min(seconds), statistics.median(seconds)) for name, seconds in theirs.items()})


if __name__ == "__main__":
    main()

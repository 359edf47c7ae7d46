"""Causal attention of a peer beside Chainring's: the same arrays, the same threads.

First `chainring bench attention --save` writes its inputs and results, and the peer must give the
same output and gradients. Then both are timed in turns, R rounds of K repeats: forward alone, and
both directions as the peer does them at once; what that takes longer is its backward. Prints the
times and their ratio; exit status 1 where the results differ.
"""

import sys
import tempfile

import numpy

import beside

AGREEMENT = 1e-4  # of the largest element: both round in single precision


class Attention:
    """The peer's attention of the inputs that Chainring saved."""

    def __init__(self, peer, tensors, heads):
        self.peer = peer
        self.inputs = [peer.split(peer.tokens(tensors[name]), heads)
                       for name in ("query", "key", "value")]
        self.d_output = peer.split(peer.tokens(tensors["d_output"]), heads)
        self.attend = peer.compiled(peer.attend)
        self.differentiate = peer.compiled(peer.differentiated(peer.attend))

    def forward(self):
        return self.attend(*self.inputs)

    def both(self):
        return self.differentiate(self.inputs, self.d_output)

    def results(self):
        output, gradients = self.both()
        names = ("output", "d_query", "d_key", "d_value")
        return {name: self.peer.numbers(self.peer.join(heads))
                for name, heads in zip(names, (output, *gradients))}


def expect_agreement(attention, tensors):
    errors = {name: numpy.abs(found - tensors[name]).max() / numpy.abs(tensors[name]).max()
              for name, found in attention.results().items()}
    for name, error in errors.items():
        print(f"{name}: largest difference {error:.1e} of the largest element")
    if not all(error < AGREEMENT for error in errors.values()):
        sys.exit("the results differ: no times")


def our_turn(bench):
    result = bench.run()
    ours = "ring" if result["ranks"] > 1 else "alone"
    times = {name: numpy.array([result[f"{ours}_{name}"][f"{which}_seconds"]
                                for which in ("best", "median")])
             for name in ("forward", "backward")}
    return {**times, "both": times["forward"] + times["backward"]}


def their_turn(attention, watch, repeats):
    forward, both = [], []
    for _ in range(repeats):
        forward.append(watch.time(attention.forward))
        both.append(watch.time(attention.both))
    forward, both = beside.timing(forward), beside.timing(both)
    return {"forward": forward, "backward": both - forward, "both": both}


def main():
    arguments = beside.parser_of(__doc__, repeats=4).parse_args()
    peer = beside.open_peer(arguments)
    bench = beside.Bench(arguments, "attention", ())
    with tempfile.TemporaryDirectory() as folder:
        tensors = bench.tensors(folder)
    attention = Attention(peer, tensors, arguments.heads)
    expect_agreement(attention, tensors)

    attention.forward()
    watch = beside.Stopwatch()
    ours, theirs = beside.take_turns(arguments.rounds, lambda: our_turn(bench),
                                     lambda: their_turn(attention, watch, arguments.repeats))
    shape = f"{arguments.length} tokens, width {arguments.width}, {arguments.heads} heads"
    beside.print_table(arguments, bench, peer, watch, shape, ours, theirs)


if __name__ == "__main__":
    main()

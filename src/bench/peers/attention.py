"""Causal attention of a peer beside Chainring's: the same arrays, the same threads.

First `chainring bench attention --save` writes its inputs and results, and the peer must give the
same output and gradients; with --precision=bf16 those of both are held beside the peer's in double,
and ours must not be further from them. Then both are timed in turns, R rounds of K repeats: forward alone, and
both directions as the peer does them at once; what that takes longer is its backward. Prints the
times and their ratio; exit status 1 where the results differ.
"""

import sys
import tempfile

import numpy

import beside

AGREEMENT = 1e-4  # of the largest element: both round in single precision
NOISE = 1.1  # what the norm of our error in bf16 may be of the peer's: both round alike


class Attention:
    """The peer's attention of the inputs that Chainring saved, in a precision."""

    def __init__(self, peer, tensors, heads, precision):
        def given(name):
            numbers = peer.tokens(tensors[name])
            return peer.split(numbers if precision == "f32" else peer.cast(numbers, precision), heads)

        self.peer = peer
        self.inputs = [given(name) for name in ("query", "key", "value")]
        self.d_output = given("d_output")
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


def share_of_largest(found, wanted):
    return {name: numpy.abs(found[name] - wanted[name]).max() / numpy.abs(wanted[name]).max()
            for name in wanted}


def share_of_norm(found, wanted):
    return {name: numpy.linalg.norm(found[name] - wanted[name]) / numpy.linalg.norm(wanted[name])
            for name in wanted}


def expect_no_worse(attention, tensors, exact):
    wanted, found = exact.results(), attention.results()
    ours, theirs = share_of_norm(tensors, wanted), share_of_norm(found, wanted)
    our_largest, their_largest = (share_of_largest(of, wanted) for of in (tensors, found))
    for name in wanted:
        print(f"{name}: error {ours[name]:.1e} of the norm, the peer's {theirs[name]:.1e}; largest"
              f" {our_largest[name]:.1e} of the largest element, the peer's {their_largest[name]:.1e}")
    if not all(ours[name] <= NOISE * theirs[name] for name in wanted):
        sys.exit("ours are further from double than the peer's: no times")


def expect_agreement(attention, tensors):
    errors = share_of_largest(tensors, attention.results())
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
    attention = Attention(peer, tensors, arguments.heads, arguments.precision)
    if arguments.precision == "bf16":
        expect_no_worse(attention, tensors, Attention(peer, tensors, arguments.heads, "f64"))
    else:
        expect_agreement(attention, tensors)

    attention.forward()
    watch = beside.Stopwatch()
    ours, theirs = beside.take_turns(arguments.rounds, lambda: our_turn(bench),
                                     lambda: their_turn(attention, watch, arguments.repeats))
    shape = f"{arguments.length} tokens, width {arguments.width}, {arguments.heads} heads"
    beside.print_table(arguments, bench, peer, watch, shape, ours, theirs)


if __name__ == "__main__":
    main()

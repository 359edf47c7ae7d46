"""A training step of a peer beside Chainring's: the same model, the same numbers, the same threads.

The model is Chainring's decision transformer; a step is squared error, clipped gradients, AdamW.
First `chainring bench step --save` writes parameters, batch, loss and gradients of a step, and the
peer must find the same loss and gradients. Then both take steps in turns, R rounds of K. Prints the
times and their ratio; exit status 1 where the results differ.
"""

import sys
import tempfile
from collections import namedtuple

import numpy

import beside
from transformer import KINDS, Transformer

# Both round in single precision. Where rounding carries a number over relu's kink, a token's whole
# share of a unit's gradient comes or goes; gelu is smooth.
AGREEMENT = {"gelu": 1e-5, "relu": 1e-3}
BF16_AGREEMENT = 1e-1  # what two ways to round to 8 bits differ in, in two layers

Recipe = namedtuple("Recipe", "rate decay decayed clip precision")  # decayed: names of weights


def part_of(tensors, prefix):
    return {name.removeprefix(prefix): numbers for name, numbers in tensors.items()
            if name.startswith(prefix)}


def trainer_of(peer, tensors, arguments):
    """The peer's training of the model and batch that Chainring saved."""
    weights = {name: peer.array(numbers.ravel() if name.endswith(("gain", "bias")) else numbers)
               for name, numbers in part_of(tensors, "parameters.").items()}
    batch = part_of(tensors, "batch.")
    places = {name: batch[name].astype("int32").ravel() for name in ("time", "trial")}
    batch = {name: peer.tokens(numbers) for name, numbers in {**batch, **places}.items()}
    recipe = Recipe(rate=1e-3, decay=1e-4, clip=0.5, precision=arguments.precision,
                    decayed={name for name in weights if name.endswith("weight")})
    return peer.Trainer(Transformer(peer, arguments).loss, weights, batch, recipe)


def difference(found, wanted):
    """The norm of the difference, as a fraction of the norm; a gradient of zeros must be zeros."""
    norm = numpy.linalg.norm
    return norm(found.ravel() - wanted.ravel()) / max(norm(wanted), 1e-30)


def expect_agreement(peer, trainer, tensors, agreement):
    loss, gradients = trainer.differentiate()
    errors = {"loss": difference(peer.numbers(loss), tensors["step.loss"])}
    for name, wanted in part_of(tensors, "gradients.").items():
        errors[name] = difference(peer.numbers(gradients[name]), wanted)
    worst = max(errors, key=errors.get)
    print(f"loss and {len(errors) - 1} gradients: largest difference {errors[worst]:.1e} of a "
          f"norm, in {worst}")
    if not all(error < agreement for error in errors.values()):
        sys.exit("the results differ: no times")


def our_turn(bench):
    result = bench.run()
    return {"step": (result["best_seconds"], result["median_seconds"])}


def their_turn(trainer, watch, repeats):
    return {"step": beside.timing([watch.time(trainer.step) for _ in range(repeats)])}


def main():
    parser = beside.parser_of(__doc__, repeats=2)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, help="4 times the width if left out")
    parser.add_argument("--activation", choices=sorted(AGREEMENT), default="relu")
    parser.add_argument("--tokens", default=",".join(KINDS))
    arguments = parser.parse_args()
    arguments.hidden = arguments.hidden or 4 * arguments.width
    peer = beside.open_peer(arguments)
    bench = beside.Bench(arguments, "step", ("layers", "hidden", "activation", "tokens"))
    with tempfile.TemporaryDirectory() as folder:
        tensors = bench.tensors(folder)
    trainer = trainer_of(peer, tensors, arguments)
    expect_agreement(peer, trainer, tensors,
                     BF16_AGREEMENT if arguments.precision == "bf16" else
                     AGREEMENT[arguments.activation])

    for _ in range(2):  # what compiles does so for weights as they come, and as a step leaves them
        trainer.step()
    watch = beside.Stopwatch()
    ours, theirs = beside.take_turns(arguments.rounds, lambda: our_turn(bench),
                                     lambda: their_turn(trainer, watch, arguments.repeats))
    shape = (f"{bench.found['tokens']} tokens ({arguments.tokens}), width {arguments.width},"
             f" {arguments.layers} layers, {arguments.heads} heads, hidden width"
             f" {arguments.hidden}, {arguments.activation}")
    beside.print_table(arguments, bench, peer, watch, shape, ours, theirs)


if __name__ == "__main__":
    main()

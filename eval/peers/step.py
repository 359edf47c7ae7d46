"""A training step of PyTorch on the processor beside Chainring's: the same model, the same numbers.

usage: step.py CHAINRING [--length N] [--width D] [--layers L] [--heads H] [--hidden F]
               [--activation relu|gelu] [--tokens KINDS] [--threads T] [--rounds R] [--repeats K]

The model is Chainring's decision transformer: kinds of tokens through linear maps, learned tables of
time and trial, layer norms before attention and feed-forward, causal scaled_dot_product_attention,
actions behind a tanh, squared error, clipped gradients, AdamW. First `chainring bench step --save`
writes parameters, batch, loss and gradients of a step, and PyTorch must find the same loss and
gradients. Then both take steps in turns, R rounds of K, each on T threads (1). Prints the times and
their ratio; exit status 1 where the results differ.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import torch
from torch.nn.functional import gelu, layer_norm, linear, relu, scaled_dot_product_attention

import beside

# Both round in single precision. Where rounding carries a number over relu's kink, a token's whole
# share of a unit's gradient comes or goes; gelu is smooth.
AGREEMENT = {"gelu": 1e-5, "relu": 1e-3}
ACTIVATIONS = {"relu": relu, "gelu": lambda x: gelu(x, approximate="tanh")}
KINDS = {"R": "return", "s": "state", "a": "action", "r": "reward", "d": "done"}
RATE, DECAY, CLIP = 1e-3, 1e-4, 0.5


def numbers_of(tensors, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()
            if name.startswith(prefix)}


class Peer:
    """The same step in PyTorch. Weights lie as torch.nn.Linear has them, (out x in)."""

    def __init__(self, tensors, arguments):
        self.arguments = arguments
        self.kinds = [KINDS[letter] for letter in arguments.tokens.split(",")]
        self.batch = numbers_of(tensors, "batch.")
        self.time = self.batch["time"].long().flatten()
        self.trial = self.batch["trial"].long().flatten()
        self.weights = {name: self.turn(name, tensor).requires_grad_()
                        for name, tensor in numbers_of(tensors, "parameters.").items()}
        decayed = [tensor for name, tensor in self.weights.items() if name.endswith("weight")]
        others = [tensor for name, tensor in self.weights.items() if not name.endswith("weight")]
        self.optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY},
                                            {"params": others, "weight_decay": 0.0}], lr=RATE)

    @staticmethod
    def turn(name, tensor):
        if name.endswith("weight"):
            return tensor.T.contiguous()
        return tensor if name in ("embed.time", "embed.trial") else tensor.flatten()

    def map(self, x, name):
        return linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def norm(self, x, name):
        return layer_norm(x, x.shape[-1:], self.weights[name + ".gain"],
                          self.weights[name + ".bias"])

    def embed(self):
        place = self.weights["embed.time"][self.time] + self.weights["embed.trial"][self.trial]
        tokens = [self.map(self.batch[kind], f"embed.{kind}") + place for kind in self.kinds]
        return self.norm(torch.stack(tokens, 1).flatten(0, 1), "embed.norm")

    def split(self, x):
        return x.unflatten(1, (self.arguments.heads, -1)).transpose(0, 1).unsqueeze(0)

    def block(self, x, layer):
        normed = self.norm(x, f"layers.{layer}.attention.norm")
        query = self.map(normed, f"layers.{layer}.attention.query")
        key, value = self.map(normed, f"layers.{layer}.attention.key_value").chunk(2, dim=1)
        attended = scaled_dot_product_attention(self.split(query), self.split(key),
                                                self.split(value), is_causal=True)
        joined = attended.squeeze(0).transpose(0, 1).flatten(1)
        x = x + self.map(joined, f"layers.{layer}.attention.output")
        normed = self.norm(x, f"layers.{layer}.forward.norm")
        activation = ACTIVATIONS[self.arguments.activation]
        expanded = activation(self.map(normed, f"layers.{layer}.forward.expand"))
        return x + self.map(expanded, f"layers.{layer}.forward.contract")

    def loss(self):
        x = self.embed()
        for layer in range(self.arguments.layers):
            x = self.block(x, layer)
        states = x[self.kinds.index("state")::len(self.kinds)]
        predicted = torch.tanh(self.map(self.norm(states, "head.norm"), "head.action"))
        return torch.mean((predicted - self.batch["action"]) ** 2)

    def step(self):
        """Seconds of one step."""
        begun = time.perf_counter()
        self.optimizer.zero_grad()
        self.loss().backward()
        torch.nn.utils.clip_grad_norm_(self.weights.values(), CLIP)
        self.optimizer.step()
        return time.perf_counter() - begun


def difference(found, wanted):
    """The norm of the difference, as a fraction of the norm; a gradient of zeros must be zeros."""
    return float((found - wanted).norm() / wanted.norm().clamp(min=1e-30))


def expect_agreement(peer, tensors):
    loss = peer.loss()
    loss.backward()
    errors = {"loss": difference(loss.detach(), tensors["step.loss"])}
    for name, wanted in numbers_of(tensors, "gradients.").items():
        errors[name] = difference(peer.weights[name].grad, peer.turn(name, wanted))
    worst = max(errors, key=errors.get)
    print(f"loss and {len(errors) - 1} gradients: largest difference {errors[worst]:.1e} of a "
          f"norm, in {worst}")
    return errors[worst] < AGREEMENT[peer.arguments.activation]


def options_of(arguments):
    shape = ("length", "width", "layers", "heads", "hidden", "activation", "tokens", "threads")
    return [f"--{name}={getattr(arguments, name)}" for name in shape]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("chainring")
    parser.add_argument("--length", type=int, default=16384)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--activation", choices=sorted(ACTIVATIONS), default="relu")
    parser.add_argument("--tokens", default="R,s,a,r,d")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    arguments.hidden = arguments.hidden or 4 * arguments.width
    torch.set_num_threads(arguments.threads)

    options = options_of(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "step.safetensors")
        beside.bench(arguments.chainring, "step", f"--save={path}", "--repeats=1", *options)
        tensors = beside.read_tensors(path)
    peer = Peer(tensors, arguments)
    if not expect_agreement(peer, tensors):
        sys.exit("the results differ: no times")

    ours, theirs = [], []
    for _ in range(arguments.rounds):
        result = beside.bench(arguments.chainring, "step", f"--repeats={arguments.repeats}",
                              *options)
        ours.append((result["best_seconds"], result["median_seconds"]))
        theirs += [peer.step() for _ in range(arguments.repeats)]

    print(f"\n{result['tokens']} tokens ({arguments.tokens}), width {arguments.width},"
          f" {arguments.layers} layers, {arguments.heads} heads, hidden width {arguments.hidden},"
          f" {arguments.activation}, {arguments.threads} thread(s); chainring {result['kernel']},"
          f" PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()})")
    best = min(best for best, _ in ours)
    median = statistics.median(median for _, median in ours)
    beside.print_times({"step": (best, median)},
                       {"step": (min(theirs), statistics.median(theirs))})


if __name__ == "__main__":
    main()

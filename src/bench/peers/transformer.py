"""Chainring's decision transformer in the operations of any peer: kinds of tokens through linear
maps, learned tables of time and trial, layer norms before attention and feed-forward, actions
behind a tanh. Weights are named and lie as Chainring's, (in x out)."""

KINDS = {"R": "return", "s": "state", "a": "action", "r": "reward", "d": "done"}


class Transformer:
    def __init__(self, peer, arguments):
        self.peer = peer
        self.layers, self.heads = arguments.layers, arguments.heads
        self.activation = getattr(peer, arguments.activation)
        self.kinds = [KINDS[letter] for letter in arguments.tokens.split(",")]

    def loss(self, weights, batch):
        """Mean squared error of the actions."""
        x = self.embed(weights, batch)
        for layer in range(self.layers):
            x = self.attention(weights, x, f"layers.{layer}.attention")
            x = self.ffn(weights, x, f"layers.{layer}.ffn")
        states = x[self.kinds.index("state")::len(self.kinds)]
        normed = self.norm(weights, states, "head.norm")
        predicted = self.peer.tanh(self.map(weights, normed, "head.action"))
        return ((predicted - batch["action"]) ** 2).mean()

    def embed(self, weights, batch):
        place = weights["embed.time"][batch["time"]] + weights["embed.trial"][batch["trial"]]
        tokens = [self.map(weights, batch[kind], f"embed.{kind}") + place for kind in self.kinds]
        x = self.peer.stack(tokens, 1).reshape(-1, place.shape[1])
        return self.norm(weights, x, "embed.norm")

    def attention(self, weights, x, name):
        normed = self.norm(weights, x, f"{name}.norm")
        query = self.map(weights, normed, f"{name}.query")
        key_value = self.map(weights, normed, f"{name}.key_value")
        key, value = key_value[:, :x.shape[1]], key_value[:, x.shape[1]:]
        attended = self.peer.attend(*(self.peer.split(part, self.heads)
                                      for part in (query, key, value)))
        return x + self.map(weights, self.peer.join(attended), f"{name}.out")

    def ffn(self, weights, x, name):
        normed = self.norm(weights, x, f"{name}.norm")
        up = self.activation(self.map(weights, normed, f"{name}.up"))
        return x + self.map(weights, up, f"{name}.down")

    def map(self, weights, x, name):
        return self.peer.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(self, weights, x, name):
        return self.peer.norm(x, weights[f"{name}.gain"], weights[f"{name}.bias"])

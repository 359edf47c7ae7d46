"""JAX on the processor, compiled by XLA, which takes a thread for each core that it may run on.

Its dot_product_attention makes all scores of a head at once there (tokens x tokens)."""

import jax
import jax.numpy as jnp
import numpy
import optax


def compiled(function, **options):
    fast = jax.jit(function, **options)
    return lambda *inputs: jax.block_until_ready(fast(*inputs))


class Trainer:
    def __init__(self, loss, weights, batch, recipe):
        differential = jax.value_and_grad(loss)
        optimizer = optax.chain(
            optax.clip_by_global_norm(recipe.clip),
            optax.adamw(recipe.rate, weight_decay=recipe.decay,
                        mask={name: name in recipe.decayed for name in weights}))

        def update(weights, moments, batch):
            value, gradients = differential(weights, batch)
            updates, moments = optimizer.update(gradients, moments, weights)
            return optax.apply_updates(weights, updates), moments, value

        self.differential = compiled(differential)
        self.update = compiled(update, donate_argnums=(0, 1))
        self.weights, self.moments, self.batch = weights, optimizer.init(weights), batch

    def differentiate(self):
        return self.differential(self.weights, self.batch)

    def step(self):
        self.weights, self.moments, _ = self.update(self.weights, self.moments, self.batch)


class Library:
    title = "JAX"
    version = jax.__version__
    length = 4096  # four times the memory and time at twice the length
    has_ring = False
    has_bf16 = False
    Trainer = Trainer

    relu = staticmethod(jax.nn.relu)
    gelu = staticmethod(jax.nn.gelu)
    tanh = staticmethod(jnp.tanh)
    stack = staticmethod(jnp.stack)
    array = tokens = staticmethod(jnp.array)  # a copy, which a step may write over
    numbers = staticmethod(numpy.asarray)
    compiled = staticmethod(compiled)

    def __init__(self, _threads, _ranks):
        pass

    @staticmethod
    def split(x, heads):
        return x.reshape(1, len(x), heads, -1)

    @staticmethod
    def join(heads):
        return heads.reshape(heads.shape[1], -1)

    @staticmethod
    def attend(query, key, value):
        return jax.nn.dot_product_attention(query, key, value, is_causal=True)

    @staticmethod
    def linear(x, weight, bias):
        return x @ weight + bias

    @staticmethod
    def norm(x, gain, bias):
        return jax.nn.standardize(x, epsilon=1e-5) * gain + bias

    @staticmethod
    def differentiated(function):
        def both(inputs, d_output):
            output, backward = jax.vjp(function, *inputs)
            return output, backward(d_output)
        return both

"""ringattention, by the authors of ring attention, in JAX: blockwise on one rank, a ring over more.

A rank is a device that XLA makes of the processor; a context is cut into a piece for each."""

import functools
from importlib import metadata

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

import libraries.jax
from beside import fail

CHUNK = 512  # tokens of a block at most, as its authors have it


class Library(libraries.jax.Library):
    title = "ringattention"
    version = f"{metadata.version('ringattention')} on JAX {jax.__version__}"
    length = 16384
    has_ring = True
    has_bf16 = False

    def __init__(self, threads, ranks):
        super().__init__(threads, ranks)
        jax.config.update("jax_num_cpu_devices", ranks)
        import ringattention  # which counts the devices at once
        self.function = ringattention.ringattention
        self.mesh = jax.make_mesh((ranks,), ("ring",))

    def tokens(self, numbers):
        ranks = self.mesh.size
        if len(numbers) % ranks != 0:
            fail(f"found {len(numbers)} rows, expected as many on each of {ranks} ranks; change"
                 " --length", 64)
        return jax.device_put(numbers, NamedSharding(self.mesh, PartitionSpec("ring")))

    def attend(self, query, key, value):
        tokens = query.shape[1] // self.mesh.size
        chunk = max(size for size in range(1, CHUNK + 1) if tokens % size == 0)
        attend = functools.partial(
            self.function, axis_name="ring", float32_logits=True,
            blockwise_kwargs={"causal_block_size": 1, "deterministic": True, "dropout_rng": None,
                              "attn_pdrop": 0.0, "query_chunk_size": chunk,
                              "key_chunk_size": chunk, "dtype": jnp.float32, "precision": None,
                              "policy": jax.checkpoint_policies.nothing_saveable,
                              "prevent_cse": True})
        shard = PartitionSpec(None, "ring")
        sharded = jax.shard_map(lambda q, k, v: attend(q, k, v, None, None, None), mesh=self.mesh,
                                in_specs=(shard,) * 3, out_specs=shard, check_vma=False)
        return sharded(query, key, value)

"""Instructions that several devices run together, each on its own memory: one per collective of NKI.

Devices are ranks: their numbers along a named axis of a mesh, under `jax.shard_map`.
"""

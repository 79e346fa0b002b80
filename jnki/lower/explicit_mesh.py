"""Arrays on a mesh with explicit axes: inside a kernel, XLA places the data, as it does on a mesh with automatic axes.

On an explicit axis, which is what `jax.make_mesh` makes, each operation must be able to say how its result is
sharded. A kernel works on blocks and rows at any place, of which most have no such answer.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AxisType, PartitionSpec

REPLICATED = PartitionSpec()


def on_automatic_axes(function: Callable[..., Any], arrays: tuple[Any, ...], out_sharding: Any) -> Any:
    """`function(*arrays)`, run with every explicit axis of the mesh automatic; as it is where there is none.

    The mesh is that of the arrays, or else that of `jax.set_mesh`, which new arrays get.

    Args:
        out_sharding: `PartitionSpec`s, a prefix of the result's tree: how the results are sharded on an explicit mesh.
    """
    meshes = (*(jax.typeof(array).sharding.mesh for array in arrays), jax.sharding.get_abstract_mesh())
    mesh = next((mesh for mesh in meshes if AxisType.Explicit in mesh.axis_types), None)
    if mesh is None:
        return function(*arrays)
    axes = tuple(name for name, kind in zip(mesh.axis_names, mesh.axis_types) if kind is AxisType.Explicit)
    # Eager operations know the mesh of their operands without a context; this function takes it from one.
    with jax.sharding.use_abstract_mesh(mesh):
        return jax.sharding.auto_axes(function, axes=axes, out_sharding=out_sharding)(*arrays)


def sharding_of(array: Any) -> PartitionSpec:
    """How an array is sharded over the explicit axes of its mesh."""
    return jax.typeof(array).sharding.spec

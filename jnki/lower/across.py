"""What devices that exchange data have in common: types that vary over the mesh, and faults.

A scan needs its carry to vary over the same axes before and after; what one device got wrong, the others have received.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.isa.collectives.collective import Collective
from jnki.memory import Fault
from jnki.program.program import Node, instructions


def axes_of(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """The axes of the mesh along which the block's instructions exchange something; empty where none does."""
    return next((i.axes for i in _collectives(nodes) if i.crosses_devices), ())


def own_ranks(nodes: tuple[Node, ...]) -> tuple[Any, ...]:
    """Numbers that vary over the axes of the mesh that the block's instructions speak of, as their results may."""
    axes = next((i.axes for i in _collectives(nodes) if i.axes and not i.is_alone), ())
    return tuple(lax.axis_index(axis) for axis in axes)


def _collectives(nodes: tuple[Node, ...]) -> list[Collective]:
    return [i for i in instructions(nodes) if isinstance(i, Collective)]


def of_all_ranks(fault: Fault, axes: tuple[str, ...]) -> Fault:
    """The fault of the first rank that has one, the same on all of them: it does not vary over the axes."""
    if not axes:
        return fault
    size, rank = lax.axis_size(axes), lax.axis_index(axes)
    first = lax.pmin(jnp.where(fault.occurred, rank, size), axes)
    told = jax.tree.map(lambda field: lax.psum(jnp.where(rank == first, field, 0), axes), fault)
    return jax.tree.map(lambda field, none: jnp.where(first < size, field, none), told, Fault())

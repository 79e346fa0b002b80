"""Faults of kernels whose devices exchange data: what one of them got wrong, the others have received."""

import jax
from jax import lax

from jnki.isa.collectives.collective import Collective
from jnki.memory import Fault
from jnki.program.program import Node, instructions


def axes_of(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """The axes of the mesh along which the block's instructions exchange something; empty where none does."""
    found = (i.axes for i in instructions(nodes) if isinstance(i, Collective) and i.crosses_devices)
    return next(found, ())


def of_all_ranks(fault: Fault, axes: tuple[str, ...]) -> Fault:
    """The device's own fault, or else that of the first rank that has one."""
    if not axes:
        return fault
    everyone = jax.tree.map(lambda field: lax.all_gather(field, axes), fault)
    return fault.or_else(everyone.first())

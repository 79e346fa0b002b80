"""Carries under `jax.shard_map`: a scan needs its carry to vary over the same mesh axes before and after.

A tile that a kernel fills with a constant does not vary over the mesh, until the loop adds something that does.
"""

from typing import Any

import jax
from jax import lax


def varying_axes(*trees: Any) -> frozenset[str]:
    """The manual mesh axes over which any of the arrays varies; empty outside of `shard_map`."""
    axes: set[str] = set()
    for leaf in jax.tree.leaves(trees):
        axes |= _axes_of(leaf)
    return frozenset(axes)


def varying_over(axes: frozenset[str], tree: Any) -> Any:
    """The same arrays, marked as varying over all of `axes`."""
    if not axes:
        return tree

    def mark(leaf: Any) -> Any:
        missing = tuple(axes - _axes_of(leaf))
        return lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(mark, tree)


def _axes_of(leaf: Any) -> frozenset[str]:
    """What `jax.typeof` says; the attribute has had two names."""
    kind = jax.typeof(leaf)
    manual = getattr(kind, "mat", None)
    return frozenset(manual.varying if manual is not None else getattr(kind, "vma", ()))

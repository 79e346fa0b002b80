"""Many draws at once, so that one compilation serves all of them: a compilation costs more than what it runs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jax import lax

T = TypeVar("T")

_ALSO_EAGERLY = 3
_JOINED = 8  # more operands than these XLA does not fuse
as_array = partial(jax.tree.map, jnp.asarray)


def examples_of(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """The same `count` draws in every run; fewer only where the strategy has no more."""
    drawn: list[T] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: T) -> None:
        drawn.append(example)

    collect()
    return drawn


def jitted_as_few(run: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit(run)`, compiled faster: the bits of some results of one width leave it end to end, in one array.

    XLA makes code for each array that leaves a program, at about the same price whatever is in it. What returns are
    NumPy arrays in the structure that `run` gives.
    """
    shapes: Any = None

    def joined(*arguments: Any) -> list[jax.Array]:
        nonlocal shapes
        results = run(*arguments)
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), results)
        leaves = jax.tree.leaves(results)
        return [jnp.concatenate([_bits_of(leaves[k]) for k in group]) for group in _groups(leaves)]

    def call(*arguments: Any) -> Any:
        arrays = jax.device_get(jax.jit(joined)(*arguments))
        leaves, structure = jax.tree.flatten(shapes)
        found: list[Any] = [None] * len(leaves)
        for array, group in zip(arrays, _groups(leaves), strict=True):
            ends = np.cumsum([leaves[k].size for k in group])
            for k, bits in zip(group, np.split(array, ends[:-1]), strict=True):
                found[k] = bits.view(leaves[k].dtype).reshape(leaves[k].shape)
        return jax.tree.unflatten(structure, found)

    return call


def _bits_of(array: jax.Array) -> jax.Array:
    """All elements as unsigned integers, which XLA never takes through another type on their way."""
    flat, unsigned = jnp.reshape(array, -1), jnp.dtype(f"uint{8 * array.dtype.itemsize}")
    return flat.astype(unsigned) if array.dtype == bool else lax.bitcast_convert_type(flat, unsigned)


def _groups(leaves: Sequence[Any]) -> list[list[int]]:
    """The places of leaves of one width, a few together."""
    by_width: dict[int, list[int]] = {}
    for k, leaf in enumerate(leaves):
        by_width.setdefault(leaf.dtype.itemsize, []).append(k)
    return [places[n : n + _JOINED] for places in by_width.values() for n in range(0, len(places), _JOINED)]


def all_in_one_call(functions: Sequence[Callable[..., Any]], arguments: Sequence[Sequence[Any]]) -> list[Any]:
    """Every function of its own arguments, in one jitted call; the results are NumPy arrays.

    The first few run operation by operation too, and give the same.
    """

    def run(arguments: Sequence[Sequence[Any]]) -> list[Any]:
        return [function(*of_it) for function, of_it in zip(functions, arguments, strict=True)]

    results = jitted_as_few(run)(list(arguments))
    for function, of_it, result in list(zip(functions, arguments, results))[:_ALSO_EAGERLY]:
        for found, again in zip(jax.tree.leaves(result), jax.tree.leaves(function(*map(as_array, of_it))), strict=True):
            np.testing.assert_array_equal(found, again)
    return results

"""Many draws at once, so that one compilation serves all of them: a compilation costs more than what it runs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")

_ALSO_EAGERLY = 3
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


def all_in_one_call(functions: Sequence[Callable[..., Any]], arguments: Sequence[Sequence[Any]]) -> list[Any]:
    """Every function of its own arguments, in one jitted call; the results are NumPy arrays.

    The first few run operation by operation too, and give the same.
    """

    def run(arguments: Sequence[Sequence[Any]]) -> list[Any]:
        return [function(*of_it) for function, of_it in zip(functions, arguments, strict=True)]

    results = jax.device_get(jax.jit(run)(list(arguments)))
    for function, of_it, result in list(zip(functions, arguments, results))[:_ALSO_EAGERLY]:
        for found, again in zip(jax.tree.leaves(result), jax.tree.leaves(function(*map(as_array, of_it))), strict=True):
            np.testing.assert_array_equal(found, again)
    return results

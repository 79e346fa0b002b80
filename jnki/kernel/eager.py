"""The choice to run kernels step by step, and what it asks of their arguments.

In order: the kernel's own `eager`, a `with jnki.eager():` around the call, the environment variable `JNKI_EAGER`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.buffer import Space
from jnki.errors import RuleError
from jnki.kernel.arguments import Arguments

ENVIRONMENT_VARIABLE = "JNKI_EAGER"

_CHOSEN: ContextVar[bool] = ContextVar("jnki_eager", default=False)


def is_eager() -> bool:
    """Whether kernels run step by step here."""
    return _CHOSEN.get() or os.environ.get(ENVIRONMENT_VARIABLE, "") not in ("", "0")


@contextmanager
def eager() -> Iterator[None]:
    """Inside, every kernel that is called runs step by step, as `kernel.eager` does.

    with jnki.eager():
        kernel(x)
    """
    token = _CHOSEN.set(True)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def check_concrete(arguments: Arguments, kernel: str) -> None:
    """The arrays have values, and what is computed from them has values too.

    Raises:
        RuleError: `eager.traced`.
    """
    for name, array in zip(arguments.names, arguments.arrays):
        if isinstance(array, jax.core.Tracer):
            raise _traced(kernel, f"'{name}' as {type(array).__name__} {array.aval.str_short()}")
        if not isinstance(array, jax.Array) and not hasattr(array, "__array__"):
            raise _traced(kernel, f"'{name}' as {type(array).__name__}, which has no values")
    # Under `jax.jit` all that is computed is traced, whatever it is computed from.
    if isinstance(jnp.zeros(()), jax.core.Tracer):
        raise _traced(kernel, "a call inside of jax.jit or another transformation that traces")


def _traced(kernel: str, given: str) -> RuleError:
    return RuleError(
        "eager.traced",
        f"kernel '{kernel}' runs step by step, on arrays that have values",
        given=given,
        allowed="a call outside of jax.jit, vmap and grad; or without kernel.eager, jnki.eager() and "
        f"{ENVIRONMENT_VARIABLE}: transformed, a kernel is recorded",
    )


def memory_of(arguments: Arguments) -> dict[tuple[Space, str], Any]:
    """What a kernel's memory holds at the start: its array arguments, as JAX arrays of their own on one device."""
    return {
        (Space.HBM, name): jnp.array(_on_one_device(array), spec.dtype.storage)
        for name, array, spec in zip(arguments.names, arguments.arrays, arguments.specs)
    }


def _on_one_device(array: Any) -> Any:
    is_spread = isinstance(array, jax.Array) and len(array.sharding.device_set) > 1
    return np.asarray(array) if is_spread else array

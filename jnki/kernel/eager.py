"""The choice to run kernels step by step.

In order: the kernel's own `eager`, a `with jnki.eager():` around the call, the environment variable `JNKI_EAGER`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jnki.errors import RuleError

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


def not_concrete(kernel: str, given: str) -> RuleError:
    """The error of a kernel that is to run step by step, and cannot."""
    return RuleError(
        "eager.traced",
        f"kernel '{kernel}' runs step by step, on arrays that have values",
        given=given,
        allowed="a call outside of jax.jit, vmap and grad; or without kernel.eager, jnki.eager() and "
        f"{ENVIRONMENT_VARIABLE}: transformed, a kernel is recorded",
    )

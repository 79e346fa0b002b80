"""What a fault does to a plain call inside somebody's transformation, where nothing can be raised.

In order: the kernel's own `on_fault`, the innermost `use_fault_policy`, the environment variable `JNKI_FAULT_POLICY`,
"poison". It is looked up where a call is traced; what `jax.jit` has compiled keeps the policy that it was traced with.
"""

import enum
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

ENVIRONMENT_VARIABLE = "JNKI_FAULT_POLICY"


class FaultPolicy(enum.Enum):
    """How a fault shows.

    Members:
        POISON: float outputs and all gradients through them turn NaN; beside an integer output a host callback raises.
        CALLBACK: a host callback raises.
        NAN: float outputs and gradients turn NaN, and that is all; a kernel with an integer output is refused. Nothing
            is checked on the host, so it is the one that `jax.export` can write into a file.
    """

    POISON = "poison"
    CALLBACK = "callback"
    NAN = "nan"


PolicyName = Literal["poison", "callback", "nan"]

_CHOSEN: ContextVar[FaultPolicy | None] = ContextVar("jnki_fault_policy", default=None)


def fault_policy(name: str, who: str) -> FaultPolicy:
    """The policy of that name.

    Raises:
        ValueError: there is no such policy; the text begins with `who`.
    """
    names = [known.value for known in FaultPolicy]
    if name not in names:
        raise ValueError(f"{who}: {name!r} is not a policy for faults\n  allowed: {', '.join(names)}")
    return FaultPolicy(name)


def default_fault_policy() -> FaultPolicy:
    """The policy of a kernel that has none of its own.

    Raises:
        ValueError: the environment variable names no policy.
    """
    chosen = _CHOSEN.get()
    return chosen or fault_policy(os.environ.get(ENVIRONMENT_VARIABLE) or "poison", ENVIRONMENT_VARIABLE)


@contextmanager
def use_fault_policy(name: PolicyName) -> Iterator[None]:
    """Makes a policy the default inside a `with` block, for calls that are traced there.

        with use_fault_policy("callback"):
            jax.jit(program)(x)

    Raises:
        ValueError: there is no such policy.
    """
    token = _CHOSEN.set(fault_policy(name, "use_fault_policy"))
    try:
        yield
    finally:
        _CHOSEN.reset(token)

"""Which target a kernel is for that names none.

In order: the innermost `use_target`, the environment variable `JNKI_TARGET`, TRN2. A `use_target` is seen by
its own thread or task alone, as every context variable is. So `python -m jnki --target NAME` sets the
environment variable: threads and processes that the program starts see that too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jnki.target import TRN2, Target, target

ENVIRONMENT_VARIABLE = "JNKI_TARGET"

_CHOSEN: ContextVar[Target | None] = ContextVar("jnki_default_target", default=None)


def default_target(fallback: Target = TRN2) -> Target:
    """The target of a kernel that has no `platform_target` of its own.

    Args:
        fallback: the one that is meant where nobody has chosen any.

    Raises:
        ValueError: the environment variable names no target.
    """
    chosen = chosen_target()
    if chosen is not None:
        return chosen
    name = os.environ.get(ENVIRONMENT_VARIABLE)
    if not name:
        return fallback
    try:
        return target(name)
    except ValueError as error:
        raise ValueError(f"{ENVIRONMENT_VARIABLE}: {error}") from None


def chosen_target() -> Target | None:
    """That of the innermost `use_target` block, if there is one."""
    return _CHOSEN.get()


@contextmanager
def use_target(spec: Target | str) -> Iterator[Target]:
    """Makes `spec`, a `Target` or its name, the default inside a `with` block, and gives the `Target`.

        with use_target("trn1"):
            kernel(x)

    Raises:
        ValueError: no target has that name.
    """
    chosen = target(spec)
    token = _CHOSEN.set(chosen)
    try:
        yield chosen
    finally:
        _CHOSEN.reset(token)

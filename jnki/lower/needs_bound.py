"""Where a derivative backwards through a loop of unknown length ends, with words about why.

JAX differentiates `lax.while_loop` forwards. Backwards it cannot: it would have to keep each iteration, and does not
know how many there are. What the loop gives passes through here, which is nothing but a linear map that has no
transpose.
"""

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jnki.errors import RuleError
from jnki.source import Location

_unbounded = Primitive("jnki_loop_without_bound")


def needs_bound(array: jax.Array, kind: str, location: Location | None) -> jax.Array:
    """`array`, which comes out of a loop that has no stated bound: no derivative comes back through it.

    Raises:
        RuleError: `loop.reverse_mode`, where a derivative does.
    """
    found: jax.Array = _unbounded.bind(array, kind=kind, location=location)
    return found


def _refuse(cotangent: Any, _: Any, *, kind: str, location: Location | None) -> Any:
    raise RuleError(
        "loop.reverse_mode",
        f"a derivative backwards through a {kind} needs to know how often the loop runs at most",
        given="a loop that runs as often as a register says, and no bound",
        allowed="kernel.max_trips(n), where no such loop runs more than n times; forward mode, such as jax.jvp; bounds "
        "that are integers",
        at=location,
    )


_unbounded.def_impl(lambda array, **_: array)
_unbounded.def_abstract_eval(lambda array, **_: array)
ad.deflinear2(_unbounded, _refuse)
batching.defvectorized(_unbounded)
mlir.register_lowering(_unbounded, lambda _, array, **__: [array])

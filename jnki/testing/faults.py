"""`assert_no_fault`: a fault record as an assertion."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import checkify

from jnki.memory import Fault


def assert_no_fault(fault: Fault) -> None:
    """No case has a fault.

    With concrete values this raises at once. Traced, it is a check of `checkify`: it needs `checkify.checkify` or
    `chex.chexify` around, without which JAX refuses it, so that no fault is lost.

    Raises:
        AssertionError: naming the first faulty case of a batch, its row index, the bound and the user's line.
    """
    __tracebackhide__ = True  # for pytest and IPython: their tracebacks end at the caller
    if isinstance(fault.site, jax.core.Tracer):
        _check(fault)
        return
    found = fault.details()
    if not found:
        return
    first, lines = found[0], []
    error = first.error(faulty_cases=len(found), batched=bool(np.ndim(fault.site)))
    lines = [str(error), *(f"  {note}" for note in error.__notes__)]
    raise AssertionError("\n".join(lines))


def _check(fault: Fault) -> None:
    if not fault.site.ndim:
        text = "a row index is out of bounds: row {row} has index {index}"
        checkify.check(~fault.occurred, text, row=fault.row, index=fault.index)
        return
    occurred = fault.occurred.reshape(-1)
    case = jnp.argmax(occurred)
    checkify.check(
        ~jnp.any(occurred),
        "a row index is out of bounds in case {case} of the batch: row {row} has index {index}",
        case=case,
        row=fault.row.reshape(-1)[case],
        index=fault.index.reshape(-1)[case],
    )

"""Which cases must report a fault, and of which index and bound."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.memory import Fault
from jnki.memory.sites import NO_SITE, known_site
from jnki.testing.arguments import Arguments
from jnki.testing.domains import Rows

Policy = str | Callable[..., Any]


def check_policy(faults: Any) -> None:
    if not callable(faults) and faults not in ("match", "never"):
        raise ValueError(
            f"faults={faults!r} is no expectation\n  allowed: 'match', 'never', or a function of the arguments"
        )


def row_domains(arguments: Arguments) -> list[tuple[int, Rows]]:
    return [(place, d) for place, d in enumerate(arguments.domains) if isinstance(d, Rows)]


def facts(arguments: Arguments, arrays: list[Any], fault: Fault) -> dict[str, jax.Array]:
    """What has to be known of one case to judge its fault; traced.

    `outside`: whether a row is out of bounds in any `rows` domain. `named`: per such domain, whether one of its rows
    out of bounds has the index that the fault reports.
    """
    out, named = [], []
    for place, domain in row_domains(arguments):
        bad = domain.is_outside(arrays[place])
        out.append(jnp.any(bad))
        named.append(jnp.any(bad & (arrays[place].astype(jnp.int32) == fault.index)))
    none = jnp.zeros((0,), jnp.bool_)
    return {
        "site": fault.site,
        "index": fault.index,
        "row": fault.row,
        "outside": jnp.any(jnp.stack(out)) if out else jnp.bool_(False),
        "named": jnp.stack(named) if named else none,
    }


def as_expected(arguments: Arguments, known: dict[str, np.ndarray], faults: str) -> np.ndarray:
    """Which cases report a fault if and only if they must, with an index out of bounds and the size of its domain."""
    occurred = known["site"] != NO_SITE
    if faults == "never":
        return ~occurred
    if not occurred.any() and not known["outside"].any():
        return np.ones(len(occurred), np.bool_)
    sizes = bounds_of(known["site"])
    right = np.zeros(len(occurred), np.bool_)
    for number, (_, domain) in enumerate(row_domains(arguments)):
        right |= known["named"][:, number] & (sizes == domain.size)
    return np.where(known["outside"], occurred & right, ~occurred)


def bounds_of(sites: np.ndarray) -> np.ndarray:
    """The size of the axis that each fault is about; -1 without a fault."""
    sizes = np.full(sites.shape, -1, np.int64)
    for number in np.unique(sites):
        if number != NO_SITE:
            sizes[sites == number] = known_site(int(number)).axis_size
    return sizes


def stated(answer: Any) -> tuple[bool, int | None, int | None]:
    """What a function has said of one case: whether it faults, the row index, the bound; None for what is not said."""
    if answer is None or isinstance(answer, (bool, np.bool_)):
        return bool(answer), None, None
    if hasattr(answer, "dtype") and answer.dtype == np.bool_ and answer.ndim == 0:
        return bool(answer), None, None
    if isinstance(answer, tuple) and len(answer) == 2:
        return True, int(answer[0]), int(answer[1])
    if isinstance(answer, (int, np.integer)):
        return True, int(answer), None
    raise TypeError(
        f"the function given as faults= has answered {answer!r:.80}; it answers a boolean, None for no fault, the row "
        "index, or (row index, bound)"
    )


def agrees_with(answer: Any, site: int, index: int, bound: int) -> bool:
    """Whether a fault, or none, is what a function has said of its case."""
    occurs, wanted_index, wanted_bound = stated(answer)
    if not occurs:
        return site == NO_SITE
    return site != NO_SITE and wanted_index in (None, index) and wanted_bound in (None, bound)

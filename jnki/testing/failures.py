"""What is wrong with single cases of a batch."""

from typing import Any

import jax
import numpy as np

from jnki.memory.sites import NO_SITE
from jnki.testing.batches import Batches, Everything
from jnki.testing.expected_faults import row_domains, stated
from jnki.testing.reference import Raised
from jnki.testing.report import Failure, fault_line
from jnki.testing.tolerance import differences


def failures_of(batches: Batches, seed: int, numbers: list[int], cases: int) -> list[Failure]:
    """What is wrong with these cases, in the batch and, where that differs, alone."""
    every = batches.everything(seed, numbers, cases)
    alone = [batches.of_arrays([a[None] for a in every.case(0)[0]])]
    found = []
    for place, number in enumerate(numbers):
        here = failure_of(batches, every, place, number)
        remark = ""
        if place < len(alone) and not _same_bits(every.case(place)[1], alone[place].case(0)[1]):
            remark = "alone, its outputs are not bit for bit those in the batch: XLA compiles both apart"
        if not here.differences and not here.fault:
            remark = "its outputs are right when they are computed together with this report: XLA compiles both apart"
        found.append(Failure(number, here.differences, here.fault, remark))
    return found


def _same_bits(one: Any, other: Any) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other))
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def failure_of(batches: Batches, every: Everything, place: int, number: int) -> Failure:
    """What is wrong with one case of a batch."""
    arrays, outputs, fault = every.case(place)
    expected = batches.expected_of(every, place)
    occurred = int(fault.site) != NO_SITE
    args = batches.arguments.assembled(arrays)
    wanted, index, bound, why = _wanted(batches, every, place, arrays, args, expected)
    if isinstance(expected, Raised) and not occurred and not wanted:
        return Failure(number, fault=f"no fault; the reference raises IndexError: {expected.error}")
    if wanted and not occurred:
        return Failure(number, fault=fault_line(fault, why))
    if occurred and not wanted:
        return Failure(number, fault=fault_line(fault, "none is expected"))
    if occurred:
        details = fault.details()[0]
        wrong = (index is not None and details.index not in index) or (
            bound is not None and details.site.axis_size != bound
        )
        return Failure(number, fault=fault_line(fault, why) if wrong else "")
    if expected is None or isinstance(expected, Raised):
        return Failure(number)
    magnitudes = batches._magnitudes(arrays)
    return Failure(number, tuple(differences(outputs, expected, batches.tolerance, magnitudes)))


def _wanted(
    batches: Batches, every: Everything, place: int, arrays: Any, args: Any, expected: Any
) -> tuple[bool, list[int] | None, int | None, str]:
    """Whether a case must fault, with which indices and bound, and the reason in words."""
    reference = batches.reference
    if reference is not None and reference.has_faults:
        other = jax.tree.map(lambda a: a[place], every.expected[1]).details()
        if not other:
            return False, None, None, "none is expected"
        return True, [other[0].index], None, f"the reference has one of row index {other[0].index}"
    if callable(batches.faults):
        occurs, index, bound = stated(batches.faults(*args))
        said = "a fault" if index is None else f"row index {index}" + ("" if bound is None else f" beyond {bound} rows")
        return occurs, None if index is None else [index], bound, f"{said} is expected"
    if batches.faults == "match":
        for leaf, domain in row_domains(batches.arguments):
            array = np.asarray(arrays[leaf])
            if domain.is_outside(array).any():
                bad = array[domain.is_outside(array)]
                name = batches.arguments.names[leaf]
                return (
                    True,
                    bad.tolist(),
                    domain.size,
                    f"'{name}' holds {int(bad[0])}, out of bounds for size {domain.size}",
                )
        if isinstance(expected, Raised):
            return True, None, None, f"the reference raises IndexError: {expected.error}"
    return False, None, None, "none is expected"

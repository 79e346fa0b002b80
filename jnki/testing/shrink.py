"""A failing case made simpler: elements become zero, one, equal or round, as many at once as still fail.

Groups of elements are tried side by side in one call, then the unions of those that fail alone; groups are split where
nothing is gained. So a case of a hundred thousand elements takes some dozens of calls, and no compilation but the
first.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.testing.batches import Batches
from jnki.testing.candidates import Arrays, Judge
from jnki.testing.domains import Choice, Domain
from jnki.testing.failures import failure_of
from jnki.testing.hostile import is_float, unsigned_of
from jnki.testing.needs import needs_lines
from jnki.testing.report import Failure, describe, literals

BUDGET_S = 40.0
FINER = 8
"""Into how many parts a group is split."""

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shrunk:
    """The simplest failing case that was found, and the lines that say so."""

    arguments: list[np.ndarray]
    lines: list[str]


def shrink_report(batches: Batches, seed: int, number: int, failure: Failure) -> Shrunk | None:
    """The case made simpler, what it needs, and both in words; None where it does not fail again."""
    judge = Judge(batches, failure)
    start = batches.arguments.alone(seed, number)
    if not judge.fails([start])[0]:
        return None
    arrays = shrunk_arrays(batches.arguments.domains, start, judge)
    names = batches.arguments.names
    lines = [f"case {number} made simpler ({judge.tried:,} variants in {judge.calls} calls):"]
    lines += literals(names, arrays)
    lines += [f"    {line}" for line in _outcome(batches, arrays)]
    lines += needs_lines(batches, judge, arrays, seed, number)
    return Shrunk(arrays, lines)


def shrunk_arrays(domains: list[Domain], start: Arrays, judge: Judge) -> Arrays:
    """Arrays that fail alike, none of whose elements can be made simpler by itself; or as far as the time allows."""
    arrays, deadline = [np.array(a) for a in start], time.monotonic() + BUDGET_S
    for _ in range(3):
        before = [a.tobytes() for a in arrays]
        for leaf, domain in enumerate(domains):
            for change in _changes(domain, arrays[leaf]):
                _simplify(arrays, leaf, change, judge, deadline)
        if [a.tobytes() for a in arrays] == before or time.monotonic() > deadline:
            break
    return arrays


def _changes(domain: Domain, array: np.ndarray) -> list[Change]:
    """What may be done to elements, the simplest result first."""
    if domain.simplest is None:
        return []
    values = domain.simplest[:2]
    changes: list[Change] = [functools.partial(_constant, value) for value in values]
    if array.dtype == np.bool_ or isinstance(domain, Choice):
        return changes
    changes.append(lambda a: np.full_like(a, a.reshape(-1)[0]))
    if is_float(array.dtype):
        return [*changes, _rounded_away, lambda a: np.rint(a).astype(a.dtype), _power_of_two]
    return [*changes, lambda a: (a // 2).astype(a.dtype)]


def _constant(value: float, array: np.ndarray) -> np.ndarray:
    return np.full_like(array, value)


def _rounded_away(array: np.ndarray) -> np.ndarray:
    return (np.sign(array) * np.ceil(np.abs(array))).astype(array.dtype)


def _power_of_two(array: np.ndarray) -> np.ndarray:
    mantissa = {"float32": 23, "bfloat16": 7, "float16": 10, "float8_e4m3": 3, "float8_e5m2": 2}[array.dtype.name]
    unsigned = unsigned_of(array.dtype)
    cleared = np.ascontiguousarray(array).view(unsigned) & unsigned.type(
        ~((1 << mantissa) - 1) % 2 ** (8 * unsigned.itemsize)
    )
    return np.where(np.isfinite(array), cleared.view(array.dtype).reshape(array.shape), array)


def costs(array: np.ndarray, simplest: tuple[float, ...] | None = (0, 1)) -> np.ndarray:
    """How complicated each element is: 0 for the simplest value, 1 for the next, and so on."""
    flat = array.reshape(-1)
    bits = np.ascontiguousarray(flat).view(unsigned_of(flat.dtype))
    first, *others = (np.array(v, flat.dtype).reshape(1).view(bits.dtype)[0] for v in (simplest or (0, 1))[:2])
    if is_float(flat.dtype):
        with np.errstate(all="ignore"):
            wide = flat.astype(np.float32)
            cost = np.where(np.isfinite(wide), 5, 7)
            cost = np.where(np.isfinite(wide) & (np.frexp(np.abs(wide))[0] == 0.5), 3, cost)
            cost = np.where(np.isfinite(wide) & (np.rint(wide) == wide) & (np.abs(wide) <= 16) & (wide != 0), 2, cost)
    else:
        size = np.abs(flat.astype(np.int64))
        cost = 2 + np.frexp(size.astype(np.float64))[1]
    for other in others:
        cost = np.where(bits == other, 1, cost)
    return np.where(bits == first, 0, cost)


def _total(array: np.ndarray, simplest: Any) -> int:
    """All elements of an array, and how often integers change from one to the next: few distinct rows are simple."""
    flat = array.reshape(-1)
    changes = 0 if is_float(flat.dtype) else int((flat[1:] != flat[:-1]).sum())
    return 2 * int(costs(array, simplest).sum()) + changes


def _simplify(arrays: Arrays, leaf: int, change: Change, judge: Judge, deadline: float) -> None:
    """Applies `change` to as many elements of one array as still fail; in place."""
    simplest = judge._batches.arguments.domains[leaf].simplest
    parts = 1
    while time.monotonic() < deadline:
        array = arrays[leaf]
        with np.errstate(all="ignore"):
            changed = change(array)
        active = np.flatnonzero(costs(changed, simplest) < costs(array, simplest))
        if not is_float(array.dtype) and not len(active):
            active = np.flatnonzero(changed.reshape(-1) != array.reshape(-1))
        if not len(active):
            return
        groups = np.array_split(active, min(parts, len(active)))
        most = _total(array, simplest)
        variants = [_applied(array, changed, group) for group in groups]
        kept = [g for g, v in zip(groups, variants) if _total(v, simplest) < most]
        fails = _fails(arrays, leaf, [_applied(array, changed, g) for g in kept], judge, deadline)
        good = [g for g, f in zip(kept, fails) if f]
        if good:
            unions = [np.concatenate(good[: n + 1]) for n in range(len(good))][-judge.size :]
            failing = _fails(arrays, leaf, [_applied(array, changed, u) for u in unions], judge, deadline)
            last = np.flatnonzero(failing)
            union = unions[last[-1]] if len(last) else good[0]
            arrays[leaf] = _applied(array, changed, union)
            if len(groups) == len(active) and len(last) and len(union) == sum(map(len, good)):
                return
        elif len(groups) == len(active):
            return
        else:
            parts *= FINER


def _applied(array: np.ndarray, changed: np.ndarray, group: np.ndarray) -> np.ndarray:
    made = array.copy().reshape(-1)
    made[group] = changed.reshape(-1)[group]
    return made.reshape(array.shape)


def _fails(arrays: Arrays, leaf: int, variants: list[np.ndarray], judge: Judge, deadline: float) -> np.ndarray:
    found = np.zeros(len(variants), np.bool_)
    for start in range(0, len(variants), judge.size):
        if time.monotonic() > deadline:
            break
        these = variants[start : start + judge.size]
        whole = [[v if n == leaf else a for n, a in enumerate(arrays)] for v in these]
        found[start : start + len(these)] = judge.fails(whole)
    return found


def _outcome(batches: Batches, arrays: Arrays) -> list[str]:
    """What the shrunk case gives, in the words of the report."""
    here = failure_of(batches, batches.of_arrays([a[None] for a in arrays]), 0, 0)
    lines = [here.fault] if here.fault else [describe(d, len(batches.output_shapes)) for d in here.differences]
    return [f"# {line}" for line in lines] or ["# alone, this case is right: XLA compiles it apart from a batch"]

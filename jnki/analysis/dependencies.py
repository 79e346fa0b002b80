"""Iterations that must not depend on each other: those of an `affine_range`, and the instances of a launch grid.

Two of them may not write one location, and in an `affine_range` none may read what another writes; associative
accumulation (`acc += ...`) is excepted. Whether they do is decided from the access patterns alone:

    location of access 1 in iteration i   =   location of access 2 in iteration k,   i != k

has a solution, axis by axis. The answer is exact where each loop index and each dim moves along one axis, which is
how kernels are written; where one moves along several, nothing is claimed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.coordinates import AxisIndex, coordinates
from jnki.access.mask import Mask
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.program.program import Loop, LoopKind, Node

# Pairs of iterations are compared all at once; beyond this many the first ones stand for the rest.
_MAX_TRIPS = 2048


@dataclass(frozen=True)
class Use:
    """One access of one instruction in a loop body."""

    instruction: Instruction
    access: Access
    is_write: bool
    accumulates: bool


def check_dependencies(nodes: tuple[Node, ...]) -> None:
    """No two iterations of a parallel loop in this block depend on each other.

    Raises:
        RuleError: `err_unexpected_output_dependencies` for two writes, `affine_range.no_carried_dep` for a read of
            what another iteration writes; naming both iterations and the location.
    """
    for node in nodes:
        if isinstance(node, Loop):
            check_dependencies(node.body)
            if node.kind is not LoopKind.SEQUENTIAL:
                _check_loop(node)


def _check_loop(loop: Loop) -> None:
    local = set(_made_inside(loop))
    uses: dict[str, list[Use]] = {}
    for use in _uses(loop.body):
        if use.access.buffer.name not in local:
            uses.setdefault(use.access.buffer.name, []).append(use)
    for found in uses.values():
        for number, first in enumerate(found):
            for second in found[number:]:
                _check_pair(loop, first, second)


def _check_pair(loop: Loop, first: Use, second: Use) -> None:
    if not (first.is_write or second.is_write) or (first.accumulates and second.accumulates):
        return
    writes_only = first.is_write and second.is_write
    if not writes_only and loop.kind is LoopKind.GRID:
        return
    clash = _clash(loop.symbol, first, second)
    if clash is None:
        return
    i, k, location = clash
    what = f"tensor '{first.access.buffer.name}' at {list(location)}"
    if writes_only:
        who = "instances of the launch grid" if loop.kind is LoopKind.GRID else f"iterations of an {loop.kind.value}"
        raise RuleError(
            "err_unexpected_output_dependencies",
            f"two {who} write one location",
            given=f"{loop.symbol}={i} and {loop.symbol}={k} both write {what}",
            allowed="an index that tells the iterations apart"
            + ("" if loop.kind is LoopKind.GRID else ", or nl.sequential_range"),
            at=second.instruction.location,
        )
    raise RuleError(
        "affine_range.no_carried_dep",
        "an iteration of an affine_range reads what another one writes",
        given=f"{loop.symbol}={i} and {loop.symbol}={k} meet at {what}",
        allowed="nl.sequential_range; or an accumulation such as acc += value",
        at=second.instruction.location,
    )


def _clash(symbol: Symbol, first: Use, second: Use) -> tuple[int, int, tuple[int, ...]] | None:
    """Two different iterations and a location at which both accesses meet, if any is known."""
    a, b = first.access, second.access
    if a.indirect is not None or b.indirect is not None or a.buffer != b.buffer or 0 in (a.size, b.size):
        return None
    if _apart(a, b, symbol) or not (_one_axis_each(a) and _one_axis_each(b)):
        return None
    trips = min(symbol.trips, _MAX_TRIPS)
    i, k = np.meshgrid(np.arange(trips), np.arange(trips), indexing="ij")
    meet = (i != k) & _runs(first.instruction.mask, symbol, i) & _runs(second.instruction.mask, symbol, k)
    for left, right in zip(coordinates(a), coordinates(b)):
        reach_left, reach_right = _reach(left, a.shape, symbol), _reach(right, b.shape, symbol)
        distance = left.start.coefficient(symbol) * i - right.start.coefficient(symbol) * k
        meet &= _in(distance, reach_right, reach_left)
        if not meet.any():
            return None
    if first.instruction.mask is not None or second.instruction.mask is not None:
        meet = _confirmed(meet, symbol, first, second)
        if meet is None:
            return None
    pair = np.argwhere(meet)[0]
    location = tuple(
        _common(left, a.shape, right, b.shape, symbol, int(pair[0]), int(pair[1]))
        for left, right in zip(coordinates(a), coordinates(b))
    )
    return int(pair[0]), int(pair[1]), location


def _apart(a: Access, b: Access, symbol: Symbol) -> bool:
    """Whether both step along some axis by more than either reaches there: no two iterations meet, however many."""
    for left, right in zip(coordinates(a), coordinates(b)):
        pace = left.start.coefficient(symbol)
        if pace == 0 or right.start.coefficient(symbol) != pace:
            continue
        here = AxisIndex(left.start.without(symbol), left.steps).bounds(a.shape)
        there = AxisIndex(right.start.without(symbol), right.steps).bounds(b.shape)
        if max(there[1] - here[0], here[1] - there[0]) < abs(pace):
            return True
    return False


def _one_axis_each(access: Access) -> bool:
    """Whether no loop index but the outer one, and no dim, moves along two axes at once."""
    movers: set[object] = set()
    for index in coordinates(access):
        here: set[object] = {d for d, s in enumerate(index.steps) if s} | {s for s, _ in index.start.terms}
        if movers & here:
            return False
        movers |= here
    return True


def _reach(index: AxisIndex, shape: tuple[int, ...], symbol: Symbol) -> np.ndarray:
    """All positions on one axis in one iteration, the part that moves with `symbol` left out, sorted."""
    start: Affine = index.start.without(symbol)
    values = np.array([start.constant])
    for other, coefficient in start.terms:
        values = np.unique(np.add.outer(values, coefficient * np.arange(other.trips)))
    for step, count in zip(index.steps, shape):
        if step:
            values = np.unique(np.add.outer(values, step * np.arange(count)))
    return values


def _in(distance: np.ndarray, right: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Where `distance` is a difference `r - l` of two positions."""
    low, high = right[0] - left[-1], right[-1] - left[0]
    possible = np.zeros(int(high - low) + 1, bool)
    if right.size * left.size <= 1 << 20:
        possible[(np.subtract.outer(right, left) - low).ravel()] = True
    else:
        inside = np.zeros(int(right[-1] - right[0]) + 1, bool)
        inside[right - right[0]] = True
        mirror = np.zeros(int(left[-1] - left[0]) + 1, bool)
        mirror[left[-1] - left] = True
        possible = np.convolve(inside.astype(np.float64), mirror.astype(np.float64)) > 0.5
    within = (distance >= low) & (distance <= high)
    return within & possible[np.clip(distance - low, 0, possible.size - 1)]


def _runs(mask: Mask | None, symbol: Symbol, iteration: np.ndarray) -> np.ndarray:
    """Where the mask, as far as it depends on `symbol` alone, lets the instruction run."""
    runs = np.ones(iteration.shape, bool)
    for comparison in mask.comparisons if mask is not None else ():
        if not any(comparison.steps) and comparison.base.symbols == (symbol,):
            runs &= comparison.passes(comparison.base.constant + comparison.base.coefficient(symbol) * iteration)
    return runs


def _confirmed(meet: np.ndarray, symbol: Symbol, first: Use, second: Use) -> np.ndarray | None:
    """The pairs that still meet under the masks: the boxes they leave in both iterations are compared.

    A mask that leaves no box, or depends on further loops, is not judged: nothing is claimed then.
    """
    for i, k in np.argwhere(meet)[:64]:
        boxes = []
        for use, number in ((first, int(i)), (second, int(k))):
            mask = use.instruction.mask
            access = use.access
            if mask is not None:
                decided = mask.substitute(symbol, Affine(number)).simplified()
                if decided is not None and access.shape != use.instruction.written()[0].shape:
                    return None
                box = None if decided is None else decided.box(access.shape)
                if decided is not None and box is None:
                    return None
                access = access if box is None else access.restricted(box)
            boxes.append(access)
        left, right = boxes
        if 0 in (left.size, right.size):
            continue
        meets = True
        for x, y in zip(coordinates(left), coordinates(right)):
            distance = np.array([x.start.coefficient(symbol) * int(i) - y.start.coefficient(symbol) * int(k)])
            meets = meets and bool(_in(distance, _reach(y, right.shape, symbol), _reach(x, left.shape, symbol))[0])
        if meets:
            only = np.zeros_like(meet)
            only[i, k] = True
            return only
    return None


def _common(
    left: AxisIndex,
    left_shape: tuple[int, ...],
    right: AxisIndex,
    right_shape: tuple[int, ...],
    symbol: Symbol,
    i: int,
    k: int,
) -> int:
    here = _reach(left, left_shape, symbol) + left.start.coefficient(symbol) * i
    there = _reach(right, right_shape, symbol) + right.start.coefficient(symbol) * k
    return int(np.intersect1d(here, there)[0])


def _uses(nodes: tuple[Node, ...]) -> Iterator[Use]:
    for node in nodes:
        if isinstance(node, Loop):
            yield from _uses(node.body)
            continue
        accumulates = node.is_accumulation
        written = node.written()
        # The order of what engines keep in registers is the author's business.
        registers = {getattr(node, name) for name in node.registers}
        for access in written:
            if access not in registers:
                yield Use(node, access, True, accumulates)
        for access in node.reads():
            if access in registers:
                continue
            yield Use(node, access, False, accumulates and access in written)


def _made_inside(loop: Loop) -> Iterator[str]:
    yield from (buffer.name for buffer in loop.buffers)
    for node in loop.body:
        if isinstance(node, Loop):
            yield from _made_inside(node)

"""Iterations that must not depend on each other: those of an `affine_range`, and the instances of a launch grid.

Two of them may not write one location, and in an `affine_range` none may read what another writes; associative
accumulation (`acc += ...`) is excepted, and so is a grid of instances that all do the very same. Whether they do is
decided from the access patterns and the masks alone (`meeting.py`), whatever the sizes. What cannot be decided, a
dynamic index for one, is refused nowhere: `judged` says which pairs of accesses that leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jnki.access.affine import Symbol
from jnki.analysis.meeting import meeting
from jnki.analysis.verdict import Meeting, Use, Verdict
from jnki.errors import RuleError
from jnki.program.program import DeviceLoop, Loop, LoopKind, Node, instructions, made_in

# Their iterations come one after another.
_IN_ORDER = (LoopKind.SEQUENTIAL, LoopKind.DEVICE, LoopKind.FOUND)


@dataclass(frozen=True)
class Judged:
    """Two uses of one buffer in a parallel loop that may not meet, and whether they do."""

    loop: Loop
    first: Use
    second: Use
    meeting: Meeting


def check_dependencies(nodes: tuple[Node, ...]) -> None:
    """No two iterations of a parallel loop in this block are known to depend on each other.

    Raises:
        RuleError: `err_unexpected_output_dependencies` for two writes, `affine_range.no_carried_dep` for a read of
            what another iteration writes; naming both iterations and the location.
    """
    for pair in judged(nodes):
        if pair.meeting.verdict is Verdict.CLASH:
            raise _refusal(pair)


def judged(
    nodes: tuple[Node, ...], outer: frozenset[Symbol] = frozenset(), *, instances_read: bool = True
) -> Iterator[Judged]:
    """Every pair of uses that may not meet in different iterations of a parallel loop, inner loops first.

    Args:
        outer: indices of the loops around these nodes.
        instances_read: whether an instance of the launch grid may read what another one writes.
    """
    for node in nodes:
        if isinstance(node, Loop):
            yield from judged(node.body, outer | {node.symbol}, instances_read=instances_read)
            if node.kind not in _IN_ORDER:
                yield from _judged_in(node, outer, instances_read)
        elif isinstance(node, DeviceLoop):
            yield from judged(node.body, outer, instances_read=instances_read)


def _judged_in(loop: Loop, outer: frozenset[Symbol], instances_read: bool) -> Iterator[Judged]:
    local = set(made_in(loop))
    if loop.kind is LoopKind.GRID and _are_one(loop, local):
        return
    uses: dict[str, list[Use]] = {}
    for use in _uses(loop.body):
        if use.access.buffer.name not in local:
            uses.setdefault(use.access.buffer.name, []).append(use)
    for found in uses.values():
        for number, first in enumerate(found):
            for second in found[number:]:
                if _may_not_meet(loop, first, second, instances_read):
                    yield Judged(loop, first, second, meeting(loop.symbol, first, second, outer))


def _are_one(loop: Loop, local: set[str]) -> bool:
    """Whether all instances of a grid do the very same, so that any number of them does what one does.

    None has the number of another in it, and none finds anything else than the first one did.
    """
    body = list(instructions(loop.body))
    read = {access.buffer.name for node in body for access in node.reads()}
    written = {access.buffer.name for node in body for access in node.written()}
    return not ((read & written) - local) and all(loop.symbol not in node.symbols for node in body)


def _may_not_meet(loop: Loop, first: Use, second: Use, instances_read: bool) -> bool:
    if not (first.is_write or second.is_write) or (first.accumulates and second.accumulates):
        return False
    return (first.is_write and second.is_write) or loop.kind is not LoopKind.GRID or not instances_read


def _refusal(pair: Judged) -> RuleError:
    loop, first, second, found = pair.loop, pair.first, pair.second, pair.meeting
    what = f"tensor '{first.access.buffer.name}'"
    if found.location is not None:
        what += f" at {list(found.location)}"
    i, k = (f"{loop.symbol}={'?' if n is None else n}" for n in (found.first, found.second))
    if first.is_write and second.is_write:
        who = "instances of the launch grid" if loop.kind is LoopKind.GRID else f"iterations of an {loop.kind.value}"
        return RuleError(
            "err_unexpected_output_dependencies",
            f"two {who} write one location",
            given=f"{i} and {k} both write {what}",
            allowed="an index that tells the iterations apart"
            + ("" if loop.kind is LoopKind.GRID else ", or nl.sequential_range"),
            at=second.instruction.location,
        )
    return RuleError(
        "affine_range.no_carried_dep",
        "an iteration of an affine_range reads what another one writes",
        given=f"{i} and {k} meet at {what}",
        allowed="nl.sequential_range; or an accumulation such as acc += value",
        at=second.instruction.location,
    )


def _uses(nodes: tuple[Node, ...]) -> Iterator[Use]:
    for node in nodes:
        if isinstance(node, Loop):
            yield from _uses(node.body)
            continue
        if isinstance(node, DeviceLoop):
            yield from _uses((node.head, *node.body))
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

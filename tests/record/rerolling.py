"""Re-rolling held to what it promises: unrolled again, it is the recording, and tensors keep what was put in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from unittest import mock

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.mask import Mask
from jnki.program.program import DeviceLoop, Loop, LoopKind, instructions
from jnki.record.reroll import reroll


@dataclass
class Rerolled:
    """A body before and after the pass."""

    before: tuple
    after: tuple

    @property
    def loops(self) -> int:
        return sum(1 for node in every_node(self.after) if isinstance(node, Loop) and node.kind is LoopKind.FOUND)


@contextmanager
def rerolling(short: int = 0, least_saved: int = 1) -> Iterator[list[Rerolled]]:
    """Inside, whatever is recorded is re-rolled, however short, and checked."""
    seen: list[Rerolled] = []

    def checked(body, buffers, fixed):
        after, left = reroll.rerolled(body, buffers, fixed, short, least_saved)
        assert difference(body, after, left) is None
        seen.append(Rerolled(body, after))
        return after, left

    with mock.patch("jnki.kernel.recording.rerolled", checked):
        yield seen


@contextmanager
def not_rerolling() -> Iterator[None]:
    """Inside, recordings stay as they are."""
    with mock.patch("jnki.kernel.recording.rerolled", lambda body, buffers, fixed: (body, buffers)):
        yield


def every_node(nodes):
    for node in nodes:
        yield node
        if isinstance(node, Loop):
            yield from every_node(node.body)


def difference(before, after, buffers) -> str | None:
    """Where the loops of `after`, unrolled, are not `before`; None where they are."""
    return _Comparison().nodes(before, after, {b.name: (b, object()) for b in buffers}, {})


class _Comparison:
    """Follows which tensor of the recording is in which place of a buffer, instruction by instruction."""

    def __init__(self):
        self.holds = {}
        self.seen = set()

    def nodes(self, before, after, scope, renamed):
        unrolled = self.unrolled(after, scope, {})
        for number, one in enumerate(before):
            other, scope, values = next(unrolled, (None, None, None))
            problem = f"{one} is not {other}"
            if type(one) is not type(other):
                return problem
            if isinstance(one, Loop):
                if (one.symbol.trips, one.kind, one.location) != (other.symbol.trips, other.kind, other.location):
                    return problem
                inner = {**scope, **{b.name: (b, object()) for b in other.buffers}}
                body = substituted(other.body, {**values, other.symbol: Affine.of(one.symbol)})
                found = self.nodes(one.body, body, inner, renamed)
                if found is not None:
                    return found
            elif isinstance(one, DeviceLoop):
                if (one.symbol, one.location) != (other.symbol, other.location):
                    return problem
                inner = {**scope, **{b.name: (b, object()) for b in other.buffers}}
                heads = substituted((other.head,), values)
                found = None if self.same(one.head, heads[0], inner) else problem
                found = found or self.nodes(one.body, substituted(other.body, values), inner, renamed)
                if found is not None:
                    return found
            elif not self.same(one, substituted((other,), values)[0], scope):
                return f"{number}: {problem}"
        return None if next(unrolled, None) is None else "more than the recording"

    def unrolled(self, nodes, scope, values):
        for node in nodes:
            if isinstance(node, Loop) and node.kind is LoopKind.FOUND:
                for trip in range(node.symbol.trips):
                    inner = {**scope, **{b.name: (b, object()) for b in node.buffers}}
                    yield from self.unrolled(node.body, inner, {**values, node.symbol: Affine(trip)})
            else:
                yield node, scope, values

    def same(self, one, other, scope):
        if one.location != other.location or one.unrolled != other.unrolled:
            return False
        reads = {id(a) for a in one.reads()}
        written = [f.name for f in fields(one) if f.name in one.writes]
        names = sorted((f.name for f in fields(one)), key=lambda name: name in written)
        for name in names:
            left, right = getattr(one, name), getattr(other, name)
            if isinstance(left, Access):
                fills = name in written and id(left) not in reads and _fills(one, left)
                if not self.same_access(left, right, scope, fills):
                    return False
            elif isinstance(left, Mask):
                if not isinstance(right, Mask) or left.comparisons != right.comparisons:
                    return False
            elif left != right:
                return False
        return True

    def same_access(self, one, other, scope, fills):
        place, buffer = 0, other.buffer
        if buffer.shape != one.buffer.shape:
            if buffer.shape[1:] != one.buffer.shape or scope[buffer.name][0].shape[0] != buffer.shape[0]:
                return False
            moved = other.offset - one.offset
            place, rest = divmod(moved.constant, one.buffer.size)
            if moved.terms or rest or not 0 <= place < buffer.shape[0]:
                return False
        elif other.offset != one.offset:
            return False
        if (one.dims, one.blocks, one.unchecked, one.dtype) != (other.dims, other.blocks, other.unchecked, other.dtype):
            return False
        if one.indirect is not None:
            if replace(one.indirect, index=None) != replace(other.indirect, index=None):
                return False
            if not self.same_access(one.indirect.index, other.indirect.index, scope, False):
                return False
        if buffer.name not in scope:  # a parameter, or made by a loop around this block
            return buffer == one.buffer
        # What is read is what was put there, and a tensor begins in a new place, or overwrites all of an old one.
        where, name = (scope[buffer.name][1], place), one.buffer.name
        held = self.holds.get(where)
        if held != name and (name in self.seen or not (held is None or fills)):
            return False
        self.holds[where] = name
        self.seen.add(name)
        return True


def substituted(nodes, values):
    """The nodes with loop indices replaced. Masks stay as they are, decided or not."""
    result = []
    for node in nodes:
        if isinstance(node, Loop):
            result.append(replace(node, body=substituted(node.body, values)))
            continue
        changes = {}
        for f in fields(node):
            value = getattr(node, f.name)
            if f.name == "unrolled":
                told = ((depth, name, _at(Affine.of(n), values)) for depth, name, n in value)
                changes[f.name] = tuple((depth, name, n if n.terms else n.constant) for depth, name, n in told)
            elif hasattr(value, "substitute"):
                for symbol, index in values.items():
                    value = value.substitute(symbol, index)
                changes[f.name] = value
        result.append(replace(node, **changes))
    return tuple(result)


def _at(value, values):
    for symbol, index in values.items():
        value = value.substitute(symbol, index)
    return value


def _fills(instruction, access):
    direct = all(a.indirect is None for a in instruction.operands().values())
    return direct and instruction.mask is None and not instruction.reads_destination and access.is_whole


def size_of(nodes) -> int:
    """How many lines they take."""
    return sum(1 for _ in every_node(nodes))


def count(nodes) -> int:
    return sum(1 for _ in instructions(nodes))

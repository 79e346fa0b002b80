"""An instruction, or a loop, as three parts: its structure, its numbers, and the tensors that it names.

Two nodes of one structure do the same in the same way, on other places or other tensors. What differs can be compared,
and put back:

    encode(node)  ->  key, [numbers], [tensors]
    rebuild(node, numbers, tensors)  ->  a node of the same structure with these

Numbers are the constants of affine expressions (starts of accesses, index by index; masks; iterations that a fault
tells). The terms, which speak of the indices of loops around, are structure.
"""

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.access.buffer import Place as OnChip
from jnki.access.coordinates import split
from jnki.access.index import IndexValue
from jnki.access.mask import Mask
from jnki.isa.constants import exact
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, Node

# Where a tensor is now: its buffer's name; of how many such tensors the buffer is a stack (0: it is none); its place in
# it; and where its author has put the buffer on chip.
Place = tuple[str, int, Affine, tuple[OnChip, ...]]


@lru_cache(maxsize=1024)
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.name != "unrolled")


class Encoded:
    """What one node is, in its three parts."""

    def __init__(self, movable: dict[str, int], located: bool = True):
        """
        Args:
            movable: numbers of the tensors that are told apart from the structure, by name; all others are part of it.
            located: whether lines are part of the structure.
        """
        self._movable = movable
        self._located = located
        self._depth: dict[Symbol, int] = {}
        self._inner: dict[str, tuple[int, int]] = {}
        self.numbers: list[int] = []
        self.tensors: list[int] = []

    def node(self, node: Node) -> Any:
        """The structure of `node`, hashable; its numbers and tensors are appended to this object's."""
        if isinstance(node, Loop):
            depth = len(self._depth)
            self._depth[node.symbol] = depth
            for number, buffer in enumerate(node.buffers):
                self._inner[buffer.name] = depth, number
            made = tuple((b.space, b.shape, b.dtype, b.partition_axis) for b in node.buffers)
            body = tuple(self.node(inner) for inner in node.body)
            del self._depth[node.symbol]
            location = node.location if self._located else None
            return Loop, node.symbol.trips, node.symbol.found, node.kind, location, made, body
        if isinstance(node, DeviceLoop):
            # What it uses is not movable, and two of them are never one structure: each has a symbol of its own.
            return DeviceLoop, node
        # Printing is in order and tells names: it is like nothing else.
        key: list[Any] = [type(node), node if node.has_side_effect else None]
        values: dict[str, Any] = vars(node)
        which: Any = type(node)
        for name in _fields(which):
            value = values[name]
            if name == "location" and not self._located:
                continue
            kind = type(value)
            if kind is Access:
                value = self._access(value)
            elif kind is Mask:
                value = tuple((self._affine(c.base), c.steps, c.shape, c.test) for c in value.comparisons)
            elif kind is IndexValue:
                value = self._affine(value.base), value.steps, value.shape
            elif kind in (bool, int, float):
                value = exact(value)
            key.append(value)
        for around, told, count in node.unrolled:
            key.append((around, told, self._affine(Affine.of(count))))
        return tuple(key)

    def _access(self, access: Access) -> Any:
        buffer = access.buffer
        self.numbers.extend(split(access.offset.constant, buffer.strides))
        indirect: Any = access.indirect
        if indirect is not None:
            index = self._access(indirect.index)
            kind = indirect.is_vector, indirect.walks_axis, indirect.columns
            indirect = index, indirect.step, indirect.axis, indirect.size, *kind
        unchecked = tuple((self._affine(b.base), b.steps, b.axis, b.size) for b in access.unchecked)
        return (
            self._buffer(buffer),
            self._terms(access.offset),
            access.dims,
            indirect,
            unchecked,
            access.blocks,
        )

    def _buffer(self, buffer: Buffer) -> Any:
        number = self._movable.get(buffer.name)
        if number is not None:
            self.tensors.append(number)
            name: Any = None
        else:
            name = self._inner.get(buffer.name, buffer.name)
        return name, buffer.space, buffer.shape, buffer.dtype, buffer.partition_axis

    def _affine(self, value: Affine) -> Any:
        self.numbers.append(value.constant)
        return self._terms(value)

    def _terms(self, value: Affine) -> Any:
        if not value.terms:
            return ()
        return frozenset((self._depth.get(symbol, symbol), factor) for symbol, factor in value.terms)


class Rebuilt:
    """Nodes with other numbers and tensors, which are taken in the order in which `Encoded` gives them."""

    def __init__(self, numbers: Iterator[Affine], places: Iterator[Place], movable: dict[str, int]):
        """`movable`: as it was for `Encoded`."""
        self._numbers = numbers
        self._places = places
        self._movable = movable

    def node(self, node: Node) -> Node:
        if isinstance(node, DeviceLoop):
            return node
        if isinstance(node, Loop):
            return dataclasses.replace(node, body=tuple(self.node(inner) for inner in node.body))
        changes: dict[str, Any] = {}
        kind: Any = type(node)
        for name in _fields(kind):
            match getattr(node, name):
                case Access() as access:
                    changes[name] = self._access(access)
                case Mask() as mask:
                    changes[name] = Mask(
                        tuple(dataclasses.replace(c, base=self._affine(c.base)) for c in mask.comparisons)
                    )
                case IndexValue() as index:
                    changes[name] = dataclasses.replace(index, base=self._affine(index.base))
        if node.unrolled:
            told = ((depth, name, self._affine(Affine.of(number))) for depth, name, number in node.unrolled)
            changes["unrolled"] = tuple((d, n, v.constant if v.is_constant else v) for d, n, v in told)
        made: Instruction = dataclasses.replace(node, **changes)
        return made

    def _access(self, access: Access) -> Access:
        start = Affine(0, access.offset.terms)
        for stride in access.buffer.strides:
            start = start + next(self._numbers) * stride
        if not access.buffer.strides:
            start = access.offset
        indirect = access.indirect
        if indirect is not None:
            indirect = dataclasses.replace(indirect, index=self._access(indirect.index))
        unchecked = tuple(dataclasses.replace(b, base=self._affine(b.base)) for b in access.unchecked)
        buffer = access.buffer
        if buffer.name in self._movable:
            name, count, place, on_chip = next(self._places)
            start = start + place * buffer.size
            buffer = stacked(buffer, name, count, on_chip)
        return Access(buffer, start, access.dims, indirect, unchecked, access.blocks)

    def _affine(self, value: Affine) -> Affine:
        return Affine(0, value.terms) + next(self._numbers)


def stacked(buffer: Buffer, name: str, count: int, on_chip: tuple[OnChip, ...] = ()) -> Buffer:
    """`count` such tensors in one buffer, one after the other on a new first axis; the tensor itself where it is 0.

    Args:
        on_chip: where the buffer is, if its author has put all its tensors in the same place.
    """
    if not count:
        return dataclasses.replace(buffer, name=name, places=on_chip)
    axis = buffer.partition_axis + 1 if buffer.space.on_chip else 0
    return dataclasses.replace(buffer, name=name, shape=(count, *buffer.shape), partition_axis=axis, places=())

"""The pass that finds the loops of a recording again, whoever unrolled them.

Unrolled, what it gives is the recording: the same instructions on the same elements in the same order. It takes time
that grows with the length of the recording.
"""

import functools
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.access.buffer import Place as OnChip
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Loop, LoopKind, Node, instructions, made_in
from jnki.record.reroll.codec import Encoded, Place, Rebuilt, stacked
from jnki.record.reroll.fold import Folding, Item
from jnki.record.reroll.storage import Storage

# Fewer instructions stay as they were recorded: people read their listings, and there is little to gain.
SHORT = 12
# A loop has a price of its own, and must leave this many nodes fewer.
LEAST_SAVED = 6


def rerolled(
    body: tuple[Node, ...],
    buffers: tuple[Buffer, ...],
    fixed: Collection[str],
    short: int = SHORT,
    least_saved: int = LEAST_SAVED,
) -> tuple[tuple[Node, ...], tuple[Buffer, ...]]:
    """A finished recording with the loops that it repeats, and the buffers that are still made outside of them.

    Args:
        body, buffers: what was recorded, and made outside of any loop.
        fixed: names of buffers that are seen from outside: the kernel's outputs.
        short: a recording of fewer instructions stays as it is.
        least_saved: how many fewer nodes a loop must leave.
    """
    if sum(1 for _ in islice(instructions(body), short)) < short:
        return body, buffers
    stays = set(fixed)
    for instruction in instructions(body):
        # A fault tells the tensor that was indexed.
        stays.update(a.buffer.name for a in instruction.operands().values() if a.indirect is not None)
    stays.update(_used_on_device(body))
    return _Reroller(stays, least_saved).block(body, buffers, 0)


class _Reroller:
    def __init__(self, fixed: set[str], least_saved: int):
        self._fixed = fixed
        self.least_saved = least_saved
        self._loops = 0

    def block(
        self, nodes: tuple[Node, ...], buffers: tuple[Buffer, ...], depth: int
    ) -> tuple[tuple[Node, ...], tuple[Buffer, ...]]:
        """One block, the loops in it first.

        Args:
            depth: how many loops are around it.
        """
        nodes = tuple(self._inside(n, depth) if isinstance(n, (Loop, DeviceLoop)) else n for n in nodes)
        if len(nodes) < 2:
            return nodes, buffers
        return _Block(self, nodes, buffers, depth).result()

    def _inside(self, loop: Loop | DeviceLoop, depth: int) -> Loop | DeviceLoop:
        body, buffers = self.block(loop.body, loop.buffers, depth + 1)
        return replace(loop, body=body, buffers=buffers)

    def is_fixed(self, name: str) -> bool:
        return name in self._fixed

    def new_symbol(self, trips: int) -> Symbol:
        symbol = Symbol(f"r{self._loops}", trips, found=True)
        self._loops += 1
        return symbol


class _Block:
    """One block while it is folded."""

    def __init__(self, rolls: _Reroller, nodes: tuple[Node, ...], buffers: tuple[Buffer, ...], depth: int):
        self._rolls = rolls
        self._buffers = buffers
        self._storage = Storage()
        self._movable: dict[str, int] = {}
        self._names: list[Buffer] = []
        uses = _Uses(nodes)
        self._end = uses.end
        for buffer in buffers:
            self._add(buffer, uses)
        structures: dict[object, int] = {}
        items = []
        for node, (start, end) in zip(nodes, uses.spans):
            encoded = Encoded(self._movable)
            key = encoded.node(node)
            number = structures.setdefault(key, len(structures))
            inside = _depth(node)
            items.append(Item(number, tuple(encoded.numbers), tuple(encoded.tensors), start, end, inside, node))
        folding = Folding(self._storage, structures, self._alive(uses), depth, rolls.least_saved)
        self._items = folding.fold(items)
        self._is_shorter = len(self._items) < len(nodes)
        self._nodes = nodes

    def _add(self, buffer: Buffer, uses: "_Uses") -> None:
        used = uses.times.get(buffer.name)
        if used is None or self._rolls.is_fixed(buffer.name) or not uses.keeps_size(buffer):
            return
        kind = buffer.space, buffer.shape, buffer.dtype, buffer.partition_axis
        self._movable[buffer.name] = self._storage.add(kind, *used, renewed=buffer.name in uses.renewed)
        self._names.append(buffer)

    def _alive(self, uses: "_Uses") -> np.ndarray:
        change = np.zeros(uses.end + 2, np.int64)
        for name in self._movable:
            first, last = uses.times[name]
            change[first + 1] += 1
            change[last + 1] -= 1
        return np.cumsum(change)

    def result(self) -> tuple[tuple[Node, ...], tuple[Buffer, ...]]:
        if not self._is_shorter:
            return self._nodes, self._buffers
        own = set(_roots_inside(self._items))
        nodes = tuple(
            self._emitted(item, [Affine(n) for n in item.numbers], [(t, Affine()) for t in item.tensors])
            for item in self._items
        )
        kept = {self._storage.find(t)[0] for item in self._items for t in item.tensors} - own
        moved = [self._home(root) for root in sorted(kept)]
        return nodes, (*(b for b in self._buffers if b.name not in self._movable), *moved)

    def _home(self, root: int) -> Buffer:
        """The buffer that holds the tensors of this root."""
        return stacked(self._names[root], self._names[root].name, self._count(root), self._on_chip[root])

    @functools.cached_property
    def _on_chip(self) -> dict[int, tuple[OnChip, ...]]:
        """Where the buffer of each root is on chip, if the kernel's author has put all its tensors in one place."""
        found: dict[int, set[tuple[OnChip, ...]]] = {}
        for tensor, buffer in enumerate(self._names):
            found.setdefault(self._storage.find(tensor)[0], set()).add(buffer.places)
        return {root: places.pop() if len(places) == 1 else () for root, places in found.items()}

    def _count(self, root: int) -> int:
        size = self._storage.size(root)
        return size if size > 1 else 0

    def _emitted(self, item: Item, numbers: list[Affine], tensors: list[tuple[int, Affine]]) -> Node:
        if item.node is not None:
            return Rebuilt(iter(numbers), self._places(tensors), self._movable).node(item.node)
        symbol = self._rolls.new_symbol(item.trips)
        index = Affine.of(symbol)
        values = iter([n + index * step for n, step in zip(numbers, item.steps)])
        others, moves = iter(tensors), iter(item.places)
        body = []
        for inner in item.body:
            named = []
            for tensor in inner.tensors:
                move = next(moves)
                if self._storage.find(tensor)[0] in item.own:
                    named.append((tensor, Affine()))
                else:
                    outer, place = next(others)
                    named.append((outer, place + index * move))
            body.append(self._emitted(inner, list(islice(values, len(inner.numbers))), named))
        buffers = tuple(self._home(root) for root in sorted(item.own))
        return Loop(symbol, LoopKind.FOUND, tuple(body), buffers)

    def _places(self, tensors: list[tuple[int, Affine]]) -> Iterator[Place]:
        for tensor, moved in tensors:
            root, place = self._storage.find(tensor)
            yield self._names[root].name, self._count(root), moved + place, self._on_chip[root]


def _roots_inside(items: list[Item] | tuple[Item, ...]) -> Iterator[int]:
    for item in items:
        yield from item.own
        yield from _roots_inside(item.body)


class _Uses:
    """When each buffer is used: a node reads at an even number, and writes at the next odd one.

    A loop uses what it uses all the time.

    Attributes:
        times: the first and the last use, by name.
        spans: of each node of the block, the first and the last moment.
        renewed: names of buffers that their first use overwrites whole.
        end: a moment after all.
    """

    def __init__(self, nodes: tuple[Node, ...]):
        self.times: dict[str, tuple[int, int]] = {}
        self.spans: list[tuple[int, int]] = []
        self.renewed: set[str] = set()
        self._resized: set[str] = set()
        self._bytes: dict[str, int] = {}
        for time, node in enumerate(nodes):
            self.spans.append((2 * time, 2 * time + 1))
            if isinstance(node, (Loop, DeviceLoop)):
                self._loop(node, 2 * time)
            else:
                self._instruction(node, 2 * time)
        self.end = 2 * len(nodes)

    def _instruction(self, instruction: Instruction, time: int) -> None:
        read = {a.buffer.name for a in instruction.reads()}
        for access in instruction.reads():
            self._use(access, time, time)
        for access in instruction.written():
            name = access.buffer.name
            if name not in self.times and name not in read and _fills(instruction, access):
                self.renewed.add(name)
            self._use(access, time + 1, time + 1)

    def _loop(self, loop: Loop | DeviceLoop, time: int) -> None:
        for instruction in instructions((loop,)):
            for operand in instruction.operands().values():
                for access in operand.accesses():
                    self._use(access, time, time + 1)

    def keeps_size(self, buffer: Buffer) -> bool:
        return self._bytes.get(buffer.name) == buffer.size_bytes and buffer.name not in self._resized

    def _use(self, access: Access, first: int, last: int) -> None:
        buffer = access.buffer
        known = self.times.get(buffer.name)
        self.times[buffer.name] = (first, last) if known is None else (min(known[0], first), max(known[1], last))
        if self._bytes.setdefault(buffer.name, buffer.size_bytes) != buffer.size_bytes:
            self._resized.add(buffer.name)


def _fills(instruction: Instruction, access: Access) -> bool:
    """Whether the instruction overwrites all of the buffer, whatever was in it."""
    if instruction.mask is not None or instruction.reads_destination or not access.is_whole:
        return False
    return all(operand.indirect is None for operand in instruction.operands().values())


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, node.body), default=0) if isinstance(node, (Loop, DeviceLoop)) else 0


def _used_on_device(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Names of the tensors from outside that loops on the device use: such a loop is like nothing else, and stays."""
    for node in nodes:
        if isinstance(node, DeviceLoop):
            inside = instructions((node,))
            used = {a.buffer.name for i in inside for operand in i.operands().values() for a in operand.accesses()}
            yield from used - set(made_in(node))
        if isinstance(node, (Loop, DeviceLoop)):
            yield from _used_on_device(node.body)

"""Long kernels that do not repeat: run node by node, and compiled once for each kind of node.

XLA takes minutes for thousands of instructions in one computation, and as long for each thousand in computations of
their own. But of different instructions there are few: most do what others do, on other tensors at other places. So one
computation is compiled for each structure, which takes the places as numbers:

    add(dst=a, data1=b(128), data2=c)    }    f(numbers=[128], b, c)
    add(dst=d, data1=b(640), data2=a)    }    f(numbers=[640], b, a)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Space
from jnki.isa.registers.loop_head import LoopHead
from jnki.kernel.progress import progress
from jnki.lower.run import run_block
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.program.program import DeviceLoop, Loop, Node, Program, instructions, made_in
from jnki.record.reroll.codec import Encoded, Rebuilt

# With more instructions and loops outside of any loop, a kernel is run in pieces.
LONG = 500


def is_long(program: Program) -> bool:
    """Whether a program has so many nodes that it is run in pieces."""
    return len(program.body) > LONG


Names = tuple[tuple[Space, str], ...]


@dataclass
class _Structure:
    """Nodes that are compiled as one.

    Attributes:
        node, movable: the first one, and its tensors.
        read, written: the tensors that it only reads, and those that it writes.
        may_fault: whether it can fault.
        numbers: those of each node.
    """

    node: Node
    movable: dict[str, int]
    read: Names
    written: Names
    may_fault: bool
    numbers: list[tuple[int, ...]]

    def compiled(self) -> tuple[Any, Any]:
        """A function of numbers, arrays and a fault record, to the arrays that are written and a fault record.

        The second one may overwrite the arrays that are written (`old`); the first one leaves them as they are.
        """
        columns = np.array(self.numbers, np.int64).reshape(len(self.numbers), -1)
        low, high = columns.min(axis=0).tolist(), columns.max(axis=0).tolist()
        symbols = [Symbol(f"n{n}", b - a + 1) for n, (a, b) in enumerate(zip(low, high))]
        values = [Affine(a, ((s, 1),)) if s.trips > 1 else Affine(a) for a, s in zip(low, symbols)]
        lowest = np.array(low, np.int64)
        own = {name: f"t{number}" for name, number in self.movable.items()}
        by_number = dict(zip(self.movable.values(), own.values()))
        order = Encoded(self.movable)
        order.node(self.node)
        places = ((by_number[number], 0, Affine(), ()) for number in order.tensors)
        node = Rebuilt(iter(values), places, self.movable).node(self.node)
        written = [(space, own.get(name, name)) for space, name in self.written]
        read = [(space, own.get(name, name)) for space, name in self.read]

        def run(numbers: Any, old: Any, arrays: Any, fault: Fault | None) -> Any:
            at = (
                NO_LOOPS
                if numbers is None
                else Loops(tuple((s, numbers[n] - lowest[n]) for n, s in enumerate(symbols)))
            )
            held = {name: array for name, array in zip((*written, *read), (*old, *arrays)) if array is not None}
            memory = run_block((node,), DeviceMemory(held, Fault() if fault is None else fault), at)
            return tuple(memory.array(space, name) for space, name in written), None if fault is None else memory.fault

        return jax.jit(run), jax.jit(run, donate_argnums=1)


class Pieces:
    """Runs the body of a program on a memory."""

    def __init__(self, program: Program):
        self._name = program.name
        found: dict[Any, _Structure] = {}
        self._calls: list[tuple[_Structure, Any, Names, Names]] = []
        for node in program.body:
            self._add(node, found)
        self._structures = len(found)
        functions = {id(structure): structure.compiled() for structure in found.values()}
        self._functions = [functions[id(structure)] for structure, *_ in self._calls]
        outputs = {access.buffer.name for access in program.outputs}
        self._gone = [[n for n in names if n[1] not in outputs] for names in self._last_uses()]

    def _add(self, node: Node, found: dict[Any, _Structure]) -> None:
        inside = list(instructions((node,)))
        made = set(made_in(node)) if isinstance(node, (Loop, DeviceLoop)) else set()
        names, written = dict[tuple[Space, str], None](), dict[tuple[Space, str], None]()
        for instruction in inside:
            for operand in instruction.operands().values():
                names.update(((a.buffer.space, a.buffer.name), None) for a in operand.accesses())
            written.update(((a.buffer.space, a.buffer.name), None) for a in instruction.written())
        changed = tuple(n for n in written if n[1] not in made)
        only_read = tuple(n for n in names if n[1] not in made and n not in written)
        # A fault tells names, lines and iterations, and a print tells names.
        is_loop = isinstance(node, (Loop, DeviceLoop))
        tells = isinstance(node, DeviceLoop) or any(i.may_fault or i.has_side_effect for i in inside)
        movable = {} if tells else {name: number for number, (_, name) in enumerate((*changed, *only_read))}
        encoded = Encoded(movable, located=tells)
        key: Any = encoded.node(node), tuple(encoded.tensors)
        numbers = tuple(encoded.numbers)
        is_fixed = tells or is_loop
        if is_fixed:
            key = (*key, numbers)
        # A loop that a fault ends must know of one that was before.
        may_fault = any(i.may_fault or (isinstance(i, LoopHead) and i.is_open_ended) for i in inside)
        structure = found.setdefault(key, _Structure(node, movable, only_read, changed, may_fault, []))
        structure.numbers.append(numbers)
        self._calls.append((structure, None if is_fixed else np.array(numbers, np.int32), changed, only_read))

    def _last_uses(self) -> Iterator[list[tuple[Space, str]]]:
        """For each call, the tensors that nothing uses after it."""
        used = [(*written, *read) for _, _, written, read in self._calls]
        last = {name: n for n, names in enumerate(used) for name in names}
        for n, names in enumerate(used):
            yield [name for name in names if last[name] == n]

    def __call__(self, memory: DeviceMemory) -> DeviceMemory:
        arrays, fault, done = dict(memory.arrays), memory.fault, 0
        # What the caller has is the caller's; what a piece makes, the next one may overwrite.
        is_traced = any(isinstance(array, jax.core.Tracer) for array in jax.tree.leaves(memory))
        theirs = set(arrays)

        def text() -> str:
            return f"kernel {self._name}, {done} of {len(self._calls)} pieces ({self._structures} to compile)"

        with progress(text):
            for (keeping, overwriting), (structure, numbers, written, read), gone in zip(
                self._functions, self._calls, self._gone
            ):
                is_ours = not is_traced and theirs.isdisjoint(written)
                values, found = (overwriting if is_ours else keeping)(
                    numbers,
                    tuple(map(arrays.get, written)),
                    tuple(map(arrays.get, read)),
                    fault if structure.may_fault else None,
                )
                arrays.update(zip(written, values))
                fault = fault if found is None else found
                theirs.difference_update(written)
                for name in gone:
                    arrays.pop(name, None)
                done += 1
        return DeviceMemory(arrays, fault)

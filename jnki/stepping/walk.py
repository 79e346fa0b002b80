"""Running a recorded program one instruction after the other, in the order of its listing, on memory that holds values.

Where a kernel that is `eager` runs its Python, this runs what was recorded: tensors have the names that the listing
has, and loops the indices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.errors import not_modelled
from jnki.isa.instruction import Instruction
from jnki.lower.trim import trimmed
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.gather import read
from jnki.memory.sites import NO_SITE, iterations_of
from jnki.program.program import DeviceLoop, Loop, Node, Program, instructions
from jnki.stepping.kinds import Key, run_on, step_of
from jnki.stepping.shown import text_of


@dataclass(frozen=True)
class Step:
    """An instruction that has run, and memory after it.

    Attributes:
        number: how many ran before it.
        instruction: as it stands in the listing.
        placed: the same with the numbers of this iteration in place of loop indices.
        loops: the loops around it and their iterations, outermost first.
        memory: everything after it, by name: `step.memory.sbuf["tile"]`.
        fault: the first fault so far.
    """

    number: int
    instruction: Instruction
    placed: Instruction
    loops: tuple[tuple[Symbol, int], ...]
    memory: DeviceMemory
    fault: Fault

    @property
    def iterations(self) -> tuple[tuple[str, int], ...]:
        """The iteration of each loop of the source, by name, outermost first."""
        symbols, values = tuple(s for s, _ in self.loops), tuple(v for _, v in self.loops)
        return tuple(iterations_of(symbols, self.instruction.unrolled, values))

    @property
    def line(self) -> str:
        """`file.py:12`, or nothing where the instruction has no line."""
        return self.instruction.location.short() if self.instruction.location is not None else ""

    def written(self) -> dict[str, np.ndarray]:
        """What the instruction has written, by operand; the whole tensor where an index of run time says where."""
        found = {}
        for name, access in self.placed.operands().items():
            if name in self.instruction.writes:
                place = Access.whole(access.buffer) if access.indirect is not None or access.unchecked else access
                found[name] = np.asarray(read(self.memory.get(place.buffer), place, NO_LOOPS))
        return found

    def __str__(self) -> str:
        iterations = ", ".join(f"{name}={number}" for name, number in self.iterations)
        head = f"{self.number}: {self.instruction.listing()}"
        head += f"   # {self.line}" if self.line else ""
        head += f" in {iterations}" if iterations else ""
        lines = [head]
        operands = self.instruction.operands()
        for name, values in self.written().items():
            text = text_of(values, operands[name].dtype, np.zeros(values.shape, bool))
            lines.append("  " + text.replace("\n", "\n  "))
        return "\n".join(lines)


def walk(program: Program, arrays: Mapping[Key, Any]) -> Iterator[Step]:
    """The steps of a program, each run when it is asked for.

    Args:
        arrays: what memory holds at the start.

    Raises:
        NotImplementedError: devices exchange something in it.
    """
    if any(instruction.crosses_devices for instruction in instructions(program.body)):
        raise not_modelled("step by step, a kernel that exchanges data with other devices")
    return _Walk(dict(arrays)).block(program.body, ())


def placed(instruction: Instruction, values: Mapping[Symbol, int]) -> Instruction:
    """An instruction with numbers in place of loop indices."""
    for symbol in instruction.symbols:
        instruction = instruction.substitute(symbol, Affine(values[symbol]))
    return instruction


At = tuple[tuple[Symbol, int], ...]


class _Walk:
    """Memory between two steps."""

    def __init__(self, arrays: dict[Key, Any]):
        self._arrays = arrays
        self._fault = Fault()
        self._number = 0

    def block(self, nodes: tuple[Node, ...], at: At) -> Iterator[Step]:
        for node in nodes:
            match node:
                case Loop():
                    for number in range(node.symbol.trips):
                        self._drop(node)
                        yield from self.block(node.body, (*at, (node.symbol, number)))
                    self._drop(node)
                case DeviceLoop():
                    yield from self._device_loop(node, at)
                case _:
                    yield self._step(node, at)

    def _device_loop(self, loop: DeviceLoop, at: At) -> Iterator[Step]:
        head: Any = placed(loop.head, dict(at))
        state, trips = head.start(self._memory()), 0
        while bool(head.holds(self._memory(), state)):
            if head.most is not None and trips == head.most:
                self._fault = self._fault.or_else(head.too_long(jnp.bool_(True), Loops(at)))
                break
            self._drop(loop)
            self._set(head.enter(self._memory(), state))
            yield from self.block(loop.body, (*at, (loop.symbol, int(head.told(state)))))
            state, trips = head.next(state), trips + 1
        self._drop(loop)

    def _step(self, node: Instruction, at: At) -> Step:
        here = placed(node, dict(at))
        if here.has_side_effect:
            self._set(here.execute(self._memory(), NO_LOOPS))
        else:
            self._run(node, here, at)
        step = Step(self._number, node, here, at, self._memory(), self._fault)
        self._number += 1
        return step

    def _run(self, node: Instruction, here: Instruction, at: At) -> None:
        step = step_of(trimmed(here))
        # Never in place: the steps before this one still have their memory.
        written, fault = run_on(here, step, self._arrays, overwrite=False)
        if fault is not None and int(fault.site) != NO_SITE:
            # Once more, for what its fault says of the tensor, the line and the iteration.
            fault = node.execute(self._memory().with_fault(Fault()), Loops(at)).fault
            self._fault = self._fault.or_else(fault)
        for key, array in zip(step.written, written):
            if array is not None:
                self._arrays[key] = array

    def _drop(self, loop: Loop | DeviceLoop) -> None:
        for buffer in loop.buffers:
            self._arrays.pop((buffer.space, buffer.name), None)

    def _memory(self) -> DeviceMemory:
        return DeviceMemory(dict(self._arrays), self._fault)

    def _set(self, memory: DeviceMemory) -> None:
        self._arrays, self._fault = dict(memory.arrays), memory.fault

"""One compiled computation for each kind of instruction, whatever tensors and places it works on.

A kernel that runs step by step has many instructions and few kinds of them. Compiled, a step rounds as the lowered
program does; and compiled once for each kind, it costs a call:

    add(dst=a, data1=b(128), data2=c)    }    add(dst=t0, data1=t1(n0), data2=t2), with numbers [128]
    add(dst=d, data1=b(640), data2=a)    }                                         with numbers [640]
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Space
from jnki.access.index import IndexValue
from jnki.isa.instruction import Instruction
from jnki.memory import DeviceMemory, Fault, Loops
from jnki.memory.layout import block_of
from jnki.memory.loops import MAX_LOOP_DEPTH

Key = tuple[Space, str]

_INT32_END = 1 << 31


@dataclass(frozen=True)
class Kind:
    """What instructions of one kind have in common.

    Attributes:
        instruction: one of them, with tensors `t0`, `t1`, ... at the places that `symbols` say.
        symbols: what the numbers of each instruction are the values of.
        read, written: the tensors that it only reads, and those that it writes.
    """

    instruction: Instruction
    symbols: tuple[Symbol, ...]
    read: tuple[Key, ...]
    written: tuple[Key, ...]


@dataclass
class Step:
    """One instruction as its kind, its numbers and its tensors.

    Args:
        instruction: without loop indices.
        movable: whether places in it become numbers.
    """

    instruction: Instruction
    movable: bool = True
    numbers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._symbols: list[Symbol] = []
        self._changed: dict[Access, Access] = {}
        used = dict.fromkeys(a for operand in self.instruction.operands().values() for a in operand.accesses())
        keys = dict.fromkeys((a.buffer.space, a.buffer.name) for a in used)
        self._own = {key: f"t{number}" for number, key in enumerate(keys)}
        written = {(a.buffer.space, a.buffer.name) for a in self.instruction.written()}
        # How two places of one tensor lie to each other may decide what an instruction does.
        places = Counter((a.buffer.space, a.buffer.name) for a in used)
        self._fixed = {key for key in written if places[key] > 1}
        self.written = tuple(key for key in keys if key in written)
        self.read = tuple(key for key in keys if key not in written)
        self.kind = self._kind()

    def _kind(self) -> Kind:
        changes: dict[str, Any] = {
            f.name: self._index(value)
            for f in dataclasses.fields(self.instruction)
            if isinstance(value := getattr(self.instruction, f.name), IndexValue)
        }
        alike = dataclasses.replace(self.instruction.map_accesses(self._access), location=None, unrolled=(), **changes)
        read, written = (tuple((s, self._own[s, name]) for s, name in keys) for keys in (self.read, self.written))
        return Kind(alike, tuple(self._symbols), read, written)

    def _access(self, access: Access) -> Access:
        if access not in self._changed:
            key = access.buffer.space, access.buffer.name
            buffer = dataclasses.replace(access.buffer, name=self._own[key], places=())
            offset = access.offset if key in self._fixed or not self.movable else self._offset(access)
            # Bounds were checked when the instruction was made.
            self._changed[access] = dataclasses.replace(access, buffer=buffer, offset=offset, unchecked=())
        return self._changed[access]

    def _offset(self, access: Access) -> Affine:
        """The start of an access, with a number for each axis along which its window has room to move."""
        block = block_of(access) if access.indirect is None and access.size else None
        if block is None:
            return access.offset
        offset = access.offset
        for walk, stride, size in zip(block.axes, access.buffer.strides, access.buffer.shape):
            if walk.extent < size:
                here = walk.start.constant
                offset = offset + Affine(-here * stride, ((self._symbol(here, size - walk.extent + 1), stride),))
        return offset

    def _index(self, index: IndexValue) -> IndexValue:
        here = index.base.constant
        if not self.movable or not 0 <= here < _INT32_END:
            return index
        return IndexValue(Affine.of(self._symbol(here, _INT32_END)), index.steps, index.shape)

    def _symbol(self, value: int, count: int) -> Symbol:
        symbol = Symbol(f"n{len(self.numbers)}", count)
        self.numbers.append(value)
        self._symbols.append(symbol)
        return symbol


def step_of(instruction: Instruction) -> Step:
    """The step that an instruction is."""
    step = Step(instruction)
    # The record of a fault has room for the indices of so many loops.
    if instruction.may_fault and len(step.numbers) > MAX_LOOP_DEPTH:
        return Step(instruction, movable=False)
    return step


def run_step(step: Step, old: tuple[Any, ...], arrays: tuple[Any, ...], overwrite: bool) -> tuple[Any, Fault | None]:
    """What the tensors that an instruction writes hold after it, and its fault where it may have one.

    The fault names no tensor and no line: it is only known whether there is one.

    Args:
        old: what the tensors that it writes held before, None where nothing was written.
        arrays: what the tensors that it reads hold.
        overwrite: whether `old` may be overwritten.
    """
    keeping, overwriting = compiled(step.kind)
    numbers = np.array(step.numbers, np.int32) if step.numbers else None
    written, fault = (overwriting if overwrite else keeping)(numbers, old, arrays)
    return written, fault


def run_on(
    instruction: Instruction, step: Step, arrays: Mapping[Key, Any], overwrite: bool
) -> tuple[tuple[Any, ...], Fault | None]:
    """As `run_step`, on tensors by name: what those that the instruction writes hold after it.

    Args:
        step: what the instruction is.
        overwrite: whether the arrays that it writes may be overwritten.
    """
    old, read = tuple(map(arrays.get, step.written)), tuple(map(arrays.get, step.read))
    try:
        return run_step(step, old, read, overwrite)
    except (ValueError, TypeError, NotImplementedError):
        # What is wrong with it is told of its own line and tensors; and more is modelled where places are known.
        memory = instruction.execute(DeviceMemory(arrays, Fault()))
        return tuple(map(memory.arrays.get, step.written)), memory.fault


@lru_cache(maxsize=4096)
def compiled(kind: Kind) -> tuple[Any, Any]:
    """The computation of a kind: one that leaves what it is given as it is, and one that may overwrite it."""
    may_fault = kind.instruction.may_fault

    def run(numbers: Any, old: Any, arrays: Any) -> Any:
        at = Loops(tuple((symbol, numbers[n]) for n, symbol in enumerate(kind.symbols)))
        held = dict(zip((*kind.written, *kind.read), (*old, *arrays)))
        memory = DeviceMemory({key: array for key, array in held.items() if array is not None}, Fault())
        memory = kind.instruction.execute(memory, at)
        return tuple(map(memory.arrays.get, kind.written)), memory.fault if may_fault else None

    run.__name__ = run.__qualname__ = kind.instruction.name
    return jax.jit(run), jax.jit(run, donate_argnums=1)

"""References by name, for the functional interface: `hbm("table")[sbuf("idx"), :]`.

A reference is static and hashable. It knows no shape; it becomes an `Access` when an instruction meets a memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.basic import DynamicSlice
from jnki.access.buffer import Buffer, Space
from jnki.access.index import Index, IndexValue
from jnki.access.pattern import hardware_pattern
from jnki.access.subscript import subscript
from jnki.dtypes import EVERY, ElementType, element_type


@dataclass(frozen=True)
class Slice:
    """A slice as a value (Python's own is not hashable before 3.12)."""

    start: Any
    stop: Any
    step: Any


@dataclass(frozen=True)
class Pattern:
    """The arguments of `.ap`."""

    pattern: tuple[tuple[int, int], ...]
    offset: int
    scalar_offset: "Ref | None"
    vector_offset: "Ref | None"
    indirect_dim: int


@dataclass(frozen=True)
class Ref:
    """A named buffer in one memory, or a part of it.

    Attributes:
        space: the memory.
        name: the buffer's name there.
        dtype: None, or the element type that the buffer's bits stand for where the array cannot say so (tfloat32 is
            stored in float32, packed elements are in uint32 and uint16, scales may be in uint8).
        path: the subscripts and patterns applied so far.
    """

    space: Space
    name: str
    dtype: ElementType | None = None
    path: tuple[Any, ...] = ()

    def __getitem__(self, key: Any) -> "Ref":
        keys = key if isinstance(key, tuple) else (key,)
        return Ref(self.space, self.name, self.dtype, (*self.path, tuple(map(_frozen, keys))))

    def ap(
        self,
        pattern: Sequence[Sequence[int]],
        offset: int = 0,
        scalar_offset: "Ref | None" = None,
        vector_offset: "Ref | None" = None,
        indirect_dim: int = 0,
    ) -> "Ref":
        """The hardware access pattern `[[step, count], ...]` over the whole buffer, in its elements.

        Args:
            pattern: pairs from the slowest to the fastest.
            offset: first element.
            scalar_offset: a one-element SBUF reference, or a register, that moves the pattern along `indirect_dim` at
                run time.
            vector_offset: a `[P, 1]` SBUF reference: the row of the buffer that each row of the pattern walks. Some
                instructions take several columns, which are read one after the other.
            indirect_dim: the axis that a dynamic offset counts on.
        """
        pairs = tuple((int(step), int(count)) for step, count in pattern)
        step = Pattern(pairs, int(offset), scalar_offset, vector_offset, indirect_dim)
        return Ref(self.space, self.name, self.dtype, (*self.path, step))


def hbm(name: str, dtype: Any = None) -> Ref:
    """The HBM tensor `name`; `dtype` only where the array cannot say it (tfloat32, packed elements, scales)."""
    return Ref(Space.HBM, name, None if dtype is None else element_type(dtype, EVERY))


def sbuf(name: str, dtype: Any = None) -> Ref:
    """The SBUF tile `name`, `[P, F...]`."""
    return Ref(Space.SBUF, name, None if dtype is None else element_type(dtype, EVERY))


def psum(name: str, dtype: Any = None) -> Ref:
    """The PSUM tile `name`, `[P, F...]`."""
    return Ref(Space.PSUM, name, None if dtype is None else element_type(dtype, EVERY))


def register(name: str) -> Ref:
    """The register `name`: one int32, as the scalar offset of an operand and for register instructions."""
    return Ref(Space.REGISTER, name)


Lookup = Callable[[Space, str, ElementType | None], Buffer]


def resolve(ref: Ref, lookup: Lookup) -> Access:
    """The access that `ref` means once the buffers are known.

    Raises:
        RuleError: the name is unknown, or a subscript breaks a rule.
    """
    access = Access.whole(lookup(ref.space, ref.name, ref.dtype))
    for step in ref.path:
        match step:
            case Pattern():
                scalar = None if step.scalar_offset is None else resolve(step.scalar_offset, lookup)
                vector = None if step.vector_offset is None else resolve(step.vector_offset, lookup)
                offsets = step.offset, scalar, vector, step.indirect_dim
                access = hardware_pattern(access.buffer, step.pattern, *offsets, by_columns=True)
            case _:
                access = subscript(access, tuple(_thawed(k, lookup) for k in step), allow_mixing=True)
    return access


@dataclass(frozen=True, slots=True)
class _Resolved:
    access: Access


def _frozen(key: Any) -> Any:
    match key:
        case slice():
            return Slice(_frozen(key.start), _frozen(key.stop), _frozen(key.step))
        case Index():
            return key.value
        case DynamicSlice():
            return DynamicSlice(_frozen(key.start), key.size)
        case np.integer():
            return int(key)
        case _:
            return key


def _thawed(key: Any, lookup: Lookup) -> Any:
    match key:
        case Slice():
            return slice(_thawed(key.start, lookup), _thawed(key.stop, lookup), _thawed(key.step, lookup))
        case IndexValue():
            return Index.of(key)
        case DynamicSlice():
            return DynamicSlice(_thawed(key.start, lookup), key.size)
        case Ref():
            return _Resolved(resolve(key, lookup))
        case _:
            return key

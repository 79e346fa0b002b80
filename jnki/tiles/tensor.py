"""`Tensor`: the handle that a kernel holds while it is recorded.

It is a leaf: it has no operators, and records nothing. What a dialect's tensors do besides, their views included,
stands above it (`jnki.tiles.array_like`, `jnki.tiles.operators`, `jnki.nki.language.tensor`); the recorder makes
handles of the class that the dialect passed in.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO
from jnki.access.buffer import Buffer, Space
from jnki.access.mask import Mask
from jnki.dtypes import ElementType
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.record.blocks import Scope
from jnki.record.recorder import Recorder, current, no_values, stepping
from jnki.source import asked_by_user, called
from jnki.tiles.numpy_calls import RefusesNumpy
from jnki.tiles.operator_types import OperatorTypes


class Tensor(RefusesNumpy, OperatorTypes):
    """A tensor in HBM, SBUF or PSUM, or a view of one: a shape and a type.

    It has values only in a kernel that runs step by step, and only for people who look.
    """

    __slots__ = ("_access", "_dtype_is_explicit", "_mask", "_producer", "_scope")

    def __init__(
        self,
        access: Access,
        scope: Scope,
        producer: Instruction | None = None,
        mask: Mask | None = None,
        dtype_is_explicit: bool = False,
    ):
        self._access = access
        self._scope = scope
        self._producer = producer
        self._mask = mask
        self._dtype_is_explicit = dtype_is_explicit

    @property
    def access(self) -> Access:
        """The access pattern of this handle.

        Raises:
            RuleError: `err_local_variable_used_out_of_scope`, where the loop that made the tensor is over.
        """
        if not self._scope.is_open:
            raise RuleError(
                "err_local_variable_used_out_of_scope",
                f"tensor '{self._access.buffer.name}' is used outside of the loop or kernel that made it",
                given=f"{self._access.buffer}",
                allowed="a tensor made before the loop (nl.ndarray) and assigned inside it with t[...] = value",
            )
        return self._access

    def __carried__(self) -> tuple[Any, ...]:
        """What a loop can carry in this handle from one iteration to the next: of one that is out of use, its shape."""
        return (self._access, self._scope if self._scope.is_open else None)

    @property
    def space(self) -> Space:
        """The memory that holds the tensor."""
        return self._access.buffer.space

    @property
    def name(self) -> str:
        return self._access.buffer.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self._access.shape

    @property
    def ndim(self) -> int:
        return len(self._access.dims)

    @property
    def itemsize(self) -> int:
        """Size of one element in bytes."""
        return self._access.dtype.size_bytes

    @property
    def size(self) -> int:
        return self._access.size

    def _viewed(self, access: Access) -> Self:
        return type(self)(access, self._scope)

    # Values, in a kernel that runs step by step; jnki itself never asks for them.

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The elements now: a copy, read-only.

        Raises:
            TypeError: the kernel is recorded, and does not run step by step.
            ValueError: `copy` is False.
        """
        recorder = stepping() if asked_by_user() else None
        if recorder is None:
            raise no_values(self._access)
        if copy is False:
            raise ValueError(f"the values of tensor '{self.name}' are a copy, and copy=False asks for none")
        values = recorder.values(self.access)
        return values if dtype is None else values.astype(dtype)

    def __float__(self) -> float:
        return float(self._one(asked_by_user(), "float()"))

    def __int__(self) -> int:
        return int(self._one(asked_by_user(), "int()"))

    def _one(self, by_user: bool, what: str) -> Any:
        """The only element.

        Raises:
            TypeError: there are more, or the kernel is recorded.
        """
        recorder = stepping() if by_user else None
        if recorder is None:
            raise no_values(self._access)
        if self.size != 1:
            raise TypeError(f"{what} takes a tensor of one element, and tensor '{self.name}' is {list(self.shape)}")
        return recorder.values(self.access).reshape(-1)[0]

    def describe(self) -> str:
        """The tensor in one line, without values."""
        return f"tensor '{self.name}' {list(self.shape)} {self._access.dtype} in {self.space}"

    def __repr__(self) -> str:
        recorder = stepping() if asked_by_user() and self._scope.is_open else None
        return self.describe() + (f"\n{recorder.shown(self.access)}" if recorder is not None else "")

    __hash__ = object.__hash__


def whole(recorder: Recorder, buffer: Buffer, scope: Scope, **provenance: Any) -> Any:
    """A handle for all of `buffer`, of the class that the dialect's kernels hold."""
    return recorder.handle(Access.whole(buffer), scope, **provenance)


def new_tile(
    recorder: Recorder,
    shape: tuple[int, ...],
    dtype: ElementType,
    instruction: Callable[[Access], Instruction],
    *,
    space: Space = Space.SBUF,
    name: str = "",
    dtype_is_explicit: bool = False,
) -> Any:
    """A new tile and the instruction that fills it, recorded.

    Args:
        shape: `[P, F...]`.
        instruction: makes the (checked) instruction for the tile as its destination.

    Raises:
        RuleError: `index.rank2_onchip`, for a tile without a free axis.
    """
    if len(shape) < 2:
        raise RuleError(
            "index.rank2_onchip",
            f"a tile in {space} needs a partition axis and a free axis",
            given=f"shape {list(shape)}",
            allowed="rank 2 or more, such as [P, 1]; index the source so that it has two axes",
        )
    buffer = recorder.make_buffer(space, shape, dtype, name=name)
    made = instruction(Access(buffer, ZERO, tuple(map(Dim, buffer.strides, shape))))
    recorder.emit(made)
    return whole(
        recorder, buffer, recorder.scope, producer=made, mask=made.result_mask, dtype_is_explicit=dtype_is_explicit
    )


def as_tensor(value: Any, function: str, operand: str) -> Tensor:
    """`value`, which must be a tensor of the kernel being recorded.

    Raises:
        RuleError: it is none.
    """
    current(function)
    if not isinstance(value, Tensor):
        raise RuleError(
            f"{function}.{operand}",
            f"operand '{operand}' of '{called() or function}' must be a tensor of the kernel",
            given=f"{type(value).__name__} {value}"[:120],
            allowed="a tensor in hbm, sbuf or psum"
            + ("; a list is an argument of the kernel as np.array(list)" if isinstance(value, (list, tuple)) else ""),
        )
    return value

"""`Tensor`: the handle that a kernel holds while it is recorded.

It is a leaf: it has views and no operators, and records nothing. What a dialect's tensors do besides stands above it
(`jnki.tiles.operators`); the recorder makes handles of the class that the dialect passed in.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO
from jnki.access.buffer import Buffer, Space
from jnki.access.concrete import NeedsConcrete
from jnki.access.mask import Mask
from jnki.access.partition import par_dim
from jnki.access.subscript import subscript
from jnki.dtypes import ElementType, element_type
from jnki.errors import RuleError, not_modelled
from jnki.isa.instruction import Instruction
from jnki.record.blocks import Scope
from jnki.record.recorder import Recorder, current
from jnki.source import called
from jnki.tiles.masked import MaskedOperand, is_mask
from jnki.tiles.numpy_calls import RefusesNumpy
from jnki.tiles.operator_types import OperatorTypes
from jnki.tiles.views import broadcast_access, expanded_access, reshaped_access, viewed_access


class Tensor(RefusesNumpy, OperatorTypes):
    """A tensor in HBM, SBUF or PSUM, or a view of one: a shape and a type, and no values. Indexing gives views."""

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
    def buffer(self) -> Space:
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
    def dtype(self) -> np.dtype:
        """Element type, as NumPy and ml_dtypes spell it."""
        return self._access.dtype.numpy

    @property
    def itemsize(self) -> int:
        """Size of one element in bytes."""
        return self._access.dtype.size_bytes

    @property
    def size(self) -> int:
        return self._access.size

    # Views: no copy.

    def __getitem__(self, key: Any) -> Any:
        if is_mask(key):
            return MaskedOperand(self, None)[key]
        return self._viewed(subscript(self.access, key))

    def reshape(self, shape: Any, *more: Any) -> Self:
        """The same elements in row-major order under another shape.

        On chip the partition axis must stay, behind as many blocks: `(4, nl.par_dim(128), 2048)` says which one it is.
        """
        return self._viewed(reshaped_access(self.access, _shape_of((shape, *more))))

    def broadcast_to(self, shape: Any, *more: Any) -> Self:
        """A view in which axes of size 1 repeat, by NumPy's rules."""
        return self._viewed(broadcast_access(self.access, _shape_of((shape, *more))))

    def expand_dims(self, axis: int | Sequence[int]) -> Self:
        """A view with new axes of size 1."""
        return self._viewed(expanded_access(self.access, axis))

    def view(self, dtype: Any) -> Self:
        """The same bytes as elements of `dtype`; the last axis shrinks or grows with the element size."""
        return self._viewed(viewed_access(self.access, element_type(dtype)))

    def as_tile(self) -> Self:
        """This tensor: what is indexed is a tile already."""
        return self

    def assert_shape(self, shape: Sequence[int]) -> Self:
        """This tensor, whose shape is `shape`.

        Raises:
            RuleError: it is not.
        """
        if tuple(shape) != self.shape:
            raise RuleError(
                "tensor.assert_shape",
                f"tensor '{self.name}' does not have the asserted shape",
                given=str(list(self.shape)),
                allowed=str(list(shape)),
            )
        return self

    def _viewed(self, access: Access) -> Self:
        return type(self)(access, self._scope)

    # What a handle has no value for.

    def __bool__(self) -> bool:
        if self.size > 1:
            raise RuleError(
                "err_ambiguous_tensor_truth_value",
                f"the truth value of tensor '{self.name}' with several elements is ambiguous",
                given=f"{list(self.shape)} in if, while, and, or, not",
                allowed="element-wise operators; 'is not None' to ask whether a tensor was given",
            )
        raise _dynamic_control_flow(self)

    def __index__(self) -> int:
        raise _dynamic_control_flow(self)

    __int__ = __index__

    def __float__(self) -> float:
        raise _dynamic_control_flow(self)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"tensor '{self.name}' has no values while its kernel is recorded; use nl and nisa functions on it"
        )

    def __iter__(self) -> Any:
        raise not_modelled("iterating over a tensor")

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"tensor '{self.name}' {list(self.shape)} {self._access.dtype} in {self.buffer}"

    __hash__ = object.__hash__


def _dynamic_control_flow(tensor: Tensor) -> RuleError:
    return RuleError(
        "err_dynamic_control_flow_not_supported",
        f"the value of tensor '{tensor.name}' is not known while the kernel is recorded",
        given="a tensor where Python needs a number or a condition",
        allowed="conditions on shapes, loop indices and static arguments; masks; indirect indices",
    )


def _shape_of(shape: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    try:
        return tuple(n if isinstance(n, par_dim) else operator.index(n) for n in shape)
    except NeedsConcrete:
        raise
    except TypeError:
        raise RuleError("tensor.shape", "a shape is a sequence of integers", given=str(shape)) from None


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

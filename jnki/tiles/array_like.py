"""`ArrayLike`: a tensor with views as NumPy's arrays have them, the legacy dialect's."""

import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from jnki.access.buffer import Space
from jnki.access.concrete import NeedsConcrete
from jnki.access.partition import par_dim
from jnki.access.subscript import subscript
from jnki.dtypes import element_type
from jnki.errors import RuleError, not_modelled
from jnki.record.recorder import stepping
from jnki.tiles.masked import MaskedOperand, is_mask
from jnki.tiles.tensor import Tensor
from jnki.tiles.views import broadcast_access, expanded_access, reshaped_access, viewed_access


class ArrayLike(Tensor):
    """A tensor, or a view of one. Indexing gives views, and Python can ask it for no value."""

    __slots__ = ()

    @property
    def dtype(self) -> np.dtype:
        """Element type, as NumPy and ml_dtypes spell it."""
        return self._access.dtype.numpy

    @property
    def buffer(self) -> Space:
        """The memory that holds the tensor."""
        return self.space

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

    def _one(self, by_user: bool, what: str) -> Any:
        if not by_user or stepping() is None:
            raise _dynamic_control_flow(self)
        return super()._one(by_user, what)

    def __iter__(self) -> Any:
        raise not_modelled("iterating over a tensor")

    def __len__(self) -> int:
        return self.shape[0]

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

"""Tensors in HBM that hold constants: one for all instances of the launch grid, and for equal contents."""

from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.dtypes import element_type
from jnki.errors import RuleError
from jnki.isa.shared_constant import SharedConstant, contents_of
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.tensor import Tensor, whole


def shared_constant(constant: Any, dtype: Any = None) -> Tensor:
    """A tensor in HBM that holds this array: one for all instances of the launch grid, and for equal constants.

    Args:
        constant: a NumPy array, of one of NKI's element types unless `dtype` says.
        dtype: the element type; that of `constant` by default.

    Raises:
        RuleError: `constant` is no array with axes.
    """
    recorder = current("nl.shared_constant")
    if not isinstance(constant, np.ndarray) or constant.ndim == 0:
        raise RuleError(
            "shared_constant.constant",
            "shared_constant: 'constant' must be an array whose values are known while the kernel is recorded",
            given=f"{type(constant).__name__} {constant}"[:120],
            allowed="a NumPy array with axes",
        )
    kind = element_type(constant.dtype if dtype is None else dtype)
    given = constant if constant.dtype.itemsize < 8 else _in_32_bits(constant)
    contents = contents_of(given, element_type(given.dtype), kind)

    def filled(buffer: Any) -> SharedConstant:
        return SharedConstant(dst=Access.whole(buffer), contents=contents, location=user_location())

    buffer = recorder.make_constant(tuple(constant.shape), kind, contents, filled)
    return whole(recorder, buffer, recorder.scopes[0])


def shared_identity_matrix(n: int, dtype: Any = np.uint8) -> Tensor:
    """A tensor in HBM that holds the identity matrix `[n, n]`."""
    return shared_constant(np.identity(n, np.uint8), dtype)


def _in_32_bits(array: np.ndarray) -> np.ndarray:
    """What NumPy makes when nobody says, in the type that holds it on the way to another one."""
    fits = array.dtype.kind == "i" and np.array_equal(array, array.astype(np.int32))
    with np.errstate(over="ignore"):  # beyond float32 is infinity
        return array.astype(np.int32 if fits else np.float32)

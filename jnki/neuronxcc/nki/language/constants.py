"""Constants of float types, `nl.fp32.min`, `nl.finfo(dtype)`; tensors of constants; casts of what is no tensor yet."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki import dtypes
from jnki.access.access import Access
from jnki.dtypes import element_type
from jnki.errors import RuleError, not_modelled
from jnki.isa.shared_constant import SharedConstant, contents_of
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.tensor import Tensor, whole


class _Float32Constants:
    """Constants of float32."""

    @property
    def min(self) -> float:
        """The lowest finite float32, whose bits are 0xff7fffff."""
        return float(np.finfo(np.float32).min)


class _BFloat16Constants:
    """Constants of bfloat16."""

    @property
    def min(self) -> float:
        """What the bits 0xff80 are as a bfloat16: minus infinity."""
        return float(np.array(0xFF80 << 16, np.uint32).view(np.float32))


fp32 = _Float32Constants()
bfp16 = _BFloat16Constants()


def sizeinbytes(dtype: Any) -> int:
    """Bytes that one element takes."""
    return element_type(dtype).size_bytes


def finfo(dtype: Any) -> Any:
    """The limits of a float type as NumPy has them: `nl.finfo(nl.bfloat16).min` is its lowest finite value.

    Raises:
        ValueError: the type is no float.
    """
    kind = element_type(dtype)
    if not kind.is_float:
        raise ValueError(f"nl.finfo: {kind} is not a float type")
    if kind == dtypes.tfloat32:
        raise not_modelled("nl.finfo of tfloat32, which NumPy does not know,")
    return jnp.finfo(kind.numpy)


def static_cast(input_data: Any, dtype: Any) -> Any:
    """An array or a number cast to `dtype`, as NumPy's `astype` casts it; inside of kernels also a tile.

    Args:
        input_data: a NumPy or JAX array, a number, or a tensor of the kernel: of that, a copy as `astype` makes one.
        dtype: the element type, or its name.

    Raises:
        TypeError: `input_data` is something else.
    """
    if isinstance(input_data, Tensor):
        return input_data.astype(dtype)
    kind = element_type(dtype)
    if kind == dtypes.tfloat32:
        raise not_modelled("nl.static_cast to tfloat32, which no array can hold,")
    if isinstance(input_data, (np.ndarray, np.generic, jax.Array)):
        return input_data.astype(kind.numpy)
    if isinstance(input_data, (bool, int, float)):
        return np.asarray(input_data).astype(kind.numpy)[()]
    raise TypeError(f"nl.static_cast takes an array or a number, got {type(input_data).__name__}")


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

"""Constants of float types, `nl.fp32.min`, `nl.finfo(dtype)`; casts of what is no tensor yet."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki import dtypes
from jnki.dtypes import element_type
from jnki.errors import not_modelled
from jnki.tiles.tensor import Tensor


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

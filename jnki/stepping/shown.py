"""The values of a tensor as text: what `print(tile)` shows while a kernel runs step by step."""

import numpy as np

from jnki.dtypes import ElementType


def text_of(values: np.ndarray, dtype: ElementType, unwritten: np.ndarray) -> str:
    """The values, large tensors in part, as NumPy prints them; `--` where nothing was written.

    Args:
        unwritten: one boolean for each value.
    """
    if dtype.is_opaque:
        values = values.view(f"u{dtype.size_bytes}").reshape(values.shape)
    elif dtype.is_float:
        # NumPy prints narrow floats with the digits of their neighbours.
        values = values.astype(np.float32)
    if not unwritten.any():
        return str(values)
    if unwritten.all():
        return "nothing was written to it"
    return str(np.ma.masked_array(values, unwritten))

"""`neuronxcc.starfish.support.util`: comparing a result with what is expected."""

from typing import Any

import numpy as np


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, verbose: int = 0) -> bool:
    """Whether two arrays are equal within tolerances, as `np.allclose` says; in float32 or wider.

    Args:
        a, b: arrays of one shape; of any element type.
        rtol, atol: how far an element of `a` may be from that of `b`: `atol + rtol * |b|`.
        verbose: 1 or more prints how many elements are not, and the largest difference.
    """
    x, y = (_wide(value) for value in (a, b))
    close = np.isclose(x, y, rtol=rtol, atol=atol)
    if verbose:
        worst = np.max(np.abs(x - y), initial=0)
        print(f"allclose: {close.size - np.count_nonzero(close)} of {close.size} elements differ, by up to {worst}")
    return bool(close.all())


def _wide(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array if array.dtype.kind in "fiub" and array.dtype.itemsize >= 4 else array.astype(np.float32)

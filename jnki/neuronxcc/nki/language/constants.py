"""Constants of float types, `nl.fp32.min` and `nl.bfp16.min`, and the size of any type."""

from typing import Any

import numpy as np

from jnki.dtypes import element_type


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

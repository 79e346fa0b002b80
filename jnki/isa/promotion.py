"""The element type of a result whose operands have different types.

Source: "NKI Type Promotion" on the common-fields page of NKI's documentation.
"""

from typing import Any

import numpy as np

from jnki import dtypes
from jnki.access.number import concrete
from jnki.dtypes import ElementType, element_type

# The narrower float gives way to the wider one along each of these chains; two floats on no common chain widen.
_WIDTH = {"float8_e4m3": 1, "float8_e5m2": 1, "float16": 2, "bfloat16": 2, "tfloat32": 3, "float32": 4}
_BITS = {"int8": 8, "int16": 16, "int32": 32, "uint8": 8, "uint16": 16, "uint32": 32, "bool": 8}


def promote(a: ElementType, b: ElementType) -> ElementType:
    """The type that holds values of both."""
    if a == b:
        return a
    if a.is_float and b.is_float:
        return _floats(a, b)
    if a.is_float or b.is_float:
        return a if a.is_float else b
    return _integers(a, b)


def _floats(a: ElementType, b: ElementType) -> ElementType:
    narrow, wide = sorted((a, b), key=lambda t: _WIDTH[t.name])
    if _WIDTH[narrow.name] < _WIDTH[wide.name]:
        return wide
    return dtypes.bfloat16 if _WIDTH[a.name] == 1 else dtypes.float32


def _integers(a: ElementType, b: ElementType) -> ElementType:
    if a.is_signed == b.is_signed:
        return a if _BITS[a.name] >= _BITS[b.name] else b
    signed, unsigned = (a, b) if a.is_signed else (b, a)
    if _BITS[signed.name] > _BITS[unsigned.name]:
        return signed
    # No signed integer of up to 32 bits holds a uint32: the hardware has no int64.
    return {8: dtypes.int16, 16: dtypes.int32}.get(_BITS[unsigned.name], dtypes.float32)


def of_scalar(value: Any) -> ElementType:
    """The type that a scalar brings into a promotion: its own for NumPy scalars, the widest for Python numbers."""
    value = concrete(value)  # of a loop index the number, for which its loop is recorded anew
    if isinstance(value, (bool, np.bool_)):
        return dtypes.uint8
    if isinstance(value, (int, np.int64)):
        return dtypes.int32
    if isinstance(value, (float, np.float64)):
        return dtypes.float32
    return element_type(getattr(value, "dtype", type(value)))

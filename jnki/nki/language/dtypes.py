"""Element types: each is the string of its own name."""

from typing import Any

from jnki import dtypes
from jnki.dtypes import ElementType, element_type


class DType(str):
    """The name of an element type, such as `nl.float32`: it equals, hashes and prints as that string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"nl.{_SPELLED.get(self, self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (str(self),)


_SPELLED = {"bool": "bool_"}


def _named(name: str) -> DType:
    """The element type of that name: copied or pickled, it stays the one that `is nl.float32` finds."""
    return _BY_NAME.get(name) or DType(name)


def dtype_of(kind: ElementType) -> DType:
    """The name of `kind` in this dialect."""
    return _BY_NAME[kind.name]


_BY_NAME = {kind.name: DType(kind.name) for kind in dtypes.EVERY}


def type_named(dtype: Any) -> ElementType:
    """The element type that a `dtype=` argument means: one of this dialect, of NumPy, ml_dtypes or jax.numpy.

    Raises:
        TypeError: there is no such element type.
    """
    return element_type(str(dtype) if isinstance(dtype, DType) else dtype, dtypes.EVERY)


def wished_type(dtype: Any) -> ElementType | None:
    """What a `dtype=` argument asks for; None where it is left out.

    Raises:
        TypeError: as `type_named`.
    """
    return None if dtype is None else type_named(dtype)


bool_ = _BY_NAME["bool"]
int8 = _BY_NAME["int8"]
int16 = _BY_NAME["int16"]
int32 = _BY_NAME["int32"]
uint8 = _BY_NAME["uint8"]
uint16 = _BY_NAME["uint16"]
uint32 = _BY_NAME["uint32"]
float16 = _BY_NAME["float16"]
float32 = _BY_NAME["float32"]
bfloat16 = _BY_NAME["bfloat16"]
tfloat32 = _BY_NAME["tfloat32"]
float8_e4m3 = _BY_NAME["float8_e4m3"]
float8_e5m2 = _BY_NAME["float8_e5m2"]
float8_e4m3fn = _BY_NAME["float8_e4m3fn"]
float8_e8m0fnu = _BY_NAME["float8_e8m0fnu"]
float8_e5m2_x4 = _BY_NAME["float8_e5m2_x4"]
float8_e4m3fn_x4 = _BY_NAME["float8_e4m3fn_x4"]
float4_e2m1fn_x4 = _BY_NAME["float4_e2m1fn_x4"]

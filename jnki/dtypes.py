"""The element types of NKI, and the cast between any two (C5 to C7 of `docs/isa/dma/dma_copy.md`).

Thirteen are in both dialects (`ALL`), five more in the current one (`OCP`).
"""

from dataclasses import dataclass, field
from types import MappingProxyType

import jax
import numpy as np
from jax import lax

from jnki.rounding import nearest_float, nearest_half, nearest_integer, nonzero


@dataclass(frozen=True)
class ElementType:
    """What one element of a tensor is. Two element types are equal when their names are.

    Attributes:
        name: NKI's name, such as `bfloat16`.
        numpy: what a user sees as `tensor.dtype`.
        storage: dtype of the JAX array that holds such elements. It differs from `numpy` for tfloat32, which NumPy sees
            as four opaque bytes and which is held in a float32 array, and for opaque types, which are held as unsigned
            integers.
        size_bytes: bytes that one element occupies in HBM, SBUF or PSUM.
        exponent_bits: width of a float's exponent field, 0 for every other type.
        mantissa_bits: explicit bits of a float's significand, 0 for every other type.
        largest: of a float without infinities the largest value, beyond which there is NaN; else None.
        is_opaque: whether an element is no number by itself: a scale, or four packed elements. It moves, bit for bit,
            and only the instructions of the MX formats know what it means.
    """

    name: str
    numpy: np.dtype = field(compare=False)
    storage: np.dtype = field(compare=False)
    size_bytes: int = field(compare=False)
    exponent_bits: int = field(compare=False, default=0)
    mantissa_bits: int = field(compare=False, default=0)
    largest: float | None = field(compare=False, default=None)
    is_opaque: bool = field(compare=False, default=False)

    def __str__(self) -> str:
        return self.name

    @property
    def is_float(self) -> bool:
        """True for floats."""
        return self.exponent_bits > 0

    @property
    def is_integer(self) -> bool:
        """True for the six integers, not for bool."""
        return self.storage.kind in "iu" and not self.is_opaque

    @property
    def is_signed(self) -> bool:
        """True for the floats and for int8, int16 and int32."""
        return self.is_float or self.storage.kind == "i"


def _numpy_type(name: str, exponent_bits: int = 0, mantissa_bits: int = 0, largest: float | None = None) -> ElementType:
    dtype = np.dtype(name)  # jax has registered bfloat16 and the float8 types with NumPy
    return ElementType(name, dtype, dtype, dtype.itemsize, exponent_bits, mantissa_bits, largest)


def _packed(name: str, size_bytes: int) -> ElementType:
    """Four elements of a narrow float in one; the first is in the lowest bits."""
    storage = np.dtype(f"uint{8 * size_bytes}")
    return ElementType(name, np.dtype(f"V{size_bytes}"), storage, size_bytes, is_opaque=True)


int8 = _numpy_type("int8")
int16 = _numpy_type("int16")
int32 = _numpy_type("int32")
uint8 = _numpy_type("uint8")
uint16 = _numpy_type("uint16")
uint32 = _numpy_type("uint32")
bool_ = _numpy_type("bool")
float32 = _numpy_type("float32", 8, 23)
tfloat32 = ElementType("tfloat32", np.dtype("V4"), float32.storage, 4, 8, 10)
bfloat16 = _numpy_type("bfloat16", 8, 7)
float16 = _numpy_type("float16", 5, 10)
# With infinities and 240 as the largest: OCP's float8_e4m3fn is another type.
float8_e4m3 = _numpy_type("float8_e4m3", 4, 3)
float8_e5m2 = _numpy_type("float8_e5m2", 5, 2)
float8_e4m3fn = _numpy_type("float8_e4m3fn", 4, 3, largest=448.0)
# A power of two from 2^-127 to 2^127, or NaN: it has no zero, so no array of derivatives can have this type.
float8_e8m0fnu = ElementType("float8_e8m0fnu", np.dtype("float8_e8m0fnu"), np.dtype(np.uint8), 1, is_opaque=True)
float8_e5m2_x4 = _packed("float8_e5m2_x4", 4)
float8_e4m3fn_x4 = _packed("float8_e4m3fn_x4", 4)
float4_e2m1fn_x4 = _packed("float4_e2m1fn_x4", 2)

ALL: tuple[ElementType, ...] = (
    *(int8, int16, int32, uint8, uint16, uint32, bool_),
    *(float32, tfloat32, bfloat16, float16, float8_e4m3, float8_e5m2),
)

# The formats of the Open Compute Project, which only the current dialect has.
OCP: tuple[ElementType, ...] = (float8_e4m3fn, float8_e8m0fnu, float8_e5m2_x4, float8_e4m3fn_x4, float4_e2m1fn_x4)
EVERY = ALL + OCP

# A table rather than np.dtype(spec), which also takes `float`, None, ">f4" and any object with a `.dtype`.
# The scalar types of jax.numpy need no entry: they hash and compare equal to NumPy's.
_BY_SPEC = MappingProxyType(
    {t.name: t for t in EVERY}
    | {t.numpy: t for t in (*ALL, float8_e4m3fn, float8_e8m0fnu)}
    | {t.numpy.type: t for t in (*ALL, float8_e4m3fn, float8_e8m0fnu) if t != tfloat32}
    | {bool: bool_}
)


def element_type(spec: object, among: tuple[ElementType, ...] = ALL) -> ElementType:
    """The element type that `spec` names (C7).

    Args:
        spec: an `ElementType`, the name of one, a dtype or scalar type of NumPy, ml_dtypes or jax.numpy, or
            Python's `bool`. Packed types have names only.
        among: the types that there are: `ALL`, or `EVERY` where those of the current dialect are too.

    Raises:
        TypeError: `spec` names none of them; the text says what was given and lists them.
    """
    if isinstance(spec, ElementType):
        return spec
    try:
        found = _BY_SPEC.get(spec)  # type: ignore[call-overload]
    except TypeError:  # not hashable
        found = None
    if found is None or found not in among:
        given = spec.__name__ if isinstance(spec, type) else repr(spec)
        why = ", because Python's int and float have no fixed width" if spec is int or spec is float else ""
        allowed = ", ".join(t.name for t in among)
        raise TypeError(f"{given} is not an element type of NKI{why}\n  allowed: {allowed}")
    return found


def unwritten(t: ElementType) -> np.number | np.bool_:
    """What memory that was never written reads as: NaN, True, or an integer whose bytes are all 0xA5.

    As an int32 or uint32 row index that integer, -1515870811 or 2779096485, is out of bounds of any tensor. A scale,
    and packed elements, are all ones: NaN wherever the type has one.
    """
    if t.is_float:
        return t.storage.type(np.nan)
    if t == bool_:
        return np.True_
    filling = b"\xff" if t.is_opaque else b"\xa5"
    return np.frombuffer(filling * t.size_bytes, t.storage)[0]


def zero_or_one(x: jax.Array) -> jax.Array:
    """Booleans as the float32 numbers 1 and 0.

    No conversion: XLA makes a selection of a converted boolean times `y`, and 0 where it should be NaN, or -0.
    """
    return lax.select(x, lax.full_like(x, 1, np.float32), lax.full_like(x, 0, np.float32))


def cast(x: jax.Array, src: ElementType, dst: ElementType) -> jax.Array:
    """The elements of `x` are of type `dst`: untouched if the types are equal, else by way of float32.

    Equal types keep every bit (C5). Otherwise (C6):

    - into float32, an int32 or uint32 beyond 2^24 rounds to nearest even, also when it goes on to an integer;
    - to a float: one rounding to nearest even, subnormals kept, overflow to infinity (where the type has none, to NaN
      [choice]), NaN to a NaN of `dst`;
    - to an integer: nearest even, saturated, NaN to 0 [choice];
    - to bool: whether it differs from zero, which NaN does [choice].

    From float to float the cotangent passes through, converted to the type of `src` but never rounded to
    tfloat32. To and from an integer or bool it stops (C25).

    Args:
        x: array of dtype `src.storage`, any shape.
        src: what the elements of `x` are.
        dst: what the elements of the result are; its dtype is `dst.storage`.

    Raises:
        TypeError: the dtype of `x` is not `src.storage`; or the types differ, and one of them is opaque.
    """
    if x.dtype != src.storage:
        raise TypeError(f"a cast from {src} takes an array of dtype {src.storage}, not {x.dtype}")
    if src == dst:
        return x
    if src.is_opaque or dst.is_opaque:
        raise TypeError(f"there is no cast from {src} to {dst}")
    value = zero_or_one(x) if src == bool_ else lax.convert_element_type(x, np.float32)
    if dst == float32:
        return value
    if dst.is_float and dst.size_bytes == 2:
        return nearest_half(value, dst.storage, dst.exponent_bits, dst.mantissa_bits)
    if dst.is_float:
        nearest = nearest_float(value, dst.exponent_bits, dst.mantissa_bits, dst.largest)
        return lax.convert_element_type(nearest, dst.storage)
    if dst.is_integer:
        return nearest_integer(value, dst.storage)
    return nonzero(value)

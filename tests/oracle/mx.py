"""The MX formats, `nki.isa.quantize_mx` and `nc_matmul_mx` in plain Python: exact fractions, one element at a time."""

import math
from fractions import Fraction

import numpy as np

# Of each element format: exponent bits, mantissa bits, the largest exponent, whether all ones is for NaN and infinity.
FORMATS = {
    "float8_e5m2_x4": (5, 2, 15, True),
    "float8_e4m3fn_x4": (4, 3, 8, False),
    "float4_e2m1fn_x4": (2, 1, 2, None),
}
NAN, INF = float("nan"), float("inf")
Number = Fraction | float


def decode(bits: int, kind: str) -> Number:
    """One narrow float: a fraction, or NaN or an infinity as a float."""
    exponent_bits, mantissa_bits, _, reserved = FORMATS[kind]
    bias = 2 ** (exponent_bits - 1) - 1
    sign = -1 if bits >> (exponent_bits + mantissa_bits) else 1
    field, mantissa = bits >> mantissa_bits & (2**exponent_bits - 1), bits & (2**mantissa_bits - 1)
    if reserved and field == 2**exponent_bits - 1:
        return NAN if mantissa else sign * INF
    if reserved is False and bits & 0x7F == 0x7F:
        return NAN
    if field == 0:
        return sign * Fraction(mantissa, 2**mantissa_bits) * Fraction(2) ** (1 - bias)
    return sign * (1 + Fraction(mantissa, 2**mantissa_bits)) * Fraction(2) ** (field - bias)


def parts(element: int, kind: str) -> list[int]:
    """The bits of the four floats in a packed element, the first of them lowest."""
    width = 4 if kind.startswith("float4") else 8
    return [element >> width * j & (2**width - 1) for j in range(4)]


def nearest(value: Fraction, kind: str) -> int:
    """The bits of the nearest finite value, ties to the even mantissa; without the sign."""
    exponent_bits, mantissa_bits, *_ = FORMATS[kind]
    values = [(decode(bits, kind), bits) for bits in range(2 ** (exponent_bits + mantissa_bits))]
    finite = [(x, bits) for x, bits in values if isinstance(x, Fraction)]
    return min(finite, key=lambda found: (abs(found[0] - value), found[1] % 2))[1]


def quantize_mx(src: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Packed elements `uint32[P, F / 4]` and scales `uint8[P / 8, F / 4]` of a float16 or bfloat16 tile `[P, F]`."""
    groups, columns = src.shape[0] // 8, src.shape[1] // 4
    elements = np.zeros((src.shape[0], columns), np.uint32)
    scales = np.zeros((groups, columns), np.uint8)
    for g in range(groups):
        for c in range(columns):
            with np.errstate(invalid="ignore"):
                block = src[8 * g : 8 * g + 8, 4 * c : 4 * c + 4].astype(np.float64)
            scales[g, c], bits = _group(block, kind)
            for p in range(8):
                elements[8 * g + p, c] = sum(bits[p][j] << 8 * j for j in range(4))
    return elements, scales


def _group(block: np.ndarray, kind: str) -> tuple[int, list[list[int]]]:
    if not np.isfinite(block).all():
        nan = 0x7F if kind == "float8_e4m3fn_x4" else 0x7E
        return 255, [[nan] * 4 for _ in range(8)]
    largest = Fraction(np.abs(block).max())
    exponent = -127 if not largest else max(-127, _floor_log2(largest) - (FORMATS[kind][2] - 1))
    scale = Fraction(2) ** exponent
    bits = [
        [nearest(abs(Fraction(x)) / scale, kind) | (0x80 if math.copysign(1, x) < 0 else 0) for x in row]
        for row in block
    ]
    return exponent + 127, bits


def _floor_log2(value: Fraction) -> int:
    found = value.numerator.bit_length() - value.denominator.bit_length()
    return found if Fraction(2) ** found <= value else found - 1


def scale_row(group: int) -> int:
    """The partition of a tile of scales that has those of a group."""
    return 32 * (group // 4) + group % 4


def nc_matmul_mx(
    stationary: np.ndarray,
    moving: np.ndarray,
    stationary_scale: np.ndarray,
    moving_scale: np.ndarray,
    stationary_kind: str,
    moving_kind: str,
) -> list[list[Number]]:
    """`[M, N]` exact sums of two packed tiles `[K, M]` and `[K, N]` with their tiles of scales."""
    result: list[list[Number]] = []
    for m in range(stationary.shape[1]):
        result.append([])
        for n in range(moving.shape[1]):
            total: Number = Fraction(0)
            for k in range(stationary.shape[0]):
                row = scale_row(k // 8)
                scales = int(stationary_scale[row, m]), int(moving_scale[row, n])
                pairs = zip(
                    parts(int(stationary[k, m]), stationary_kind), parts(int(moving[k, n]), moving_kind), strict=True
                )
                for a, b in pairs:
                    x, y = decode(a, stationary_kind), decode(b, moving_kind)
                    if 255 in scales or not (isinstance(x, Fraction) and isinstance(y, Fraction)):
                        total = float(total) + (NAN if 255 in scales else float(x) * float(y))
                    elif isinstance(total, Fraction):
                        total += x * y * Fraction(2) ** (sum(scales) - 254)
            result[-1].append(total)
    return result

"""Random inputs: bit patterns of every element type, and row indices in chosen proportions."""

from collections.abc import Mapping
from types import MappingProxyType

import ml_dtypes
import numpy as np

from .casts import INTEGERS, STORAGE

INT32_MAX = 2**31 - 1
INT32_MIN = -(2**31)

ROW_KINDS = MappingProxyType(
    {"valid": 8, "repeat": 3, "minus_one": 1, "size": 1, "int32_max": 1, "int32_min": 1},
)
"""The kinds of row index, and how often each is drawn unless told."""

_EDGES = (0.0, 0.5, 1.0, 1.5, 2.5, 126.5, 127.5, 254.5, 255.5, 240.0, 32767.5, 57344.0, 65504.0, 65535.5)
_WIDE_EDGES = (2.0**24, 2.0**24 + 2, 2.0**31, 2.0**31 - 128, 2.0**32, 2.0**32 - 256)


def random_values(
    seed: int | np.random.Generator, dtype: str, shape: int | tuple[int, ...], *, edge_share: float = 0.25
) -> np.ndarray:
    """An array of random bit patterns, stored as `dtype` is, of which `edge_share` are values near a limit.

    Raw bits reach every NaN payload, infinity, subnormal and extreme. The edges (infinities, ties between
    integers, integer limits) are there because 32 raw bits almost never hit them. `bool` is 0 or 1, and
    `tfloat32` has its 13 low bits clear.
    """
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, size=shape, dtype=np.uint8)
    storage = STORAGE[dtype]
    count = int(np.prod(shape))
    values = np.frombuffer(rng.bytes(count * storage.itemsize), dtype=storage).copy()
    edges = _edges(dtype)
    at_edge = rng.random(count) < edge_share
    values[at_edge] = edges[rng.integers(0, edges.size, size=int(at_edge.sum()))]
    if dtype == "tfloat32":
        values.view(np.uint32)[...] &= np.uint32(0xFFFF_E000)
    return values.reshape(shape)


def random_rows(
    seed: int | np.random.Generator,
    count: int,
    axis_size: int,
    *,
    dtype: str = "int32",
    weights: Mapping[str, float] = ROW_KINDS,
) -> np.ndarray:
    """`count` row indices for an axis of `axis_size`, each of a kind drawn with the weights given.

    Kinds: `valid`; `repeat` (a valid row that was drawn before, if any); `minus_one`; `size`, one past
    the end; `int32_max`; `int32_min`. As uint32, the negative ones are the same 32 bits: 2^32 - 1 and 2^31.

    Raises:
        ValueError: an unknown kind, a type other than int32 and uint32, or a valid row of an empty axis.
    """
    unknown = set(weights) - set(ROW_KINDS)
    if unknown:
        raise ValueError(f"unknown kinds of row {sorted(unknown)}: they are {list(ROW_KINDS)}")
    if dtype not in ("int32", "uint32"):
        raise ValueError(f"row indices are int32 or uint32, not {dtype}")
    if axis_size < 1 and (weights.get("valid", 0) or weights.get("repeat", 0)):
        raise ValueError("an empty axis has no valid row")
    rng = np.random.default_rng(seed)
    shares = np.array(list(weights.values()), dtype=np.float64)
    fixed = {"minus_one": -1, "size": axis_size, "int32_max": INT32_MAX, "int32_min": INT32_MIN}
    rows: list[int] = []
    seen: list[int] = []
    for kind in rng.choice(list(weights), size=count, p=shares / shares.sum()).tolist():
        if kind in fixed:
            rows.append(fixed[kind])
            continue
        row = int(rng.choice(seen)) if kind == "repeat" and seen else int(rng.integers(axis_size))
        seen.append(row)
        rows.append(row)
    return np.array(rows, dtype=np.int32).view(STORAGE[dtype])


def _edges(dtype: str) -> np.ndarray:
    if dtype in INTEGERS:
        low, high = INTEGERS[dtype]
        candidates = (low, low + 1, -1, 0, 1, 127, 128, 255, 256, 2**24 + 1, 2**31 - 1, 2**31, high - 1, high)
        return np.array([value for value in candidates if low <= value <= high], dtype=STORAGE[dtype])
    info = ml_dtypes.finfo(STORAGE[dtype])
    limits = [float(info.max), float(info.tiny), float(info.smallest_subnormal), float("inf")]
    fitting = [value for value in (*_EDGES, *_WIDE_EDGES) if value <= float(info.max)]
    with np.errstate(all="ignore"):
        positive = np.array(fitting + limits, dtype=np.float64).astype(STORAGE[dtype])
        return np.concatenate([positive, -positive, np.array([np.nan]).astype(STORAGE[dtype])])

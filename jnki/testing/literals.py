"""Arrays as NumPy expressions that make them again."""

from typing import Any

import numpy as np

from jnki.testing.hostile import is_float, unsigned_of

MOST_ENTRIES = 24
SMALL = 40


def literal(name: str, array: Any) -> str:
    """Statements that make `array` under `name`, or a comment where that takes too many words.

    A large array is written as its most frequent value and the elements that differ.
    """
    array = np.asarray(array)
    if array.size <= SMALL:
        return f"{name} = {_whole(array)}"
    bits = np.ascontiguousarray(array).view(unsigned_of(array.dtype)).reshape(-1)
    values, counts = np.unique(bits, return_counts=True)
    common = values[np.argmax(counts)]
    places = np.flatnonzero(bits != common)
    if len(places) > MOST_ENTRIES:
        return f"# {name}: {array.dtype}{list(array.shape)}, {len(places)} of {array.size} elements are not alike"
    fill = array.reshape(-1)[np.flatnonzero(bits == common)[0]]
    start = f"np.zeros({array.shape}, {type_name(array.dtype)})"
    if common != 0:
        start = f"np.full({array.shape}, {number(fill)}, {type_name(array.dtype)})"
    lines = [f"{name} = {start}"]
    for place in places:
        index = ", ".join(str(int(n)) for n in np.unravel_index(place, array.shape))
        lines.append(f"{name}[{index}] = {number(array.reshape(-1)[place])}")
    return "\n".join(lines)


def _whole(array: np.ndarray) -> str:
    def nested(part: Any) -> str:
        if part.ndim == 0:
            return number(part[()])
        return "[" + ", ".join(nested(p) for p in part) + "]"

    if array.size == 0:
        return f"np.zeros({array.shape}, {type_name(array.dtype)})"
    return f"np.array({nested(array)}, {type_name(array.dtype)})"


def number(value: Any) -> str:
    """One element, in as few digits as give it back."""
    if is_float(value.dtype):
        if np.isnan(value):
            return "np.nan"
        if np.isinf(value):
            return "np.inf" if value > 0 else "-np.inf"
        return str(value) if value.dtype.kind == "f" else repr(float(value))
    return str(value)


def type_name(dtype: Any) -> str:
    plain = np.dtype(dtype)
    if plain == np.bool_:
        return "np.bool_"
    return f"np.{plain.name}" if plain.kind in "fiu" else f"jnp.{plain.name}"

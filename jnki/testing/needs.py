"""What a failure needs: elements of the shrunk case varied over several values, and arguments drawn anew."""

from typing import Any

import numpy as np

from jnki.testing.batches import Batches
from jnki.testing.candidates import Arrays, Judge
from jnki.testing.hostile import is_float
from jnki.testing.literals import number

MOST_ELEMENTS = 8
REDRAWN = 7


def needs_lines(batches: Batches, judge: Judge, arrays: Arrays, seed: int, case: int) -> list[str]:
    """Lines for the report: arguments without effect, and elements that the failure needs."""
    names, lines = batches.arguments.names, []
    variants: list[Arrays] = []
    labels: list[tuple[int, int | None, str]] = []
    others = [batches.arguments.alone(seed, case + 1 + n) for n in range(REDRAWN)]
    for leaf, name in enumerate(names):
        for drawn in others:
            variants.append([drawn[leaf] if n == leaf else a for n, a in enumerate(arrays)])
            labels.append((leaf, None, name))
    for leaf in range(len(names)):
        for place in _places(batches.arguments.domains[leaf].simplest, arrays[leaf]):
            for value in _values(arrays[leaf].reshape(-1)[place]):
                changed = arrays[leaf].copy().reshape(-1)
                changed[place] = value
                made = changed.reshape(arrays[leaf].shape)
                variants.append([made if n == leaf else a for n, a in enumerate(arrays)])
                labels.append((leaf, place, number(value)))
    fails = judge.fails(variants)
    without = [
        n for leaf, n in enumerate(names) if all(f for f, (at, p, _) in zip(fails, labels) if at == leaf and p is None)
    ]
    if without:
        lines.append(f"  without effect: {', '.join(without)} ({REDRAWN} other draws of it fail as well)")
    for leaf, place in dict.fromkeys((leaf, p) for leaf, p, _ in labels if p is not None):
        of_it = [(f, text) for f, (at, p, text) in zip(fails, labels) if (at, p) == (leaf, place)]
        wrong, right = [t for f, t in of_it if f], [t for f, t in of_it if not f]
        index = ", ".join(str(int(n)) for n in np.unravel_index(place, arrays[leaf].shape))
        if right and names[leaf] not in without:
            also = f"; wrong with {', '.join(wrong)} too" if wrong else ""
            lines.append(f"  needs {names[leaf]}[{index}]: not wrong with {', '.join(right)}{also}")
    return lines


def _places(simplest: Any, array: np.ndarray) -> list[int]:
    """The elements that are worth a look: those that could not become the simplest value."""
    if simplest is None:
        return []
    flat = array.reshape(-1)
    places = np.flatnonzero((flat != np.array(simplest[0], flat.dtype)) | (array.size <= 2))
    return [int(p) for p in places[:MOST_ELEMENTS]]


def _values(value: Any) -> list[Any]:
    """Other values for an element, of its type."""
    kind = value.dtype.type
    with np.errstate(all="ignore"):
        if value.dtype == np.bool_:
            tried = [~value]
        elif is_float(value.dtype):
            tried = [kind(0), kind(1), kind(-1), kind(2), kind(-value), kind(value * kind(2)), kind(value / kind(2))]
        else:
            tried = [kind(0), kind(1), kind(2), kind(3), kind(int(value) // 2)]
            info = np.iinfo(value.dtype)
            tried += [kind(int(value) + d) for d in (-1, 1) if info.min <= int(value) + d <= info.max]
    found: dict[bytes, Any] = {}
    for one in tried:
        if np.array(one).tobytes() != np.array(value).tobytes():
            found.setdefault(np.array(one).tobytes(), np.array(one, value.dtype)[()])
    return list(found.values())

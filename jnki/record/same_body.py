"""Whether two recordings of a loop's body, made for two iterations, are the same but for the loop index."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.mask import Mask
from jnki.isa.constants import exact
from jnki.program.program import DeviceLoop, Loop, Node


def same_body(first: Sequence[Node], second: Sequence[Node], renamed: dict[Symbol, Symbol]) -> bool:
    """Whether both record the same instructions and loops.

    Args:
        first, second: bodies in which tiles that were made at one place have one name.
        renamed: symbols of `second` as symbols of `first`. Loops inside add theirs.
    """
    if len(first) != len(second):
        return False
    return all(_same_node(a, b, renamed) for a, b in zip(first, second))


def _same_node(a: Node, b: Node, renamed: dict[Symbol, Symbol]) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, Loop):
        assert isinstance(b, Loop)
        if (a.symbol.trips, a.kind, a.buffers) != (b.symbol.trips, b.kind, b.buffers):
            return False
        return same_body(a.body, b.body, {**renamed, b.symbol: a.symbol})
    if isinstance(a, DeviceLoop):
        assert isinstance(b, DeviceLoop)
        if a.buffers != b.buffers or not _same_fields(a.head, b.head, renamed):
            return False
        return same_body(a.body, b.body, {**renamed, b.symbol: a.symbol})
    return _same_fields(a, b, renamed)


@lru_cache(maxsize=1024)
def _compared(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.compare)


def _same(a: Any, b: Any, renamed: dict[Symbol, Symbol]) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    match a:
        case float():
            return exact(a) == exact(b)
        case Affine():
            if a.constant != b.constant or len(a.terms) != len(b.terms):
                return False
            return dict(a.terms) == {renamed.get(symbol, symbol): factor for symbol, factor in b.terms}
        case Symbol():
            return bool(a == renamed.get(b, b))
        case Access():
            # Most operands have no index of this loop in them, and equality is quick.
            return bool(a == b) or _same_fields(a, b, renamed)
        case Mask():
            return _same(a.comparisons, b.comparisons, renamed)
        case tuple():
            return len(a) == len(b) and all(_same(x, y, renamed) for x, y in zip(a, b))
    return _same_fields(a, b, renamed) if dataclasses.is_dataclass(a) else bool(a == b)


def _same_fields(a: Any, b: Any, renamed: dict[Symbol, Symbol]) -> bool:
    kind: Any = type(a)
    return all(_same(getattr(a, name), getattr(b, name), renamed) for name in _compared(kind))

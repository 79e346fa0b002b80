"""`rearrange`: dims split, reordered and merged by name."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jnki.access import strided
from jnki.access.access import Access
from jnki.errors import RuleError


def rearranged(access: Access, source: Sequence[Any], result: Sequence[Any], sizes: Mapping[str, int]) -> Access:
    """The view whose dims are named by `source`, with the dims that `result` names.

    Args:
        source, result: a name for each dim; a tuple of names where one dim is several, slowest first.
        sizes: of named dims; in each group one may be missing.

    Raises:
        RuleError: `view.rearrange`, where names or sizes do not fit; or a rule of the views that it takes.
    """
    before, after = _groups(source), _groups(result)
    names = [name for group in before for name in group]
    if len(before) != len(access.dims) or len(set(names)) != len(names):
        raise _error(access, source, result, f"distinct names, or groups of them, for each of {len(access.dims)} dims")
    if sorted(names) != sorted(name for group in after for name in group):
        raise _error(access, source, result, "the same names on both sides")
    dim = 0
    for group, count in zip(before, access.shape):
        if len(group) != 1:
            access = strided.split_dim(access, dim, _sizes(access, source, result, group, count, sizes))
        elif sizes.get(group[0], count) != count:
            raise _error(access, source, result, f"'{group[0]}' of size {count}")
        dim += len(group)
    access = strided.permute_dims(access, [names.index(name) for group in after for name in group])
    for dim, group in enumerate(after):
        if len(group) > 1:
            access = strided.merge_dims(access, dim, dim + len(group) - 1)
        elif not group:
            access = strided.expand_dim(access, dim)
    return access


def _groups(pattern: Sequence[Any]) -> list[tuple[str, ...]]:
    return [(part,) if isinstance(part, str) else tuple(part) for part in pattern]


def _sizes(
    access: Access, source: Any, result: Any, group: tuple[str, ...], count: int, sizes: Mapping[str, int]
) -> list[int]:
    unknown = [name for name in group if name not in sizes]
    known = math.prod(sizes[name] for name in group if name in sizes)
    if len(unknown) > 1 or count % max(known, 1) or (not unknown and known != count):
        raise _error(access, source, result, f"sizes of {group} that make up {count}, all but one of them given")
    return [sizes.get(name, count // max(known, 1)) for name in group]


def _error(access: Access, source: Any, result: Any, allowed: str) -> RuleError:
    return RuleError(
        "view.rearrange",
        f"tensor '{access.buffer.name}' cannot be rearranged so",
        given=f"{source} to {result} of {list(access.shape)}",
        allowed=allowed,
    )

"""`tensor[...]`: every spelling of a subscript becomes an `Access`.

Basic indexing (`basic.py`) takes integers, loop indices, slices, `nl.ds`, `...` and `None`. Advanced indexing
(`advanced.py`) takes index tensors and one SBUF tile as an indirect index.
"""

from typing import Any

from jnki.access.access import Access
from jnki.access.advanced import advanced_view, is_advanced, is_tile, mixed_view, rank_1
from jnki.access.basic import DynamicSlice, basic_view, is_slice
from jnki.access.index import Index
from jnki.errors import RuleError, not_modelled

_WHOLE = slice(None)


def subscript(access: Access, key: Any, *, allow_mixing: bool = False) -> Access:
    """The part of `access` that `key` names.

    Args:
        access: the tensor or view that is indexed.
        key: what stands between the brackets.
        allow_mixing: whether slices may stand beside an indirect index (the functional interface).

    Raises:
        RuleError: a rule of indexing is broken; an index that may leave its axis is not judged here but where an
            instruction uses the result, together with its mask.
    """
    given = key if isinstance(key, tuple) else (key,)
    _check_kinds(access, given)
    keys = _expanded(access, given)
    if all(isinstance(k, slice) and k == _WHOLE for k in keys):
        return access
    if access.indirect is not None:
        raise not_modelled("a second subscript on an indirect access")
    if not any(map(is_advanced, keys)):
        return basic_view(access, keys)
    if not any(map(is_slice, keys)):
        return advanced_view(access, keys)
    if not allow_mixing:
        raise _mixing(access, given)
    return mixed_view(access, keys)


def _check_kinds(access: Access, keys: tuple[Any, ...]) -> None:
    """Every key is one that a tensor can be indexed with."""
    for key in keys:
        is_number = hasattr(key, "__index__") and not isinstance(key, bool) and getattr(key, "ndim", 0) == 0
        if not (is_number or is_slice(key) or is_advanced(key) or key is Ellipsis):
            raise RuleError(
                "index.kind",
                f"tensor '{access.buffer.name}' cannot be indexed with {type(key).__name__}",
                given=f"{key}"[:120],
                allowed="integers, loop indices, slices, nl.ds, ..., None, nl.arange, nl.mgrid, a tile of row indices",
            )


def _expanded(access: Access, keys: tuple[Any, ...]) -> list[Any]:
    """One key per dim (plus `None`s): `...` filled in, missing trailing dims taken whole."""
    ellipses = [i for i, k in enumerate(keys) if k is Ellipsis]
    given = sum(k is not None and k is not Ellipsis for k in keys)
    missing = len(access.dims) - given
    if missing < 0 or len(ellipses) > 1:
        raise RuleError(
            "index.rank",
            f"too many indices for tensor '{access.buffer.name}'",
            given=f"{given} indices",
            allowed=f"at most {len(access.dims)}, and one '...'",
        )
    at = ellipses[0] if ellipses else len(keys)
    return [*keys[:at], *[_WHOLE] * missing, *keys[at + 1 :]]


def _mixing(access: Access, keys: tuple[Any, ...]) -> RuleError:
    """What is wrong with index tensors that do not stand alone: slices beside them, or axes without any index."""
    written = ", ".join(map(_spell, keys))
    if any(is_slice(k) or k is Ellipsis for k in keys):
        return RuleError(
            "err_unsupported_mixing_basic_advanced_tensor_indexing",
            "slices and index tensors cannot be mixed in one subscript",
            given=written,
            allowed="only slices and integers, or only index tensors, tiles and integers",
        )
    rank = len(access.dims)
    given = f"{written} for the {rank} axes of {list(access.shape)}"
    an_index_each = f"an index for each of the {rank} axes"
    if access.buffer.space.on_chip and all(getattr(k, "ndim", 0) < 2 and not is_tile(k) for k in keys):
        return rank_1(access, given, f"{an_index_each}, of rank 2 or more")
    return RuleError(
        "err_unsupported_mixing_basic_advanced_tensor_indexing",
        f"the index tensors of tensor '{access.buffer.name}' leave out axes, which only slices may",
        given=given,
        allowed=f"{an_index_each}, or only slices and integers",
    )


def _spell(key: Any) -> str:
    match key:
        case None | int():
            return str(key)
        case slice():
            parts = [key.start, key.stop] if key.step is None else [key.start, key.stop, key.step]
            return ":".join("" if part is None else _spell(part) for part in parts)
        case DynamicSlice():
            return "nl.ds"
        case _ if key is Ellipsis:
            return "..."
        case _ if is_tile(key):
            return "a tile"
        case Index() if key.ndim == 0:
            return str(key.base)
        case _:
            return str(key)

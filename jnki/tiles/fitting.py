"""Which value fits which destination, in `tile[...] = value` and in `nl.store`.

Elements of equal shapes correspond index by index. Of unequal ones they do where free axes are only split or joined:
then row-major order is the only order there is to think of. Anything else, `[4, 8]` into `[8, 4]`, would be scrambled.
"""

import itertools
import operator

import numpy as np

from jnki.access.access import Access
from jnki.errors import RuleError
from jnki.target import Target
from jnki.tiles.views import broadcast_access


def regroups(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether one of the shapes comes out of the other by splitting axes, or by joining neighbours."""
    # A shape's prefix products say where its axes end.
    ends, others = (set(itertools.accumulate(shape, operator.mul)) - {1} for shape in (one, other))
    return _count(one) == _count(other) and (ends <= others or others <= ends)


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=object))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def together(function: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that operands of these shapes broadcast to.

    Raises:
        RuleError: `<function>.shape`; where two have different ranks it says which axes were compared.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        pass
    raise RuleError(
        f"{function}.shape",
        f"the operands of {function} do not broadcast together" + _trailing(*shapes),
        given=", ".join(str(list(shape)) for shape in shapes),
        allowed="shapes that broadcast as NumPy's do",
    )


def _trailing(*shapes: tuple[int, ...]) -> str:
    """What to say where operands differ in rank: NumPy pads the shorter shape in front, where tiles have partitions."""
    short, long = min(shapes, key=len), max(shapes, key=len)
    if len(short) == len(long):
        return ""
    padded = short + (1,) * (len(long) - len(short))
    fits = all(n == m or 1 in (n, m) for n, m in zip(padded, long))
    hint = f"; {list(padded)} does" if fits else ""
    return f": the trailing axes of {list(short)} do not line up with those of {list(long)}{hint}"


def fitted(to: Access, source: Access) -> Access:
    """`source` broadcast to the shape of `to`, or itself where it has the partitions and the elements of `to`.

    Raises:
        RuleError: `err_store_dst_shape_smaller_than_other_shape`, `err_num_partition_mismatch` or `assignment.shape`.
    """
    a, b = to.shape, source.shape
    if a == b:
        return source
    try:
        if np.broadcast_shapes(a, b) == a:
            return broadcast_access(source, a)
    except ValueError:
        pass
    given, where = f"destination {list(a)}, value {list(b)}", f"assignment to tensor '{to.buffer.name}'"
    if source.size != to.size:
        raise RuleError(
            "err_store_dst_shape_smaller_than_other_shape",
            f"illegal shape in {where}",
            given=given,
            allowed="a value of the destination's shape, or one that broadcasts to it",
        )
    if a[0] != b[0]:
        raise _partition_mismatch(where, given)
    if not regroups(a[1:], b[1:]):
        raise _scrambled("assignment.shape", where, given)
    return source


def check_stored(to: Access, source: Access | None, target: Target) -> None:
    """The value of `nl.store` has the shape of its destination, axes of size 1 and splits of free axes aside.

    Args:
        source: the value, or None for a number, which goes everywhere.

    Raises:
        RuleError: `err_store_dst_shape_smaller_than_other_shape`, `err_num_partition_exceed_arch_limit`,
            `err_num_partition_mismatch` or `store.shape`.
    """
    a, b = to.shape, source.shape if source is not None else None
    if b is not None and _without_ones(a) == _without_ones(b):
        return
    given, where = f"destination {list(a)}", f"store to tensor '{to.buffer.name}'"
    given += f", value {list(b)}" if b is not None else ""
    if source is not None and to.size < source.size:
        raise RuleError(
            "err_store_dst_shape_smaller_than_other_shape",
            f"illegal shape in {where}: the destination is smaller than the value",
            given=given,
            allowed="a destination of the value's shape",
        )
    partitions = a[0] if a else 1
    if partitions > target.partition_count:
        raise RuleError(
            "err_num_partition_exceed_arch_limit",
            f"the destination tile of a {where} spans too many partitions",
            given=given,
            allowed=f"at most {target.partition_count} on {target.name}: axis 0 of a tile is its partition axis",
        )
    leading = next((n for n in a if n != 1), 1)
    if b is not None and b[0] not in (partitions, leading):
        raise _partition_mismatch(where, given)
    if source is not None and b is not None and to.size == source.size and not regroups(a, b):
        raise _scrambled("store.shape", where, given)


def _partition_mismatch(where: str, given: str) -> RuleError:
    return RuleError(
        "err_num_partition_mismatch",
        f"the two sides of the {where} span different numbers of partitions",
        given=given,
        allowed="the same size of axis 0, which is the partition axis; a tensor in hbm can be reshaped",
    )


def _scrambled(rule: str, where: str, given: str) -> RuleError:
    return RuleError(
        rule,
        f"the axes of the two sides of the {where} do not line up",
        given=given,
        allowed="equal shapes, or axes that are split or joined: [P, 32] for [P, 4, 8], not [P, 8, 4]",
    )

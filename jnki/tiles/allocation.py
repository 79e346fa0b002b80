"""Allocation by hand: where in SBUF or PSUM each block of a tensor starts, as its author says.

    nl.ndarray((4, nl.par_dim(128), 512), dtype=nl.bfloat16, buffer=ncc.sbuf.mod_alloc(base_addr=0,
    num_free_tiles=(2,)))

A place changes no value: every block has memory of its own here. It is kept with the buffer, and checked against what
the target has; `jnki.analysis.lifetimes` looks for blocks that overwrite each other.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.access.buffer import Place, Space
from jnki.dtypes import ElementType
from jnki.errors import RuleError
from jnki.record.recorder import Recorder, source_key
from jnki.target import Target


@dataclass(frozen=True)
class Allocation:
    """A `buffer=` argument that says where each block starts.

    Attributes:
        name: the function of NKI that made it.
        space: SBUF or PSUM.
        place: from the index of a block, the number of its partitions and its bytes in each, to where it starts:
            `(partition, byte)` in SBUF, `(bank, partition, byte)` in PSUM.
        tiles: of a modulo allocation, the arguments that have one number for each block axis.
    """

    name: str
    space: Space
    place: Callable[[tuple[int, ...], int, int], Any]
    tiles: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __str__(self) -> str:
        return f"{self.name}(...)"


def by_function(name: str, space: Space, function: Any) -> Allocation:
    """An allocation by a function of the user's, of `idx`, `pdim_size` and `fdim_size`.

    Raises:
        RuleError: it is no function.
    """
    if not callable(function):
        raise RuleError(
            "allocation.function",
            f"{name} takes a function that says where a block starts",
            given=f"{type(function).__name__} {function}"[:120],
            allowed="a function of idx, pdim_size and fdim_size",
        )

    def place(block: tuple[int, ...], partitions: int, size_bytes: int) -> Any:
        by_name = {"idx": block, "pdim_size": partitions, "fdim_size": size_bytes}
        return function(**by_name) if _takes(function, by_name) else function(block, partitions, size_bytes)

    return Allocation(name, space, place)


def modulo(base: int, tiles: tuple[int, ...], size: int, block: tuple[int, ...]) -> int:
    """Where a block starts on one axis, if `tiles` physical tiles of `size` are used in turn from `base` on."""
    number = 0
    for index, count in zip(block, tiles or (1,) * len(block)):
        number = number * count + index % count
    return base + number * size


def tile_counts(name: str, **counts: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The `num_..._tiles` arguments of a modulo allocation, as tuples of positive integers.

    Raises:
        RuleError: one is something else.
    """
    for argument, values in counts.items():
        numbers = values if isinstance(values, (tuple, list)) else (None,)
        if not all(isinstance(n, (int, np.integer)) and n > 0 for n in numbers):
            raise RuleError(
                "allocation.tiles",
                f"{name}: '{argument}' counts physical tiles",
                given=f"{argument}={values!r}",
                allowed="a tuple of positive integers, one for each block axis, or ()",
            )
    return tuple((argument, tuple(map(int, values))) for argument, values in counts.items())


def one_start(name: str, **starts: Any) -> None:
    """A modulo allocation starts at 0 wherever NKI leaves no choice.

    Raises:
        RuleError: it does not.
    """
    for argument, start in starts.items():
        if start != 0:
            raise RuleError(
                "allocation.base", f"{name}: '{argument}' is not 0", given=f"{argument}={start!r}", allowed="0"
            )


def one_tile(name: str, tiles: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
    """A bank of PSUM holds one tile.

    Raises:
        RuleError: there are to be several of them.
    """
    for argument, counts in tiles:
        if any(count != 1 for count in counts):
            raise RuleError(
                "allocation.tiles",
                f"{name}: a bank of psum holds one tile",
                given=f"{argument}={counts}",
                allowed="() or ones",
            )


def places_of(
    recorder: Recorder, allocation: Allocation, shape: tuple[int, ...], partition_axis: int, dtype: ElementType
) -> tuple[Place, ...]:
    """Where each block of a tensor starts, checked; empty where the kernel has its tensors allocated automatically.

    Raises:
        RuleError: `allocation.tiles`, `allocation.result`, or a rule of the target about addresses.
    """
    if not recorder.keeps_places:
        return ()
    blocks = shape[:partition_axis]
    for argument, counts in allocation.tiles:
        # Kernels in use give one number to a tensor without block axes, for which there is nothing to choose.
        if counts and blocks and len(counts) != len(blocks):
            raise RuleError(
                "allocation.tiles",
                f"{allocation.name}: '{argument}' does not have one number for each block axis",
                given=f"{argument}={counts} for block axes {list(blocks)} of {list(shape)}",
                allowed=f"() or {len(blocks)} numbers",
            )
    partitions = shape[partition_axis]
    size_bytes = math.prod(shape[partition_axis + 1 :]) * dtype.size_bytes

    def make() -> tuple[Place, ...]:
        starts = [allocation.place(block, partitions, size_bytes) for block in np.ndindex(*blocks)]
        return tuple(_checked(allocation, start, partitions, size_bytes, recorder.target) for start in starts)

    return recorder.bodies.once((source_key(), shape, dtype), make)


def _takes(function: Callable[..., Any], by_name: dict[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(**by_name)
    except (TypeError, ValueError):
        return False
    return True


def _checked(allocation: Allocation, result: Any, partitions: int, size_bytes: int, target: Target) -> Place:
    in_psum = allocation.space is Space.PSUM
    expected = "(bank_id, start_partition, byte_addr)" if in_psum else "(start_partition, byte_addr)"
    numbers = tuple(result) if isinstance(result, (tuple, list)) else ()
    if len(numbers) != 2 + in_psum or not all(isinstance(n, (int, np.integer)) for n in numbers):
        raise RuleError(
            "allocation.result",
            f"{allocation.name}: the function does not say where a block starts",
            given=f"{result!r}"[:120],
            allowed=f"integers {expected}",
        )
    *bank, partition, byte = map(int, numbers)
    place = Place(partition, byte, *bank)
    if in_psum:
        _check_psum(allocation, place, target)
    else:
        _check_sbuf(allocation, place, partitions, size_bytes, target)
    return place


def _check_psum(allocation: Allocation, place: Place, target: Target) -> None:
    if place.bank not in range(target.psum_bank_count):
        raise RuleError(
            "allocation.bank",
            f"{allocation.name}: there is no such bank",
            given=f"bank {place.bank}",
            allowed=f"0 to {target.psum_bank_count - 1} on {target.name}",
        )
    if place.partition or place.byte:
        raise RuleError(
            "allocation.psum_start",
            f"{allocation.name}: a tile in psum starts where its bank does",
            given=f"start_partition {place.partition}, byte_addr {place.byte}",
            allowed="0 and 0",
        )


def _check_sbuf(allocation: Allocation, place: Place, partitions: int, size_bytes: int, target: Target) -> None:
    starts = _start_partitions(partitions, target)
    if place.partition not in starts:
        raise RuleError(
            "allocation.start_partition",
            f"{allocation.name}: a tile of {partitions} partitions cannot start there",
            given=f"start_partition {place.partition}",
            allowed=" or ".join(map(str, starts)),
        )
    limit = target.sbuf_usable_bytes_per_partition or target.sbuf_bytes_per_partition
    if not 0 <= place.byte <= limit - size_bytes:
        raise RuleError(
            "allocation.byte_addr",
            f"{allocation.name}: a tile lies outside of what a kernel can use of a partition of sbuf",
            given=f"byte_addr {place.byte}, {size_bytes} bytes per partition, to {place.byte + size_bytes}",
            allowed=f"0 to {limit} on {target.name}",
        )
    align = target.sbuf_min_align_bytes or 1
    if place.byte % align:
        raise RuleError(
            "allocation.alignment",
            f"{allocation.name}: an address is not aligned",
            given=f"byte_addr {place.byte}",
            allowed=f"a multiple of {align} on {target.name}",
        )


def _start_partitions(partitions: int, target: Target) -> range:
    """Half of the partitions start at a half, a quarter at a quarter."""
    step = target.partition_count
    while step > target.partition_quadrant and partitions <= step // 2:
        step //= 2
    return range(0, target.partition_count, step)

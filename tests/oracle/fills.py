"""The meaning of `memset`, `iota` and `tensor_copy`: each writes what its pattern names, and nothing else."""

import numpy as np

from .casts import INTEGERS, encode, from_bits, to_bits
from .dma_copy import dma_copy
from .moves import Memory, Operand, check_address, switched_on
from .pattern import Pattern


def memset(memory: Memory, *, dst: Operand, value: float, mask: np.ndarray | None = None) -> Memory:
    """Memory in which every element of `dst` is `value`.

    A whole number into an integer type is exact; everything else goes through float32.

    Raises:
        ValueError: a whole number does not fit the integer type, or `dst` is indirect.
    """
    if dst.dtype in INTEGERS and isinstance(value, int):
        low, high = INTEGERS[dst.dtype]
        if not low <= value <= high:
            raise ValueError(f"{value} does not fit {dst.dtype}, which holds {low} to {high}")
        bits = value & (high - low)
    else:
        bits = _through_float32(value, dst.dtype)
    return _fill(memory, dst, [bits] * len(list(dst.pattern.walk())), mask)


def iota(memory: Memory, *, dst: Operand, values: Pattern, mask: np.ndarray | None = None) -> Memory:
    """Memory in which the i-th element of `dst` is the i-th value of an affine walk.

    The walk is in wrapping 32-bit integers; types other than int32 are reached through float32.

    Args:
        memory: every buffer, by name.
        dst: where the values go.
        values: `offset` plus a step per dimension; it has as many elements as `dst`.
        mask: boolean, of the shape of `dst`; false elements are not written.

    Raises:
        ValueError: the element counts differ, or `dst` is indirect.
    """
    wrapped = [(value + 2**31) % 2**32 - 2**31 for value in values.walk()]
    if dst.dtype == "int32":
        bits = [value % 2**32 for value in wrapped]
    else:
        bits = [_through_float32(value, dst.dtype) for value in wrapped]
    return _fill(memory, dst, bits, mask)


def pattern_values(pattern: list[list[int]], offset: int, channel_multiplier: int, partitions: int) -> np.ndarray:
    """The int32 values of the current dialect's iota, `[P, N]`, one after another."""
    rows = []
    for p in range(partitions):
        walked = [0]
        for step, number in pattern:
            walked = [value + step * i for value in walked for i in range(number)]
        rows.append([(offset + p * channel_multiplier + v + 2**31) % 2**32 - 2**31 for v in walked])
    return np.array(rows, np.int64).astype(np.int32)


def tensor_copy(memory: Memory, *, dst: Operand, src: Operand, mask: np.ndarray | None = None) -> Memory:
    """Memory in which `dst` holds the elements of `src`: bit for bit, or through float32 if the types differ.

    Raises:
        ValueError: an operand is indirect, or the element counts differ.
    """
    _refuse_indirect(dst)
    _refuse_indirect(src)
    return dma_copy(memory, dst=dst, src=src, mask=mask)[0]


def _through_float32(value: float, dtype: str) -> int:
    with np.errstate(all="ignore"):
        return encode(np.float32(value), dtype)


def _fill(memory: Memory, dst: Operand, values: list[int], mask: np.ndarray | None) -> Memory:
    _refuse_indirect(dst)
    addresses = list(dst.pattern.walk())
    if len(addresses) != len(values):
        raise ValueError(f"{len(values)} values were given for {len(addresses)} elements")
    after = to_bits(memory[dst.buffer], dst.dtype)
    for address, bits, written in zip(addresses, values, switched_on(mask, dst.pattern.shape)):
        if written:
            check_address(dst.buffer, address, len(after))
            after[address] = bits
    return {**memory, dst.buffer: from_bits(after, memory[dst.buffer])}


def _refuse_indirect(operand: Operand) -> None:
    if operand.index_buffer is not None:
        raise ValueError(f"{operand.buffer}: only dma_copy takes an indirect operand")

"""What `nki.isa.nc_matmul` and `nki.isa.nc_transpose` leave in memory, one element at a time in float64."""

import itertools
import math

import numpy as np

from .casts import cast, decode, encode, from_bits, to_bits
from .moves import Memory, Operand, check_address, switched_on


def nc_matmul(
    memory: Memory,
    *,
    dst: Operand,
    stationary: Operand,
    moving: Operand,
    contracted: int = 1,
    accumulate: bool = False,
    mask: np.ndarray | None = None,
    contributes: np.ndarray | None = None,
) -> Memory:
    """Memory in which `dst[m, n]` is the sum over `k` of `stationary[k, m] * moving[k, n]` (and of its old value).

    Sums are in float64 and rounded to float32 once, so they are exact where every partial sum fits float32.

    Args:
        dst, stationary, moving: direct operands. All axes of a pattern but the contracted ones, or but the first of
            `dst`, count as one.
        contracted: how many leading axes of both operands are summed over.
        accumulate: whether the old value is added.
        mask: boolean, of the shape of `dst`; false elements are not written.
        contributes: boolean, of the contracted axes; false elements add nothing.

    Raises:
        ValueError: the shapes are not those of a matrix product.
    """
    shape = stationary.pattern.shape[:contracted]
    depth, rows = math.prod(shape), math.prod(stationary.pattern.shape[contracted:])
    columns = math.prod(moving.pattern.shape[contracted:])
    if moving.pattern.shape[:contracted] != shape or dst.pattern.shape[0] != rows:
        raise ValueError(
            f"{stationary.pattern.shape} and {moving.pattern.shape} do not multiply to {dst.pattern.shape}"
        )
    left, right, old = (values(memory, operand) for operand in (stationary, moving, dst))
    if len(old) != rows * columns:
        raise ValueError(f"{dst.pattern.shape} does not hold {rows} x {columns} elements")
    adds = switched_on(contributes, shape)
    results = []
    for m, n in itertools.product(range(rows), range(columns)):
        total = old[m * columns + n] if accumulate else 0.0
        for k in range(depth):
            if adds[k]:
                total += left[k * rows + m] * right[k * columns + n]
        results.append(encode(np.float32(total), dst.dtype))
    return put(memory, dst, results, mask)


def nc_transpose(memory: Memory, *, dst: Operand, data: Operand, mask: np.ndarray | None = None) -> Memory:
    """Memory in which `dst[f, p]` is `data[p, f]`: bit for bit, or through float32 if the types differ.

    Args:
        dst, data: direct operands; all axes of a pattern but the first count as one.
        mask: boolean, of the shape of `data`; false elements are not moved.
    """
    partitions, free = data.pattern.shape[0], math.prod(data.pattern.shape[1:])
    bits = to_bits(memory[data.buffer], data.dtype)
    source = [bits[address] for address in data.pattern.walk()]
    moves = switched_on(mask, data.pattern.shape)
    order = [p * free + f for f, p in itertools.product(range(free), range(partitions))]
    enabled = np.array([moves[i] for i in order], bool).reshape(dst.pattern.shape)
    with np.errstate(all="ignore"):
        moved = [cast(source[i], data.dtype, dst.dtype) for i in order]
    return put(memory, dst, moved, enabled)


def values(memory: Memory, operand: Operand) -> list[float]:
    """The elements of a direct operand as numbers, in row-major order of its pattern."""
    bits = to_bits(memory[operand.buffer], operand.dtype)
    found = []
    for address in operand.pattern.walk():
        check_address(operand.buffer, address, len(bits))
        found.append(float(decode(bits[address], operand.dtype)))
    return found


def put(memory: Memory, dst: Operand, results: list[int], mask: np.ndarray | None) -> Memory:
    """Memory with these bits at the elements of `dst` that the mask leaves on."""
    after = to_bits(memory[dst.buffer], dst.dtype)
    for address, bits, on in zip(dst.pattern.walk(), results, switched_on(mask, dst.pattern.shape), strict=True):
        if on:
            check_address(dst.buffer, address, len(after))
            after[address] = bits
    return {**memory, dst.buffer: from_bits(after, memory[dst.buffer])}

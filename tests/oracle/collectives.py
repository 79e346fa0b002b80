"""Collectives in plain NumPy: from the arrays of all ranks, stacked, to what each of them has afterwards."""

import functools

import numpy as np


def _by_rank(stack, groups, of_group):
    """What `of_group` gives for the arrays of each group, in the order of its list, back at their ranks."""
    found = {}
    for group in groups:
        for rank, result in zip(group, of_group([stack[rank] for rank in group])):
            found[rank] = result
    return np.stack([found[rank] for rank in range(len(stack))])


def _greater(a, b):
    """IEEE 754-2019 maximum: NaN wins, -0 is below +0."""
    if np.isnan(a) or np.isnan(b):
        return np.float32(np.nan)
    if a == b:
        return a if not np.signbit(a) else b
    return max(a, b)


def _lesser(a, b):
    return -_greater(-a, -b)


def combined(arrays, op):
    """In the type of the arrays where it is of integers, else in float32, rounded once."""
    kind = arrays[0].dtype
    if kind.kind in "iu":
        with np.errstate(over="ignore"):
            function = {"add": np.add, "minimum": np.minimum, "maximum": np.maximum}[op]
            return functools.reduce(lambda a, b: function(a, b).astype(kind), arrays)
    functions = {"add": np.add, "minimum": np.vectorize(_lesser, otypes=[np.float32])}
    functions["maximum"] = np.vectorize(_greater, otypes=[np.float32])
    with np.errstate(invalid="ignore", over="ignore"):
        return functools.reduce(functions[op], [a.astype(np.float32) for a in arrays]).astype(kind)


def all_reduce(stack, groups, op):
    return _by_rank(stack, groups, lambda arrays: [combined(arrays, op)] * len(arrays))


def all_gather(stack, groups, dim=0):
    return _by_rank(stack, groups, lambda arrays: [np.concatenate(arrays, axis=dim)] * len(arrays))


def reduce_scatter(stack, groups, op):
    return _by_rank(stack, groups, lambda arrays: np.split(combined(arrays, op), len(arrays)))


def all_to_all(stack, groups):
    def exchange(arrays):
        parts = [np.split(array, len(arrays)) for array in arrays]
        return [np.concatenate([sender[receiver] for sender in parts]) for receiver in range(len(arrays))]

    return _by_rank(stack, groups, exchange)


def permute(stack, old, pairs):
    """`old` is what the ranks have where the result goes."""
    result = old.copy()
    for source, target in pairs:
        result[target] = stack[source]
    return result


def ring(stack, groups):
    return _by_rank(stack, groups, lambda arrays: [arrays[at - 1] for at in range(len(arrays))])


def all_to_all_v(src, dst, metadata, groups, *, displaced=False, known=False, gathers=False):
    """`(dst, metadata)` of all ranks afterwards; every chunk fits.

    Args:
        gathers: whether each rank sends one chunk, that of column 0, to all: `all_gather_v`.
    """
    dst, after = dst.copy(), metadata.copy()
    for group in groups:
        slot = dst[0].size // len(group)
        for me, receiver in enumerate(group):
            for at, sender in enumerate(group):
                column = 0 if gathers else me
                count, start = (int(metadata[sender].reshape(-1, len(group))[row, column]) for row in (0, 1))
                rows = after[receiver].reshape(-1, len(group))
                place = int(rows[3, at]) if displaced else slot * at
                dst[receiver].reshape(-1)[place : place + count] = src[sender].reshape(-1)[start : start + count]
                if not known:
                    rows[2, at] = count
    return dst, after

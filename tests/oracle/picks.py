"""Instructions that pick, find, gather and rearrange elements: one element after another, on NumPy arrays.

Each gives the new contents of what it writes, and takes `on`, the mask over the operand that it speaks of.
"""

import math

import numpy as np


def largest_8(src: np.ndarray, on: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """`max8`, the values as Python floats in float64; what is not there stays as in `dst`."""
    out = dst.astype(np.float64)
    for p, row in enumerate(src.reshape(len(src), -1)):
        values = [float(v) for v, enabled in zip(row.astype(np.float32), on[p].ravel()) if enabled]
        values.sort(key=lambda v: (math.isnan(v), v if not math.isnan(v) else 0.0), reverse=True)
        for k, value in enumerate(values[:8]):
            out[p].reshape(-1)[k] = value
    return out


def find_index_8(
    data: np.ndarray, vals: np.ndarray, on: np.ndarray, dst: np.ndarray, successive: bool = False
) -> np.ndarray:
    out = dst.copy()
    for p in range(len(data)):
        row, enabled = data[p].ravel().astype(np.float32), on[p].ravel()
        if not enabled.any():
            continue
        taken: list[int] = []
        for k, value in enumerate(vals[p].ravel().astype(np.float32)):
            found = [i for i in range(len(row)) if enabled[i] and row[i] == value and i not in taken]
            out[p].reshape(-1)[k] = found[0] if found else np.iinfo(dst.dtype).max
            taken += found[:1] if successive else []
    return out


def match_replace_8(
    data: np.ndarray,
    vals: np.ndarray,
    imm: float,
    on: np.ndarray,
    dst: np.ndarray,
    dst_idx: np.ndarray,
    last_first: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """All of one type; the data that is left, and the indices."""
    out, indices = dst.copy(), dst_idx.copy()
    for p in range(len(data)):
        row, enabled = data[p].ravel().copy(), on[p].ravel()
        in_order = list(enumerate(vals[p].ravel().astype(np.float32)))
        for k, value in reversed(in_order) if last_first else in_order:
            found = [i for i in range(len(row)) if enabled[i] and row[i].astype(np.float32) == value]
            if found:
                row[found[0]] = imm
            if enabled.any():
                indices[p].reshape(-1)[k] = found[0] if found else 0
        for i in range(len(row)):
            if enabled[i]:
                out[p].reshape(-1)[i] = row[i]
    return out, indices


def stream_shuffle(src: np.ndarray, shuffle_mask: list[int], on: np.ndarray, dst: np.ndarray) -> np.ndarray:
    out = dst.copy()
    for p in range(len(dst)):
        quadrant, entry = p // len(shuffle_mask), shuffle_mask[p % len(shuffle_mask)]
        if entry == 255:
            continue
        row = src[quadrant * len(shuffle_mask) + entry].reshape(dst[p].shape)
        for place in np.ndindex(row.shape):
            if on[(p, *place)]:
                out[(p, *place)] = row[place]
    return out


def local_gather(
    src: np.ndarray, index: np.ndarray, width: int, count: int, on: np.ndarray, dst: np.ndarray
) -> tuple[np.ndarray, tuple[int, int] | None]:
    """The new tile, and partition and index of the first fault."""
    out, fault = dst.copy(), None
    rows, of_index = src.reshape(len(src), -1), index.reshape(len(index), -1)
    flat, enabled = out.reshape(len(out), -1), on.reshape(len(out), -1)
    for core in range(0, len(src), 16):
        for k in range(count):
            start = int(of_index[core + k % 16, k // 16])
            inside = start + width <= rows.shape[1]
            asked = enabled[core : core + 16, k * width : (k + 1) * width].any()
            if not inside and asked and fault is None:
                fault = (core, start)
            for p in range(core, core + 16):
                for e in range(width):
                    if inside and enabled[p, k * width + e]:
                        flat[p, k * width + e] = rows[p, start + e]
    return out, fault


def sequence_bounds(ids: np.ndarray) -> np.ndarray:
    """`[1, 2, n]` whole numbers for `[1, n]` ids."""
    row = ids[0]
    begins, ends = [], []
    for i, own in enumerate(row):
        begin = end = i
        while begin > 0 and row[begin - 1] == own:
            begin -= 1
        while end + 1 < len(row) and row[end + 1] == own:
            end += 1
        begins.append(len(row) if own == 0 else begin)
        ends.append(-1 if own == 0 else end + 1)
    return np.array([[begins, ends]])


def nonzero_with_count(src: np.ndarray, offset: int, padding: int, dst: np.ndarray) -> np.ndarray:
    out = dst.copy()
    rows, flat = src.reshape(len(src), -1), out.reshape(len(out), -1)
    for p in range(0, len(src), 16):
        found = [i for i, value in enumerate(rows[p]) if value != 0]
        numbers = [i + offset for i in found] + [padding] * (rows.shape[1] - len(found)) + [len(found)]
        flat[p] = [(n + 2**31) % 2**32 - 2**31 for n in numbers]
    return out


def topk(src: np.ndarray, n: int, values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `values` and `places`, `[P, K]`, are after the K largest of each 16 partitions were put in."""
    values, places = values.copy(), places.copy()
    for first in range(0, len(src), 16):
        numbers = [(src[first + i % 16, i // 16], i) for i in range(n)]
        chosen = []
        while len(chosen) < values.shape[1]:
            best = None
            for value, i in numbers:
                if (value, i) not in chosen and (best is None or _larger(value, best[0])):
                    best = value, i
            chosen.append(best)
        for j, (value, i) in enumerate(reversed(chosen)):
            values[first + j % 16, j // 16] = value
            places[first + j % 16, j // 16] = i
    return values, places


def _larger(a, b) -> bool:
    return a > b or (np.isnan(a) and not np.isnan(b))

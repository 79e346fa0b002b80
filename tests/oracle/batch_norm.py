"""`bn_stats` and `bn_aggr`, one partition after another, in double precision."""

import numpy as np


def stats(data: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Six numbers for each partition of `[P, N]`, and which partitions are written."""
    on = np.ones(data.shape, bool) if mask is None else mask
    out = np.zeros((data.shape[0], 6))
    for p in range(data.shape[0]):
        left = [float(x) for x, enabled in zip(data[p], on[p]) if enabled]
        for start in (0, 1):
            half = left[start::2]
            if half:
                mean = sum(half) / len(half)
                out[p, 3 * start : 3 * start + 3] = len(half), mean, sum((x - mean) ** 2 for x in half)
    return out, on.any(axis=1)


def aggregate(data: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance for each partition of groups `[P, 3 * K]`, and which partitions are written."""
    on = np.ones(data.shape, bool) if mask is None else mask
    out, written = np.full((data.shape[0], 2), np.nan), np.zeros(data.shape[0], bool)
    for p in range(data.shape[0]):
        groups = [data[p, i : i + 3] for i in range(0, data.shape[1], 3) if on[p, i : i + 3].all()]
        written[p] = bool(groups)
        if groups:
            total = sum(float(g[0]) for g in groups)
            mean = sum(float(g[0]) * float(g[1]) for g in groups) / total
            out[p] = mean, sum(float(g[2]) + float(g[0]) * (float(g[1]) - mean) ** 2 for g in groups) / total
    return out, written

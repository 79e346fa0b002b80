"""Random chains of views, said twice: as what a kernel does with a tensor, and as NumPy views of the same memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.neuronxcc import nki

nl = nki.language


class Draws(np.random.Generator):
    """Random numbers, and the loop that a chain stands in, if any: its index, how often it runs, and an iteration.

    Models are those of that iteration; keys hold in all of them.
    """

    def __init__(self, seed: Any, index: Any = None, trips: int = 1):
        super().__init__(np.random.PCG64(seed))
        self.index, self.trips = index, trips
        self.value = int(self.integers(0, trips))

    def place(self, value: int, low: int, high: int) -> Any:
        """`value`, or what has that value in the iteration, and one between `low` and `high` in every other."""
        last = self.trips - 1 - self.value
        fitting = [step for step in (-2, -1, 1, 2) if all(low <= value + step * n <= high for n in (-self.value, last))]
        if self.index is None or not fitting or self.random() < 0.2:
            return value
        step = int(self.choice(fitting))
        return self.index * step + (value - step * self.value)


@dataclass(frozen=True)
class Model:
    """A NumPy view of the memory, and what a tile is beyond it.

    Attributes:
        array: a true view: its strides are what the hardware walks.
        blocks: how many axes stand in front of the partition axis; None in HBM.
    """

    array: np.ndarray
    blocks: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def marked(self) -> tuple[Any, ...]:
        """The shape as a kernel writes it, with its partition axis marked."""
        return tuple(nl.par_dim(n) if axis == self.blocks else n for axis, n in enumerate(self.shape))


@dataclass(frozen=True)
class Step:
    """One operation of a chain: its name, and its argument for jnki and for NumPy."""

    name: str
    jnki: Any
    numpy: Any = None

    def of_tensor(self, tensor: Any) -> Any:
        match self.name:
            case "[]":
                return tensor[self.jnki]
            case "reshape":
                return tensor.reshape(self.jnki)
            case "broadcast_to":
                return tensor.broadcast_to(self.jnki)
            case "view":
                return tensor.view(self.jnki)
            case _:
                return tensor.expand_dims(self.jnki)

    def __str__(self) -> str:
        return f"{self.name}{self.numpy if self.numpy is not None else self.jnki}"


def drawn_step(rng: Draws, model: Model, allowed: tuple[str, ...]) -> tuple[Step, Model]:
    """A random step that NumPy can take without a copy, and where it leads."""
    while True:
        name = rng.choice(allowed)
        made = {
            "basic": _basic,
            "advanced": _advanced,
            "reshape": _reshape,
            "broadcast_to": _broadcast,
            "expand_dims": _expand,
            "view": _view,
            "narrower": _narrower,
        }[name](rng, model)
        if made is not None and made[1].array.size <= 400 and len(made[1].shape) <= 6:
            return made


# Basic subscripts.


def _basic(rng: Draws, model: Model) -> tuple[Step, Model]:
    keys, numpy_keys = [], []
    blocks = model.blocks
    for axis, size in enumerate(model.shape):
        while rng.random() < 0.12:
            keys.append(None)
            numpy_keys.append(None)
            if blocks is not None and axis <= model.blocks:
                blocks += 1
        key, numpy_key, drops = _basic_key(rng, size)
        if drops and model.blocks is not None and axis == model.blocks:
            at = numpy_key % size
            numpy_key, drops = slice(at, at + 1), False
        if drops and model.blocks is not None and axis < model.blocks:
            blocks -= 1
        keys.append(key)
        numpy_keys.append(numpy_key)
    array = model.array[tuple(numpy_keys)]
    if blocks is not None and array.ndim - blocks < 2:
        array = array[..., None]
    is_whole = [isinstance(k, slice) and k == slice(None) for k in keys]
    if is_whole and is_whole[-1] and rng.random() < 0.5:
        while keys and isinstance(keys[-1], slice) and keys[-1] == slice(None):
            keys.pop()
    elif any(is_whole) and rng.random() < 0.5:
        first = last = is_whole.index(True)
        while last < len(keys) and is_whole[last]:
            last += 1
        keys[first:last] = [...]
    key = keys[0] if len(keys) == 1 and rng.random() < 0.5 else tuple(keys)
    return Step("[]", key, tuple(numpy_keys)), Model(array, blocks)


def _basic_key(rng: Draws, size: int) -> tuple[Any, Any, bool]:
    """A key for jnki and for NumPy, and whether it drops the axis."""
    kind = rng.choice(["whole", "slice", "negative", "ds", "integer"], p=[0.3, 0.25, 0.1, 0.1, 0.25])
    if kind == "whole" or size == 0:
        return slice(None), slice(None), False
    if kind == "integer":
        at = int(rng.integers(-size, size))
        key = rng.place(at, 0, size - 1) if at >= 0 else at
        return (np.int64(at) if key is at and rng.random() < 0.3 else key), at, True
    start = int(rng.integers(0, size))
    stop = int(rng.integers(start + (rng.random() < 0.95), size + 1))
    if kind == "ds":
        return nl.ds(rng.place(start, 0, size - (stop - start)), stop - start), slice(start, stop), False
    step = int(rng.integers(1, 4))
    moved = rng.place(start, 0, size - (stop - start))
    if not isinstance(moved, int):
        return slice(moved, moved + (stop - start), step), slice(start, stop, step), False
    if kind == "negative" and stop < size:
        key = slice(start - size, stop - size, step)
    else:
        key = slice(start or None, None if stop == size else stop, None if step == 1 else step)
    return key, key, False


# Advanced subscripts: an affine index per axis, all of one rank.


def _advanced(rng: Draws, model: Model) -> tuple[Step, Model] | None:
    shape = model.shape
    if not shape or 0 in shape:
        return None
    if model.blocks is None:
        rank = int(rng.integers(1, 4))
        dims_of = [[int(d) for d in range(rank) if rng.random() < 0.5] for _ in shape]
        blocks = None
    else:
        moved = [axis for axis in range(model.blocks) if rng.random() < 0.6]
        blocks = len(moved)
        rank = blocks + 1 + int(rng.integers(1, 3))
        dims_of = [[moved.index(axis)] if axis in moved else [] for axis in range(model.blocks)]
        dims_of.append([blocks])
        dims_of += [[d for d in range(blocks + 1, rank) if rng.random() < 0.6] for _ in shape[model.blocks + 1 :]]
    counts = [1 if rng.random() < 0.1 else int(rng.integers(1, 5)) for _ in range(rank)]
    if model.blocks is not None and 1 in counts[:blocks]:
        return None  # an index tensor of one element does not say along which axis it lies
    keys, numpy_keys, strides, offset = [], [], np.zeros(rank, int), 0
    for axis, (size, dims) in enumerate(zip(shape, dims_of)):
        found = _walk(rng, size, [counts[d] for d in dims])
        if found is None:
            return None
        start, moved, steps = found
        keys.append(sum((s * _along(nl.arange, counts[d], d, rank) for s, d in zip(steps, dims)), moved))
        numpy_keys.append(sum((s * _along(np.arange, counts[d], d, rank) for s, d in zip(steps, dims)), start))
        offset += start * model.array.strides[axis]
        for s, d in zip(steps, dims):
            strides[d] += s * model.array.strides[axis]
    used = {d for dims in dims_of for d in dims}
    if not used or (model.blocks is not None and rank - 1 not in used):
        return None
    picked = model.array[tuple(numpy_keys)]
    array = _strided(model.array, offset, picked.shape, strides[rank - picked.ndim :])
    assert np.array_equal(array, picked), "NumPy's own index walks these strides"
    return Step("[]", tuple(keys), tuple(numpy_keys)), Model(array, blocks)


def _walk(rng: Draws, size: int, counts: list[int]) -> tuple[int, Any, list[int]] | None:
    """A start, for NumPy and for jnki, and steps that stay on an axis of `size`."""
    for _ in range(8):
        steps = [int(rng.integers(-2, 4)) or 1 for _ in counts]
        reaches = [s * (n - 1) for s, n in zip(steps, counts)]
        low, high = -sum(min(0, r) for r in reaches), size - 1 - sum(max(0, r) for r in reaches)
        if low <= high:
            start = int(rng.integers(low, high + 1))
            return start, rng.place(start, low, high), steps
    return None


def _along(arange: Any, count: int, dim: int, rank: int) -> Any:
    """`arange(count)` along one of `rank` dims."""
    return arange(count)[tuple(slice(None) if d == dim else None for d in range(rank))]


def _strided(array: np.ndarray, offset_bytes: int, shape: tuple[int, ...], strides: Any) -> np.ndarray:
    """A view of the same memory from `offset_bytes` after the first element of `array`."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0] + offset_bytes
    return np.ndarray(shape, array.dtype, root.reshape(-1).view(), start, tuple(int(s) for s in strides))


# Reshape, broadcast, new axes.


def _reshape(rng: Draws, model: Model) -> tuple[Step, Model] | None:
    if 0 in model.shape:
        return None
    reached, is_view = drawn_reshape(rng, model)
    if not is_view:
        return None
    written = list(reached.marked)
    if rng.random() < 0.3 and (free := [a for a in range(len(written)) if a != reached.blocks]):
        written[rng.choice(free)] = -1
    return Step("reshape", tuple(written)), reached


def drawn_reshape(rng: Draws, model: Model) -> tuple[Model, bool]:
    """The model under another shape, and whether NumPy gets there without a copy."""
    shape, blocks = model.shape, model.blocks
    if blocks is None:
        new = _factors(rng, model.array.size)
    else:
        in_front = _factors(rng, int(np.prod(shape[:blocks], dtype=int)))
        behind = _factors(rng, int(np.prod(shape[blocks + 1 :], dtype=int))) or (1,)
        new, blocks = (*in_front, shape[blocks], *behind), len(in_front)
    array = model.array.reshape(new)
    return Model(array, blocks), bool(np.may_share_memory(array, model.array))


def _factors(rng: Draws, size: int) -> tuple[int, ...]:
    factors = []
    while size > 1:
        factors.append(int(rng.choice([d for d in range(2, size + 1) if size % d == 0])))
        size //= factors[-1]
    while rng.random() < 0.25:
        factors.insert(int(rng.integers(0, len(factors) + 1)), 1)
    return tuple(factors)


def _broadcast(rng: Draws, model: Model) -> tuple[Step, Model] | None:
    new = [int(rng.integers(1, 4)) if n == 1 else n for n in model.shape]
    in_front = [int(n) for n in rng.integers(1, 4, size=rng.integers(0, 2))]
    array = np.broadcast_to(model.array, (*in_front, *new))
    blocks = None if model.blocks is None else model.blocks + len(in_front)
    if model.blocks == 0 and model.shape[0] == 1 and in_front:
        blocks = int(rng.integers(0, 2)) * len(in_front)
    reached = Model(array, blocks)
    return Step("broadcast_to", reached.marked), reached


def _expand(rng: Draws, model: Model) -> tuple[Step, Model]:
    first = 0 if model.blocks is None else model.blocks + 1
    rank = len(model.shape) + 1
    axis = int(rng.integers(first, rank))
    array = np.expand_dims(model.array, axis)
    return Step("expand_dims", axis - rank if rng.random() < 0.3 else axis), Model(array, model.blocks)


def _narrower(rng: Draws, model: Model) -> tuple[Step, Model] | None:
    return _view(rng, model, model.array.itemsize)


def _view(rng: Draws, model: Model, at_most_bytes: int = 4) -> tuple[Step, Model] | None:
    dtype = f"int{8 * rng.choice([n for n in (1, 2, 4) if n <= at_most_bytes])}"
    try:
        array = model.array.view(dtype)
    except ValueError:
        return None
    return Step("view", dtype), Model(array, model.blocks)


# Whole chains.

STEPS = ("basic", "advanced", "reshape", "broadcast_to", "expand_dims")


def drawn_chain(rng: Draws, model: Model, length: int, allowed: tuple[str, ...] = STEPS) -> list[tuple[Step, Model]]:
    """Steps, each with the model of the view that it leads to; it ends early where nothing is left to index."""
    chain: list[tuple[Step, Model]] = []
    for _ in range(length):
        step, model = drawn_step(rng, model, allowed)
        chain.append((step, model))
        if model.array.size == 0 or not model.shape:
            break
    return chain


def drawn_model(rng: Draws, on_chip: bool, memory: np.ndarray) -> Model:
    """A whole tensor of random shape on `memory` (as many elements of it as it needs)."""
    shape = tuple(int(n) for n in rng.integers(1, 6, size=rng.integers(2 if on_chip else 1, 5)))
    blocks = int(rng.integers(0, len(shape) - 1)) if on_chip else None
    return Model(memory[: int(np.prod(shape))].reshape(shape), blocks)

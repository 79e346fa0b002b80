"""Copies on a batch of random cases through one vmapped call, against the oracle one case at a time.

A `Copy` says everything twice and independently: as references for jnki, and as offset and steps for the oracle.
Static indices are plain Python functions, such as `lambda p, f: (7 - p, 2 * f)`, which both sides evaluate in their
own way; basic subscripts are turned into steps by NumPy's own views.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki import DeviceMemory, arange, dma_copy, hbm, oob_mode, sbuf
from jnki.access.ref import Ref
from jnki.memory import Fault
from tests.oracle import dma_copy as oracle
from tests.oracle.cases import ROW_KINDS, random_rows, random_values
from tests.oracle.casts import FLOATS
from tests.oracle.moves import Fault as OracleFault
from tests.oracle.moves import Operand, fault_text, plan_moves
from tests.oracle.pattern import Pattern

CASES = 1000

SPACES = {"hbm": hbm, "sbuf": sbuf}


@dataclass(frozen=True)
class Held:
    """A buffer of a case.

    Attributes:
        space: `hbm` or `sbuf`.
        shape: without the batch axis.
        dtype: NKI's name of the element type.
        rows_of: for an index tile, the size of the axis that its values address.
        weights: for an index tile, how often each kind of row index is drawn.
        tame: whether floats are ordinary numbers, without subnormals, infinities and NaN.
    """

    space: str
    shape: tuple[int, ...]
    dtype: str
    rows_of: int | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: ROW_KINDS)
    tame: bool = False

    def draw(self, rng: np.random.Generator, cases: int) -> np.ndarray:
        """`cases` random arrays, stacked."""
        shape = (cases, *self.shape)
        if self.rows_of is not None:
            count = int(np.prod(shape))
            return random_rows(rng, count, self.rows_of, dtype=self.dtype, weights=self.weights).reshape(shape)
        if self.tame and self.dtype in FLOATS:
            values = random_values(rng, self.dtype, shape)
            return (rng.normal(size=shape) * 2.0 ** rng.integers(-6, 7, size=shape)).astype(values.dtype)
        values = random_values(rng, self.dtype, shape)
        return values.astype(np.bool_) if self.dtype == "bool" else values


Buffers = Mapping[str, Held]
Side = Callable[[Buffers], tuple[Ref, Operand]]


@dataclass(frozen=True)
class Copy:
    """The static part of a batch: one compilation.

    Attributes:
        name: what the test report calls it.
        held: the buffers by name.
        dst, src: operands, made by `part`, `walk`, `ap` or `rows`.
        mask: a function of the positions in the tile, for `mask_shape`; or None.
        mask_shape: the shape that the mask speaks of.
        add, oob: as for the instruction.
    """

    name: str
    held: Buffers
    dst: Side
    src: Side
    mask: Callable[..., Any] | None = None
    mask_shape: tuple[int, ...] = ()
    add: bool = False
    oob: str = "error"

    def run(self, memory: DeviceMemory) -> DeviceMemory:
        """The copy as jnki does it."""
        return dma_copy(
            memory,
            dst=self.dst(self.held)[0],
            src=self.src(self.held)[0],
            mask=None if self.mask is None else self.mask(*grid(self.mask_shape)),
            dst_rmw_op=np.add if self.add else None,
            oob_mode=oob_mode[self.oob],
        )

    @cached_property
    def oracle_arguments(self) -> dict[str, Any]:
        """The copy as the oracle takes it."""
        dst, src = self.dst(self.held)[1], self.src(self.held)[1]
        mask = None
        if self.mask is not None:
            places = np.meshgrid(*map(np.arange, self.mask_shape), indexing="ij")
            shapes = (dst.pattern.shape, src.pattern.shape)
            whole = next(shape for shape in shapes if _broadcasts(self.mask_shape, shape))
            mask = np.broadcast_to(np.asarray(self.mask(*places), bool), whole)
        return {
            "dst": dst,
            "src": src,
            "mask": mask,
            "rmw": self.add,
            "oob": self.oob,
        }


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) == len(to) and all(n in (1, m) for n, m in zip(shape, to))


def grid(shape: tuple[int, ...]) -> list[Any]:
    """One jnki index per axis of `shape`, each of full rank."""
    keys = [tuple(slice(None) if a == axis else None for a in range(len(shape))) for axis in range(len(shape))]
    return [arange(n)[key] for n, key in zip(shape, keys)]


# Operands.


def reference(held: Buffers, name: str) -> Ref:
    """The whole buffer; tfloat32 has to be named, because its array is float32."""
    dtype = "tfloat32" if held[name].dtype == "tfloat32" else None
    return SPACES[held[name].space](name, dtype)


def part(name: str, *key: Any) -> Side:
    """`buffer[key]` with slices and integers; the whole buffer without a key."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        whole = reference(held, name)
        return whole[key] if key else whole, Operand(name, held[name].dtype, numpy_pattern(held[name].shape, key))

    return side


def numpy_pattern(shape: tuple[int, ...], key: tuple[Any, ...]) -> Pattern:
    """The addresses that NumPy walks for a basic subscript of an array of `shape`."""
    array = np.empty(shape, np.int8)
    view = array[(*key, ...)]
    start = view.__array_interface__["data"][0] - array.__array_interface__["data"][0]
    return Pattern(start, tuple(zip(view.strides, view.shape)))


def walk(name: str, tile: tuple[int, ...], index: Callable[..., Any]) -> Side:
    """`buffer[index(p, f, ...)]` with one `arange` per axis of `tile`."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        ref = reference(held, name)[index(*grid(tile))]
        return ref, Operand(name, held[name].dtype, affine_pattern(held[name].shape, tile, index))

    return side


def affine_pattern(shape: tuple[int, ...], tile: tuple[int, ...], index: Callable[..., Any]) -> Pattern:
    """Offset and steps of an affine `index` over a buffer of `shape`."""
    strides = Pattern.whole(*shape).dims

    def address(*place: int) -> int:
        places = index(*place)
        places = places if isinstance(places, tuple) else (places,)
        return sum(int(p) * stride for p, (stride, _) in zip(places, strides))

    origin = address(*(0 for _ in tile))
    units = [tuple(int(a == axis) for a in range(len(tile))) for axis in range(len(tile))]
    return Pattern(origin, tuple((address(*unit) - origin, count) for unit, count in zip(units, tile)))


def ap(name: str, pairs: list[tuple[int, int]], offset: int = 0) -> Side:
    """The hardware pattern `pairs` from `offset`."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        return reference(held, name).ap(pairs, offset), Operand(name, held[name].dtype, Pattern(offset, pairs))

    return side


def rows(name: str, index: str, *key: slice) -> Side:
    """`buffer[index tile, key...]`: one row of axis 0 per index, of which `key` picks the free part."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        table, tile = held[name], reference(held, index)
        free = key or tuple(slice(None) for _ in table.shape[1:])
        inner = numpy_pattern(table.shape, (0, *free))
        count = held[index].shape[0]
        operand = Operand(
            name,
            table.dtype,
            Pattern(inner.offset, ((0, count), *inner.dims)),
            index,
            Pattern.whole(count),
            row_step=int(np.prod(table.shape[1:])),
            axis_size=table.shape[0],
        )
        return reference(held, name)[(tile, *free)], operand

    return side


def vector(name: str, index: str, pairs: list[tuple[int, int]], offset: int = 0) -> Side:
    """The hardware pattern `pairs` whose row j starts at row `index[j]` of the buffer."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        table, count = held[name], pairs[0][1]
        operand = Operand(
            name,
            table.dtype,
            Pattern(offset, ((0, count), *pairs[1:])),
            index,
            Pattern.whole(count),
            row_step=int(np.prod(table.shape[1:])),
            axis_size=table.shape[0],
        )
        return reference(held, name).ap(pairs, offset, vector_offset=reference(held, index)), operand

    return side


def scalar(name: str, index: str, pairs: list[tuple[int, int]], offset: int = 0, axis: int = 0) -> Side:
    """The hardware pattern `pairs`, moved along `axis` by the one element of `index`."""

    def side(held: Buffers) -> tuple[Ref, Operand]:
        table = held[name]
        operand = Operand(
            name,
            table.dtype,
            Pattern(offset, pairs),
            index,
            Pattern(0, ((0, pairs[0][1]),)),
            row_step=int(np.prod(table.shape[axis + 1 :])),
            axis_size=table.shape[axis],
        )
        ref = reference(held, name).ap(pairs, offset, scalar_offset=reference(held, index), indirect_dim=axis)
        return ref, operand

    return side


# Running and comparing.


def draw(held: Buffers, cases: int = CASES, seed: int = 0) -> dict[str, np.ndarray]:
    """Random contents of every buffer, with a batch axis in front."""
    rng = np.random.default_rng(seed)
    return {name: buffer.draw(rng, cases) for name, buffer in held.items()}


def batched_memory(held: Buffers, arrays: Mapping[str, np.ndarray]) -> DeviceMemory:
    """A memory whose arrays and fault record all have a batch axis."""
    by_space: dict[str, dict[str, np.ndarray]] = {"hbm": {}, "sbuf": {}}
    for name, array in arrays.items():
        by_space[held[name].space][name] = array
    cases = len(next(iter(arrays.values())))
    fault = jax.tree.map(lambda x: jnp.broadcast_to(x, (cases, *x.shape)), Fault())
    return DeviceMemory.of(**by_space).with_fault(fault)


def arrays_of(held: Buffers, memory: DeviceMemory) -> dict[str, np.ndarray]:
    """The arrays of a memory by name, as NumPy's."""
    return {name: np.asarray(getattr(memory, buffer.space)[name]) for name, buffer in held.items()}


def assert_matches_oracle(*copies: Copy, cases: int = CASES, seed: int = 0) -> None:
    """Runs the copies one after the other, on all cases in one vmapped call.

    Afterwards all of memory is the oracle's, bit for bit, and so is the first fault of every case.
    """
    held = {name: buffer for copy in copies for name, buffer in copy.held.items()}
    start = draw(held, cases, seed)

    def run(memory: DeviceMemory) -> DeviceMemory:
        for copy in copies:
            memory = copy.run(memory)
        return memory

    after = jax.jit(jax.vmap(run))(batched_memory(held, start))
    expected, faults = [], []
    for case in range(cases):
        memory, first = {name: array[case] for name, array in start.items()}, None
        for copy in copies:
            memory, fault = oracle.dma_copy(memory, **copy.oracle_arguments)
            first = first or fault
        expected.append(memory)
        faults.append(first)
    assert_faults(after.fault, faults)
    for name, found in arrays_of(held, after).items():
        wanted = np.stack([memory[name] for memory in expected])
        differing = np.argwhere((bits_of(found) != bits_of(wanted)).reshape(cases, -1))
        for case, place in differing.tolist():
            got, want = found[case].reshape(-1)[place], wanted[case].reshape(-1)[place]
            with np.errstate(invalid="ignore"):
                both_nan = held[name].dtype in FLOATS and np.isnan(got) and np.isnan(want)
            before = {n: array[case] for n, array in start.items()}
            if both_nan and any(computes(copy, before, name, place) for copy in copies):
                continue  # which NaN a cast or a sum makes is not stated
            names = " and then ".join(copy.name for copy in copies)
            raise AssertionError(f"{names}: case {case}, {name} element {place}: {got!r}, the oracle has {want!r}")


def bits_of(array: np.ndarray) -> np.ndarray:
    """The elements as unsigned integers."""
    contiguous = np.ascontiguousarray(array)
    return contiguous.view({1: np.uint8, 2: np.uint16, 4: np.uint32}[contiguous.itemsize])


def computes(copy: Copy, memory: Mapping[str, np.ndarray], name: str, place: int) -> bool:
    """Whether the copy casts or adds into element `place` of `name`, rather than moving bits there or nothing."""
    arguments = copy.oracle_arguments
    dst, src = arguments["dst"], arguments["src"]
    if dst.buffer != name or (dst.dtype == src.dtype and not copy.add):
        return False
    moves, _ = plan_moves(dict(memory), dst, src, arguments["mask"], copy.oob)
    return any(to == place for to, _ in moves)


def assert_faults(fault: Fault, expected: list[OracleFault | None]) -> None:
    """Exactly the cases that fault in the oracle fault, each with the same row, index and text."""
    found = {details.case[0]: details for details in fault.details()}
    assert sorted(found) == [case for case, fault in enumerate(expected) if fault is not None]
    for case, details in found.items():
        want = expected[case]
        got = {
            "tensor": details.site.tensor,
            "row": details.row,
            "index": details.index,
            "axis_size": details.site.axis_size,
            "flat_offset": details.flat_index,
            "total": details.site.size,
        }
        assert want is not None and got == want, f"case {case}: {got}, the oracle has {want}"
        error = details.error(faulty_cases=len(found), batched=True)
        assert str(error) == fault_text(want)
        assert error.batch_element == (case,) and error.row_index == want["index"]

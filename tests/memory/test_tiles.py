"""Patterns with gaps are written in windows of whole steps: the same elements as NumPy's, and no others."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.memory import NO_LOOPS, Loops
from jnki.memory.layout import block_of
from jnki.memory.scatter import write
from tests.access.walks import buffer, walked
from tests.examples_of import all_in_one_call, examples_of

LOOP = Symbol("i", 3)


@st.composite
def gapped_accesses(draw: st.DrawFn) -> tuple[Access, int]:
    """A block of a random buffer, each axis walked by up to two nested dims, and an iteration of the loop around it."""
    dims, sizes, start = [], [], Affine()
    for _ in range(draw(st.integers(1, 3))):
        inner_step, inner = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        inner_extent = inner_step * (inner - 1) + 1
        outer_step, outer = inner_extent + draw(st.integers(0, 3)), draw(st.integers(1, 3))
        extent = outer_step * (outer - 1) + inner_extent
        first, moved, rest = draw(st.integers(0, 4)), draw(st.integers(0, 2)), draw(st.integers(0, 4))
        sizes.append(first + moved * (LOOP.trips - 1) + extent + rest)
        dims.append((first, moved, (outer_step, outer), (inner_step, inner)))
    strides = [int(np.prod(sizes[axis + 1 :], dtype=int)) for axis in range(len(sizes))]
    walks = []
    for stride, (first, moved, *levels) in zip(strides, dims):
        start = start + Affine(first * stride, ((LOOP, moved * stride),) if moved else ())
        for step, count in levels:
            if draw(st.booleans()):
                walks.append(Dim(step * stride, count))
            else:
                start = start + step * stride * (count - 1)
                walks.append(Dim(-step * stride, count))
    order = draw(st.permutations(range(len(walks))))
    access = Access(buffer(*sizes), start, tuple(walks[k] for k in order))
    return access, draw(st.integers(0, LOOP.trips - 1))


def test_blocks_with_gaps_are_written_like_numpy() -> None:
    """Each of them in two element types, all of it and under a mask."""
    functions, arguments, wanted, names = [], [], [], []
    for (access, iteration), seed in examples_of(st.tuples(gapped_accesses(), st.integers(0, 99)), 60):
        assert block_of(access) is not None
        rng = np.random.default_rng(seed)
        for dtype, masked in itertools.product((jnp.float32, jnp.bfloat16), (False, True)):
            old, new = (rng.integers(-99, 99, shape).astype(dtype) for shape in (access.buffer.shape, access.shape))
            on = rng.random(access.shape) < 0.6 if masked else np.ones(access.shape, bool)

            def run(a: Any, v: Any, e: Any, i: Any, access: Access = access) -> jax.Array:
                return write(a, access, v, Loops().inside(LOOP, i), enabled=e)

            functions.append(run)
            arguments.append((old, new, on if masked else None, np.int32(iteration)))
            expected = old.copy().reshape(-1)
            expected[walked(access, {LOOP: iteration}).astype(int)[on]] = new[on]
            wanted.append(expected.reshape(old.shape))
            names.append(f"{access}, iteration {iteration}, seed {seed}, {dtype.__name__}, masked {masked}")
    assert len(names) == 240
    for found, expected, name in zip(all_in_one_call(functions, arguments), wanted, names, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize(
    ("size", "start", "step", "count", "window"),
    [
        (12, 0, 3, 4, (0, 12, 0)),
        (12, 2, 3, 4, (0, 12, 2)),
        (12, 1, 3, 3, (1, 9, 0)),
        (8, 1, 3, 3, None),  # three steps of three do not fit into eight places
        (9, 0, 4, 3, None),
    ],
)
def test_windows_of_whole_steps(size: int, start: int, step: int, count: int, window: tuple[int, int, int]) -> None:
    block = block_of(Access(buffer(size), Affine(start), (Dim(step, count),)))
    assert block is not None and not block.is_dense
    found = block.in_whole_steps((size,))
    axis = None if found is None else found.axes[0]
    assert window == (axis and (axis.start.constant, axis.extent, axis.lead))


def test_a_gradient_stops_at_overwritten_elements_only() -> None:
    access = Access(buffer(4, 6), Affine(1), (Dim(6, 4), Dim(2, 3)))
    old, new = jnp.zeros((4, 6)), jnp.ones((4, 3))
    _, pull = jax.vjp(lambda a, v: write(a, access, v, NO_LOOPS), old, new)
    cotangent = np.arange(24.0, dtype=np.float32).reshape(4, 6)
    of_old, of_new = pull(cotangent)
    np.testing.assert_array_equal(of_new, cotangent[:, 1::2])
    np.testing.assert_array_equal(of_old, np.where(np.arange(6) % 2 == 1, 0, cotangent))

"""Patterns with gaps are written in windows of whole steps: the same elements as NumPy's, and no others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.memory import NO_LOOPS, Loops
from jnki.memory.layout import block_of
from jnki.memory.scatter import write
from tests.access.walks import buffer, walked

few = settings(max_examples=60, derandomize=True, deadline=None)
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


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
@given(drawn=gapped_accesses(), seed=st.integers(0, 99))
@few
def test_blocks_with_gaps_are_written_like_numpy(
    dtype: type, masked: bool, drawn: tuple[Access, int], seed: int
) -> None:
    access, iteration = drawn
    assert block_of(access) is not None
    rng = np.random.default_rng(seed)
    old, new = (rng.integers(-99, 99, shape).astype(dtype) for shape in (access.buffer.shape, access.shape))
    on = rng.random(access.shape) < 0.6 if masked else np.ones(access.shape, bool)
    at = Loops().inside(LOOP, jnp.int32(iteration))
    function = jax.jit(lambda a, v, e: write(a, access, v, at, enabled=e))
    found = function(old, new, on if masked else None)
    wanted = old.copy().reshape(-1)
    wanted[walked(access, {LOOP: iteration}).astype(int)[on]] = new[on]
    np.testing.assert_array_equal(found, wanted.reshape(old.shape))


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

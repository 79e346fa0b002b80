"""`nl.loop_reduce`, `nl.all_reduce` and `nl.atomic_rmw`: what is combined with what came before."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import Loop, instructions
from tests.errors.refusals import flagged

nl, nisa = nki.language, nki.isa

X = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)


@nki.jit
def reduced(x, op, start, dtype=None, kind=None, masked=False, loop=nl.affine_range):
    """`x` reduced over its first axis, into a tile that is there."""
    out = nl.ndarray(x.shape[1:], dtype=dtype or x.dtype, buffer=nl.shared_hbm)
    total = nl.full(x.shape[1:], start, dtype or x.dtype)
    p, f = nl.arange(x.shape[1])[:, None], nl.arange(x.shape[2])[None, :]
    for i in loop(x.shape[0]):
        mask = p + f + i < 5 if masked else None
        total[p, f] = nl.loop_reduce(nl.load(x[i]), op=op, loop_indices=[i], dtype=kind, mask=mask)
    nl.store(out, total)
    return out


@pytest.mark.parametrize(
    "op, start, reference",
    [
        (np.add, 1.5, lambda x: 1.5 + x.sum(0)),
        (nl.multiply, -1.0, lambda x: -x.prod(0)),
        (np.max, -np.inf, lambda x: x.max(0)),
        (nl.minimum, 0.0, lambda x: np.minimum(x.min(0), 0)),
    ],
    ids=["add", "multiply", "max", "minimum"],
)
def test_it_reduces_into_the_tile_that_it_is_assigned_to(op, start, reference):
    np.testing.assert_allclose(reduced(X, op, start), reference(X), rtol=1e-6)


def test_the_loop_stays_a_loop_and_transforms():
    program = reduced.trace(X, np.add, 0.0)
    assert [node.symbol.trips for node in program.body if isinstance(node, Loop)] == [3]
    slopes = jax.grad(lambda x: (reduced(x, np.add, 0.0) ** 2).sum())(jnp.asarray(X))
    np.testing.assert_allclose(slopes, np.broadcast_to(2 * X.sum(0), X.shape), rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda x: reduced(x, np.add, 0.0))(jnp.stack([X, -X]))[1], -X.sum(0), rtol=1e-5)


def test_its_mask_leaves_the_tile_alone():
    on = np.add.outer(np.add.outer(np.arange(3), np.arange(4)), np.arange(5)) < 5
    np.testing.assert_allclose(reduced(X, np.add, 2.0, masked=True), 2 + np.where(on, X, 0).sum(0), rtol=1e-6)


@pytest.mark.parametrize("kind", [None, nl.bfloat16, nl.float32])
def test_each_step_is_rounded_to_the_type_of_the_tile(kind):
    """In float32, then to `dtype`, then to what the tile holds."""
    total = np.zeros(X.shape[1:], ml_dtypes.bfloat16)
    for x in X:
        total = (total.astype(np.float32) + x).astype(kind or total.dtype).astype(total.dtype)
    np.testing.assert_array_equal(reduced(X, np.add, 0.0, dtype=nl.bfloat16, kind=kind), total)


def test_another_type_than_that_of_the_tile_rounds_twice():
    """Which is a chain of instructions, and no accumulation that an `affine_range` could hold."""
    total = np.zeros(X.shape[1:], np.float32)
    for x in X:
        total = (total + x).astype(ml_dtypes.bfloat16).astype(np.float32)
    found = reduced(X, np.add, 0.0, kind=nl.bfloat16, loop=nl.sequential_range)
    np.testing.assert_array_equal(found, total)
    with pytest.raises(RuleError, match=r"affine_range\.no_carried_dep"):
        reduced(X, np.add, 0.0, kind=nl.bfloat16)


def test_a_product_in_psum_is_reduced_as_public_kernels_do():
    @nki.jit
    def product(a, b):
        out = nl.ndarray((4, 6), dtype=nl.float32, buffer=nl.shared_hbm)
        total = nl.zeros((2, nl.par_dim(4), 3), nl.float32, buffer=nl.sbuf)
        for k in nl.affine_range(3):
            for n in nl.affine_range(2):
                block = nl.zeros((4, 3), nl.float32, buffer=nl.psum)
                for j in nl.affine_range(2):
                    rows = nl.ds(10 * k + 5 * j, 5)
                    block += nisa.nc_matmul(nl.load(a[rows]), nl.load(b[rows, nl.ds(3 * n, 3)]))
                total[n, :, :] = nl.loop_reduce(block, op=np.add, loop_indices=(k,), dtype=nl.float32)
        for n in nl.affine_range(2):
            nl.store(out[:, nl.ds(3 * n, 3)], total[n])
        return out

    a, b = (np.random.default_rng(s).normal(size=(30, n)).astype(np.float32) for s, n in ((4, 4), (5, 6)))
    np.testing.assert_allclose(product(a, b), a.T @ b, rtol=1e-5, atol=1e-5)


@nki.jit
def misused(x, use):
    total = nl.zeros((4, 5), nl.float32)
    for i in nl.sequential_range(3):
        use(total, nl.load(x[i]), i)  # flagged
    return x


def test_rules_of_loop_reduce():
    def rule(use):
        with pytest.raises(RuleError) as caught:
            misused(X, use)
        return caught.value.rule

    def sliced(total, x, i):
        total = nl.loop_reduce(x, np.add, i)
        return total[0:2]

    assert rule(lambda t, x, i: nl.loop_reduce(x, np.add, i).shape) == "loop_reduce.destination"
    assert rule(lambda t, x, i: nl.add(nl.loop_reduce(x, np.add, i), 1)) == "loop_reduce.destination"
    assert rule(lambda t, x, i: nl.loop_reduce(x, np.subtract, i)) == "loop_reduce.op"
    assert rule(lambda t, x, i: nl.loop_reduce(x, np.exp, i)) == "loop_reduce.op"
    assert rule(lambda t, x, i: nl.loop_reduce(x, np.add, ())) == "loop_reduce.loop_indices"
    assert rule(lambda t, x, i: nl.loop_reduce(x, np.add, "i")) == "loop_reduce.loop_indices"
    with pytest.raises(TypeError, match="not subscriptable"):
        misused(X, sliced)

    def shape(total, x, i):
        total[0:2] = nl.loop_reduce(x, np.add, i)

    assert rule(shape) == "err_store_dst_shape_smaller_than_other_shape"
    flagged(
        lambda x: misused(x, lambda t, x, i: nl.loop_reduce(x, np.subtract, i)),  # flagged
        X,
        rule="loop_reduce.op",
        message="loop_reduce: the result would depend on the order of iterations",
        given="subtract",
        allowed="an associative and commutative operator, such as add, multiply, maximum, minimum",
        line="",
    )


@nki.jit
def over_grid(x, axes, **options):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    i = nl.program_id(0)
    axes = [i] if axes == "id" else axes
    nl.store(out[i], nl.all_reduce(nl.load(x[i]), np.add, axes, **options))
    return out


def test_all_reduce_over_one_instance_is_a_copy_and_over_several_says_that_it_cannot():
    np.testing.assert_array_equal(over_grid[1](X[:1], 0), X[:1])
    np.testing.assert_array_equal(over_grid[3, 1](X, 1, parallel_reduce=False, asynchronous=True), X)
    np.testing.assert_array_equal(over_grid[1](X[:1], "id"), X[:1])
    for axes in (0, (0, 1), "id"):
        with pytest.raises(NotImplementedError, match="nl.all_reduce over 3 instances of a launch grid, which run one"):
            over_grid[3, 1](X, axes)
    with pytest.raises(RuleError, match=r"spmd\.axis: nl\.all_reduce: no such axis\n  given:   2\n  allowed: 0 to 1"):
        over_grid[3, 1](X, 2)

    @nki.jit
    def by(x, op):
        out = nl.ndarray((4, 5), dtype=nl.bfloat16, buffer=nl.shared_hbm)
        nl.store(out, nl.all_reduce(nl.load(x[0]), op, 0, dtype=nl.bfloat16))
        return out

    np.testing.assert_array_equal(by(X, np.max), X[0].astype(ml_dtypes.bfloat16))
    with pytest.raises(RuleError, match=r"all_reduce\.op"):
        by(X, np.divide)


ROWS = np.array([[2], [0], [2]], np.int32)


@nki.jit
def added(x, rows, value, op=np.add, limit=5):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x))
    f = nl.arange(5)[None, :]
    value = value if isinstance(value, float) else nl.load(value)
    at = nl.load(rows)
    nl.atomic_rmw(out[at, f], value, op=op, mask=f + 0 * nl.arange(3)[:, None] < limit)  # flagged
    return out


@pytest.mark.parametrize("op", [np.add, nl.add, jnp.add])
def test_atomic_rmw_adds_rows_and_numbers(op):
    expected = X[0].copy()
    np.add.at(expected, ROWS[:, 0], X[1, :3])
    np.testing.assert_allclose(added(X[0], ROWS, X[1, :3], op), expected, rtol=1e-6)
    one = X[0].copy()
    np.add.at(one, ROWS[:, 0], np.float32([1.5, 1.5, 1.5, 0, 0]))
    np.testing.assert_allclose(added(X[0], ROWS, 1.5, op, limit=3), one, rtol=1e-6)
    assert [i.name for i in instructions(added.trace(X[0], ROWS, X[1, :3]).body)].count("dma_copy") == 5


def test_atomic_rmw_faults_differentiates_and_has_rules():
    with pytest.raises(IndexError, match="out of bounds"):
        added(X[0], ROWS + 2, X[1, :3])
    slopes = jax.grad(lambda v: (added(X[0], ROWS, v) ** 2).sum())(jnp.asarray(X[1, :3]))
    np.testing.assert_allclose(slopes, 2 * added(X[0], ROWS, X[1, :3])[ROWS[:, 0]], rtol=1e-5)
    flagged(
        lambda: added(X[0], ROWS, X[1, :3], np.subtract),
        rule="atomic_rmw.op",
        message="atomic_rmw: only addition can be a read-modify-write",
        given="subtract",
        allowed="np.add or nl.add",
    )

    @nki.jit
    def direct(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x))
        nl.atomic_rmw(out[0:4], nl.load(x), np.add)  # flagged
        return out

    error = flagged(
        direct,
        X[0],
        rule="atomic_rmw.indirect_only",
        message="atomic_rmw: 'dst' has no row index that is known at run time only",
        given="out",
        allowed="x[rows, nl.arange(n)[None, :]], where rows is a tile of indices in sbuf",
    )
    assert error.location.text.startswith("nl.atomic_rmw")

"""Scans, statistics, selections and fused operators in kernels: what each records, in every form of a loop."""

import jax
import ml_dtypes
import numpy as np
import pytest

from jnki import RuleError
from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import isa as nisa
from jnki.neuronxcc.nki import language as nl
from tests.neuronxcc.on_tiles import on_tiles
from tests.oracle import scans as oracle

P, N, TILES = 4, 6, 3
LOOPS = (nl.affine_range, nl.sequential_range, nl.static_range)
COMMAND = nisa.reduce_cmd
LOWEST = np.finfo(np.float32).min


def draw(*shapes):
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def rows_scanned(loop, rows):
    """Scans blocks of rows; the last block is ragged, and so is the last column of each row."""

    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((rows, N), nl.float32, buffer=nl.shared_hbm)
        p, f = nl.arange(P)[:, None], nl.arange(N)[None, :]
        for i in loop(-(-rows // P)):
            inside = i * P + p < rows
            x, y = nl.load(a[i * P + p, f], mask=inside), nl.load(b[i * P + p, f], mask=inside)
            mask = (i * P + p < rows) & (f < N - 1)
            z = nisa.tensor_tensor_scan(x, y, 0.5, np.multiply, np.add, mask=mask)
            nl.store(out[i * P + p, f], z, mask=mask)
        return out

    return kernel


@pytest.mark.parametrize("loop", LOOPS)
def test_scans_of_rows_in_every_form_of_a_loop(loop):
    rows = TILES * P - 1
    a, b = draw((rows, N), (rows, N))
    kernel = rows_scanned(loop, rows)
    wanted = oracle.scan(a, b, np.full(rows, 0.5, np.float32), "multiply", "add")
    wanted[:, N - 1 :] = np.nan
    np.testing.assert_array_equal(kernel(a, b), wanted)
    for form in Form if loop is nl.affine_range else ():
        np.testing.assert_array_equal(lower_program(kernel.trace(a, b), form)(a, b)[0][0], wanted)


@pytest.mark.parametrize("loop", LOOPS[1:])
def test_a_scan_goes_on_from_tile_to_tile(loop):
    """Forwards bit for bit, and backwards as one long scan."""

    @nki.jit
    def kernel(a, b):
        out = nl.ndarray((P, TILES * N), nl.float32, buffer=nl.shared_hbm)
        state = nl.zeros((P, 1), nl.float32)
        for i in loop(TILES):
            x, y = nl.load(a[:, nl.ds(i * N, N)]), nl.load(b[:, nl.ds(i * N, N)])
            z = nisa.tensor_tensor_scan(data0=x, data1=y, initial=state, op0=nl.multiply, op1=nl.add)
            state[...] = z[:, N - 1]
            nl.store(out[:, nl.ds(i * N, N)], z)
        return out

    a, b = draw((P, TILES * N), (P, TILES * N))
    zeros = np.zeros(P, np.float32)
    np.testing.assert_array_equal(kernel(a, b), oracle.scan(a, b, zeros, "multiply", "add"))
    weights = np.random.default_rng(1).normal(size=(P, TILES * N))
    found = jax.jit(jax.grad(lambda a, b: (kernel(a, b) * weights.astype(np.float32)).sum(), (0, 1)))(a, b)
    wanted = oracle.slopes(lambda a, b: oracle.scan(a, b, zeros.astype(np.float64), "multiply", "add"), [a, b], weights)
    for x, y in zip(found, wanted):
        np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loop", LOOPS)
def test_statistics_of_pieces(loop):
    """Pieces that are written into one tile, the last of them ragged, in a type that is asked for."""
    columns = TILES * N - 2

    @nki.jit
    def kernel(x):
        out = nl.ndarray((P, 2), nl.float32, buffer=nl.shared_hbm)
        f, six = nl.arange(N)[None, :], nl.arange(6)[None, :]
        p = nl.arange(P)[:, None]
        tile, stats = nl.load(x), nl.ndarray((P, 6 * TILES), nl.float32)
        for i in loop(TILES):
            stats[p, i * 6 + six] = nisa.bn_stats(tile[p, i * N + f], mask=i * N + f < columns, dtype=np.float32)
        nl.store(out, nisa.bn_aggr(stats))
        return out

    (x,) = draw((P, columns))
    found = kernel(x.astype(ml_dtypes.bfloat16))
    x = x.astype(ml_dtypes.bfloat16).astype(np.float64)
    np.testing.assert_allclose(found, np.stack([x.mean(axis=1), x.var(axis=1)], axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_range_that_moves_with_a_loop_and_a_maximum_that_goes_on(loop):
    @nki.jit
    def kernel(x, low, high):
        out = nl.ndarray((P, TILES * N), nl.float32, buffer=nl.shared_hbm)
        best = nl.ndarray((P, 1), nl.float32, buffer=nl.shared_hbm)
        bounds = {"bound0": nl.load(low), "bound1": nl.load(high), "comp_op0": np.greater_equal, "comp_op1": np.less}
        largest, unread = nl.ndarray((P, 1), nl.float32), nl.zeros((P, N), nl.float32)
        nisa.range_select(on_true_tile=unread, **bounds, reduce_cmd=COMMAND.reset)
        for i in loop(TILES):
            tile = nl.load(x[:, nl.ds(i * N, N)])
            kept = nisa.range_select(
                on_true_tile=tile, **bounds, range_start=i * N, reduce_cmd=COMMAND.reduce, reduce_op=np.max
            )
            nl.store(out[:, nl.ds(i * N, N)], kept)
        nisa.range_select(on_true_tile=unread, **bounds, range_start=99, reduce_cmd=COMMAND.reduce, reduce_res=largest)
        nl.store(best, largest)
        return out, best

    (x,) = draw((P, TILES * N))
    low, high = np.float32([[0], [3], [8], [7]]), np.float32([[4], [9], [18], [7]])
    index = np.arange(TILES * N)
    wanted = np.where((index >= low) & (index < high), x, LOWEST)
    out, best = kernel(x, low, high)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(best, wanted.max(axis=1, keepdims=True))


def test_a_selection_in_place():
    x, y, v = draw((P, N), (P, N), (P, 1))
    when = (x > 0).astype(np.uint8)

    def run(x, y, v, when):
        dst, largest = nl.zeros((P, N), nl.float32), nl.zeros((P, 2), nl.float32)
        nisa.select_reduce(
            dst=dst,
            predicate=when,
            on_true=y,
            on_false=v,
            reduce_cmd=COMMAND.reset_reduce,
            reduce_res=largest[:, 1],
            reverse_pred=True,
            dtype=np.float32,
        )
        return dst, largest

    dst, largest = on_tiles(run, x, y, v, when)
    np.testing.assert_array_equal(dst, np.where(x > 0, v, y))
    np.testing.assert_array_equal(largest, np.stack([np.zeros(P), np.where(x > 0, v, y).max(axis=1)], axis=1))


def test_fused_operators_and_their_types():
    x, y, v = draw((P, N), (P, N), (P, 1))

    def run(x, y, v):
        total, wide = nl.zeros((P, 1), nl.float32), nl.ndarray((P, N), nl.float32)
        narrow = nl.copy(x, dtype=nl.bfloat16)
        fused = nisa.scalar_tensor_tensor(data=x, op0=np.multiply, operand0=v, op1=np.add, operand1=y)
        wide[...] = nisa.tensor_scalar_reduce(data=x, op0=nl.abs, operand0=0.0, reduce_op=nl.max, reduce_res=total)
        assert (
            nisa.scalar_tensor_tensor(data=narrow, op0=nl.add, operand0=1, op1=nl.add, operand1=y).dtype == nl.bfloat16
        )
        assert nisa.tensor_tensor_scan(narrow, y, 0, nl.add, nl.add).dtype == np.float32
        assert nisa.bn_stats(narrow).dtype == nl.bfloat16 and nisa.bn_stats(narrow).shape == (P, 6)
        assert nisa.tensor_partition_reduce(nl.max, narrow).shape == (1, N)
        return fused, wide, total, nisa.tensor_partition_reduce(np.add, x)

    fused, wide, total, across = on_tiles(run, x, y, v)
    np.testing.assert_allclose(fused, x * v + y, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(wide, np.abs(x))
    np.testing.assert_array_equal(total[:, 0], np.abs(x).max(axis=1))
    np.testing.assert_allclose(across, x.sum(axis=0, keepdims=True), rtol=1e-5, atol=1e-6)


def test_a_masked_reduction_of_an_explicit_type_is_assigned():
    """Its mask speaks of the operand; of the result it leaves out what it enables no element of."""
    (x,) = draw((P, 3, N))
    p, a, f = nl.arange(P)[:, None, None], nl.arange(3)[None, :, None], nl.arange(N)[None, None, :]

    def run(x):
        sums = nl.full((P, 3), 7, nl.float32)
        sums[...] = nisa.tensor_reduce(np.add, x, 2, mask=(a + 0 * p < 2) & (f < 4), dtype=nl.float32)
        return sums

    wanted = np.where(np.arange(3) < 2, x[:, :, :4].sum(axis=2), 7)
    np.testing.assert_allclose(on_tiles(run, x), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda x, v: nisa.tensor_scalar_reduce(
                data=x, op0=np.add, operand0=1.0, reduce_op=np.add, reduce_res=v, reverse0=True
            ),
            "tensor_scalar_reduce.reverse0: tensor_scalar_reduce: NKI does not support reversed operands yet",
        ),
        (
            lambda x, v: nisa.select_reduce(dst=x, predicate=x, on_true=x, on_false=0, dtype=nl.bfloat16),
            "select_reduce.dtype: select_reduce: the result has the type of 'dst'\n  given:   dtype bfloat16, dst f",
        ),
        (
            lambda x, v: nisa.tensor_tensor_scan(x, [1], 0, np.add, np.add),
            "tensor_tensor_scan.data1: operand 'data1' of 'nisa.tensor_tensor_scan' must be a tensor of the kernel",
        ),
    ],
    ids=["reverse", "dtype", "list"],
)
def test_rules_about_arguments(function, text):
    def run(x, v):
        function(x, v)
        return x

    with pytest.raises(RuleError) as caught:
        on_tiles(run, *draw((P, N), (P, 1)))
    assert str(caught.value).startswith(text)

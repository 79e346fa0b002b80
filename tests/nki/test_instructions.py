"""What the pairs of kernels do not have: instructions that only the current dialect spells, against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.nki.errors import NkiValidationError
from tests.nki.pairs import loaded, stored

RNG = np.random.default_rng(27)
X = RNG.standard_normal((32, 64)).astype(np.float32)


def run(body, *arrays):
    """The tiles that `body` gives for tiles of the arrays, as NumPy arrays."""

    @nki.jit
    def kernel(*tensors):
        results = body(*(loaded(t) for t in tensors))
        return tuple(stored(t) for t in (results if isinstance(results, tuple) else (results,)))

    results = kernel(*arrays)
    return results if len(results) > 1 else results[0]


def tile(*shape, dtype=nl.float32, buffer=nl.sbuf):
    return nl.ndarray(shape, dtype=dtype, buffer=buffer)


def test_nc_n_gather():
    places = RNG.integers(0, 64, (32, 5)).astype(np.uint32)

    def body(x, i):
        out = tile(32, 5)
        nisa.nc_n_gather(out, x, i)
        return out

    np.testing.assert_array_equal(run(body, X, places), np.take_along_axis(X, places.astype(np.int64), axis=1))
    with pytest.raises(IndexError, match="out of bounds"):
        run(body, X, places + 64)


def test_nonzero_with_count():
    x = (X * (X > 1)).astype(np.float32)

    def body(x):
        out = tile(32, 65, dtype=nl.int32)
        nisa.memset(out, 7)
        nisa.nonzero_with_count(out, x, index_offset=100, padding_val=-5)
        return out

    found = run(body, x)
    for p in range(32):
        row = np.full(65, 7)
        if p % 16 == 0:
            places = np.flatnonzero(x[p])
            row = np.full(65, -5)
            row[: len(places)], row[-1] = places + 100, len(places)
        np.testing.assert_array_equal(found[p], row)


def test_running_sums():
    def body(x):
        out = tile(32, 64)
        nisa.tensor_scalar_cumulative(out, x, nl.multiply, nl.add, 2.0)
        return out

    np.testing.assert_allclose(run(body, X), np.cumsum(2 * X, axis=1, dtype=np.float64), rtol=1e-4, atol=1e-4)


def test_reductions_go_on_in_the_registers():
    def body(x):
        out, total = tile(32, 64), tile(32, 1)
        nisa.tensor_scalar_reduce(out, x, nl.add, 1.0, nl.maximum)
        nisa.tensor_scalar_reduce(
            out, x, nl.multiply, 3.0, nl.maximum, total, reduce_cmd=nisa.reduce_cmd.reduce, reduce_res_negate=True
        )
        return out, total

    out, total = run(body, X)
    np.testing.assert_array_equal(out, 3 * X)
    np.testing.assert_array_equal(total[:, 0], -np.maximum(X + 1, 3 * X).max(axis=1))


def test_exponential_and_its_sum():
    def body(x):
        out, total, highest = tile(32, 64), tile(32, 1), tile(32, 1)
        nisa.tensor_reduce(highest, nl.max, x, axis=1)
        nisa.exponential(out, x, highest, total, nisa.reduce_cmd.reset_reduce)
        return out, total

    out, total = run(body, X)
    expected = np.exp(X - X.max(axis=1, keepdims=True))
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    np.testing.assert_allclose(total, expected.sum(axis=1, keepdims=True), rtol=1e-5)


def test_activations():
    def body(x):
        first, second, third = tile(32, 64), tile(32, 64), tile(32, 64)
        nisa.activation(first, nl.exp, x, bias=-1.5, scale=0.5)
        nisa.activate2(second, nl.relu, x, 2.0, 1.0, nl.multiply, nl.add)
        nisa.activate2(third, nl.prelu, x, 0.0, 0.0, nl.bypass, nl.bypass, relu_param=0.25)
        return first, second, third

    first, second, third = run(body, X)
    np.testing.assert_allclose(first, np.exp(X / 2 - 1.5), rtol=1e-6)
    np.testing.assert_array_equal(second, np.maximum(2 * X + 1, 0))
    np.testing.assert_array_equal(third, np.where(X >= 0, X, X / 4))


def test_a_number_as_bias_and_what_is_new_need_their_target():
    def biased(x):
        out = tile(32, 64)
        nisa.activation(out, nl.exp, x, bias=-1.5)
        return out

    def squared(x):
        out = tile(32, 64)
        nisa.exponential(out, x)
        return out

    with jnki.use_target("trn1"), pytest.raises(NkiValidationError, match="NeuronCore-v3 and newer"):
        run(biased, X)
    with jnki.use_target("trn2"), pytest.raises(NkiValidationError, match="NeuronCore-v4"):
        run(squared, X)


def test_operators_of_v4():
    def body(x):
        return nl.abs_max(x, -0.5), nl.abs_min(x, -0.5), nl.greater(x, 0), nl.all(nl.greater(x, -9), axis=1)

    larger, smaller, positive, everywhere = run(body, X)
    np.testing.assert_array_equal(larger, np.where(np.abs(X) > 0.5, X, np.float32(-0.5)))
    np.testing.assert_array_equal(smaller, np.where(np.abs(X) < 0.5, X, np.float32(-0.5)))
    np.testing.assert_array_equal(positive, (X > 0).astype(np.float32))
    assert everywhere.dtype == np.float32 and everywhere.all()


@pytest.mark.parametrize("offset", [4, None])
def test_affine_values_from_a_number_or_a_register(offset):
    def body(x):
        start = offset if offset is not None else nisa.register_alloc(4)
        numbers, chosen = tile(32, 64, dtype=nl.int32), tile(32, 64)
        nisa.iota(numbers, [[10, 8], [1, 8]], start, 100)
        nisa.affine_select(chosen, [[1, 64]], -1, x, 9.0, nl.greater, start)
        return numbers, chosen

    numbers, chosen = run(body, X)
    p, f = np.ogrid[0:32, 0:64]
    np.testing.assert_array_equal(numbers, 4 + 100 * p + 10 * (f // 8) + f % 8)
    np.testing.assert_array_equal(chosen, np.where(4 - p + f > 0, X, 9.0))


def test_equal_values_take_successive_places():
    x = np.zeros((4, 16), np.float32)
    x[:, [3, 5, 9]] = 2.0
    x[:, 7] = 5.0

    def body(x):
        best, places, rest = tile(4, 8), tile(4, 8, dtype=nl.uint32), tile(4, 16)
        nisa.max8(best, x)
        nisa.nc_find_index8(places, x, best)
        nisa.nc_match_replace8(rest, x, best, -1.0)
        return best, places, rest

    best, places, rest = run(body, x)
    np.testing.assert_array_equal(best[0], [5, 2, 2, 2, 0, 0, 0, 0])
    np.testing.assert_array_equal(places[0, :4], [7, 3, 5, 9])
    assert (rest[0, [3, 5, 7, 9]] == -1).all()
    assert (rest[0] == -1).sum() == 8


def test_dma_compute_sums_and_scatters():
    rows = np.array([[1], [3], [0], [5]], np.int32)
    table, x = RNG.standard_normal((6, 8)).astype(np.float32), RNG.standard_normal((4, 8)).astype(np.float32)

    @nki.jit
    def kernel(table, x, rows):
        index, tile = loaded(rows), loaded(x)
        out = stored(loaded(table))
        where = out.ap([[8, 4], [1, 8]], vector_offset=index)
        nisa.dma_compute(where, [where, tile], nl.add)
        total = nl.ndarray((4, 8), dtype=nl.float32)
        nisa.dma_compute(total, [tile, tile, x], nl.add, scales=[1.0, 1.0, 1.0])
        return out, stored(total)

    out, total = kernel(table, x, rows)
    expected = table.copy()
    expected[rows[:, 0]] += x
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(total, (x + x) + x)
    slope = jax.grad(lambda x: kernel(table, x, rows)[0].sum())(jnp.asarray(x))
    np.testing.assert_array_equal(slope, np.ones_like(x))


def test_dma_transpose_by_rank():
    x = RNG.standard_normal((16, 4, 2, 8)).astype(np.float32)

    @nki.jit
    def kernel(x):
        two, four = nl.ndarray((8, 16), dtype=x.dtype), nl.ndarray((8, 4, 2, 16), dtype=x.dtype)
        nisa.dma_transpose(two, x[:, 0, 1])
        nisa.dma_transpose(four, x, axes=(3, 1, 2, 0))
        return stored(two), stored(four)

    two, four = kernel(x)
    np.testing.assert_array_equal(two, x[:, 0, 1].T)
    np.testing.assert_array_equal(four, x.transpose(3, 1, 2, 0))


def test_random_numbers_come_from_their_seeds():
    def body(seed):
        bits, again, other = (tile(8, 16, dtype=nl.uint32) for _ in range(3))
        uniform = tile(8, 16)
        nisa.set_rng_seed(seed)
        nisa.rng(bits)
        nisa.rng(other)
        nisa.set_rng_seed(seed)
        nisa.rng(again)
        states = tile(8, 24, dtype=nl.uint32)
        nisa.iota(states, [[1, 24]], channel_multiplier=24)
        nisa.rand_set_state(states, engine=nisa.engine.vector)
        nisa.rand2(uniform, 2.0, 3.0)
        return bits, other, again, uniform

    bits, other, again, uniform = run(body, np.array([[5]], np.int32))
    np.testing.assert_array_equal(bits, again)
    assert (bits != other).any()
    assert ((uniform >= 2) & (uniform < 3)).all()
    assert len(np.unique(uniform)) > 100


def test_dropout_keeps_or_zeroes():
    def body(x):
        out = tile(32, 64)
        nisa.dropout(out, x, 0.5)
        return out, nl.dropout(x, 0.0), nl.rand((32, 64), nl.float32)

    dropped, kept, uniform = run(body, X)
    assert ((dropped == 0) | (dropped == X)).all()
    assert 0.3 < (dropped == 0).mean() < 0.7
    np.testing.assert_array_equal(kept, X)
    assert ((uniform >= 0) & (uniform < 1)).all()


def test_a_matmul_in_an_mx_format():
    a, b = (RNG.standard_normal((128, 64)).astype(jnp.bfloat16) for _ in range(2))

    def body(x, y):
        packed, scales = [], []
        for t in (x, y):
            whole, scale = tile(128, 16, dtype=nl.float8_e4m3fn_x4), tile(128, 16, dtype=nl.uint8)
            nisa.memset(scale, 0)
            nisa.quantize_mx(whole, t, scale)
            packed.append(whole)
            scales.append(scale)
        product = tile(16, 16, buffer=nl.psum)
        nisa.nc_matmul_mx(product, packed[0], packed[1], scales[0], scales[1])
        return nl.copy(product)

    found = run(body, a, b)
    # Element `4 * m + j` of a partition is part `j` of packed element `m`: parts are contracted beside partitions.
    x, y = (v.astype(np.float64).reshape(128, 16, 4) for v in (a, b))
    expected = np.einsum("pmj,pnj->mn", x, y)
    assert np.linalg.norm(found - expected) < 0.06 * np.linalg.norm(expected)


def test_views_that_start_at_a_register():
    @nki.jit
    def kernel(x, which):
        register = nisa.register_alloc()
        nisa.register_load(register, loaded(which))
        t = loaded(x)
        out = nl.ndarray((32, 8), dtype=x.dtype)
        nisa.tensor_copy(out, t.ap([[64, 32], [1, 8]], scalar_offset=register, indirect_dim=1))
        row = nl.ndarray((1, 64), dtype=x.dtype)
        nisa.dma_copy(row, x[nl.ds(register, 1), :])
        return stored(out), stored(row), stored(nl.copy(t[:, nl.ds(register, 2)]))

    out, row, two = kernel(X, np.array([[11]], np.int32))
    np.testing.assert_array_equal(out, X[:, 11:19])
    np.testing.assert_array_equal(row, X[11:12])
    np.testing.assert_array_equal(two, X[:, 11:13])
    with pytest.raises(IndexError, match="out of bounds"):
        kernel(X, np.array([[63]], np.int32))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: nisa.tensor_copy(dst=x, src=x, mask=None), r"keyword argument 'mask'.*there are no masks"),
        (lambda x: nisa.tensor_copy(dst=x, src=x, dtype=nl.float32), r"keyword argument 'dtype'.*the type of dst"),
        (lambda x: nisa.dma_copy(dst=x, src=x, dst_rmw_op=nl.add), r"nisa\.dma_compute accumulates"),
        (lambda x: nl.exp(x, mask=None), r"nl\.exp\(\) got an unexpected keyword argument 'mask'"),
        (lambda x: x + x, r"unsupported operand"),
    ],
)
def test_what_earlier_dialects_take_says_what_stands_for_it(call, text):
    def body(x):
        call(x)
        return x

    with pytest.raises(TypeError, match=text):
        run(body, X)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda x: nisa.dma_copy(tile(256, 4), tile(256, 4)),
            "dma_copy dst partition dimension 256 exceeds maximum 128",
        ),
        (lambda x: nisa.nc_matmul(tile(64, 64), x, x), r"dst must be in \['psum'\], got sbuf"),
        (
            lambda x: nisa.nc_matmul(tile(64, 64, buffer=nl.psum), tile(64, 64, buffer=nl.psum), x),
            r"stationary must be in \['sbuf'\], got psum",
        ),
        (
            lambda x: nisa.nc_matmul(tile(64, 64, buffer=nl.psum), x, x[0:16]),
            r"Matmul contraction dimension mismatch: stationary\[0\]=32 != moving\[0\]=16",
        ),
        (
            lambda x: nisa.nc_matmul(tile(256, 64, buffer=nl.psum), tile(32, 256), x),
            "Matmul stationary free dimension 256 exceeds gemm_stationary_fmax=128",
        ),
        (lambda x: nl.ndarray((4,), nl.float32), "SBUF and PSUM tensors must have at least 2 dimensions"),
        (lambda x: nl.ndarray((4, 4), nl.float32, buffer="sbuf"), r"nl\.ndarray: 'buffer' must be a memory"),
        (lambda x: nl.ndarray((4, 4), nl.float32, address=(0, -1)), r"ndarray\.address"),
        (lambda x: nisa.memset(tile(4, 4, dtype=nl.int32), 0.5), r"memset\.value_type"),
        (lambda x: nisa.tensor_copy(x, x, engine=5.0), r"tensor_copy\.enum_only"),
        (lambda x: nisa.dma_copy(x, x, priority=9), r"dma_copy\.priority"),
        (lambda x: nisa.dma_copy(x, x, engine=nisa.engine.vector), r"dma_copy\.engine"),
        (lambda x: nisa.iota(tile(4, 8, dtype=nl.int32), [[1, 7]]), r"iota\.shape"),
        (lambda x: nl.store(tile(4, 4), x), r"err_unsupported_memory"),
    ],
)
def test_broken_rules_are_told_in_the_public_words(call, text):
    def body(x):
        call(x)
        return x

    with pytest.raises(AssertionError, match=text):
        run(body, X)

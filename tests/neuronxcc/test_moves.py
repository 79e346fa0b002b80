"""`nl.load`, `nl.store`, `nl.copy`, `nl.broadcast_to`, and the instructions of `nisa` that move or make elements."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions

nl, nisa = nki.language, nki.isa

X = np.arange(2 * 6 * 5, dtype=np.float32).reshape(2, 6, 5)
ROWS = np.array([[3], [0], [5]], np.int32)


def run(body, *arrays, shape=(6, 5), dtype=np.float32, fill=7):
    """What `body(out, *arrays)` leaves in an HBM tensor full of 7."""

    @nki.jit
    def kernel(before, *arrays):
        out = nl.ndarray(shape, dtype=dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=before)
        body(out, *arrays)
        return out

    return kernel(np.full(shape, fill, dtype), *arrays)


def names(body, *arrays):
    """The instructions that `body(out, *arrays)` records."""

    @nki.jit
    def kernel(*arrays):
        out = nl.ndarray((6, 5), dtype=np.float32, buffer=nl.shared_hbm)
        body(out, *arrays)
        return out

    return [i.name for i in instructions(kernel.trace(*arrays).body)]


# load


@pytest.mark.parametrize(
    "index, reference",
    [
        (lambda x: x[1], lambda x: x[1]),
        (lambda x: x[0, 2:5], lambda x: x[0, 2:5]),
        (lambda x: x[:, 3], lambda x: x[:, 3]),
        (lambda x: x[:, :, 2], lambda x: x[:, :, 2]),
        (lambda x: x[1, ::2, 1:5:3], lambda x: x[1, ::2, 1:5:3]),
        (lambda x: x[..., 1:3], lambda x: x[..., 1:3]),
        (lambda x: x[-1, -4:-1], lambda x: x[-1, -4:-1]),
        (lambda x: x[0, nl.ds(2, 3), nl.ds(1, 2)], lambda x: x[0, 2:5, 1:3]),
        (lambda x: x[1, nl.arange(4)[:, None], nl.arange(5)[None, :]], lambda x: x[1, :4]),
        (
            lambda x: x[1, 5 - nl.arange(4)[:, None], 2 * nl.arange(2)[None, :] + 1],
            lambda x: x[1, [5, 4, 3, 2]][:, [1, 3]],
        ),
        (
            lambda x: x[1, nl.arange(5)[None, :] + nl.arange(2)[:, None], 0],
            lambda x: x[1, np.add.outer([0, 1], range(5)), 0],
        ),
        (lambda x: x.reshape((12, 5))[3:9], lambda x: x.reshape(12, 5)[3:9]),
        (lambda x: x[0].expand_dims(1), lambda x: x[0][:, None]),
        (lambda x: x[0, :, 2], lambda x: x[0, :, 2:3]),
        (lambda x: x[1, 3], lambda x: x[1, 3][:, None]),
    ],
)
def test_load_takes_every_kind_of_index(index, reference):
    @nki.jit
    def kernel(x):
        tile = nl.load(index(x))
        assert tile.buffer is nl.sbuf.space
        out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
        nl.store(out, tile)
        return out

    np.testing.assert_array_equal(kernel(X), reference(X), strict=True)


@pytest.mark.parametrize("dtype", [nl.int32, nl.bfloat16, nl.float16, nl.int8, nl.float8_e4m3, nl.bool_])
def test_load_casts(dtype):
    x = np.array([[0, 1.5, -2.5, 200.4, -300]], np.float32)
    found = run(lambda out, x: nl.store(out, nl.load(x, dtype=dtype)), x, shape=(1, 5), dtype=dtype, fill=0)
    if dtype is nl.bool_:
        expected = x != 0
    elif np.dtype(dtype).kind == "i":
        info = np.iinfo(dtype)
        expected = np.clip(np.rint(x), info.min, info.max).astype(dtype)
    else:
        expected = jnp.asarray(x).astype(dtype)
    np.testing.assert_array_equal(found, expected)


def test_what_a_mask_leaves_out_is_not_loaded():
    def body(out, x):
        p, f = nl.arange(6)[:, None], nl.arange(5)[None, :]
        nl.store(out, nl.load(x[1, p, f], mask=(p < 4) & (f > 0)))

    expected = np.full((6, 5), np.nan, np.float32)
    expected[:4, 1:] = X[1, :4, 1:]
    np.testing.assert_array_equal(run(body, X), expected)


@pytest.mark.parametrize("mask, all_of_it", [(True, True), (None, True), (False, False)])
def test_a_mask_can_be_a_constant(mask, all_of_it):
    def body(out, x):
        nl.store(out, nl.load(x[0]), mask=mask)

    np.testing.assert_array_equal(run(body, X), X[0] if all_of_it else np.full((6, 5), 7))


def test_a_mask_on_a_loop_index_alone_takes_or_skips_the_whole_instruction():
    def body(out, x):
        for i in nl.affine_range(6):
            nl.store(out[i : i + 1], nl.load(x[0, i : i + 1]), mask=i < 4)

    expected = np.full((6, 5), 7, np.float32)
    expected[:4] = X[0, :4]
    np.testing.assert_array_equal(run(body, X), expected)


def test_indirect_load_and_store():
    def gathers(out, x, rows):
        f = nl.arange(5)[None, :]
        index = nl.load(rows)
        nl.store(out[0:3], nl.load(x[index, f]))
        p = nl.arange(3)[:, None]
        nl.store(out[3:6], nl.load(x[index[p, 0], f]))

    def scatters(out, x, rows):
        f = nl.arange(5)[None, :]
        index = nl.load(rows)
        nl.store(out[index, f], nl.load(x[0:3]))

    expected = np.full((6, 5), 7, np.float32)
    expected[ROWS[:, 0]] = X[0, :3]
    np.testing.assert_array_equal(run(gathers, X[0], ROWS), X[0][np.tile(ROWS[:, 0], 2)])
    np.testing.assert_array_equal(run(scatters, X[0], ROWS), expected)
    with pytest.raises(IndexError, match="index 30 is out of bounds for axis 0 with size 30"):
        run(gathers, X[0], ROWS + np.array([[3], [0], [0]], np.int32))


# store


@pytest.mark.parametrize(
    "part", [lambda t: t, lambda t: t[2], lambda t: t[1, 3], lambda t: t[:, 2], lambda t: t[2:4, ::2]]
)
def test_store_of_a_number(part):
    values = [0, -2.5, True, np.float32(3), np.int8(4), np.array(5)]

    def body(out):
        for number, value in enumerate(values):
            nl.store(part(out[number]), value)

    places = np.isin(np.arange(30).reshape(6, 5), part(np.arange(30).reshape(6, 5)))
    expected = np.stack([np.where(places, float(value), 7) for value in values])
    np.testing.assert_array_equal(run(body, shape=(6, 6, 5)), expected)


def test_store_of_a_number_under_a_mask_in_any_rank():
    def body(out):
        p, i, j = nl.arange(2)[:, None, None], nl.arange(6)[None, :, None], nl.arange(5)[None, None, :]
        nl.store(out[p, i, j], 1, mask=(i > 2) & (p < 1))

    expected = np.full((2, 6, 5), 7, np.float32)
    expected[0, 3:] = 1
    np.testing.assert_array_equal(run(body, shape=(2, 6, 5)), expected)
    np.testing.assert_array_equal(run(lambda out: nl.store(out, 3), shape=(9,)), np.full(9, 3))
    np.testing.assert_array_equal(run(lambda out: nl.store(out[2:5], 3), shape=(9,)), [7, 7, 3, 3, 3, 7, 7, 7, 7])


def test_store_of_a_loop_index_is_its_number():
    def body(out):
        for i in nl.affine_range(6):
            nl.store(out[i], i)

    np.testing.assert_array_equal(run(body), np.arange(6)[:, None] * np.ones((1, 5)))


def test_store_casts_to_the_type_of_the_tensor():
    found = run(lambda out, x: nl.store(out, nl.load(x)), X[0] * 1.3, dtype=np.int8, fill=0)
    np.testing.assert_array_equal(found, np.rint(X[0] * np.float32(1.3)).astype(np.int8))


@pytest.mark.parametrize("shape", [(2, 30), (2, 3, 2, 5), (1, 2, 30), (2, 1, 30, 1)])
def test_store_splits_and_joins_free_axes(shape):
    found = run(lambda out, x: nl.store(out, nl.load(x)), X, shape=shape)
    np.testing.assert_array_equal(found, X.reshape(shape))


@pytest.mark.parametrize(
    ("of_value", "shape"), [((1, 6), (6,)), ((6, 1), (6,)), ((1, 6), (6, 1)), ((3, 4), (1, 3, 1, 4))]
)
def test_store_does_not_count_axes_of_size_one(of_value, shape):
    x = np.arange(np.prod(shape), dtype=np.float32)
    found = run(lambda out, x: nl.store(out, nl.load(x)), x.reshape(of_value), shape=shape)
    np.testing.assert_array_equal(found, x.reshape(shape))


PARTITIONS = "the two sides of the store to tensor 'out' span different numbers of partitions"
SMALLER = "illegal shape in store to tensor 'out': the destination is smaller than the value"
TOO_MANY = "the destination tile of a store to tensor 'out' spans too many partitions"
SCRAMBLED = "the axes of the two sides of the store to tensor 'out' do not line up"
OTHERWISE = {
    "err_num_partition_mismatch": "the same size of axis 0, which is the partition axis; a tensor in hbm can be "
    "reshaped",
    "err_store_dst_shape_smaller_than_other_shape": "a destination of the value's shape",
    "err_num_partition_exceed_arch_limit": "at most 128 on trn2: axis 0 of a tile is its partition axis",
    "store.shape": "equal shapes, or axes that are split or joined: [P, 32] for [P, 4, 8], not [P, 8, 4]",
}


@pytest.mark.parametrize(
    ("shape", "of_value", "rule", "message"),
    [
        ((4, 8), (8, 4), "err_num_partition_mismatch", PARTITIONS),
        ((2, 4, 8), (8, 8), "err_num_partition_mismatch", PARTITIONS),
        ((60,), (2, 30), "err_num_partition_mismatch", PARTITIONS),
        ((8, 8), (8, 9), "err_store_dst_shape_smaller_than_other_shape", SMALLER),
        ((130, 4), (65, 8), "err_num_partition_exceed_arch_limit", TOO_MANY),
        ((4, 2, 6), (4, 6, 2), "store.shape", SCRAMBLED),
        ((4, 2, 6), (4, 3, 4), "store.shape", SCRAMBLED),
    ],
)
def test_a_store_that_would_scramble_is_refused(shape, of_value, rule, message):
    with pytest.raises(RuleError) as error:
        run(lambda out, x: nl.store(out, nl.load(x)), np.zeros(of_value, np.float32), shape=shape)
    assert str(error.value).splitlines()[:3] == [
        f"{rule}: {message}",
        f"  given:   destination {list(shape)}, value {list(of_value)}",
        f"  allowed: {OTHERWISE[rule]}",
    ]


def test_a_number_is_stored_to_a_tile_as_well():
    with pytest.raises(RuleError, match="err_num_partition_exceed_arch_limit") as error:
        run(lambda out: nl.store(out, 1.0), shape=(129, 2))
    assert error.value.given == "destination [129, 2]"
    np.testing.assert_array_equal(run(lambda out: nl.store(out[0:128], 1.0), shape=(129, 2))[:128], 1)


def test_a_tile_in_psum_is_copied_to_sbuf_first():
    def body(out, x):
        tile = nl.zeros((6, 5), dtype=nl.float32, buffer=nl.psum)
        tile[0:3] = nl.load(x[1, 0:3])
        nl.store(out, tile)

    expected = X[1].copy()
    expected[3:] = 0
    np.testing.assert_array_equal(run(body, X), expected)


def test_a_tile_in_psum_costs_a_copy():
    def body(out):
        nl.store(out, nl.zeros((6, 5), dtype=nl.float32, buffer=nl.psum))

    assert names(body) == ["memset", "tensor_copy", "dma_copy"]


# copy, broadcast_to, expand_dims


def test_copy_is_a_new_tile():
    def body(out, x):
        tile = nl.load(x[0])
        again = nl.copy(tile, dtype=nl.int8)
        assert again.dtype == np.int8
        tile[...] = 0
        nl.store(out, again)

    np.testing.assert_array_equal(run(body, X), X[0])


def test_copy_under_a_mask():
    def body(out, x):
        tile = nl.load(x[0])
        tile[0:6, 0:5] = nl.copy(nl.load(x[1]), mask=nl.arange(5)[None, :] < 2)
        nl.store(out, tile)

    expected = X[0].copy()
    expected[:, :2] = X[1, :, :2]
    np.testing.assert_array_equal(run(body, X), expected)


def test_broadcast_to_is_a_copy_or_the_tile_itself():
    def body(out, x):
        row = nl.load(x[0:1])
        assert nl.broadcast_to(row, shape=(1, 5)) is row
        wide = nl.broadcast_to(row, shape=(6, 5))
        row[...] = 0
        nl.store(out, wide)

    np.testing.assert_array_equal(run(body, X[0]), np.repeat(X[0, :1], 6, axis=0))
    assert names(lambda out, x: nl.store(out, nl.broadcast_to(nl.load(x[0:1]), shape=[6, 5])), X[0]) == [
        "dma_copy",
        "tensor_copy",
        "dma_copy",
    ]


# nisa


def test_iota_makes_affine_values():
    def body(out):
        p, f = nl.arange(6)[:, None], nl.arange(5)[None, :]
        nl.store(out, nisa.iota(10 * p - 3 * f + 1, dtype=nl.float32))

    np.testing.assert_array_equal(run(body), 10 * np.arange(6)[:, None] - 3 * np.arange(5) + 1)


def test_iota_of_loop_indices_and_of_constants():
    def body(out):
        for i in nl.affine_range(3):
            row = 2 * i + nl.arange(2)[:, None] + 0 * nl.arange(5)[None, :]
            nl.store(out[nl.ds(2 * i, 2)], nisa.iota(row, dtype=nl.float32))
        for i in nl.affine_range(3):
            nl.store(out[i, 4:5], nisa.iota(100 * i, dtype=nl.int32))
        nl.store(out[5, 4:5], nisa.iota(-1, dtype=nl.int8))

    expected = np.repeat(np.arange(6.0)[:, None], 5, axis=1)
    expected[:3, 4], expected[5, 4] = [0, 100, 200], -1
    np.testing.assert_array_equal(run(body), expected)


def test_memset_takes_axis_0_as_the_partition_axis():
    def body(out):
        tile = nisa.memset((6, nl.par_dim(5)), 3, dtype=nl.float32)
        assert tile.shape == (6, 5)
        nl.store(out, tile)

    np.testing.assert_array_equal(run(body), np.full((6, 5), 3))


@pytest.mark.parametrize("engine", [nisa.vector_engine, nisa.gpsimd_engine, nisa.unknown_engine])
def test_engines_change_no_value(engine):
    def body(out, x):
        tile = nisa.memset((6, 5), 3, dtype=nl.float32, engine=engine)
        tile[1:2] = nisa.tensor_copy(nl.load(x[1:2]), engine=engine)
        nl.store(out, tile)

    expected = np.full((6, 5), 3, np.float32)
    expected[1] = X[0, 1]
    np.testing.assert_array_equal(run(body, X[0]), expected)


def test_the_scalar_engine_of_neuroncore_v2_copies_by_way_of_float32():
    big = np.array([[2**24 + 1, -(2**24) - 3]], np.int32)

    def kernel_on(target):
        @nki.jit(platform_target=target)
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nl.store(out, nisa.tensor_copy(nl.load(x), engine=nisa.scalar_engine))
            return out

        return kernel

    np.testing.assert_array_equal(kernel_on("trn2")(big), big)
    np.testing.assert_array_equal(kernel_on("trn1")(big), big.astype(np.float32).astype(np.int32))


def test_dma_copy_in_all_directions():
    def body(out, x):
        a = nl.ndarray((6, 5), dtype=nl.float32, buffer=nl.sbuf)
        b = nl.ndarray((6, 5), dtype=nl.float32, buffer=nl.sbuf)
        c = nl.ndarray((6, 5), dtype=nl.float32, buffer=nl.hbm)
        nisa.dma_copy(dst=a, src=x[0])
        nisa.dma_copy(dst=b, src=a)
        nisa.dma_copy(dst=c, src=b)
        nisa.dma_copy(dst=out, src=c)

    np.testing.assert_array_equal(run(body, X), X[0])


@pytest.mark.parametrize("op", [np.add, jnp.add, nl.add])
def test_every_spelling_of_addition(op):
    found = run(lambda out, x: nisa.dma_copy(dst=out, src=x, dst_rmw_op=op), X[0])
    np.testing.assert_array_equal(found, X[0] + 7)


@pytest.mark.parametrize("mode", ["none", "swdge", "hwdge", "unknown"])
def test_descriptor_generation_changes_no_value(mode):
    found = run(lambda out, x: nisa.dma_copy(dst=out, src=x, dge_mode=nisa.dge_mode[mode]), X[0])
    np.testing.assert_array_equal(found, X[0])


@pytest.mark.parametrize("target, version", [("trn1", 2), ("inf2", 2), ("trn2", 3), ("trn3", 4)])
def test_the_version_is_that_of_the_target(target, version):
    @nki.jit(platform_target=target)
    def kernel(x):
        assert nisa.get_nc_version() == version
        return x

    kernel(X)
    assert nisa.get_nc_version() == nisa.nc_version.gen3, "outside of kernels, of the default target"


def test_one_element_is_a_tile():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)

    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 1), dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x[1, 2])
        assert tile.shape == (1, 1)
        nl.store(out[0:1], nl.add(tile, 1.0))
        nl.store(out[1, 0], nl.load(x[0, 1], dtype=nl.float32))
        return out

    np.testing.assert_array_equal(kernel(x), [[6], [1]])


def expert(number, mode=nisa.oob_mode.error):
    """Loads rows of one expert of `[E, H, 2, I]`, and stores them in another one's place; both known at run time."""

    @nki.jit
    def kernel(weights, which):
        out = nl.ndarray(weights.shape, dtype=weights.dtype, buffer=nl.shared_hbm)
        for e in nl.affine_range(weights.shape[0]):
            nl.store(out[e], nl.load(weights[e]))
        index = nl.load(which, dtype=nl.int32)
        rows, pair, columns = nl.mgrid[0:4, 0:2, 0:3]
        tile = nl.load(weights[index[0, 0], 2 + rows, pair, columns], mode=mode)
        nl.store(out[index[1, 0].as_tile(), rows, pair, columns], tile)
        return out

    weights = np.arange(3 * 8 * 2 * 3, dtype=np.float32).reshape(3, 8, 2, 3)
    which = np.array([[number], [0]], np.int32)
    return weights, which, kernel


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_element_selects_a_place_for_all_rows(number):
    """A mixture of experts: `weights[expert[0, 0], rows, ...]`."""
    weights, which, kernel = expert(number)
    wanted = weights.copy()
    wanted[0, :4] = weights[number, 2:6]
    np.testing.assert_array_equal(kernel(weights, which), wanted)
    found = jax.vmap(kernel, (None, 0))(jnp.asarray(weights), jnp.asarray(np.stack([which, which])))
    np.testing.assert_array_equal(found[1], wanted)


def test_one_element_out_of_bounds_is_a_fault():
    weights, which, kernel = expert(3)
    with pytest.raises(
        IndexError, match="row 0 of 'src' has row index 3, out of bounds for axis 0 of tensor 'weights' with size 3"
    ):
        kernel(weights, which)

"""`tile[...] = value`: what it copies, what it writes in place, in which type, and what it leaves as it was."""

import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions

nl, nisa = nki.language, nki.isa

X = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def run(body, *arrays, shape=(4, 3), dtype=np.float32):
    """What `body(tile, *arrays)` leaves in a tile full of 7, and the instructions that it recorded."""

    @nki.jit
    def kernel(*arrays):
        out = nl.ndarray(shape, dtype=dtype, buffer=nl.shared_hbm)
        tile = nl.full(shape, 7, dtype=dtype, buffer=nl.sbuf)
        body(tile, *arrays)
        nl.store(out, tile)
        return out

    program = kernel.trace(*arrays)
    names = [i.name for i in instructions(program.body)][1:-1]
    return kernel(*arrays), names, program


def refused(rule, body, *arrays, **settings):
    with pytest.raises(RuleError) as caught:
        run(body, *arrays, **settings)
    assert caught.value.rule == rule
    return caught.value


def test_a_fresh_tile_is_written_in_place_and_its_own_buffer_goes_away():
    def body(tile, x):
        tile[...] = nl.load(x)

    out, names, program = run(body, X)
    np.testing.assert_array_equal(out, X)
    assert names == ["dma_copy"]
    assert [b.name for b in program.buffers] == ["out", "tile"]


def test_a_tile_that_is_used_again_keeps_its_buffer():
    def body(tile, x):
        loaded = nl.load(x)
        tile[0:2] = loaded[0:2]
        tile[...] = loaded
        tile[0:1] = loaded[2:3]

    out, names, program = run(body, X)
    np.testing.assert_array_equal(out, X[[2, 1, 2, 3]])
    assert names == ["dma_copy"] + ["tensor_copy"] * 3
    assert [b.name for b in program.buffers] == ["out", "tile", "loaded"]


def test_a_fresh_tile_that_is_used_again_is_made_twice():
    def body(tile, x):
        loaded = nl.load(x)
        tile[...] = loaded
        tile[0:1] = loaded[2:3]

    out, names, program = run(body, X)
    np.testing.assert_array_equal(out, X[[2, 1, 2, 3]])
    assert names == ["dma_copy", "dma_copy", "tensor_copy"]
    assert [b.name for b in program.buffers] == ["out", "tile", "loaded"]


@pytest.mark.parametrize("use", [lambda t: t.view(nl.int32), lambda t: t[0:4, 0:3].view(nl.int32)])
def test_a_tile_that_is_read_through_a_view_is_still_used(use):
    def body(tile, x):
        loaded = nl.load(x)
        tile[...] = loaded
        tile[...] = 0
        tile.view(nl.int32)[...] = use(loaded)

    out, _, program = run(body, X)
    np.testing.assert_array_equal(out, X)
    assert "loaded" in [b.name for b in program.buffers]


def test_a_tile_that_is_only_written_again_keeps_its_buffer():
    def body(tile, x):
        loaded = nl.load(x)
        tile[...] = loaded
        loaded[0:1] = 0

    out, names, program = run(body, X)
    np.testing.assert_array_equal(out, X)
    assert names == ["dma_copy", "dma_copy", "memset"]
    assert "loaded" in [b.name for b in program.buffers]


def test_both_names_of_a_tile_see_what_is_written():
    def body(tile, x):
        alias, part = tile, tile[1:3]
        alias[...] = nl.load(x)
        part[...] = 0

    np.testing.assert_array_equal(run(body, X)[0], X * [[1], [0], [0], [1]])


def test_a_tile_assigned_to_itself_is_left_alone():
    def body(tile, x):
        tile[...] = tile
        tile[1:2] = tile[1:2]

    out, names, _ = run(body, X)
    assert names == []
    assert (out == 7).all()


def test_overlapping_parts_are_read_before_they_are_written():
    def body(tile, x):
        tile[...] = nl.load(x)
        tile[:, 0:2] = tile[:, 1:3]

    np.testing.assert_array_equal(run(body, X)[0], X[:, [1, 2, 2]])


@pytest.mark.parametrize("value", [0, -3, 2.5, np.float32(1.5), np.int32(4), True, np.bool_(False), np.array(3.0)])
def test_a_number_fills(value):
    def body(tile, x):
        tile[1:3, 0:2] = value

    expected = np.full((4, 3), 7, np.float32)
    expected[1:3, 0:2] = float(value)
    out, names, _ = run(body, X)
    np.testing.assert_array_equal(out, expected)
    assert names == ["memset"]


def test_a_loop_index_fills_with_its_value():
    def body(tile, x):
        for i in nl.affine_range(4):
            tile[i : i + 1] = 10 * i
            tile[i : i + 1, 0:1] = i / 2

    np.testing.assert_array_equal(run(body, X)[0], [[i / 2, 10 * i, 10 * i] for i in range(4)])


@pytest.mark.parametrize("shape", [(4, 1), (1, 3), (1, 1)])
def test_a_smaller_tile_broadcasts(shape):
    def body(tile, x):
        tile[...] = nl.load(x)

    x = X[: shape[0], : shape[1]].copy()
    out, names, _ = run(body, x)
    np.testing.assert_array_equal(out, np.broadcast_to(x, (4, 3)))
    assert names == ["dma_copy", "tensor_copy"]


def test_free_axes_of_equally_many_elements_are_regrouped():
    def body(tile, x):
        tile[...] = nl.load(x)

    x = np.arange(48, dtype=np.float32).reshape(4, 2, 6)
    np.testing.assert_array_equal(run(body, x, shape=(4, 12))[0], x.reshape(4, 12))


@pytest.mark.parametrize("shape", [(4, 6), (4, 1), (8, 3), (1, 3)])
def test_a_destination_that_is_smaller_is_an_error(shape):
    def body(tile, x):
        tile[...] = nl.load(x)  # too large

    x = np.zeros((4, 3) if shape[0] <= 4 and shape[1] <= 3 else shape, np.float32)
    shape = (4, 3) if x.shape == shape else shape
    error = refused("err_store_dst_shape_smaller_than_other_shape", body, x, shape=shape)
    assert error.given == f"destination {list(shape)}, value {list(x.shape)}"
    assert error.allowed == "a value of the destination's shape, or one that broadcasts to it"
    assert error.location.text == "tile[...] = nl.load(x)  # too large"


@pytest.mark.parametrize(
    ("shape", "of_value", "rule"),
    [
        ((4, 2, 6), (4, 6, 2), "assignment.shape"),
        ((4, 2, 6), (4, 3, 4), "assignment.shape"),
        ((4, 6), (8, 3), "err_num_partition_mismatch"),
    ],
)
def test_equally_many_elements_in_an_order_that_nobody_wrote_are_an_error(shape, of_value, rule):
    def body(tile, x):
        loaded = nl.load(x)
        tile[...] = nl.negative(loaded)  # refused

    def in_place(tile, x):
        tile[...] = nl.load(x)  # refused

    for made in (body, in_place):
        error = refused(rule, made, np.zeros(of_value, np.float32), shape=shape)
        assert error.given == f"destination {list(shape)}, value {list(of_value)}"
        assert "assignment to tensor 'tile'" in str(error)
        assert error.location.text.endswith("# refused")


@pytest.mark.parametrize("of_value", [(4, 12), (4, 2, 2, 3), (4, 4, 3, 1), (4, 1, 12)])
def test_free_axes_may_be_split_or_joined(of_value):
    def body(tile, x):
        tile[...] = nl.load(x)

    x = np.arange(48, dtype=np.float32).reshape(of_value)
    shape = (4, 4, 3) if of_value != (4, 1, 12) else (4, 12)
    np.testing.assert_array_equal(run(body, x, shape=shape)[0], x.reshape(shape))


@pytest.mark.parametrize("value", [[1, 2, 3], np.zeros((4, 3)), "text", None, (1,)])
def test_what_is_neither_tile_nor_number_is_an_error(value):
    def body(tile, x):
        tile[...] = value

    with pytest.raises(RuleError, match="assignment.value"):
        run(body, X)


def test_the_destination_decides_the_type_of_a_fresh_result():
    """2^24 + 2 and 257 survive on the way to int32, which bfloat16 in between would not let them."""

    def fresh(tile, x):
        tile[...] = nl.load(x)

    def copied(tile, x):
        loaded = nl.load(x, dtype=nl.bfloat16)
        tile[...] = loaded

    x = np.array([[2.0**24 + 2, 257, -2.5]], np.float32)
    np.testing.assert_array_equal(run(fresh, x, shape=(1, 3), dtype=np.int32)[0], [[2**24 + 2, 257, -2]])
    half = x.astype(jnp.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(run(copied, x, shape=(1, 3), dtype=np.int32)[0], [[half[0, 0], half[0, 1], -2]])


def test_a_type_that_the_kernel_asks_for_is_kept():
    def body(tile, x):
        tile[...] = nl.load(x, dtype=nl.int8)

    out, names, _ = run(body, np.full((4, 3), 300.0, np.float32))
    assert (out == 127).all()
    assert names == ["dma_copy", "tensor_copy"]


def masks():
    p, f = nl.arange(4)[:, None], nl.arange(3)[None, :]
    return p, f, (p >= 1) & (f < 2)


ON = np.zeros((4, 3), bool)
ON[1:, :2] = True


def masked_load(x):
    p, f, mask = masks()
    return nl.load(x[p, f], mask=mask)


def test_a_masked_result_leaves_the_rest():
    def fresh(tile, x):
        tile[...] = masked_load(x)

    def later(tile, x):
        loaded = masked_load(x)
        nl.copy(tile)
        tile[...] = loaded

    for body in (fresh, later):
        np.testing.assert_array_equal(run(body, X)[0], np.where(ON, X, 7))


def test_a_masked_tile_that_was_written_again_is_copied_whole():
    def body(tile, x):
        loaded = masked_load(x)
        loaded[...] = 0
        tile[...] = loaded

    def in_a_loop(tile, x):
        loaded = masked_load(x)
        for _ in nl.sequential_range(2):
            tile[...] = loaded
            loaded[...] = 0

    for each in (body, in_a_loop):
        np.testing.assert_array_equal(run(each, X)[0], np.zeros((4, 3)))


def test_what_a_mask_left_unwritten_is_nan_elsewhere():
    def body(tile, x):
        loaded = masked_load(x)
        tile[...] = loaded[0:4, 0:3]

    np.testing.assert_array_equal(run(body, X)[0], np.where(ON, X, np.nan))


def test_in_place_operators_write_to_the_tile():
    def body(tile, x):
        alias = tile
        loaded = nl.load(x)
        tile += loaded
        tile -= 1
        tile *= 2
        tile /= 4
        assert alias is tile
        tile[0:1] += 5

    expected = (X + 6) * 2 / 4
    expected[0] += 5
    np.testing.assert_array_equal(run(body, X)[0], expected)


def test_in_place_addition_of_a_masked_tile_leaves_the_rest():
    def fresh(tile, x):
        tile += masked_load(x)

    def rewritten(tile, x):
        loaded = masked_load(x)
        loaded[...] = 1
        tile += loaded

    np.testing.assert_array_equal(run(fresh, X)[0], np.where(ON, X + 7, 7))
    np.testing.assert_array_equal(run(rewritten, X)[0], np.full((4, 3), 8))


def test_a_tile_made_before_an_unrolled_loop_is_copied_in_every_iteration():
    """The first iteration is no exception: a static_range gives what an affine_range gives."""

    def body(loop):
        def assigns(tile, x):
            loaded = nl.load(x)
            for i in loop(2):
                tile[0:4, i : i + 1] = loaded

        return assigns

    x = X[:, :1].copy()
    for loop in (nl.affine_range, nl.static_range):
        _, names, _ = run(body(loop), x)
        assert names == ["dma_copy"] + ["tensor_copy"] * (1 if loop is nl.affine_range else 2)


def test_psum_takes_and_gives_tiles():
    def body(tile, x):
        accumulator = nl.zeros((4, 3), dtype=nl.float32, buffer=nl.psum)
        accumulator[...] = nl.copy(tile)
        accumulator[1:2] = 1
        tile[...] = accumulator

    np.testing.assert_array_equal(run(body, X)[0], 7 - 6 * np.array([[0], [1], [0], [0]]) * np.ones((1, 3)))


def test_hbm_takes_part_in_no_assignment():
    def to_hbm(tile, x):
        scratch = nl.ndarray((4, 3), dtype=nl.float32, buffer=nl.hbm)
        scratch[...] = tile

    def number_to_hbm(tile, x):
        nl.ndarray((4, 3), dtype=nl.float32, buffer=nl.hbm)[0:2] = 1

    def from_hbm(tile, x):
        tile[...] = x

    for body, role in ((to_hbm, "destination"), (number_to_hbm, "destination"), (from_hbm, "source")):
        error = refused("err_unsupported_memory", body, X)
        assert f"the {role} of an assignment is in the wrong memory" in str(error)
        assert error.allowed == "sbuf | psum; nl.load and nl.store move between HBM and SBUF"


@pytest.mark.parametrize("loop", [nl.affine_range, nl.static_range])
def test_a_tile_made_before_a_loop_is_not_fresh_after_it(loop):
    def body(tile, x):
        loaded = nl.load(x[:, 0:1])
        for i in loop(2):
            tile[:, i : i + 1] = nl.load(x[:, 2:3])
        tile[:, 2:3] = loaded

    out, names, _ = run(body, X)
    np.testing.assert_array_equal(out, X[:, [2, 2, 0]])
    assert names == ["dma_copy"] * (2 if loop is nl.affine_range else 3) + ["tensor_copy"]

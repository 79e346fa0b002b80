"""Making tensors: shapes, memories, values, and what memory holds that nobody has written."""

import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import instructions

nl, nisa = nki.language, nki.isa


def run(body, *arrays):
    """What `body` returns, an on-chip tile or an HBM tensor, as an array."""

    @nki.jit
    def kernel(*arrays):
        tensor = body(*arrays)
        out = nl.ndarray(tensor.shape, dtype=tensor.dtype, buffer=nl.shared_hbm)
        source = nl.copy(tensor) if tensor.buffer is nl.psum.space else tensor
        nisa.dma_copy(dst=out, src=source)
        return out

    return kernel(*arrays)


def refused(rule, body, *arrays):
    with pytest.raises(RuleError) as caught:
        run(body, *arrays)
    assert caught.value.rule == rule
    return caught.value


TYPES = [
    "int8",
    "int16",
    "int32",
    "uint8",
    "uint16",
    "uint32",
    "bool_",
    "float32",
    "bfloat16",
    "float16",
    "float8_e4m3",
    "float8_e5m2",
]


@pytest.mark.parametrize("buffer", ["sbuf", "psum", "hbm", "private_hbm", "shared_hbm"])
def test_memory_that_was_never_written(buffer):
    """Floats are NaN, every byte of an integer is 0xA5, and a boolean is true."""
    region, dtypes = getattr(nl, buffer), [getattr(nl, name) for name in TYPES]

    @nki.jit
    def kernel():
        outs = [nl.ndarray((4, 3), dtype, buffer=nl.shared_hbm) for dtype in dtypes]
        for out in outs:
            unwritten = nl.ndarray((4, 3), out.dtype, buffer=region)
            if region is nl.psum:
                nl.store(out, unwritten)
            else:
                nisa.dma_copy(dst=out, src=unwritten)
        return outs

    for dtype, found in zip(dtypes, kernel()):
        assert found.dtype == np.dtype(dtype)
        if jnp.issubdtype(dtype, jnp.floating):
            assert np.isnan(np.float32(found)).all()
        elif dtype is nl.bool_:
            assert found.all()
        else:
            assert set(found.tobytes()) == {0xA5}


def test_the_pattern_of_unwritten_integers_is_out_of_bounds_as_an_index():
    def body(x):
        index = nl.ndarray((4, 1), dtype=nl.int32, buffer=nl.sbuf)
        return nl.load(x[index, nl.arange(3)[None, :]])

    with pytest.raises(IndexError, match="index -4547612433 is out of bounds for axis 0 with size 12"):
        run(body, np.zeros((4, 3), np.float32))


@pytest.mark.parametrize("buffer", [None, "sbuf", "psum"])
def test_zeros_ones_and_full(buffer):
    where, dtypes = buffer and getattr(nl, buffer), [getattr(nl, name) for name in TYPES]

    @nki.jit
    def kernel():
        outs = [nl.ndarray((3, 4, 2, 3), dtype, buffer=nl.shared_hbm) for dtype in dtypes]
        for out in outs:
            nl.store(out[0], nl.zeros((4, 2, 3), out.dtype, buffer=where))
            nl.store(out[1], nl.ones((4, 2, 3), out.dtype, buffer=where))
            nl.store(out[2], nl.full((4, 2, 3), 5, out.dtype, buffer=where))
        return outs

    for dtype, found in zip(dtypes, kernel()):
        for part, value in zip(found, (0, 1, 5)):
            np.testing.assert_array_equal(part, np.full((4, 2, 3), value, dtype), strict=True)


@pytest.mark.parametrize("value", [2.5, -1, np.float32(0.1), np.int32(7), True, 1e30])
def test_full_casts_its_value(value):
    for dtype in (np.float32, np.int32, jnp.bfloat16):
        found = run(lambda: nl.full((2, 2), value, dtype))  # noqa: B023
        if dtype is np.int32:
            expected = np.clip(np.rint(np.float64(np.float32(value))), -(2**31), 2**31 - 1).astype(np.int32)
        else:
            expected = np.float32(value).astype(dtype)
        np.testing.assert_array_equal(found, np.full((2, 2), expected))


def test_full_keeps_integers_that_float32_does_not():
    assert run(lambda: nl.full((1, 1), 2**31 - 1, nl.int32))[0, 0] == 2**31 - 1
    assert run(lambda: nl.full((1, 1), 2**32 - 1, nl.uint32))[0, 0] == 2**32 - 1
    assert run(lambda: nl.full((1, 1), 2**24 + 1, nl.int32))[0, 0] == 2**24 + 1


def test_full_of_a_loop_index():
    def body():
        out = nl.ndarray((4, 3), dtype=nl.float32, buffer=nl.hbm)
        for i in nl.affine_range(4):
            nl.store(out[i : i + 1], nl.full((1, 3), i * 2, nl.float32))
        return out

    np.testing.assert_array_equal(run(body), np.arange(0, 8, 2)[:, None] * np.ones((1, 3)))


def test_likes_take_shape_and_type_from_a_tensor():
    x = np.zeros((4, 3), np.float16)

    def check(x):
        tile = nl.load(x)
        for like in (x, tile):
            for made in (nl.empty_like(like), nl.zeros_like(like)):
                assert (made.shape, made.dtype, made.buffer) == ((4, 3), np.float16, nl.sbuf.space)
            made = nl.empty_like(like, dtype=nl.int8, buffer=nl.hbm, name="mine")
            assert (made.dtype, made.buffer) == (np.int8, nl.hbm.space)
            assert made.name.startswith("mine")
            assert nl.zeros_like(like, nl.int32, buffer=nl.psum).buffer is nl.psum.space
        return nl.zeros_like(tile)

    np.testing.assert_array_equal(run(check, x), x)


def test_the_default_memory_is_sbuf_and_shapes_are_sequences():
    def body():
        for shape in ((4, 3), [4, 3], (np.int64(4), 3), (nl.par_dim(4), 3)):
            tensor = nl.ndarray(shape, nl.float32)
            assert (tensor.shape, tensor.buffer) == ((4, 3), nl.sbuf.space)
        return nl.zeros((4, 3), nl.float32)

    run(body)


def test_a_block_axis_in_front_of_the_partition_axis():
    """`par_dim` marks the partition axis; a fill makes one instruction per block."""

    @nki.jit
    def kernel():
        blocks = nl.full((2, 3, nl.par_dim(4), 5), 7, dtype=nl.float32)
        out = nl.ndarray((2, 3, 4, 5), dtype=nl.float32, buffer=nl.shared_hbm)
        blocks[1, 2] = 0
        for i in nl.static_range(2):
            for j in nl.affine_range(3):
                nl.store(out[i, j], blocks[i, j])
        return out

    expected = np.full((2, 3, 4, 5), 7, np.float32)
    expected[1, 2] = 0
    np.testing.assert_array_equal(kernel(), expected)
    assert [i.name for i in instructions(kernel.trace().body)].count("memset") == 6 + 1


def test_par_dim_means_nothing_in_hbm():
    def body():
        out = nl.ndarray((2, nl.par_dim(200), 3), dtype=nl.float32, buffer=nl.hbm)
        assert out.shape == (2, 200, 3)
        nl.store(out[:, 0, :], nl.zeros((2, 3), nl.float32))
        return out

    assert (run(body)[:, 0] == 0).all()


def test_two_partition_axes_are_an_error():
    error = refused("par_dim", lambda: nl.ndarray((nl.par_dim(2), nl.par_dim(4), 3), nl.float32))
    assert error.allowed == "one nl.par_dim"


def test_a_buffer_is_a_memory():
    error = refused("tensor.buffer", lambda: nl.ndarray((4, 3), nl.float32, buffer="sbuf"))
    assert error.given == "str 'sbuf'"
    assert error.allowed.startswith("nl.sbuf, nl.psum, nl.hbm")


def test_names_show_in_messages():
    error = refused("err_unsupported_memory", lambda: nl.load(nl.ndarray((4, 3), nl.float32, name="shown")))
    assert "'shown'" in error.given


@pytest.mark.parametrize("dtype", [np.float64, int, "double", None])
def test_element_types_that_nki_does_not_have(dtype):
    with pytest.raises(TypeError, match="is not an element type of NKI"):
        run(lambda: nl.ndarray((4, 3), dtype))

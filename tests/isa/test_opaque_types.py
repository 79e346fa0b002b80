"""Scales and packed elements: they move bit for bit, and whatever computes with numbers refuses them."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, dma_copy, dma_transpose, hbm, memset, nc_transpose, psum, sbuf, tensor_copy
from jnki.access.ref import resolve
from jnki.dtypes import EVERY, OCP, cast, element_type, float8_e4m3fn, float32, unwritten
from jnki.tiles.views import viewed_access
from tests.harness import bits_of

OPAQUE = {t.name: t for t in OCP if t.is_opaque}
every_opaque = pytest.mark.parametrize("kind", OPAQUE)


def memory(kind, shape=(4, 6)):
    """Random bits in every memory, and other numbers beside them."""
    storage = OPAQUE[kind].storage
    rng = np.random.default_rng(0)
    bits = rng.integers(0, np.iinfo(storage).max, shape, dtype=storage, endpoint=True)
    tiles = {
        "a": bits,
        "b": bits[::-1].copy(),
        "f": np.ones(shape, np.float32),
        "v": np.ones((shape[0], 1), np.float32),
    }
    return DeviceMemory.of(hbm=tiles, sbuf=tiles, psum=tiles)


@every_opaque
def test_copies_keep_every_bit(kind):
    start = memory(kind)
    bits = np.asarray(start.sbuf["a"])
    copies = {
        "dma_copy": dma_copy(start, dst=hbm("b", kind), src=sbuf("a", kind)).hbm["b"],
        "tensor_copy": tensor_copy(start, dst=psum("b", kind), src=sbuf("a", kind)).psum["b"],
    }
    for found in copies.values():
        np.testing.assert_array_equal(found, bits)
    wide = memory(kind, (4, 4))
    after = dma_transpose(wide, dst=sbuf("b", kind), src=hbm("a", kind))
    np.testing.assert_array_equal(after.sbuf["b"], np.asarray(wide.hbm["a"]).T)
    after = nc_transpose(wide, dst=psum("b", kind), data=sbuf("a", kind))
    np.testing.assert_array_equal(after.psum["b"], np.asarray(wide.hbm["a"]).T)


@every_opaque
@pytest.mark.parametrize("move", [dma_copy, tensor_copy])
def test_they_are_not_cast(kind, move):
    name = move.__name__
    with pytest.raises(RuleError) as caught:
        move(memory(kind), dst=sbuf("f"), src=sbuf("a", kind))
    assert str(caught.value).split("\n  at ")[0] == (
        f"{name}.opaque: {name}: scales and packed elements are not cast\n"
        f"  given:   dst float32, src {kind}\n"
        "  allowed: equal element types; .view gives the same bytes another type"
    )


@every_opaque
def test_a_memset_writes_zeros_or_nothing(kind):
    def refused(value):
        with pytest.raises(RuleError) as caught:
            memset(memory(kind), dst=sbuf("a", kind), value=value)
        return str(caught.value).split("\n  at ")[0]

    text = (
        "memset.opaque: memset: a constant has no such element\n  given:   {} for {}\n"
        "  allowed: 0 for packed elements; .view gives the same bytes another type"
    )
    assert refused(1.5) == text.format(1.5, kind)
    if kind == "float8_e8m0fnu":
        assert refused(0) == text.format(0, kind)
    else:
        assert not np.any(memset(memory(kind), dst=sbuf("a", kind), value=0).sbuf["a"])


def computations(m, a):
    """Each instruction that computes, with one of its operands replaced by `a`."""
    f, v, b = sbuf("f"), sbuf("v"), sbuf("b", a.dtype)
    return {
        "tensor_tensor": lambda: jnki.tensor_tensor(m, dst=f, data1=a, data2=f, op=np.add),
        "tensor_tensor, bits": lambda: jnki.tensor_tensor(m, dst=b, data1=a, data2=b, op=np.bitwise_and),
        "tensor_scalar": lambda: jnki.tensor_scalar(m, dst=f, data=a, op0=np.multiply, operand0=2.0),
        "tensor_reduce": lambda: jnki.tensor_reduce(m, dst=v, op=np.add, data=a, axes=(1,)),
        "reciprocal": lambda: jnki.reciprocal(m, dst=a, data=f),
        "activation": lambda: jnki.activation(m, dst=f, op=np.exp, data=a),
        "select": lambda: jnki.select(m, dst=a, condition=f, on_true=a, on_false=a),
        "nc_matmul": lambda: jnki.nc_matmul(m, dst=psum("f")[:4, :4], stationary=a[:, :4], moving=a[:, :4]),
        "iota": lambda: jnki.iota(m, dst=a, expr=jnki.arange(4)[:, None] + jnki.arange(6)[None, :]),
        "dma_compute": lambda: jnki.dma_compute(m, dst=a, srcs=[a, a], reduce_op=np.add),
        "dma_copy that adds": lambda: dma_copy(m, dst=b, src=a, dst_rmw_op=np.add),
        "nc_stream_shuffle": lambda: jnki.nc_stream_shuffle(m, dst=a, src=a, shuffle_mask=list(range(32))),
        "tensor_partition_reduce": lambda: jnki.tensor_partition_reduce(m, dst=f[:1], op=np.add, data=a),
        "tensor_copy_predicated": lambda: jnki.tensor_copy_predicated(m, dst=b, src=a, predicate=f),
        "affine_select": lambda: jnki.affine_select(
            m, dst=b, pred=jnki.arange(4)[:, None] >= jnki.arange(6)[None, :], on_true_tile=a, on_false_value=0.0
        ),
    }


@every_opaque
def test_what_computes_refuses_them(kind):
    for name, compute in computations(memory(kind), sbuf("a", kind)).items():
        with pytest.raises(RuleError) as caught:
            compute()
        assert caught.value.rule.split(".")[-1] in ("opaque", "dtype", "predicate_dtype"), (name, str(caught.value))


def test_there_is_no_cast_for_what_would_forget_to_refuse():
    for kind in OPAQUE.values():
        with pytest.raises(TypeError, match=f"there is no cast from {kind} to float32"):
            cast(jnp.zeros(2, kind.storage), kind, float32)
        assert cast(jnp.ones(2, kind.storage), kind, kind).tolist() == [1, 1]


def test_five_more_types_have_names():
    assert [t.name for t in OCP] == [
        "float8_e4m3fn",
        "float8_e8m0fnu",
        "float8_e5m2_x4",
        "float8_e4m3fn_x4",
        "float4_e2m1fn_x4",
    ]
    assert [t.size_bytes for t in OCP] == [1, 1, 4, 4, 2]
    assert [t for t in OCP if t.is_float] == [float8_e4m3fn]
    assert not any(t.is_integer or t.is_signed for t in OCP[1:])
    for t in OCP:
        assert element_type(t.name, EVERY) is t
        with pytest.raises(TypeError, match="is not an element type of NKI"):
            element_type(t.name)
    assert element_type(ml_dtypes.float8_e8m0fnu, EVERY) is OPAQUE["float8_e8m0fnu"]
    assert element_type(jnp.float8_e4m3fn, EVERY) is float8_e4m3fn


def test_never_written_is_all_ones():
    assert all(bits_of(np.array(unwritten(t))).tolist() == [256**t.size_bytes - 1] for t in OPAQUE.values())
    assert np.isnan(unwritten(float8_e4m3fn))


def test_views_give_the_parts_and_the_bytes():
    start = memory("float8_e4m3fn_x4")
    access = resolve(sbuf("a", "float8_e4m3fn_x4"), start.buffer)
    parts = viewed_access(access, float8_e4m3fn)
    assert parts.shape == (4, 24)
    held = np.asarray(start.get(parts.buffer))
    np.testing.assert_array_equal(held.view(np.uint8), np.asarray(start.sbuf["a"]).view(np.uint8))
    assert viewed_access(parts, OPAQUE["float8_e4m3fn_x4"]).shape == (4, 6)
    half = viewed_access(
        resolve(sbuf("a", "float4_e2m1fn_x4"), memory("float4_e2m1fn_x4").buffer), element_type("uint8")
    )
    assert half.shape == (4, 12)


def test_scales_may_be_in_an_array_of_their_own_type():
    scales = np.arange(24, dtype=np.uint8).reshape(4, 6).view(ml_dtypes.float8_e8m0fnu)
    start = DeviceMemory.of(hbm={"a": scales}, sbuf={"b": np.zeros((4, 6), np.uint8)})
    after = dma_copy(start, dst=sbuf("b", "float8_e8m0fnu"), src=hbm("a"))
    np.testing.assert_array_equal(after.sbuf["b"], scales.view(np.uint8))
    back = dma_copy(after, dst=hbm("a")[1:3], src=sbuf("b", "float8_e8m0fnu")[:2])
    assert back.hbm["a"].dtype == ml_dtypes.float8_e8m0fnu
    np.testing.assert_array_equal(np.asarray(back.hbm["a"]).view(np.uint8)[1:3], scales.view(np.uint8)[:2])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_float8_e4m3fn_is_a_number_without_infinities():
    every = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn)
    wide = cast(jnp.asarray(every), float8_e4m3fn, float32)
    np.testing.assert_array_equal(wide, every.astype(np.float32))
    np.testing.assert_array_equal(bits_of(np.asarray(cast(wide, float32, float8_e4m3fn)))[:127], np.arange(127))
    rng = np.random.default_rng(0)
    numbers = np.concatenate(
        [rng.normal(size=4000) * 2.0 ** rng.integers(-12, 10, 4000), [448, 464, 464.01, -480, 1e9, np.inf, -0.0]]
    ).astype(np.float32)
    wanted = numbers.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    np.testing.assert_array_equal(
        cast(cast(jnp.asarray(numbers), float32, float8_e4m3fn), float8_e4m3fn, float32), wanted
    )

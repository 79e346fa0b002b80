"""`quantize_mx` bit for bit against exact fractions; its layout, rules, and that nothing differentiates through it."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jnki import TRN2, TRN3, DeviceMemory, RuleError, psum, quantize_mx, sbuf
from jnki.access.ref import resolve
from jnki.isa.vector.quantize_mx import make
from tests.oracle.mx import quantize_mx as oracle
from tests.oracle.mx import scale_row

KINDS = ("float8_e5m2_x4", "float8_e4m3fn_x4")


def run(src, kind="float8_e4m3fn_x4", scale=None, into=None, **options):
    """Elements and scales of a tile."""
    partitions, free = src.shape[0], int(np.prod(src.shape[1:])) // 4
    scale = jnp.full((partitions, free), 7, jnp.uint8) if scale is None else scale
    memory = DeviceMemory.of(sbuf={"x": src, "y": jnp.zeros((partitions, free), jnp.uint32), "s": scale})
    target = into or sbuf("s")
    memory = quantize_mx(memory, dst=sbuf("y", kind), src=sbuf("x"), dst_scale=target, **options)
    return memory.sbuf["y"], memory.sbuf["s"]


def hostile(rng, dtype, shape):
    """Numbers of all magnitudes: any bits at all, and groups of zeros and of subnormals among them."""
    bits = rng.integers(0, 1 << 16, shape).astype(np.uint16)
    narrow = rng.integers(-8, 9, (shape[0] // 8, shape[1] // 4)).repeat(8, 0).repeat(4, 1)
    tame = (rng.normal(size=shape) * 2.0**narrow).astype(dtype).view(np.uint16)
    kinds = rng.integers(0, 6, (shape[0] // 8, shape[1] // 4)).repeat(8, 0).repeat(4, 1)
    bits = np.where(kinds == 0, bits, tame)
    bits = np.where(kinds == 1, bits & 0x8003, bits)
    bits = np.where(kinds == 2, bits & 0x8000, bits)
    return bits.view(dtype)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_bits_are_those_of_exact_arithmetic(kind, dtype):
    rng = np.random.default_rng(3)
    tiles = np.stack([hostile(rng, dtype, (64, 8)) for _ in range(6)])
    elements, scales = jax.jit(jax.vmap(lambda x: run(x, kind)))(tiles)
    for case, tile in enumerate(tiles):
        wanted, wanted_scales = oracle(tile, kind)
        found = np.asarray(elements[case])
        is_nan = np.repeat(wanted_scales == 255, 8, axis=0)
        np.testing.assert_array_equal(np.where(is_nan, 0, found), np.where(is_nan, 0, wanted))
        floats = found.view(
            {"float8_e5m2_x4": ml_dtypes.float8_e5m2, "float8_e4m3fn_x4": ml_dtypes.float8_e4m3fn}[kind]
        )
        assert (np.isnan(floats).reshape(*found.shape, 4) == is_nan[:, :, None]).all()
        used = [scale_row(group) for group in range(8)]
        np.testing.assert_array_equal(np.asarray(scales[case])[used], wanted_scales)
        others = np.setdiff1d(np.arange(64), used)
        assert (np.asarray(scales[case])[others] == 7).all()


def test_every_bfloat16_in_a_group_of_its_own():
    numbers = np.arange(1 << 16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    for first in range(0, 1 << 16, 1 << 14):
        part = np.zeros((128, 4 << 10), ml_dtypes.bfloat16)
        part[::8, ::4] = numbers[first : first + (1 << 14)].reshape(16, -1)
        elements, scales = jax.jit(run)(part)
        used = np.asarray(scales)[[scale_row(group) for group in range(16)]].astype(np.int32)
        with np.errstate(invalid="ignore"):
            value = part[::8, ::4].astype(np.float64)
        finite = np.isfinite(value)
        assert (used[~finite] == 255).all()
        back = (np.asarray(elements)[::8] & 0xFF).astype(np.uint8).view(ml_dtypes.float8_e4m3fn)
        # Alone in its group a number has the scale of its exponent, and 4 of its 8 bits.
        error = np.abs(back[finite].astype(np.float64) * 2.0 ** (used[finite] - 127.0) - value[finite])
        assert (error <= np.maximum(np.abs(value[finite]) / 16, 2.0**-137)).all()


def test_the_example_of_a_doubled_scale():
    src = np.zeros((32, 4), np.float16)
    src[0] = [448, 1, -3, 255]
    elements, scales = run(src)
    # floor(log2(448)) is 8: the scale is 2^(8 - 7), twice that of OCP's own example.
    assert np.asarray(scales)[:, 0].tolist() == [128, 0, 0, 0, *[7] * 28]
    parts = np.asarray(elements)[0].view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    assert parts.tolist() == [224, 0.5, -1.5, 128]


@pytest.mark.parametrize("offset", [0, 4, 8, 12])
def test_scales_of_several_tiles_share_a_tile(offset):
    src = hostile(np.random.default_rng(0), np.float16, (64, 8))
    _, wanted = oracle(src, "float8_e4m3fn_x4")
    _, scales = run(src, scale=np.full((64, 2), 9, np.uint8), into=sbuf("s")[offset:, :])
    used = [offset + scale_row(group) for group in range(8)]
    np.testing.assert_array_equal(np.asarray(scales)[used], wanted)
    assert (np.asarray(scales)[np.setdiff1d(np.arange(64), used)] == 9).all()


def test_a_quadrant_alone_has_four_partitions_of_scales():
    src = hostile(np.random.default_rng(1), np.float16, (32, 8))
    _, scales = run(src, scale=np.zeros((4, 2), np.uint8))
    np.testing.assert_array_equal(scales, oracle(src, "float8_e4m3fn_x4")[1])


def test_scales_have_a_type_of_their_own():
    src = hostile(np.random.default_rng(1), np.float16, (32, 8))
    _, scales = run(src, scale=np.zeros((4, 2), ml_dtypes.float8_e8m0fnu))
    assert scales.dtype == ml_dtypes.float8_e8m0fnu
    np.testing.assert_array_equal(np.asarray(scales).view(np.uint8), oracle(src, "float8_e4m3fn_x4")[1])


def refused(src=(32, 8), dtype=np.float16, dst=None, kind="float8_e4m3fn_x4", scale=(32, 2), scale_type=np.uint8, **o):
    dst_kind = {"float4_e2m1fn_x4": np.uint16}.get(kind, np.uint32)
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros(src, dtype),
            "y": np.zeros(dst or (src[0], src[1] // 4), dst_kind),
            "s": np.zeros(scale, scale_type),
        }
    )
    options = {"src": sbuf("x"), "dst_scale": sbuf("s"), **o}
    with pytest.raises(RuleError) as caught:
        quantize_mx(memory, dst=sbuf("y", kind), **options)
    return str(caught.value).split("\n  at ")[0]


def test_target():
    assert refused(target=TRN2) == (
        "quantize_mx.target: quantize_mx: the target does not have the MX formats\n"
        "  given:   trn2 (NeuronCore-v3)\n  allowed: NeuronCore-v4 or newer"
    )


def test_memory():
    memory = DeviceMemory.of(
        psum={"x": np.zeros((32, 8), np.float16)},
        sbuf={"y": np.zeros((32, 2), np.uint32), "s": np.zeros((4, 2), np.uint8)},
    )
    with pytest.raises(RuleError, match="^err_unsupported_memory: quantize_mx: 'src' is in the wrong memory"):
        quantize_mx(memory, dst=sbuf("y", "float8_e5m2_x4"), src=psum("x"), dst_scale=sbuf("s"))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"dtype": np.float32}, "src float32, dst float8_e4m3fn_x4"),
        ({"kind": "float4_e2m1fn_x4"}, "src float16, dst float4_e2m1fn_x4"),
    ],
)
def test_types(options, given):
    assert refused(**options) == (
        f"quantize_mx.dtype: quantize_mx: there is no such quantization\n  given:   {given}\n"
        "  allowed: src float16 or bfloat16, dst float8_e5m2_x4 or float8_e4m3fn_x4"
    )


@pytest.mark.parametrize("shape", [(16, 8), (32, 6)])
def test_groups(shape):
    assert refused(shape) == (
        f"quantize_mx.shape: quantize_mx: 'src' is not made of groups\n  given:   {list(shape)}\n"
        "  allowed: partitions that are a multiple of 32, with a multiple of 4 elements in each"
    )


def test_the_shape_of_dst():
    assert refused(dst=(32, 3)) == (
        "quantize_mx.shape: quantize_mx: 'dst' does not have one element for four of 'src'\n"
        "  given:   src [32, 8], dst [32, 3]\n  allowed: dst [32, 2]"
    )


def test_the_type_of_scales():
    assert refused(scale_type=np.int8) == (
        "quantize_mx.scale_dtype: quantize_mx: 'dst_scale' does not hold scales\n"
        "  given:   int8\n  allowed: float8_e8m0fnu or uint8"
    )


@pytest.mark.parametrize(
    ("src", "scale", "least"), [((64, 8), (35, 2), 36), ((32, 8), (3, 2), 4), ((32, 8), (4, 3), 4)]
)
def test_the_shape_of_scales(src, scale, least):
    assert refused(src, scale=scale) == (
        "quantize_mx.scale_shape: quantize_mx: 'dst_scale' does not have a scale for each group of 8 partitions by 4 "
        f"elements\n  given:   {list(scale)} for {src[0]} partitions with 2 packed elements in each\n"
        f"  allowed: at least {least} partitions, 2 elements in each"
    )


def test_the_partition_of_scales():
    assert refused(dst_scale=sbuf("s")[2:6]) == (
        "quantize_mx.scale_partition: quantize_mx: the scales of 'dst_scale' start in the wrong partition\n"
        "  given:   partition 2\n  allowed: 0, 4, 8 or 12, or 32, 64 or 96 more than that"
    )


@pytest.mark.parametrize(("shape", "scale", "keeps"), [((32, 8), 4, False), ((32, 8), 32, True), ((64, 8), 64, True)])
def test_partitions_between_scales_are_not_overwritten(shape, scale, keeps):
    arrays = {"x": np.zeros(shape, np.float16), "y": np.zeros((shape[0], 2), np.uint32)}
    lookup = DeviceMemory.of(sbuf=arrays | {"s": np.zeros((scale, 2), np.uint8)}).buffer
    operands = (resolve(ref, lookup) for ref in (sbuf("y", KINDS[0]), sbuf("x"), sbuf("s")))
    instruction = make(*operands, TRN3)
    assert instruction.reads_destination is keeps and not instruction.is_accumulation
    assert (instruction.dst_scale in instruction.reads()) is keeps


def test_there_is_no_derivative_and_it_says_so():
    def loss(x, weight):
        elements, _ = run(x)
        return (weight * (elements & 0xFF).astype(jnp.float32)).sum()

    x, weight = jnp.ones((32, 4), jnp.float16), jnp.float32(2)
    with pytest.raises(NotImplementedError, match="^quantize_mx has no derivative"):
        jax.grad(loss)(x, weight)
    assert jax.grad(loss, 1)(x, weight) == loss(x, 1.0)
    assert jax.grad(lambda x: loss(jax.lax.stop_gradient(x), x[0, 0].astype(jnp.float32)))(x)[0, 0] == loss(x, 1.0)

"""Every rule of `nc_matmul`: something that breaks it, its text, and a twin that does not."""

from dataclasses import replace

import jax.numpy as jnp
import pytest

from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, hbm, psum, sbuf
from jnki.access.index import scalar
from jnki.access.ref import resolve
from jnki.isa import NcMatmul
from jnki.isa.tensor.nc_matmul import make, nc_matmul
from tests.targets import TINY

SPACES = {"hbm": hbm, "sbuf": sbuf, "psum": psum}


def run(a=(4, 3), b=(4, 5), acc=None, *, kinds=("float32",) * 3, spaces=("sbuf", "sbuf", "psum"), **options):
    """The result of one matmul of ones."""
    shapes = {"a": a, "b": b, "acc": acc or (a[-1], b[-1])}
    arrays = {"hbm": {}, "sbuf": {}, "psum": {}}
    for (name, shape), kind, space in zip(shapes.items(), kinds, spaces):
        arrays[space][name] = jnp.ones(shape, kind)
    dst, stationary, moving = (SPACES[spaces[i]](name) for i, name in ((2, "acc"), (0, "a"), (1, "b")))
    memory = nc_matmul(DeviceMemory.of(**arrays), dst=dst, stationary=stationary, moving=moving, **options)
    return getattr(memory, spaces[2])["acc"]


def refused(*args, **kwargs):
    with pytest.raises(RuleError) as caught:
        run(*args, **kwargs)
    return str(caught.value).split("\n  at ")[0]


@pytest.mark.parametrize(
    ("operand", "spaces", "given", "allowed"),
    [
        ("stationary", ("psum", "sbuf", "psum"), "psum tensor 'a' [4, 3] float32", "sbuf"),
        (
            *("moving", ("sbuf", "hbm", "psum"), "hbm tensor 'b' [4, 5] float32"),
            "sbuf; nl.load brings a tensor from hbm to sbuf",
        ),
        ("dst", ("sbuf", "sbuf", "sbuf"), "sbuf tensor 'acc' [3, 5] float32", "psum"),
    ],
)
def test_operands_are_in_sbuf_and_the_result_in_psum(operand, spaces, given, allowed):
    assert refused(spaces=spaces) == (
        f"err_unsupported_memory: nc_matmul: '{operand}' is in the wrong memory: "
        "the Tensor Engine reads SBUF and writes PSUM\n"
        f"  given:   {given}\n"
        f"  allowed: {allowed}"
    )
    assert (run() == 4).all()


def test_operands_span_equally_many_partitions():
    assert refused((4, 3), (5, 5)) == (
        "err_num_partition_mismatch: nc_matmul: stationary and moving span different numbers of partitions, "
        "the contracted axis\n"
        "  given:   stationary [4, 3], moving [5, 5]\n"
        "  allowed: the same size of axis 0"
    )


def test_partitions_are_limited():
    assert refused((5, 3), (5, 5), target=TINY) == (
        "err_num_partition_exceed_arch_limit: nc_matmul: 'stationary' spans too many partitions\n"
        "  given:   5 partitions ([5, 3] of sbuf tensor 'a' [5, 3] float32)\n"
        "  allowed: at most 4 on tiny"
    )
    assert (run((4, 3), (4, 5), target=TINY) == 4).all()


def test_free_sizes_are_limited():
    wide = replace(TINY, partition_count=8)
    assert refused((2, 5), (2, 5), target=wide) == (
        "err_size_of_dimension_exceed_arch_limit: nc_matmul: 'stationary' is too large along its free axis\n"
        "  given:   5 elements in each partition of [2, 5]\n"
        "  allowed: at most 4 on tiny"
    )
    assert refused((2, 4), (2, 3, 3), (4, 3, 3), target=TINY) == (
        "err_size_of_dimension_exceed_arch_limit: nc_matmul: 'moving' is too large along its free axis\n"
        "  given:   9 elements in each partition of [2, 3, 3]\n"
        "  allowed: at most 8 on tiny"
    )
    assert (run((2, 4), (2, 8), target=TINY) == 2).all()


@pytest.mark.parametrize(
    ("target", "kind", "limit"),
    [(TRN1, "float32", 512), (TRN2, "float32", 512), (TRN3, "float32", 4096), (TRN3, "bfloat16", 8192)],
)
def test_the_limit_of_the_moving_tile_is_the_targets(target, kind, limit):
    kinds = ("float32", "float32", kind)
    assert (run((1, 1), (1, limit), kinds=kinds, target=target) == 1).all()
    assert f"at most {limit} on {target.name}" in refused((1, 1), (1, limit + 1), kinds=kinds, target=target)


def test_the_destination_has_the_shape_of_the_product():
    assert refused((4, 3), (4, 5), (5, 3)) == (
        "nc_matmul.shape: nc_matmul: dst does not have the shape of the product\n"
        "  given:   stationary [4, 3], moving [4, 5], dst [5, 3]\n"
        "  allowed: dst [3, 5]"
    )
    assert (run((4, 3), (4, 2, 4), (3, 8)) == 4).all()


@pytest.mark.parametrize(("operand", "at"), [("stationary", 0), ("moving", 1), ("dst", 2)])
@pytest.mark.parametrize("kind", ["int32", "uint8", "bool"])
def test_element_types_are_floats(operand, at, kind):
    kinds = [kind if i == at else "float32" for i in range(3)]
    assert refused(kinds=kinds) == (
        f"nc_matmul.dtype: nc_matmul: '{operand}' is not of a float type\n"
        f"  given:   {kind}\n"
        "  allowed: float8_e4m3, float8_e5m2, bfloat16, float16, tfloat32, float32"
    )


@pytest.mark.parametrize("flag", ["is_stationary_onezero", "is_moving_onezero", "is_transpose"])
def test_flags_are_booleans(flag):
    assert refused(**{flag: 1}) == (
        f"nc_matmul.{flag}: nc_matmul: '{flag}' is not a flag\n  given:   1\n  allowed: True or False"
    )
    assert (run((4, 4), (4, 4), **{flag: True}) == 4).all()


# PE tiling.


def test_position_and_size_come_together():
    assert refused(tile_position=(0, 0)) == (
        "nc_matmul.tile_position: nc_matmul: one of 'tile_position' and 'tile_size' is set without the other\n"
        "  given:   tile_position (0, 0), tile_size ()\n"
        "  allowed: both, or neither"
    )
    assert "given:   tile_position (), tile_size (64, 64)" in refused(tile_size=(64, 64), tile_position=None)


@pytest.mark.parametrize("argument", ["tile_position", "tile_size"])
def test_positions_and_sizes_are_multiples_of_32(argument):
    good = {"tile_position": (0, 0), "tile_size": (64, 64)}
    for bad in ((48, 64), (64, -32)):
        assert refused(**{**good, argument: bad}) == (
            f"nc_matmul.{argument}: nc_matmul: '{argument}' is not on the grid of PE tiles\n"
            f"  given:   {bad}\n"
            "  allowed: multiples of 32 from 0 on"
        )
    for bad in ((64,), (0, 0, 0), 64, (64.0, 64), "64"):
        assert refused(**{**good, argument: bad}) == (
            f"nc_matmul.{argument}: nc_matmul: '{argument}' is a row and a column\n"
            f"  given:   {bad}\n"
            "  allowed: two integers or affine expressions of loop indices, or () for none"
        )
    assert (run(**good) == 4).all()


def test_affine_expressions_of_known_value_are_integers():
    assert (run(tile_position=[scalar(2) * 32, scalar(0)], tile_size=(64, 64)) == 4).all()


def test_the_pe_tile_holds_the_stationary_tile():
    for size, shape in (((64, 32), (64, 33)), ((32, 64), (33, 64))):
        assert refused(shape, (shape[0], 5), tile_position=(0, 0), tile_size=size) == (
            "nc_matmul.tile_size: nc_matmul: the PE tile is smaller than the stationary tile\n"
            f"  given:   tile_size {size}, stationary of {shape[0]} partitions and {shape[1]} elements in each\n"
            "  allowed: a tile_size that holds the stationary tile"
        )
        assert run(size, (size[0], 5), tile_position=(0, 0), tile_size=size).shape == (size[1], 5)


@pytest.mark.parametrize("size", [(32, 64), (64, 32), (32, 32)])
def test_neuroncore_v2_has_no_tiles_of_32(size):
    assert refused(tile_position=(0, 0), tile_size=size, target=TRN1) == (
        "nc_matmul.tile_size: nc_matmul: the target has no PE tiles of 32 rows or columns\n"
        f"  given:   tile_size {size} on trn1\n"
        "  allowed: 64 or 128 rows and columns; 32 from NeuronCore-v3 on"
    )
    assert (run(tile_position=(0, 0), tile_size=size, target=TRN2) == 4).all()
    assert (run(tile_position=(0, 0), tile_size=(64, 64), target=TRN1) == 4).all()


def test_the_pe_tile_stays_in_the_array():
    for position in ((96, 0), (0, 96)):
        assert refused(tile_position=position, tile_size=(64, 64)) == (
            "nc_matmul.tile_size: nc_matmul: the PE tile leaves the array of processing elements\n"
            f"  given:   tile_position {position}, tile_size (64, 64)\n"
            "  allowed: an end within 128 rows and 128 columns"
        )
    assert (run(tile_position=(64, 64), tile_size=(64, 64)) == 4).all()


# Performance modes.

PAIRS = {"kinds": ("float8_e4m3", "float8_e5m2", "float32"), "perf_mode": "double_row"}


def test_double_row_takes_pairs():
    assert (run((4, 2, 3), (4, 2, 5), **PAIRS) == 8).all()
    for a, b in (((4, 3), (4, 5)), ((4, 3, 3), (4, 3, 5)), ((4, 2, 3), (4, 5)), ((4, 2, 3, 1), (4, 2, 5))):
        assert refused(a, b, **PAIRS) == (
            "nc_matmul.perf_mode: nc_matmul: double_row contracts axes 0 and 1, and axis 1 holds a pair\n"
            f"  given:   stationary {list(a)}, moving {list(b)}\n"
            "  allowed: stationary [K, 2, M], moving [K, 2, N]"
        )


@pytest.mark.parametrize(
    ("options", "given", "allowed"),
    [
        ({"target": TRN1}, "trn1", "NeuronCore-v3 or newer"),
        (
            {"kinds": ("float8_e4m3", "bfloat16", "float32")},
            "stationary float8_e4m3, moving bfloat16",
            "float8_e4m3, float8_e5m2",
        ),
        ({"is_transpose": True}, "is_transpose", "a product; nisa.nc_transpose moves float8 tiles"),
        ({"tile_position": (0, 0), "tile_size": (64, 64)}, "tile_size (64, 64)", "PE tiles of all 128 columns"),
    ],
)
def test_what_double_row_excludes(options, given, allowed):
    assert refused((4, 2, 3), (4, 2, 5), **{**PAIRS, **options}) == (
        f"nc_matmul.perf_mode: nc_matmul: double_row is not available here\n  given:   {given}\n  allowed: {allowed}"
    )


def test_double_row_goes_with_rows_of_pe_tiles_and_newer_targets():
    rows = {"tile_position": (64, 0), "tile_size": (64, 128)}
    assert (run((4, 2, 3), (4, 2, 5), **PAIRS, **rows, target=TRN3) == 8).all()


def test_other_performance_modes_are_not_modelled():
    with pytest.raises(NotImplementedError, match="jnki does not model nc_matmul's perf_mode 'double_pixel' yet"):
        run(perf_mode="double_pixel")
    assert (run(perf_mode="none") == 4).all()


def test_an_index_that_is_known_only_at_run_time_is_refused():
    memory = DeviceMemory.of(
        sbuf={"a": jnp.ones((4, 3)), "b": jnp.ones((4, 5)), "i": jnp.zeros((4, 1), jnp.int32)},
        psum={"acc": jnp.zeros((3, 5))},
    )
    rows = sbuf("a")[sbuf("i"), :]
    with pytest.raises(RuleError, match="err_indirect_indices_are_not_supported_with_nki_api"):
        nc_matmul(memory, dst=psum("acc"), stationary=rows, moving=sbuf("b"))


def test_a_checked_instruction_is_a_value():
    memory = DeviceMemory.of(sbuf={"a": jnp.ones((4, 3)), "b": jnp.ones((4, 5))}, psum={"acc": jnp.zeros((3, 5))})
    dst, a, b = (resolve(r, memory.buffer) for r in (psum("acc"), sbuf("a"), sbuf("b")))
    matmul = make(dst, a, b, TRN2, tile_position=(0, 0), tile_size=(64, 64))
    assert isinstance(matmul, NcMatmul) and hash(matmul) == hash(replace(matmul))
    assert matmul.listing() == "acc = nc_matmul(stationary=a, moving=b, tile_position=(0, 0), tile_size=(64, 64))"
    assert matmul.reads() == (a, b) and matmul.accumulated_into(dst).reads() == (dst, a, b)

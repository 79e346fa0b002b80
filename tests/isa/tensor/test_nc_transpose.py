"""`nc_transpose` and `nl.transpose`: values, memories, rules, derivatives."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import test_util

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import TRN1, TRN2, DeviceMemory, RuleError, arange, engine, hbm, psum, sbuf
from jnki.isa.tensor.nc_transpose import nc_transpose
from jnki.memory import Fault
from tests.harness import bits_of, numpy_pattern
from tests.oracle import tensor_engine as oracle
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES, FLOATS
from tests.oracle.moves import Operand
from tests.targets import TINY

SPACES = {"hbm": hbm, "sbuf": sbuf, "psum": psum}
CASES = 40


def assert_matches_oracle(data, dst, kinds, keys=((), ()), mask=None, mask_array=None, **options):
    """Random bit patterns, all cases in one vmapped call: every bit of memory is the oracle's."""
    rng = np.random.default_rng(0)
    start = {name: random_values(rng, kind, (CASES, *shape)) for name, kind, shape in zip("dt", kinds, (data, dst))}
    start = {n: a.astype(np.bool_) if kind == "bool" else a for (n, a), kind in zip(start.items(), kinds)}
    named = [sbuf(n, "tfloat32" if kind == "tfloat32" else None) for n, kind in zip("dt", kinds)]
    source, to = (ref[key] if key else ref for ref, key in zip(named, keys))

    def run(memory):
        return nc_transpose(memory, dst=to, data=source, mask=mask, **options)

    faults = jax.tree.map(lambda x: jnp.broadcast_to(x, (CASES, *x.shape)), Fault())
    after = jax.jit(jax.vmap(run))(DeviceMemory.of(sbuf=start).with_fault(faults)).sbuf
    sides = [Operand(n, k, numpy_pattern(s, key)) for n, k, s, key in zip("dt", kinds, (data, dst), keys)]
    for case in range(CASES):
        want = oracle.nc_transpose({n: a[case] for n, a in start.items()}, data=sides[0], dst=sides[1], mask=mask_array)
        for name, kind in zip("dt", kinds):
            got = np.asarray(after[name][case])
            same = bits_of(got) == bits_of(want[name])
            if kind in FLOATS and kinds[0] != kinds[1]:
                same |= np.isnan(got) & np.isnan(want[name])  # which NaN a cast makes is not stated
            assert same.all(), f"case {case}, {name}:\n{got}\nthe oracle has\n{want[name]}"


@pytest.mark.parametrize("kind", DTYPES)
def test_every_type_moves_bit_for_bit(kind):
    assert_matches_oracle((4, 6), (6, 4), (kind, kind))


@pytest.mark.parametrize("kinds", [("float32", "bfloat16"), ("int32", "float32"), ("float8_e4m3", "int8")], ids=str)
def test_another_type_is_a_cast(kinds):
    assert_matches_oracle((4, 6), (6, 4), kinds)


def test_parts_and_several_free_axes():
    assert_matches_oracle((4, 2, 3), (6, 4), ("float32", "float32"))
    keys = (np.s_[1:4, ::2], np.s_[2:5, 3:6])
    assert_matches_oracle((5, 6), (6, 7), ("int16", "int16"), keys)
    keys = (np.s_[:, 1:, ::2], np.s_[1:5, :])
    assert_matches_oracle((3, 3, 4), (7, 3), ("uint8", "uint8"), keys)


@pytest.mark.parametrize(
    ("data", "mask"),
    [
        ((4, 6), lambda p, f: (p < 3) & (f >= 2)),
        ((4, 6), lambda p, f: p <= f),
        ((4, 6), lambda p, f: p != 1),
        ((4, 6), lambda p, f: f > 6),
        ((4, 2, 3), lambda p, x, y: p > 1),
    ],
    ids=["box", "triangle", "a hole", "nothing", "several free axes"],
)
def test_masked_off_elements_stay(data, mask):
    keys = [tuple(slice(None) if a == axis else None for a in range(len(data))) for axis in range(len(data))]
    places = [arange(n)[key] for n, key in zip(data, keys)]
    enabled = np.broadcast_to(mask(*np.meshgrid(*map(np.arange, data), indexing="ij")), data)
    kinds = ("float32", "float32")
    assert_matches_oracle(data, (6, 4), kinds, mask=mask(*places), mask_array=enabled)


def test_it_is_a_transpose_and_no_product():
    memory = DeviceMemory.of(sbuf={"d": jnp.ones((128, 64)), "t": jnp.ones((64, 128))})
    jaxpr = str(jax.make_jaxpr(lambda m: nc_transpose(m, dst=sbuf("t"), data=sbuf("d")).sbuf["t"])(memory))
    assert jaxpr.count("transpose[") == 1 and "dot_general" not in jaxpr


# Derivatives.


def transposed(data, mask=None):
    memory = DeviceMemory.of(sbuf={"d": data, "t": jnp.zeros((5, 4))})
    return nc_transpose(memory, dst=sbuf("t"), data=sbuf("d"), mask=mask).sbuf["t"]


def test_derivatives_agree_with_finite_differences():
    data = jnp.asarray(np.random.default_rng(0).standard_normal((4, 5)), jnp.float32)
    test_util.check_grads(lambda d: transposed(d) ** 2, (data,), order=1, modes=["fwd", "rev"], rtol=1e-2, atol=1e-2)


def test_the_cotangent_goes_back_to_the_element_that_was_moved():
    weight = jnp.arange(20.0).reshape(5, 4)
    below = arange(4)[:, None] >= arange(5)[None, :]
    slope = jax.grad(lambda d: (transposed(d, below) * weight).sum())(jnp.ones((4, 5)))
    np.testing.assert_array_equal(slope, np.where(np.arange(4)[:, None] >= np.arange(5), weight.T, 0))


# Rules.


def run(data=(4, 6), dst=None, spaces=("sbuf", "sbuf"), target=TRN2, **options):
    arrays = {space: {} for space in SPACES}
    arrays[spaces[0]]["d"] = jnp.ones(data)
    arrays[spaces[1]]["t"] = jnp.zeros(dst or (int(np.prod(data[1:])), data[0]))
    memory = DeviceMemory.of(**arrays)
    after = nc_transpose(memory, dst=SPACES[spaces[1]]("t"), data=SPACES[spaces[0]]("d"), target=target, **options)
    return np.asarray(getattr(after, spaces[1])["t"])


def refused(*args, **kwargs):
    with pytest.raises(RuleError) as caught:
        run(*args, **kwargs)
    return str(caught.value).split("\n  at ")[0]


@pytest.mark.parametrize(
    ("spaces", "options", "operand", "allowed"),
    [
        (("psum", "psum"), {"engine": engine.tensor}, "data", "sbuf"),
        (("psum", "sbuf"), {"data": (33, 4)}, "data", "sbuf"),
        (("sbuf", "sbuf"), {"engine": engine.tensor}, "dst", "psum"),
    ],
)
def test_the_tensor_engine_reads_sbuf_and_writes_psum(spaces, options, operand, allowed):
    space = spaces[operand == "dst"]
    shape = list(options.get("data", (4, 6)))[:: -1 if operand == "dst" else 1]
    assert refused(spaces=spaces, **options) == (
        f"err_unsupported_memory: nc_transpose: '{operand}' is in the wrong memory: "
        "the Tensor Engine reads SBUF and writes PSUM\n"
        f"  given:   {space} tensor '{'t' if operand == 'dst' else 'd'}' {shape} float32\n"
        f"  allowed: {allowed}"
    )


@pytest.mark.parametrize("spaces", [("sbuf", "sbuf"), ("sbuf", "psum"), ("psum", "sbuf"), ("psum", "psum")], ids=str)
def test_the_vector_engine_reads_and_writes_either(spaces):
    assert (run(spaces=spaces, engine=engine.vector) == 1).all()
    assert (run(spaces=spaces) == 1).all()


def test_large_tiles_without_an_engine_go_anywhere_from_sbuf():
    for space in ("sbuf", "psum"):
        assert (run((128, 33), spaces=("sbuf", space)) == 1).all()
    assert (run((128, 128), spaces=("sbuf", "psum"), engine=engine.tensor) == 1).all()


@pytest.mark.parametrize("place", [0, 1])
def test_hbm_is_out_of_reach(place):
    spaces = ["sbuf", "sbuf"]
    spaces[place] = "hbm"
    error = refused(spaces=tuple(spaces))
    assert error.startswith(f"err_unsupported_memory: nc_transpose: '{('data', 'dst')[place]}' is in the wrong memory")
    assert error.endswith("allowed: sbuf | psum" + ("", "; nl.load brings a tensor from hbm to sbuf")[place == 0])


@pytest.mark.parametrize(
    ("shape", "asked", "runs_on", "limit"),
    [
        ((33, 2), engine.vector, "vector", 32),
        ((2, 33), engine.vector, "vector", 32),
        ((2, 129), engine.tensor, "tensor", 128),
        ((2, 129), engine.unknown, "tensor", 128),
        ((2, 3, 43), engine.unknown, "tensor", 128),
    ],
    ids=str,
)
def test_sizes_are_limited_by_the_engine(shape, asked, runs_on, limit):
    spaces = ("sbuf", "psum" if asked is engine.tensor else "sbuf")
    wide = replace(TRN2, partition_count=256)
    assert refused(shape, spaces=spaces, engine=asked, target=wide) == (
        "err_size_of_dimension_exceed_arch_limit: nc_transpose: "
        f"'data' is too large to transpose on the {runs_on} engine\n"
        f"  given:   [{shape[0]}, {int(np.prod(shape[1:]))}] (partitions, elements in each)\n"
        f"  allowed: at most [{limit}, {limit}] on trn2"
    )


def test_limits_are_the_targets():
    assert (run((4, 4), target=TINY) == 1).all()
    assert refused((5, 4), target=TINY).startswith("err_num_partition_exceed_arch_limit: nc_transpose: 'data' spans")
    assert "on the vector engine" in refused((2, 2), engine=engine.vector, target=TINY)


def test_the_engine_is_tensor_or_vector():
    assert refused(engine=engine.scalar) == (
        "nc_transpose.engine: nc_transpose: the engine cannot run this instruction\n"
        "  given:   scalar\n"
        "  allowed: tensor, vector, unknown"
    )


def test_the_destination_has_the_transposed_shape():
    assert refused((4, 6), (4, 6)) == (
        "nc_transpose.shape: nc_transpose: dst does not have the transposed shape\n"
        "  given:   data [4, 6], dst [4, 6]\n"
        "  allowed: dst [6, 4]"
    )
    assert (run((4, 6), (6, 2, 2)) == 1).all()


def test_the_mask_fits_the_data():
    assert refused((4, 6), mask=arange(6)[:, None] < 3) == (
        "nc_transpose.mask: nc_transpose: the mask does not fit 'data'\n"
        "  given:   mask [6, 1], data [4, 6]\n"
        "  allowed: a shape that broadcasts to that of data"
    )
    with pytest.raises(NotImplementedError, match="a mask along several free axes of nc_transpose's data"):
        run((4, 2, 3), mask=arange(3)[None, None, :] < 2)


def test_a_mask_keeps_both_sides_inside():
    p, f = arange(8)[:, None], arange(9)[None, :]
    memory = DeviceMemory.of(sbuf={"d": jnp.ones((4, 6)), "t": jnp.zeros((5, 4))})
    inside = {"dst": sbuf("t")[arange(9)[:, None], arange(8)[None, :]], "data": sbuf("d")[p, f]}
    after = nc_transpose(memory, **inside, mask=(p < 4) & (f < 5)).sbuf["t"]
    assert (after == 1).all()
    for mask, operand in (((p < 4) & (f < 6), "dst"), ((p < 5) & (f < 5), "data")):
        with pytest.raises(RuleError, match=f"nc_transpose's {operand}") as caught:
            nc_transpose(memory, **inside, mask=mask)
        assert caught.value.rule == "err_tensor_access_out_of_bound"


# In a kernel.


def kernel_of(body):
    @nki.jit
    def kernel(x):
        rows, columns = x.shape
        out = nl.ndarray((columns, rows), x.dtype, buffer=nl.shared_hbm)
        nl.store(out, body(nl.load(x)))
        return out

    return kernel


@pytest.mark.parametrize(
    ("body", "memory"),
    [
        (lambda t: nisa.nc_transpose(t), "sbuf"),
        (lambda t: nisa.nc_transpose(t, engine=nisa.tensor_engine), "psum"),
        (lambda t: nl.transpose(t), "sbuf"),
    ],
    ids=["unknown", "tensor", "nl"],
)
@pytest.mark.parametrize("shape", [(8, 16), (128, 64)], ids=str)
def test_where_the_result_is(body, memory, shape):
    seen = []

    def noted(tile):
        result = body(tile)
        seen.append(str(result.buffer))
        return result

    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(kernel_of(noted)(x), x.T)
    assert set(seen) == {memory}


@pytest.mark.parametrize("asked", [nisa.unknown_engine, nisa.tensor_engine], ids=str)
@pytest.mark.parametrize("memory", [nl.sbuf, nl.psum], ids=str)
def test_an_assignment_puts_it_into_the_tile_in_the_type_of_the_tile(asked, memory):
    def body(tile):
        both = nl.zeros((64, 2, 128), nl.bfloat16, buffer=memory)
        both[:, 1, :] = nisa.nc_transpose(tile, engine=asked)
        return both[:, 1, :]

    x = np.random.default_rng(0).standard_normal((128, 64)).astype(np.float32)
    kernel = kernel_of(body)
    np.testing.assert_array_equal(kernel(x), x.T.astype(jnp.bfloat16).astype(np.float32))
    through_psum = asked is nisa.tensor_engine and memory is nl.sbuf
    assert ("both(128: [256,64] [1,128]) = nc_transpose(" in str(kernel.trace(x))) == (not through_psum)


def test_an_explicit_type_is_a_cast():
    x = np.arange(12, dtype=np.float32).reshape(3, 4) + 0.5
    for body in (lambda t: nisa.nc_transpose(t, dtype=nl.int32), lambda t: nl.transpose(t, dtype=nl.int32)):
        np.testing.assert_array_equal(kernel_of(body)(x), np.rint(x.T))


def test_a_mask_speaks_of_the_data():
    def body(tile):
        result = nl.full((4, 6), -1.0, nl.float32, buffer=nl.sbuf)
        i_p, i_f = nl.arange(6)[:, None], nl.arange(4)[None, :]
        result[...] = nl.transpose(tile, mask=(i_p < 5) & (i_f < 2))
        return result

    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    wanted = np.full((4, 6), -1.0)
    wanted[:2, :5] = x.T[:2, :5]
    np.testing.assert_array_equal(kernel_of(body)(x), wanted)


@pytest.mark.parametrize("rows", [16, 64])
def test_nl_transpose_takes_a_tile_in_psum(rows):
    def body(tile):
        in_psum = nl.ndarray((rows, 8), nl.float32, buffer=nl.psum)
        in_psum[...] = nl.copy(tile)
        return nl.transpose(in_psum)

    x = np.random.default_rng(0).standard_normal((rows, 8)).astype(np.float32)
    np.testing.assert_array_equal(kernel_of(body)(x), x.T)


def test_nl_transpose_takes_two_dimensions():
    with pytest.raises(RuleError) as caught:
        kernel_of(lambda t: nl.transpose(t.reshape((4, 2, 3))))(np.ones((4, 6), np.float32))
    assert str(caught.value).split("\n  at ")[0] == (
        "err_exceed_max_supported_dimension: transpose: 'x' does not have two dimensions\n"
        "  given:   [4, 2, 3]\n"
        "  allowed: [P, F]; nisa.nc_transpose takes several free axes as one"
    )


@pytest.mark.parametrize("body", [lambda t: nl.transpose(t), lambda t: nisa.nc_transpose(t)], ids=["nl", "nisa"])
def test_a_wide_tile_is_refused(body):
    with pytest.raises(RuleError) as caught:
        kernel_of(body)(np.ones((4, 512), np.float32))
    assert caught.value.rule == "err_size_of_dimension_exceed_arch_limit"


def test_every_target_moves_what_is_not_finite():
    x = np.array([[np.nan, 1.0], [np.inf, -0.0]], np.float32)
    for target in (TRN1, TRN2):
        memory = DeviceMemory.of(sbuf={"d": x}, psum={"t": jnp.zeros((2, 2))})
        found = nc_transpose(memory, dst=psum("t"), data=sbuf("d"), engine=engine.tensor, target=target).psum["t"]
        np.testing.assert_array_equal(bits_of(np.asarray(found)), bits_of(x.T))

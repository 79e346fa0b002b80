"""`dma_transpose` by the rules of the current dialect: rows named at run time, each rule with a twin that passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import (
    TRN1,
    TRN2,
    TRN3,
    DeviceMemory,
    RuleError,
    RuleSet,
    arange,
    dge_mode,
    dma_transpose,
    hbm,
    oob_mode,
    psum,
    sbuf,
)
from tests.harness import bits_of
from tests.oracle.cases import random_values
from tests.oracle.dma_transpose import PERMUTATIONS
from tests.oracle.dma_transpose import dma_transpose as oracle

CURRENT = {"rules": RuleSet.current}
BF16 = jnp.bfloat16


def pattern_of(shape, rows):
    """The hardware's pattern for `rows` rows of a tensor."""
    steps = [int(np.prod(shape[d + 1 :])) for d in range(len(shape))]
    return [[step, count] for step, count in zip(steps, (rows, *shape[1:]))]


def permuted(shape, rows):
    return tuple((rows, *shape[1:])[axis] for axis in PERMUTATIONS[len(shape)])


@pytest.mark.parametrize("mode", list(oob_mode))
@pytest.mark.parametrize(
    ("shape", "rows", "index"),
    [
        ((9, 5), 16, (16, 1)),
        ((9, 5), 48, (64, 1)),
        ((9, 3), 256, (128, 2)),
        ((9, 3), 144, (128, 2)),
        ((9, 3, 2), 32, (32, 1)),
        ((9, 1, 3, 4), 32, (48, 1)),
        ((9, 2, 1, 3), 256, (128, 2)),
    ],
)
def test_rows_that_an_index_names(shape, rows, index, mode):
    rng = np.random.default_rng(7)
    table = random_values(rng, "bfloat16", shape)
    out = random_values(rng, "bfloat16", permuted(shape, rows))
    names = rng.integers(0, 11, (3, *index)).astype(np.uint32)
    names[0, 0] = 2**31 + 5

    def run(indices):
        memory = DeviceMemory.of(hbm={"t": table}, sbuf={"i": indices, "o": out})
        source = hbm("t").ap(pattern_of(shape, rows), vector_offset=sbuf("i"))
        memory = dma_transpose(memory, dst=sbuf("o"), src=source, oob_mode=mode, **CURRENT)
        return memory.sbuf["o"], memory.fault

    found, fault = jax.jit(jax.vmap(run))(jnp.asarray(names))
    details = {d.case[0]: d for d in fault.details()}
    for case in range(3):
        wanted, bad = oracle(out, table, rows, names[case])
        assert (bits_of(np.asarray(found[case])) == bits_of(wanted)).all()
        assert (case in details) == (mode is oob_mode.error and bad is not None)
        if case in details:
            assert details[case].row == bad


@pytest.mark.parametrize("shape", [(4, 6), (3, 2, 5), (3, 2, 4, 5)])
@pytest.mark.parametrize("space", [sbuf, hbm])
def test_direct(shape, space):
    x = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    y = np.zeros(permuted(shape, shape[0]), np.int32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": y}, hbm={"y": y})
    after = dma_transpose(memory, dst=space("y"), src=sbuf("x"), **CURRENT)
    np.testing.assert_array_equal((after.sbuf if space is sbuf else after.hbm)["y"], oracle(y, x)[0])


@pytest.mark.parametrize("mode", list(oob_mode))
@pytest.mark.parametrize("first", [1, 5])
def test_one_index_moves_all_of_it_or_nothing(first, mode):
    x, y = np.arange(24, dtype=np.float32).reshape(8, 3), np.full((3, 4), -1, np.float32)
    memory = DeviceMemory.of(hbm={"x": x}, sbuf={"y": y, "i": jnp.array([[first]])})
    source = hbm("x").ap([[3, 4], [1, 3]], scalar_offset=sbuf("i"))
    after = dma_transpose(memory, dst=sbuf("y"), src=source, oob_mode=mode, **CURRENT)
    fits = [row for row in range(4) if first + row < 8]
    wanted = y.copy()
    wanted[:, fits] = x[first + np.array(fits)].T
    np.testing.assert_array_equal(after.sbuf["y"], wanted)
    assert len(after.fault.details()) == (mode is oob_mode.error and len(fits) < 4)


def test_gradients_go_back_to_the_rows_that_were_read():
    def loss(table, out):
        memory = DeviceMemory.of(hbm={"t": table}, sbuf={"o": out, "i": indices})
        source = hbm("t").ap([[2, 16], [1, 2]], vector_offset=sbuf("i"))
        memory = dma_transpose(memory, dst=sbuf("o"), src=source, oob_mode=oob_mode.skip, **CURRENT)
        return (memory.sbuf["o"] * jnp.arange(32.0, dtype=BF16).reshape(2, 16)).sum()

    indices = jnp.asarray([3] * 2 + [9] * 14, jnp.uint32)[:, None]
    d_table, d_out = jax.grad(loss, (0, 1))(jnp.ones((4, 2), BF16), jnp.ones((2, 16), BF16))
    assert d_table.tolist() == [[0, 0], [0, 0], [0, 0], [1, 33]]
    assert d_out[0].tolist() == [0, 0, *range(2, 16)]


# Rules.


def run(
    src=(16, 4),
    *,
    dst=None,
    kinds=(BF16, BF16),
    index=None,
    index_kind=jnp.uint32,
    rows=None,
    space=hbm,
    to=sbuf,
    scalar=False,
    **options,
):
    rows = rows or src[0]
    shape = dst or permuted(src, rows)
    arrays = {"x": jnp.ones(src, kinds[0])}
    tiles = {"y": jnp.zeros(shape, kinds[1])} | ({} if index is None else {"i": jnp.zeros(index, index_kind)})
    spaces = {"hbm": {"y": tiles["y"]}, "sbuf": dict(tiles), "psum": {"y": tiles["y"], **arrays}}
    spaces["sbuf" if space is sbuf else "hbm"].update(arrays)
    offset = {} if index is None else {"scalar_offset" if scalar else "vector_offset": sbuf("i")}
    source = space("x") if index is None else space("x").ap(pattern_of(src, rows), **offset)
    return dma_transpose(DeviceMemory.of(**spaces), dst=to("y"), src=source, **(CURRENT | options))


def refused(*args, **kwargs):
    with pytest.raises(RuleError) as caught:
        run(*args, **kwargs)
    return str(caught.value).split("\n  at ")[0]


def test_the_shape_of_dst():
    assert refused(dst=(16, 4)) == (
        "dma_transpose.shape: dma_transpose: dst does not have the transposed shape\n"
        "  given:   src [16, 4], dst [16, 4]\n  allowed: dst [4, 16]"
    )
    run()


def test_elements_keep_their_type():
    assert refused(kinds=(BF16, jnp.float32)) == (
        "dma_transpose.dtype: dma_transpose: the elements keep their type\n"
        "  given:   src bfloat16, dst float32\n  allowed: equal element types"
    )


@pytest.mark.parametrize(("options", "operand"), [({"space": psum}, "src"), ({"to": psum}, "dst")])
def test_psum_is_refused(options, operand):
    assert refused(**options).startswith(
        f"err_unsupported_memory: dma_transpose: '{operand}' is in the wrong memory\n  given:   psum tensor"
    )


def test_there_is_no_mask():
    assert refused(mask=arange(16)[:, None] < 3).startswith(
        "dma_transpose.mask: dma_transpose: there is no mask by the current rules\n"
    )


def test_nothing_to_skip():
    assert refused(oob_mode=oob_mode.skip) == (
        "dma_transpose.oob_static: dma_transpose: nothing can be skipped where every address is known before "
        "execution\n  given:   oob_mode.skip without an index of run time\n  allowed: oob_mode.error"
    )
    run(index=(1, 1), scalar=True, oob_mode=oob_mode.skip)
    run(index=(16, 1), oob_mode=oob_mode.skip)


ONE_INDEX = {"index": (1, 1), "scalar": True}


@pytest.mark.parametrize(
    ("options", "given", "allowed"),
    [
        ({"dge_mode": dge_mode.swdge}, "swdge with no index of run time", "hwdge or dge_mode.none"),
        ({"dge_mode": dge_mode.none, **ONE_INDEX}, "none with one index of run time", "hwdge"),
        ({"dge_mode": dge_mode.hwdge, "index": (16, 1)}, "hwdge with a vector of indices", "swdge"),
        ({"dge_mode": dge_mode.none, "index": (16, 1)}, "none with a vector of indices", "swdge"),
    ],
)
def test_descriptor_generation(options, given, allowed):
    assert refused(**options) == (
        "dma_transpose.dge_mode: dma_transpose: the descriptors cannot be generated in this way\n"
        f"  given:   dge_mode.{given}\n  allowed: dge_mode.{allowed} or dge_mode.unknown"
    )
    for mode in allowed.split(" or dge_mode."):
        run(**(options | {"dge_mode": dge_mode[mode]}))


HWDGE = {"dge_mode": dge_mode.hwdge}


@pytest.mark.parametrize(
    ("src", "rule", "options"),
    [
        ((32, 4), "hwdge_shape", {}),
        ((16, 129), "hwdge_shape", {"to": hbm}),
        ((3, 16, 4), "hwdge_shape", {}),
        ((2, 4, 4), "hwdge_shape", {}),
        ((4, 4, 2, 4), "hwdge_shape", {}),
        ((16, 4), "hwdge_dtype", {"kinds": (jnp.float32,) * 2}),
        ((16, 4), "hwdge_target", {"target": TRN1}),
    ],
)
def test_what_hwdge_transposes(src, rule, options):
    text = refused(src, **HWDGE, **options)
    assert text.startswith(f"dma_transpose.{rule}: dma_transpose: hwdge cannot transpose this\n")


@pytest.mark.parametrize("src", [(16, 4), (2, 8, 4), (1, 16, 4), (8, 3, 2, 4)])
def test_what_hwdge_does_transpose(src):
    run(src, **HWDGE)
    run(src, kinds=(jnp.float32,) * 2)
    run(src, target=TRN1)


@pytest.mark.parametrize(
    ("src", "rule", "options"),
    [
        ((16, 4), "indirect_target", {"target": TRN1}),
        ((16, 4), "indirect_dtype", {"kinds": (jnp.float32,) * 2}),
        ((24, 4), "indirect_shape", {"index": (32, 1), "rows": 24}),
        ((16, 2, 2, 4), "indirect_shape", {}),
        ((16, 4), "indirect_index", {"index_kind": jnp.int32}),
        ((32, 4), "indirect_index", {"index": (24, 2), "rows": 32}),
        ((32, 4), "indirect_index", {"index": (64, 2), "rows": 32}),
        ((16, 4), "indirect_index", {"index": (8, 2), "rows": 16}),
    ],
)
def test_which_rows_are_gathered(src, rule, options):
    text = refused(src, **({"index": (16, 1)} | options))
    assert text.startswith(f"dma_transpose.{rule}: dma_transpose: rows like these are not gathered\n")


def test_the_text_about_an_index():
    assert refused(index=(16, 1), index_kind=jnp.int32).split("\n")[1:] == [
        "  given:   [16, 1] of int32 for 16 rows",
        "  allowed: uint32 [n, 1], n a multiple of 16 up to 128, or [128, m]; at least as many elements as rows",
    ]


def test_priorities():
    assert "dma_transpose.priority: dma_transpose: there is no such priority" in refused(priority=1, target=TRN2)
    run(priority=1, target=TRN3)


def test_the_legacy_rules_know_none_of_it():
    text = refused(rules=RuleSet.legacy, priority=1, target=TRN3)
    assert text.startswith("dma_transpose.legacy: dma_transpose: a transpose by the legacy rules skips nothing")
    assert "err_indirect_indices_are_not_supported" in refused(rules=RuleSet.legacy, index=(16, 1))

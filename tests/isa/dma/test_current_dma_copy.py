"""`dma_copy` by the rules of the current dialect: what differs from the legacy ones, each with a twin that passes."""

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
    dma_copy,
    engine,
    hbm,
    oob_mode,
    sbuf,
)
from jnki.access.ref import resolve
from jnki.isa.dma.dma_copy import make

CURRENT = {"rules": RuleSet.current}


def memory():
    return DeviceMemory.of(
        hbm={"t": jnp.arange(48.0).reshape(8, 6), "h": jnp.zeros((8, 6), jnp.bfloat16)},
        sbuf={
            "x": jnp.full((3, 6), -1.0),
            "y": jnp.arange(24.0).reshape(2, 12),
            "i": jnp.array([[3], [0], [9]]),
            "one": jnp.array([[2]]),
        },
        psum={"p": jnp.zeros((3, 6))},
    )


def refused(dst, src, **options):
    with pytest.raises(RuleError) as caught:
        dma_copy(memory(), dst=dst, src=src, **(CURRENT | options))
    return str(caught.value).split("\n  at ")[0]


def copied(dst, src, **options):
    return dma_copy(memory(), dst=dst, src=src, **(CURRENT | options))


GATHER = hbm("t").ap([[6, 3], [1, 6]], vector_offset=sbuf("i"))
SCALAR = hbm("t").ap([[6, 3], [1, 6]], scalar_offset=sbuf("one"))


def test_c08_one_index_moves_along_a_free_axis_on_chip():
    after = copied(hbm("t")[0:2, 0:3], sbuf("y").ap([[12, 2], [1, 3]], scalar_offset=sbuf("one"), indirect_dim=1))
    assert after.hbm["t"][:2, :3].tolist() == [[2, 3, 4], [14, 15, 16]]
    assert (after.hbm["t"][2:] == memory().hbm["t"][2:]).all()
    after = copied(sbuf("y").ap([[12, 2], [1, 3]], scalar_offset=sbuf("one"), indirect_dim=1), hbm("t")[0:2, 0:3])
    assert after.sbuf["y"][:, 2:5].tolist() == [[0, 1, 2], [6, 7, 8]] and after.sbuf["y"][0, 5] == 5


@pytest.mark.parametrize("mode", list(oob_mode))
def test_c09_an_index_too_far_on_chip_moves_nothing(mode):
    source = sbuf("y").ap([[12, 2], [1, 6]], offset=6, scalar_offset=sbuf("one"), indirect_dim=1)
    after = copied(hbm("t")[0:2], source, oob_mode=mode)
    assert (after.hbm["t"] == memory().hbm["t"]).all()
    faults = after.fault.details()
    assert len(faults) == (mode is oob_mode.error)
    if faults:
        assert str(faults[0].error()) == "index 8 is out of bounds for axis 0 with size 24"


def test_c08_a_vector_of_indices_is_for_hbm():
    with pytest.raises(RuleError, match="^dma_copy.vector_hbm: vector_offset needs a tensor in HBM"):
        sbuf_rows = sbuf("y").ap([[12, 2], [1, 6]], vector_offset=sbuf("i")[0:2])
        copied(hbm("t")[0:2], sbuf_rows)


def test_c21_hwdge_takes_one_index_and_no_vector():
    copied(sbuf("x"), SCALAR, dge_mode=dge_mode.hwdge)
    assert refused(sbuf("x"), GATHER, dge_mode=dge_mode.hwdge) == (
        "dma_copy.hwdge_no_vector: dma_copy: hwdge cannot gather or scatter\n"
        "  given:   a vector of indices\n  allowed: dge_mode.swdge or dge_mode.unknown"
    )
    assert refused(sbuf("x"), hbm("t")[:3], dge_mode=dge_mode.hwdge, target=TRN1) == (
        "dma_copy.hwdge_target: dma_copy: hwdge is not available on this target\n"
        "  given:   trn1 (NeuronCore-v2)\n  allowed: NeuronCore-v3 or newer"
    )
    assert refused(sbuf("x"), hbm("h")[:3], dge_mode=dge_mode.hwdge) == (
        "dma_copy.hwdge_dtype: dma_copy: hwdge does not cast\n"
        "  given:   src bfloat16, dst float32\n  allowed: equal element types"
    )


@pytest.mark.parametrize("source", [GATHER, SCALAR])
def test_c22_none_takes_no_index_of_run_time(source):
    assert refused(sbuf("x"), source, dge_mode=dge_mode.none) == (
        "dma_copy.dge_none_static: dma_copy: without descriptor generation, addresses must be known before execution\n"
        "  given:   dge_mode.none with an index known at run time\n  allowed: dge_mode.swdge or dge_mode.unknown"
    )
    copied(sbuf("x"), hbm("t")[:3], dge_mode=dge_mode.none)


@pytest.mark.parametrize("mode", [dge_mode.unknown, dge_mode.swdge])
def test_c23_a_vector_needs_a_newer_core(mode):
    assert refused(sbuf("x"), GATHER, dge_mode=mode, target=TRN1) == (
        "dma_copy.swdge_target: dma_copy: the target cannot gather or scatter with descriptors that software "
        "generates\n  given:   a vector of indices on trn1 (NeuronCore-v2)\n  allowed: NeuronCore-v3 or newer"
    )
    copied(sbuf("x"), SCALAR, dge_mode=mode, target=TRN1)
    copied(sbuf("x"), GATHER, dge_mode=mode, target=TRN2)


@pytest.mark.parametrize(
    ("dst", "src", "target", "chosen"),
    [
        (sbuf("x"), GATHER, TRN2, (dge_mode.swdge, "a vector of indices")),
        (sbuf("x"), SCALAR, TRN3, (dge_mode.hwdge, "one index, equal types, NeuronCore-v4")),
        (sbuf("x"), SCALAR, TRN1, (dge_mode.swdge, "one index")),
        (hbm("h")[:3], SCALAR, TRN2, (dge_mode.swdge, "one index")),
        (sbuf("x"), hbm("t")[:3], TRN2, (dge_mode.hwdge, "direct, equal types, NeuronCore-v3")),
        (sbuf("x"), hbm("t")[:3], TRN1, (dge_mode.none, "direct, NeuronCore-v2 has no hwdge")),
    ],
)
def test_c24_what_unknown_becomes(dst, src, target, chosen):
    operands = [resolve(ref, memory().buffer) for ref in (dst, src)]
    copy = make(*operands, None, None, oob_mode.error, dge_mode.unknown, target, rules=RuleSet.current)
    assert copy.chosen_dge(target) == chosen
    assert "rules" not in copy.listing()


@pytest.mark.parametrize(
    ("who", "mode"),
    [(engine.sync, dge_mode.unknown), (engine.scalar, dge_mode.swdge), (engine.vector, dge_mode.hwdge)],
)
def test_only_sync_and_scalar_trigger_hwdge(who, mode):
    assert refused(sbuf("x"), hbm("t")[:3], dge_mode=mode, engine=who) == (
        "dma_copy.engine: dma_copy: an engine triggers descriptors that hardware generates\n"
        f"  given:   engine.{who.name} with dge_mode.{mode.name}\n"
        "  allowed: engine.sync or engine.scalar with dge_mode.hwdge, or engine.unknown"
    )
    for twin in (engine.sync, engine.scalar):
        copied(sbuf("x"), hbm("t")[:3], dge_mode=dge_mode.hwdge, engine=twin)


@pytest.mark.parametrize(
    ("priority", "target", "allowed"),
    [(0, TRN2, "None"), (4, TRN3, "None, or 0 to 3"), (-1, TRN3, "None, or 0 to 3"), (True, TRN3, "None, or 0 to 3")],
)
def test_priorities(priority, target, allowed):
    assert refused(sbuf("x"), hbm("t")[:3], priority=priority, target=target) == (
        "dma_copy.priority: dma_copy: there is no such priority\n"
        f"  given:   {priority!r} on {target.name}\n  allowed: {allowed}"
    )
    copied(sbuf("x"), hbm("t")[:3], priority=3, target=TRN3)


@pytest.mark.parametrize("options", [{"priority": 0}, {"engine": engine.sync, "dge_mode": dge_mode.hwdge}])
def test_the_legacy_rules_know_neither(options):
    text = refused(sbuf("x"), hbm("t")[:3], rules=RuleSet.legacy, **options)
    assert "a copy by the legacy rules has no engine and no priority" in text


def test_c13_c14_there_is_no_mask_and_no_addition():
    assert refused(sbuf("x"), hbm("t")[:3], dst_rmw_op=np.add) == (
        "dma_copy.dst_rmw_op: dma_copy: a copy by the current rules does not add\n"
        "  given:   a read-modify-write\n  allowed: dma_compute"
    )
    text = refused(sbuf("x"), hbm("t")[:3], mask=arange(3)[:, None] < 2)
    assert text.startswith("dma_copy.mask: dma_copy: there is no mask by the current rules\n")


def batched(index, rows, dtype=jnp.float32):
    return DeviceMemory.of(
        hbm={"t": jnp.arange(20.0).reshape(10, 2), "out": jnp.full((rows, 2), -1, dtype)},
        sbuf={"i": jnp.asarray(index, jnp.int32), "tile": jnp.full((128, 4), -1.0)},
    )


INDEX = (np.arange(256).reshape(128, 2) * 7) % 12
BATCH = hbm("t").ap([[2, 256], [1, 2]], vector_offset=sbuf("i"))


@pytest.mark.parametrize("dst", [hbm("out"), sbuf("tile")])
def test_an_index_of_several_columns_is_read_column_by_column(dst):
    after = dma_copy(batched(INDEX, 256), dst=dst, src=BATCH, oob_mode=oob_mode.skip, **CURRENT)
    flat = INDEX.T.ravel()
    table = np.arange(20.0).reshape(10, 2)
    wanted = np.array([table[k] if k < 10 else (-1, -1) for k in flat])
    found = after.hbm["out"] if dst == hbm("out") else after.sbuf["tile"]
    np.testing.assert_array_equal(np.asarray(found).reshape(256, 2), wanted)


def test_the_first_bad_row_of_several_columns():
    after = dma_copy(batched(INDEX, 256), dst=hbm("out"), src=BATCH, **CURRENT)
    (fault,) = after.fault.details()
    first = int(np.argmax(INDEX.T.ravel() >= 10))
    assert (fault.row, fault.index) == (first, INDEX.T.ravel()[first])


def test_several_columns_have_128_rows_each():
    source = hbm("t").ap([[2, 128], [1, 2]], vector_offset=sbuf("i"))
    with pytest.raises(RuleError) as caught:
        dma_copy(batched(INDEX[:64], 128), dst=hbm("out"), src=source, **CURRENT)
    assert str(caught.value).split("\n  at ")[0] == (
        "dma_copy.vector_index_shape: dma_copy: the index does not have one element for each row\n"
        "  given:   an index [64, 2] for 128 rows of 'src'\n"
        "  allowed: [128, 1], or on src [128, M] for 128 * M rows, which is read column by column"
    )


def test_several_columns_do_not_scatter():
    with pytest.raises(RuleError, match="for 256 rows of 'dst'"):
        dma_copy(batched(INDEX, 256), dst=BATCH, src=hbm("out"), **CURRENT)


def test_several_columns_do_not_cast():
    with pytest.raises(RuleError) as caught:
        dma_copy(batched(INDEX, 256, jnp.bfloat16), dst=hbm("out"), src=BATCH, **CURRENT)
    assert str(caught.value).startswith(
        "dma_copy.vector_index_batch: dma_copy: an index of several columns comes with contiguous rows of equal "
        "element types\n  given:   src t("
    )


def test_several_columns_move_contiguous_rows():
    source = hbm("t").ap([[2, 256], [2, 1]], vector_offset=sbuf("i"))
    with pytest.raises(RuleError, match="dma_copy.vector_index_batch"):
        dma_copy(batched(INDEX, 256), dst=sbuf("tile")[:, 0:2], src=source, **CURRENT)


def test_the_legacy_rules_take_one_column():
    with pytest.raises(RuleError) as caught:
        dma_copy(batched(INDEX, 256), dst=hbm("out"), src=BATCH)
    assert str(caught.value).split("\n  at ")[0] == (
        "dma_copy.vector_index_shape: dma_copy: vector_offset must hold one row index per row of the pattern\n"
        "  given:   [128, 2] for 256 rows\n  allowed: [P, 1], P the count of the leading pair"
    )

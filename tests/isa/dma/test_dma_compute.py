"""`dma_compute`: sums, scatters and gathers that add, against the oracle; each rule's text; derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import TRN1, TRN2, DeviceMemory, RuleError, dma_compute, hbm, oob_mode, psum, sbuf
from jnki.access.ref import resolve
from jnki.isa.dma.dma_compute import make
from tests.harness import (
    Held,
    arrays_of,
    assert_faults,
    batched_memory,
    bits_of,
    draw,
    part,
    rows,
    vector,
)
from tests.oracle.dma_compute import dma_compute as oracle

CASES = 60


def held(*kinds, shape=(4, 6)):
    """Buffers a, b, c of these types in turn in HBM and SBUF."""
    return {n: Held(s, shape, k, tame=True) for n, s, k in zip("abc", ("hbm", "sbuf", "hbm"), kinds)}


def assert_agrees(held, dst, srcs, adds=None, oob="error"):
    """All of memory, and the first fault, are the oracle's on random cases."""
    start = draw(held, CASES)
    to, frm = dst(held), [src(held) for src in srcs]
    sources = [operand for _, operand in frm] if adds is None else [frm[adds][1]]

    def run(memory):
        mode = oob_mode[oob]
        return dma_compute(memory, dst=to[0], srcs=[ref for ref, _ in frm], reduce_op=np.add, oob_mode=mode)

    after = jax.jit(jax.vmap(run))(batched_memory(held, start))
    found = arrays_of(held, after)
    faults = []
    for case in range(CASES):
        memory = {name: array[case] for name, array in start.items()}
        wanted, fault = oracle(memory, dst=to[1], srcs=sources, adds=adds is not None, oob=oob)
        faults.append(fault)
        for name, array in wanted.items():
            np.testing.assert_array_equal(bits_of(found[name][case]), bits_of(array), err_msg=f"{name}, case {case}")
    assert_faults(after.fault, faults)


@pytest.mark.parametrize(
    "kinds",
    [
        ("float32", "float32", "float32"),
        ("bfloat16", "float16", "float8_e5m2"),
        ("int32", "uint8", "bfloat16"),
        ("float32", "int16", "int8"),
    ],
)
def test_a_sum_is_made_in_float32_and_rounded_once(kinds):
    assert_agrees(held(*kinds), part("a"), [part("b"), part("c"), part("a")])
    assert_agrees(held(*kinds), part("b"), [part("c")])


def test_sources_walk_their_own_patterns():
    buffers = {"a": Held("hbm", (2, 12), "float32", tame=True), "b": Held("sbuf", (4, 6), "float32", tame=True)}
    assert_agrees(buffers, part("b"), [part("a"), part("b")])


def test_all_reads_come_before_all_writes():
    x = {"x": Held("hbm", (9,), "float32", tame=True)}
    assert_agrees(x, part("x", np.s_[1:9]), [part("x", np.s_[0:8]), part("x", np.s_[1:9])])


INDEXED = {
    "table": Held("hbm", (7, 6), "float32", tame=True),
    "tile": Held("sbuf", (5, 6), "bfloat16", tame=True),
    "i": Held("sbuf", (5, 1), "int32", rows_of=7),
}


@pytest.mark.parametrize("oob", ["error", "skip"])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int16"])
def test_scatter_adds_every_row(oob, kind):
    buffers = INDEXED | {"table": Held("hbm", (7, 6), kind, tame=True)}
    target = vector("table", "i", [(6, 5), (1, 6)])
    assert_agrees(buffers, target, [target, part("tile")], adds=1, oob=oob)
    assert_agrees(buffers, rows("table", "i"), [part("tile"), rows("table", "i")], adds=0, oob=oob)


@pytest.mark.parametrize("oob", ["error", "skip"])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "uint8"])
def test_gather_adds_to_a_tile(oob, kind):
    buffers = INDEXED | {"tile": Held("sbuf", (5, 6), kind, tame=True)}
    source = vector("table", "i", [(6, 5), (1, 6)])
    assert_agrees(buffers, part("tile"), [source, part("tile")], adds=0, oob=oob)
    assert_agrees(buffers, part("tile"), [part("tile"), source], adds=1, oob=oob)


def memory():
    table, tile = jnp.arange(24.0).reshape(4, 6), jnp.ones((3, 6))
    indices = jnp.array([[3], [0], [3]])
    spaces = {"hbm": {"t": table, "u": table + 1}, "sbuf": {"x": tile, "y": tile, "i": indices}, "psum": {"p": tile}}
    return DeviceMemory.of(**spaces)


def refused(dst, srcs, *, reduce_op=np.add, **options):
    with pytest.raises(RuleError) as caught:
        dma_compute(memory(), dst=dst, srcs=srcs, reduce_op=reduce_op, **options)
    return str(caught.value).split("\n  at ")[0]


ROWS = hbm("t")[sbuf("i"), :]


def test_the_number_of_sources():
    text = "dma_compute.sources: dma_compute: there are too many or too few sources\n  given:   {}\n  allowed: 1 to 16"
    assert refused(sbuf("x"), []) == text.format(0)
    assert refused(sbuf("x"), [sbuf("y")] * 17) == text.format(17)
    after = dma_compute(memory(), dst=sbuf("x"), srcs=[sbuf("y")] * 16, reduce_op=np.add)
    assert (after.sbuf["x"] == 16).all()


def test_only_addition():
    assert refused(sbuf("x"), [sbuf("y")], reduce_op=np.multiply) == (
        "dma_compute.reduce_op: dma_compute: only addition combines sources\n"
        "  given:   multiply\n  allowed: np.add or nl.add"
    )


@pytest.mark.parametrize("scales", [[2.0], [1.0, 1.0], []])
def test_sources_are_not_scaled(scales):
    assert refused(sbuf("x"), [sbuf("y")], scales=scales) == (
        f"dma_compute.scales: dma_compute: sources are not scaled\n  given:   {scales}\n"
        "  allowed: None, or 1.0 for each of 1"
    )
    after = dma_compute(memory(), dst=sbuf("x"), srcs=[sbuf("y")], reduce_op=np.add, scales=(1.0,))
    assert (after.sbuf["x"] == 1).all()


@pytest.mark.parametrize(("value", "shown"), [(False, "False"), (None, "None")])
def test_rows_are_promised_to_be_unique(value, shown):
    assert refused(sbuf("x"), [ROWS, sbuf("x")], unique_indices=value) == (
        "dma_compute.unique_indices: dma_compute: rows that are named twice are not supported\n"
        f"  given:   unique_indices={shown}\n  allowed: True"
    )
    dma_compute(memory(), dst=sbuf("x"), srcs=[sbuf("y")], reduce_op=np.add, unique_indices=False)


def test_oob_mode_is_a_member():
    assert refused(sbuf("x"), [sbuf("y")], oob_mode=1) == (
        "dma_compute.enum_only: dma_compute: 'oob_mode' must be a member of oob_mode\n"
        "  given:   1\n  allowed: oob_mode.error, oob_mode.skip"
    )


def test_static_addresses_have_nothing_to_skip():
    assert refused(sbuf("x"), [sbuf("y")], oob_mode=oob_mode.skip) == (
        "dma_compute.oob_static: dma_compute: no row can be skipped where none is named at run time\n"
        "  given:   oob_mode.skip without a vector_offset\n  allowed: oob_mode.error"
    )


@pytest.mark.parametrize(
    ("dst", "srcs", "operand"),
    [(psum("p"), [sbuf("y")], "dst"), (sbuf("x"), [sbuf("y"), psum("p")], "srcs[1]")],
)
def test_psum_is_refused(dst, srcs, operand):
    assert refused(dst, srcs) == (
        f"err_unsupported_memory: dma_compute: '{operand}' is in the wrong memory\n"
        "  given:   psum tensor 'p' [3, 6] float32\n  allowed: hbm | sbuf"
    )


def test_element_counts_are_equal():
    assert refused(sbuf("x"), [sbuf("y"), hbm("t")]) == (
        "dma_compute.element_count: dma_compute: dst and every source must have the same number of elements\n"
        "  given:   dst [3, 6] (18), srcs[1] [4, 6] (24)\n  allowed: equal element counts"
    )


def test_one_index_for_all_is_refused():
    one = hbm("t").ap([[6, 3], [1, 6]], scalar_offset=sbuf("i")[0:1, :])
    assert refused(sbuf("x"), [one, sbuf("x")]).startswith(
        "dma_compute.scalar_offset: dma_compute: 'srcs[0]' starts at a place that is known only at run time\n"
    )


@pytest.mark.parametrize(
    ("dst", "srcs"),
    [
        (sbuf("x"), [ROWS]),
        (sbuf("x"), [ROWS, sbuf("y")]),
        (sbuf("x"), [ROWS, sbuf("x"), sbuf("x")]),
        (hbm("u")[:3], [ROWS, hbm("u")[:3]]),
        (ROWS, [ROWS, hbm("u")[:3]]),
        (ROWS, [ROWS, ROWS]),
    ],
)
def test_row_indices_come_in_two_forms(dst, srcs):
    text = refused(dst, srcs)
    assert text.startswith("dma_compute.form: dma_compute: row indices come with an addition to dst\n  given:   dst ")
    assert text.endswith(
        "  allowed: dst in hbm with a vector_offset, srcs dst itself and a tile in sbuf; "
        "or dst in sbuf, srcs a tensor in hbm with a vector_offset and dst itself"
    )


def test_there_is_an_index_for_each_row():
    few = hbm("t").ap([[6, 2], [1, 6]], vector_offset=sbuf("i"))
    assert refused(sbuf("x")[:2], [few, sbuf("x")[:2]]) == (
        "dma_compute.index_shape: dma_compute: there is not one row index for each row\n"
        "  given:   an index [3, 1] for 2 rows\n  allowed: [2, 1]"
    )


def test_row_indices_need_a_newer_core():
    assert refused(sbuf("x"), [ROWS, sbuf("x")], target=TRN1) == (
        "dma_compute.target: dma_compute: the target does not add by row indices\n"
        "  given:   trn1 (NeuronCore-v2)\n  allowed: NeuronCore-v3 or newer"
    )
    dma_compute(memory(), dst=sbuf("x"), srcs=[sbuf("y")], reduce_op=np.add, target=TRN1)


def test_too_many_partitions():
    held = DeviceMemory.of(hbm={"a": jnp.zeros((129, 2))}, sbuf={"b": jnp.zeros((129, 2))})
    with pytest.raises(RuleError, match="err_num_partition_exceed_arch_limit"):
        dma_compute(held, dst=sbuf("b"), srcs=[hbm("a")], reduce_op=np.add)


def test_an_integer_goes_through_float32_even_alone():
    held = DeviceMemory.of(hbm={"a": jnp.array([2**24 + 1], jnp.int32), "b": jnp.zeros(1, jnp.int32)})
    after = dma_compute(held, dst=hbm("b"), srcs=[hbm("a")], reduce_op=np.add)
    assert after.hbm["b"].tolist() == [2**24]


def test_it_is_an_accumulation_only_where_it_adds_to_dst():
    lookup = memory().buffer
    plain = make(resolve(sbuf("x"), lookup), [resolve(sbuf("y"), lookup)], np.add, None, True, oob_mode.error, TRN2)
    tile, table = resolve(sbuf("x"), lookup), resolve(ROWS, lookup)
    gather = make(tile, [table, tile], np.add, None, True, oob_mode.skip, TRN2)
    assert (plain.reads_destination, gather.reads_destination) == (False, True)
    assert not plain.may_fault and not gather.may_fault
    assert [str(a) for a in gather.reads()] == ["x", str(table), "i"]


def test_gradients_go_to_every_source_and_to_what_is_added_to():
    def loss(table, x, y):
        held = DeviceMemory.of(hbm={"t": table}, sbuf={"x": x, "y": y, "i": jnp.array([[3], [9], [3]])})
        held = dma_compute(held, dst=sbuf("x"), srcs=[ROWS, sbuf("x")], reduce_op=np.add, oob_mode=oob_mode.skip)
        held = dma_compute(held, dst=sbuf("y"), srcs=[sbuf("x"), sbuf("y"), sbuf("x")], reduce_op=np.add)
        return (held.sbuf["y"] * jnp.array([[1.0], [2.0], [4.0]])).sum()

    d_table, d_x, d_y = jax.grad(loss, (0, 1, 2))(jnp.ones((4, 6)), jnp.ones((3, 6)), jnp.ones((3, 6)))
    assert d_table[:, 0].tolist() == [0, 0, 0, 10]
    assert d_x[:, 0].tolist() == [2, 4, 8] and d_y[:, 0].tolist() == [1, 2, 4]

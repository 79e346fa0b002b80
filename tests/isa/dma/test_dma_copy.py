"""`dma_copy`: its rules, with a legal twin beside each illegal copy, its choice of DGE, and its faults by name."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jnki import TRN1, TRN2, TRN3, DeviceMemory, arange, dge_mode, dma_copy, hbm, oob_mode, psum, sbuf
from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.access.index import scalar
from jnki.access.ref import Ref, resolve
from jnki.dtypes import ALL, bfloat16, element_type, float32
from jnki.errors import RuleError
from jnki.isa.dma.dma_copy import DmaCopy, make
from jnki.memory import NO_LOOPS
from jnki.memory.row_faults import Rows
from jnki.target import INF2
from tests.targets import TINY

A = np.arange(24, dtype=np.float32).reshape(4, 6)
P, F = arange(4)[:, None], arange(6)[None, :]
TARGETS = (TRN1, INF2, TRN2, TRN3, TINY)


def memory(**more: Any) -> DeviceMemory:
    """`a`, `b` and `wide` in HBM, a tile and index tiles in SBUF, and a tile in PSUM."""
    return DeviceMemory.of(
        hbm={
            "a": A,
            "b": np.zeros((4, 6), np.float32),
            "wide": np.zeros((8, 6), np.float32),
            "h": A.astype("bfloat16"),
            **more,
        },
        sbuf={
            "t": -A,
            "i": np.array([[2], [0], [1], [3]], np.int32),
            "i16": np.zeros((4, 1), np.int16),
            "s": np.array([[1]], np.int32),
            "big": np.zeros((5, 6), np.float32),
            "i5": np.zeros((5, 1), np.int32),
        },
        psum={"acc": A},
    )


def copy(dst: Ref, src: Ref, **options: Any) -> DeviceMemory:
    return dma_copy(memory(), dst=dst, src=src, **options)


def refused(rule: str, dst: Ref, src: Ref, **options: Any) -> RuleError:
    """The error, which names the rule, the instruction and this file's line."""
    with pytest.raises(RuleError) as caught:
        copy(dst, src, **options)
    error = caught.value
    assert error.rule == rule and str(error).startswith(f"{rule}: ")
    assert error.location is not None and error.location.file == __file__
    assert "test_dma_copy.py" in str(error) and "given:" in str(error) and "allowed:" in str(error)
    return error


# Operands.


@pytest.mark.parametrize("operand", ["dst", "src"])
def test_c01_psum_is_refused(operand: str) -> None:
    sides = {"dst": sbuf("t"), "src": hbm("a"), operand: psum("acc")}
    error = refused("err_unsupported_memory", **sides)
    assert f"dma_copy: '{operand}' is in the wrong memory (dma_copy.memories)" in str(error)
    assert (error.given, error.allowed) == ("psum tensor 'acc' [4, 6] float32", "hbm | sbuf")


@pytest.mark.parametrize("dst", [hbm("b"), sbuf("t")])
@pytest.mark.parametrize("src", [hbm("a"), sbuf("t")])
def test_c01_all_four_pairings_work(dst: Ref, src: Ref) -> None:
    after = copy(dst, src)
    found = (after.hbm if dst.space is Space.HBM else after.sbuf)[dst.name]
    np.testing.assert_array_equal(found, A if src.space is Space.HBM else -A)


def test_c02_unequal_element_counts_are_refused() -> None:
    error = refused("dma_copy.element_count", sbuf("t"), hbm("a")[0:3])
    assert "dma_copy: dst and src must have the same number of elements; nothing is broadcast" in str(error)
    assert (error.given, error.allowed) == ("dst [4, 6] (24), src [3, 6] (18)", "equal element counts")
    refused("dma_copy.element_count", sbuf("t"), hbm("a")[0:1])
    refused("dma_copy.element_count", sbuf("t"), hbm("a")[0, 0])


def test_c02_equal_counts_in_other_shapes_move_in_row_major_order() -> None:
    after = copy(hbm("wide")[0:3, 0:4], hbm("a")[2:4])
    np.testing.assert_array_equal(after.hbm["wide"][0:3, 0:4], A[2:4].reshape(3, 4))


def test_c03_more_partitions_than_the_target_has_are_refused() -> None:
    for dst, src, operand in ((sbuf("big")[0:4], hbm("a"), "dst"), (hbm("a"), sbuf("big")[1:5], "src")):
        error = refused("err_num_partition_exceed_arch_limit", dst, src, target=TINY)
        assert f"dma_copy: '{operand}' spans too many partitions" in str(error)
        assert error.given == "5 partitions ([4, 6] of sbuf tensor 'big' [5, 6] float32)"
        assert error.allowed == "at most 4 on tiny"
        copy(dst, src, target=TRN2)
    copy(sbuf("t"), hbm("a"), target=TINY)


def test_c03_an_index_tile_has_partitions_too() -> None:
    indices = sbuf("i5")
    error = refused("err_num_partition_exceed_arch_limit", hbm("wide")[0:5], hbm("a")[indices, :], target=TINY)
    assert "'src's index' spans too many partitions" in str(error)
    copy(hbm("wide")[0:5], hbm("a")[indices, :], target=TRN1)
    copy(hbm("wide")[0:4], hbm("a")[sbuf("i"), :], target=TINY)


def test_c03_hbm_has_no_partitions() -> None:
    copy(hbm("wide"), hbm("wide"), target=TINY)


def test_c03_the_limit_is_the_targets() -> None:
    start = DeviceMemory.of(hbm={"x": np.zeros((129, 1), np.float32)}, sbuf={"t": np.zeros((129, 1), np.float32)})
    with pytest.raises(RuleError, match="err_num_partition_exceed_arch_limit") as caught:
        dma_copy(start, dst=sbuf("t"), src=hbm("x"))
    assert caught.value.allowed == "at most 128 on trn2"


@pytest.mark.parametrize("mode", list(oob_mode))
def test_c04_a_static_index_that_leaves_is_refused_in_either_mode(mode: oob_mode) -> None:
    error = refused("err_tensor_access_out_of_bound", sbuf("t"), hbm("a")[P + 1, F], oob_mode=mode)
    assert "out-of-bound access of tensor 'a' (dma_copy's src) on axis 0" in str(error)
    assert (error.given, error.allowed) == ("index range [1, 4]", "[0, 3], the axis has size 4")
    error = refused("err_tensor_access_out_of_bound", hbm("b")[:, 2:8], hbm("a"), oob_mode=mode)
    assert "tensor 'b' (dma_copy's dst) on axis 1" in str(error) and error.given == "index range [2, 7]"
    copy(sbuf("t"), hbm("a")[P, F], oob_mode=mode)


def test_c04_what_the_mask_switches_off_does_not_count() -> None:
    after = copy(sbuf("t"), hbm("a")[P + 1, F], mask=P + 1 < 4)
    np.testing.assert_array_equal(after.sbuf["t"], np.concatenate([A[1:], -A[3:]]))
    error = refused("err_tensor_access_out_of_bound", sbuf("t"), hbm("a")[P + 1, F], mask=P < 4 - F)
    assert error.given.startswith("index range [1, 4] under the mask ")


def test_c04_beside_an_indirect_index_too() -> None:
    refused("err_tensor_access_out_of_bound", sbuf("t"), hbm("a")[sbuf("i"), 1:7])
    refused("err_tensor_access_out_of_bound", sbuf("t"), hbm("a").ap([[6, 4], [1, 6]], 22, vector_offset=sbuf("i")))


# Element types.


@pytest.mark.parametrize("target", ["float32", "tfloat32"])
def test_c05_tfloat32_is_float32_with_fewer_bits(target: str) -> None:
    """C5, C6, C7: equal types keep bits that the type does not have; between the two, bits are rounded away."""
    precise = np.array([[1 + 2**-20, 3 + 2**-21]], np.float32)
    start = DeviceMemory.of(hbm={"x": precise, "y": np.zeros((1, 2), np.float32)})
    after = dma_copy(start, dst=hbm("y", target), src=hbm("x", "float32"))
    np.testing.assert_array_equal(after.hbm["y"], precise if target == "float32" else [[1, 3]])
    same = dma_copy(start, dst=hbm("y", target), src=hbm("x", target))
    np.testing.assert_array_equal(same.hbm["y"], precise)


def test_c05_integers_beyond_float32_move_exactly() -> None:
    big = np.array([[2**31 - 1, -(2**31) + 1, 2**24 + 1]], np.int32)
    start = DeviceMemory.of(hbm={"x": big, "y": np.zeros((1, 3), np.int32)})
    np.testing.assert_array_equal(dma_copy(start, dst=hbm("y"), src=hbm("x")).hbm["y"], big)


def test_c06_a_cast_rounds_half_to_even_and_saturates() -> None:
    values = np.array([[0.5, 1.5, 2.5, -0.5, 127.5, -128.5, 1e9, -1e9, np.nan, np.inf]], np.float32)
    start = DeviceMemory.of(hbm={"x": values, "y": np.zeros((1, 10), np.int8)})
    found = dma_copy(start, dst=hbm("y"), src=hbm("x")).hbm["y"]
    assert found.tolist() == [[0, 2, 2, 0, 127, -128, 127, -128, 0, 127]]


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_c07_all_thirteen_types_move(dtype: object) -> None:
    kind = element_type(dtype)
    ones = np.ones((2, 3), kind.storage)
    start = DeviceMemory.of(hbm={"x": ones, "y": np.zeros((2, 3), kind.storage)})
    after = dma_copy(start, dst=hbm("y", kind), src=hbm("x", kind))
    np.testing.assert_array_equal(after.hbm["y"], ones)


# Indirect addressing.


def test_c08_an_index_on_a_free_axis_is_refused() -> None:
    error = refused("err_indirect_indices_free_dim", sbuf("t")[:, 0:4], hbm("a")[P, sbuf("i")])
    assert "the indirect index of tensor 'a' must give one row per partition" in str(error)
    assert error.given == "a tile on axis 1 of [4, 6], index shape [4, 1]"
    refused("err_indirect_indices_free_dim", sbuf("t")[:, 0:4], hbm("a")[:, sbuf("i")])


def test_c08_an_index_from_hbm_is_refused() -> None:
    with pytest.raises(RuleError) as caught:
        dma_copy(memory(j=np.zeros((4, 1), np.int32)), dst=sbuf("t"), src=hbm("a")[hbm("j"), :])
    assert caught.value.rule == "err_indirect_indices_memory" and caught.value.allowed == "a tile in sbuf"


def test_c08_an_index_of_another_type_is_refused() -> None:
    error = refused("err_indirect_indices_dtype", sbuf("t"), hbm("a")[sbuf("i16"), :])
    assert (error.given, error.allowed) == ("int16", "int32 or uint32")


def test_c08_an_indirect_index_on_chip_is_refused() -> None:
    error = refused("err_indirect_indices_are_not_supported_with_nki_api", sbuf("t"), sbuf("t")[sbuf("i"), :])
    assert "dma_copy: 'src' has an indirect index on chip" in str(error)
    assert error.given == "sbuf tensor 't' [4, 6] float32" and error.allowed == "an indirect index on a tensor in hbm"
    error = refused("err_indirect_indices_are_not_supported_with_nki_api", sbuf("t")[sbuf("i"), :], hbm("a"))
    assert "'dst' has an indirect index on chip" in str(error)


def test_c08_the_legal_twin() -> None:
    np.testing.assert_array_equal(copy(sbuf("t"), hbm("a")[sbuf("i"), :]).sbuf["t"], A[[2, 0, 1, 3]])


def gathered(*rows: int, dtype: type = np.int32, **options: Any) -> DeviceMemory:
    index = np.array(rows, np.int64).astype(dtype)[:, None]
    start = DeviceMemory.of(hbm={"a": A}, sbuf={"i": index, "o": np.full((len(rows), 6), -1, np.float32)})
    return dma_copy(start, dst=sbuf("o"), src=hbm("a")[sbuf("i"), :], **options)


@pytest.mark.parametrize("mode", list(oob_mode))
@pytest.mark.parametrize("bad", [-1, -4, -5, 4, 2**31 - 1, -(2**31)])
def test_c09_negative_index_never_wraps(bad: int, mode: oob_mode) -> None:
    """C9, C10: JAX's own indexing would take -1 for the last row."""
    after = gathered(1, bad, 3, oob_mode=mode)
    np.testing.assert_array_equal(after.sbuf["o"], [A[1], np.full(6, -1), A[3]])
    assert bool(after.fault.occurred) == (mode is oob_mode.error)


@pytest.mark.parametrize("bad", [4, 2**31, 2**32 - 1])
def test_c09_a_large_uint32_is_no_negative_number(bad: int) -> None:
    (details,) = gathered(0, bad, dtype=np.uint32).fault.details()
    assert details.index == bad and details.flat_index == bad * 6


def test_c10_a_row_moves_whole_or_not_at_all() -> None:
    """C10: a row of two rows of the table, of which the second is beyond the end."""
    start = DeviceMemory.of(
        hbm={"a": A}, sbuf={"i": np.array([[2], [3]], np.int32), "o": np.zeros((2, 12), np.float32)}
    )
    pattern = hbm("a").ap([[6, 2], [1, 12]], vector_offset=sbuf("i"))
    after = dma_copy(start, dst=sbuf("o"), src=pattern, oob_mode=oob_mode.skip)
    np.testing.assert_array_equal(after.sbuf["o"], [A[2:].reshape(-1), np.zeros(12)])


def test_c10_a_scalar_offset_too_far_moves_the_rows_that_fit() -> None:
    start = DeviceMemory.of(hbm={"a": A}, sbuf={"s": np.array([[2]], np.int32), "o": np.zeros((3, 6), np.float32)})
    after = dma_copy(start, dst=sbuf("o"), src=hbm("a").ap([[6, 3], [1, 6]], scalar_offset=sbuf("s")))
    np.testing.assert_array_equal(after.sbuf["o"], [A[2], A[3], np.zeros(6)])
    (details,) = after.fault.details()
    assert (details.row, details.index, details.flat_index) == (2, 2, 24)


def test_c11_the_first_bad_row_is_the_fault() -> None:
    after = gathered(1, 4, -1, 2)
    with pytest.raises(IndexError) as caught:
        after.fault.raise_if_any()
    assert str(caught.value) == "index 24 is out of bounds for axis 0 with size 24"
    assert caught.value.__notes__[0] == (
        "dma_copy: row 1 of 'src' has row index 4, out of bounds for axis 0 of tensor 'a' with size 4"
    )
    assert "test_dma_copy.py" in caught.value.__notes__[1] and "return dma_copy(start" in caught.value.__notes__[1]


@pytest.mark.parametrize(
    ("bad_src", "bad_dst", "operand"), [(2, 1, "dst"), (1, 2, "src"), (1, 1, "src"), (3, 0, "dst")]
)
def test_c11_of_two_operands_the_earlier_row_is_the_fault(bad_src: int, bad_dst: int, operand: str) -> None:
    i, j = np.zeros((4, 1), np.int32), np.zeros((4, 1), np.int32)
    i[bad_src], j[bad_dst] = 9, -7
    start = DeviceMemory.of(hbm={"a": A, "b": A}, sbuf={"i": i, "j": j})
    (details,) = dma_copy(start, dst=hbm("b")[sbuf("j"), :], src=hbm("a")[sbuf("i"), :]).fault.details()
    row, index, tensor = (bad_src, 9, "a") if operand == "src" else (bad_dst, -7, "b")
    assert (details.site.operand, details.row, details.index, details.site.tensor) == (operand, row, index, tensor)


def test_c11_a_copy_that_may_fault_keeps_an_earlier_fault() -> None:
    first = gathered(9)
    after = dma_copy(first, dst=hbm("a")[sbuf("i"), :], src=sbuf("o"))
    assert first.fault.occurred and after.fault.details() == first.fault.details()


def test_c11_flat_offsets_beyond_32_bits() -> None:
    """C11: F and N of a tensor of nearly five thousand million elements, without allocating one."""
    table = Buffer("t", Space.HBM, (70_000, 70_000), float32)
    buffers = {
        "t": table,
        "i": Buffer("i", Space.SBUF, (1, 1), element_type("uint32")),
        "o": Buffer("o", Space.SBUF, (1, 70_000), float32),
    }
    lookup = lambda space, name, dtype: buffers[name]  # noqa: E731
    instruction = make(
        resolve(sbuf("o"), lookup),
        resolve(hbm("t")[sbuf("i"), :], lookup),
        None,
        None,
        oob_mode.error,
        dge_mode.unknown,
        TRN2,
    )
    rows = jnp.array([-(2**31)], jnp.int32)
    source = Rows("dma_copy", "src", instruction.src, rows, jnp.array([False]), None)
    fault, _ = source.fault(None, instruction.dst.shape, NO_LOOPS)
    (details,) = fault.details()
    assert str(details.error()) == f"index {2**31 * 70_000} is out of bounds for axis 0 with size 4900000000"


def test_c12_skip_records_no_fault() -> None:
    after = gathered(1, 4, oob_mode=oob_mode.skip)
    assert not after.fault.occurred and not make_gather(oob_mode.skip).may_fault
    np.testing.assert_array_equal(after.sbuf["o"], [A[1], np.full(6, -1)])


# Mask.


def test_c13_a_masked_row_is_neither_read_nor_checked() -> None:
    index = np.array([[1], [9], [9]], np.int32)
    start = DeviceMemory.of(hbm={"a": A}, sbuf={"i": index, "o": np.zeros((3, 6), np.float32)})
    gather = {"dst": sbuf("o"), "src": hbm("a")[sbuf("i"), :]}
    after = dma_copy(start, **gather, mask=arange(3)[:, None] < 1)
    assert not after.fault.occurred
    np.testing.assert_array_equal(after.sbuf["o"], [A[1], np.zeros(6), np.zeros(6)])
    (details,) = dma_copy(start, **gather, mask=arange(3)[:, None] + F != 1).fault.details()
    assert details.row == 1, "one enabled element of a row makes its index count"
    (details,) = dma_copy(start, **gather, mask=arange(3)[:, None] != 1).fault.details()
    assert details.row == 2


def test_c13_a_mask_of_another_shape_is_refused() -> None:
    for mask in (arange(5)[:, None] < 2, arange(24) < 2, arange(4)[:, None, None] + F[None] < 2):
        error = refused("dma_copy.mask", sbuf("t"), hbm("a"), mask=mask)
        assert "dma_copy: the mask does not fit the shape of the copy" in str(error)
        assert error.given == f"mask {list(mask.shape)}, dst [4, 6], src [4, 6]"
        assert error.allowed == "a shape that broadcasts to that of dst or src"


@pytest.mark.parametrize("mask", [1, "p < 3", np.ones((4, 6), bool), P, (P % 2) == 0])
def test_c13_anything_else_is_no_mask(mask: object) -> None:
    refused("err_unsupported_expression_in_mask", sbuf("t"), hbm("a"), mask=mask)


@pytest.mark.parametrize("mask", [None, True, np.True_, P >= 0])
def test_c13_true_masks_nothing_and_false_everything(mask: object) -> None:
    np.testing.assert_array_equal(copy(sbuf("t"), hbm("a"), mask=mask).sbuf["t"], A)
    np.testing.assert_array_equal(copy(sbuf("t"), hbm("a"), mask=False).sbuf["t"], -A)


# Read-modify-write.


@pytest.mark.parametrize("op", [np.subtract, np.maximum, max, "add", 1, np.multiply])
def test_c14_only_addition_modifies(op: object) -> None:
    error = refused("dma_copy.dst_rmw_op", sbuf("t"), hbm("a"), dst_rmw_op=op)
    assert "dma_copy: only addition can be a read-modify-write" in str(error)
    assert error.given == getattr(op, "__name__", repr(op)) and error.allowed == "None, np.add or nl.add"


@pytest.mark.parametrize("op", [np.add, jnp.add])
def test_c14_addition_modifies(op: object) -> None:
    np.testing.assert_array_equal(copy(sbuf("t"), hbm("a"), dst_rmw_op=op).sbuf["t"], np.zeros((4, 6)))


def test_c15_addition_cannot_skip() -> None:
    error = refused("dma_copy.rmw_oob", hbm("b")[sbuf("i"), :], sbuf("t"), dst_rmw_op=np.add, oob_mode=oob_mode.skip)
    assert "dma_copy: a read-modify-write cannot skip" in str(error)
    assert (error.given, error.allowed) == ("dst_rmw_op with oob_mode.skip", "oob_mode.error")
    copy(hbm("b")[sbuf("i"), :], sbuf("t"), dst_rmw_op=np.add, oob_mode=oob_mode.error)
    copy(hbm("b")[sbuf("i"), :], sbuf("t"), oob_mode=oob_mode.skip)


def test_c17_the_sum_is_rounded_once() -> None:
    """C17: 256 + 1 + 1 is 258 in bfloat16; adding one at a time would stay at 256."""
    start = DeviceMemory.of(
        hbm={"t": np.full((1, 1), 256, "bfloat16"), "o": np.ones((2, 1), "bfloat16")},
        sbuf={"i": np.zeros((2, 1), np.int32)},
    )
    after = dma_copy(start, dst=hbm("t")[sbuf("i"), :], src=hbm("o"), dst_rmw_op=np.add)
    assert after.hbm["t"].tolist() == [[258]]


# Descriptor generation.


def make_copy(
    dst_type: object = float32, src_type: object = float32, mode: dge_mode = dge_mode.unknown, **options: Any
) -> DmaCopy:
    dst = Access.whole(Buffer("d", Space.SBUF, (4, 6), element_type(dst_type)))
    src = Access.whole(Buffer("s", Space.HBM, (4, 6), element_type(src_type)))
    return make(dst, src, None, None, oob_mode.error, mode, options.get("target", TRN2))


def make_gather(mode: oob_mode = oob_mode.error, dge: dge_mode = dge_mode.unknown, target: Any = TRN2) -> DmaCopy:
    m = memory()
    return make(resolve(sbuf("t"), m.buffer), resolve(hbm("a")[sbuf("i"), :], m.buffer), None, None, mode, dge, target)


@pytest.mark.parametrize("target", [TRN1, INF2], ids=str)
def test_c21_hwdge_needs_a_newer_core(target: Any) -> None:
    error = refused("dma_copy.hwdge_target_legacy", sbuf("t"), hbm("a"), dge_mode=dge_mode.hwdge, target=target)
    assert "dma_copy: hwdge is not available on this target" in str(error)
    assert (error.given, error.allowed) == (f"{target.name} (NeuronCore-v2)", "NeuronCore-v3 or newer")


@pytest.mark.parametrize("target", [TRN2, TRN3, TINY], ids=str)
def test_c21_hwdge_takes_direct_copies_of_one_type(target: Any) -> None:
    copy(sbuf("t"), hbm("a"), dge_mode=dge_mode.hwdge, target=target)
    error = refused("dma_copy.hwdge_dtype", sbuf("t"), hbm("h"), dge_mode=dge_mode.hwdge, target=target)
    assert "dma_copy: hwdge does not cast" in str(error)
    assert (error.given, error.allowed) == ("src bfloat16, dst float32", "equal element types")
    error = refused(
        "dma_copy.hwdge_no_indirect", sbuf("t"), hbm("a")[sbuf("i"), :], dge_mode=dge_mode.hwdge, target=target
    )
    assert "dma_copy: hwdge cannot gather or scatter" in str(error)
    assert (error.given, error.allowed) == ("an indirect index", "dge_mode.swdge or dge_mode.unknown")
    scalar_offset = hbm("a").ap([[6, 3], [1, 6]], scalar_offset=sbuf("s"))
    refused("dma_copy.hwdge_no_indirect", sbuf("t")[0:3], scalar_offset, dge_mode=dge_mode.hwdge, target=target)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_c22_none_needs_static_addresses(target: Any) -> None:
    for dst, src in ((sbuf("t"), hbm("a")[sbuf("i"), :]), (hbm("b")[sbuf("i"), :], sbuf("t"))):
        error = refused("dma_copy.dge_none_static", dst, src, dge_mode=dge_mode.none, target=target)
        assert "without descriptor generation, addresses must be known before execution" in str(error)
        assert error.given == "dge_mode.none with an indirect index"
        assert error.allowed == "dge_mode.swdge or dge_mode.unknown"
    copy(sbuf("t"), hbm("h"), dge_mode=dge_mode.none, target=target)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", [dge_mode.swdge, dge_mode.unknown])
def test_c23_swdge_serves_everything_on_every_target(target: Any, mode: dge_mode) -> None:
    copy(sbuf("t"), hbm("a"), dge_mode=mode, target=target)
    copy(sbuf("t"), hbm("h"), dge_mode=mode, target=target)
    copy(sbuf("t"), hbm("a")[sbuf("i"), :], dge_mode=mode, target=target)
    copy(hbm("b")[sbuf("i"), :], sbuf("t"), dst_rmw_op=np.add, dge_mode=mode, target=target)


@pytest.mark.parametrize(
    ("instruction", "target", "choice", "reason"),
    [
        (make_gather(), TRN1, dge_mode.swdge, "indirect"),
        (make_gather(), TRN3, dge_mode.swdge, "indirect"),
        (make_copy(), TRN2, dge_mode.hwdge, "direct, equal types, NeuronCore-v3"),
        (make_copy(), TRN3, dge_mode.hwdge, "direct, equal types, NeuronCore-v4"),
        (make_copy(), TRN1, dge_mode.none, "direct, NeuronCore-v2 has no hwdge"),
        (make_copy(float32, bfloat16), TRN1, dge_mode.none, "direct, NeuronCore-v2 has no hwdge"),
        (make_copy(float32, bfloat16), TRN2, dge_mode.none, "direct, with a cast"),
        (make_copy(mode=dge_mode.swdge), TRN2, dge_mode.swdge, "as requested"),
        (make_copy(mode=dge_mode.none), TRN2, dge_mode.none, "as requested"),
        (make_copy(mode=dge_mode.hwdge), TRN2, dge_mode.hwdge, "as requested"),
        (make_gather(dge=dge_mode.swdge), TRN1, dge_mode.swdge, "as requested"),
    ],
)
def test_c24_what_unknown_becomes_and_why(instruction: DmaCopy, target: Any, choice: dge_mode, reason: str) -> None:
    assert instruction.chosen_dge(target) == (choice, reason)


@pytest.mark.parametrize("mode", [dge_mode.unknown, dge_mode.swdge])
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_c21_c24_mode_and_target_never_change_a_value(mode: dge_mode, target: Any) -> None:
    after = copy(hbm("b")[sbuf("i"), :], sbuf("t"), dge_mode=mode, target=target)
    np.testing.assert_array_equal(after.hbm["b"], -A[[1, 2, 0, 3]])


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("oob_mode", 1, "oob_mode.error, oob_mode.skip"),
        ("oob_mode", "skip", "oob_mode.error, oob_mode.skip"),
        ("dge_mode", 2, "dge_mode.none, dge_mode.swdge, dge_mode.hwdge, dge_mode.unknown"),
        ("dge_mode", oob_mode.error, "dge_mode.none, dge_mode.swdge, dge_mode.hwdge, dge_mode.unknown"),
    ],
)
def test_modes_are_members_of_their_enumerations(argument: str, value: object, allowed: str) -> None:
    error = refused("dma_copy.enum_only", sbuf("t"), hbm("a"), **{argument: value})
    assert f"dma_copy: '{argument}' must be a member of {argument}" in str(error)
    assert (error.given, error.allowed) == (repr(value), allowed)


# As a value.


def test_a_copy_is_a_value_wherever_it_stands() -> None:
    one, two = make_gather(), make_gather()
    assert one == two and hash(one) == hash(two) and one.location is not None
    assert make_gather(oob_mode.skip) != one


def test_what_it_reads_and_writes() -> None:
    gather = make_gather()
    assert [a.buffer.name for a in gather.reads()] == ["a", "i"] and [a.buffer.name for a in gather.written()] == ["t"]
    assert gather.is_indirect and gather.may_fault and not gather.reads_destination
    added = make(gather.dst, gather.src, None, np.add, oob_mode.error, dge_mode.unknown, TRN2)
    assert sorted(a.buffer.name for a in added.reads()) == ["a", "i", "t"] and added.reads_destination
    assert not make_copy().may_fault


def test_listing() -> None:
    assert make_copy().listing() == "d = dma_copy(src=s)"
    assert make_gather(oob_mode.skip).listing() == "t = dma_copy(src=a(0 + 6*row(i): [0,4] [1,6]), oob_mode=skip)"


def test_a_scalar_index_is_a_number() -> None:
    np.testing.assert_array_equal(copy(hbm("b")[0], hbm("a")[scalar(2)]).hbm["b"][0], A[2])

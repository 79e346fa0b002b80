"""`memset` against the oracle, and its rules."""

from typing import Any

import numpy as np
import pytest

from jnki import DeviceMemory, arange, engine, hbm, memset, psum, sbuf
from jnki.access.ref import Ref
from jnki.dtypes import ALL, element_type
from jnki.errors import RuleError
from jnki.isa.vector.memset import as_number
from tests.harness import bits_of, numpy_pattern
from tests.oracle import fills
from tests.oracle.cases import random_values
from tests.oracle.casts import INTEGERS
from tests.oracle.moves import Operand
from tests.targets import TINY

SHAPE = (4, 6)
FLOATS = (0.0, -0.0, 1.0, 0.1, -2.5, 3.5, 1e5, -1e30, 1e39, float("inf"), float("-inf"), float("nan"), 2.0**-20)
WHOLE = (0, 1, -1, 127, 128, 255, 32767, 65535, 2**24 + 1, 2**31 - 1, -(2**31), 2**32 - 1, 10**12)


def start(dtype: str, seed: int = 0) -> np.ndarray:
    values = random_values(seed, dtype, SHAPE)
    return values.astype(np.bool_) if dtype == "bool" else values


def fits(value: Any, dtype: str) -> bool:
    """The oracle refuses whole numbers that an integer type does not hold."""
    if dtype not in INTEGERS or not isinstance(value, int) or isinstance(value, bool):
        return True
    low, high = INTEGERS[dtype]
    return low <= value <= high


@pytest.mark.parametrize("dtype", [t.name for t in ALL])
def test_every_type_takes_every_value_as_the_oracle_does(dtype: str) -> None:
    """Bit for bit, NaN aside; the elements in between keep their bits."""
    key = (slice(None), slice(1, None, 2))
    for value in (*FLOATS, *WHOLE, True, False):
        if not fits(value, dtype):
            continue
        before = start(dtype)
        found = memset(DeviceMemory.of(sbuf={"x": before}), dst=sbuf("x", dtype)[key], value=value).sbuf["x"]
        wanted = fills.memset({"x": before}, dst=Operand("x", dtype, numpy_pattern(SHAPE, key)), value=value)["x"]
        same = bits_of(np.asarray(found)) == bits_of(wanted)
        if isinstance(value, float) and np.isnan(value):
            same[key] = np.isnan(np.asarray(found)[key].astype(np.float32)) if "float" in dtype else same[key]
        assert same.all(), (value, found, wanted)


@pytest.mark.parametrize(
    ("dtype", "value", "kept"),
    [("int8", 300, 127), ("uint8", -1, 0), ("uint16", 70000, 65535), ("int32", 2**31, 2**31 - 1)],
)
def test_whole_numbers_saturate(dtype: str, value: int, kept: int) -> None:
    memory = DeviceMemory.of(sbuf={"x": start(dtype)})
    assert set(np.asarray(memset(memory, dst=sbuf("x"), value=value).sbuf["x"]).reshape(-1).tolist()) == {kept}


@pytest.mark.parametrize(
    "mask",
    [lambda p, f: p < 2, lambda p, f: p + f > 4, lambda p, f: p - f == 0, lambda p, f: p < 0, lambda p, f: p >= 0],
)
def test_only_enabled_elements_change(mask: Any) -> None:
    before = start("bfloat16")
    p, f = np.arange(4)[:, None], np.arange(6)[None, :]
    memory = DeviceMemory.of(sbuf={"x": before, "y": before}, psum={"x": np.ones((2, 2), np.float32)})
    after = memset(memory, dst=sbuf("x"), value=2.5, mask=mask(arange(4)[:, None], arange(6)[None, :]))
    wanted = np.where(np.broadcast_to(mask(p, f), SHAPE), np.float32(2.5).astype(before.dtype), before)
    np.testing.assert_array_equal(bits_of(np.asarray(after.sbuf["x"])), bits_of(wanted))
    assert after.sbuf["y"] is memory.sbuf["y"] and after.psum["x"] is memory.psum["x"]


def test_psum_and_every_engine_that_can() -> None:
    memory = DeviceMemory.of(sbuf={"x": start("float32")}, psum={"x": start("float32")})
    for which in (engine.vector, engine.unknown):
        assert (np.asarray(memset(memory, dst=psum("x"), value=1, engine=which).psum["x"]) == 1).all()
    assert (np.asarray(memset(memory, dst=sbuf("x"), value=1, engine=engine.gpsimd).sbuf["x"]) == 1).all()


@pytest.mark.parametrize("value", [np.float32(2), np.int8(2), np.array(2), 2, 2.0, np.array(2.0, "bfloat16")])
def test_numpy_scalars_are_numbers(value: Any) -> None:
    assert as_number("memset", value) == 2
    assert as_number("memset", np.bool_(True)) is True


# Rules.


def refused(rule: str, dst: Ref, value: Any = 0, **options: Any) -> RuleError:
    memory = DeviceMemory.of(
        hbm={"x": start("float32")},
        sbuf={
            "x": start("float32"),
            "i": np.zeros((4, 1), np.int32),
            "s": np.zeros((1, 1), np.int32),
            "five": np.zeros((5, 6), np.int8),
        },
        psum={"x": start("float32")},
    )
    with pytest.raises(RuleError) as caught:
        memset(memory, dst=dst, value=value, **options)
    assert caught.value.rule == rule and "test_memset.py" in str(caught.value)
    return caught.value


def test_hbm_is_refused() -> None:
    error = refused("err_unsupported_memory", hbm("x"))
    assert "memset: 'dst' is in the wrong memory" in str(error)
    assert (error.given, error.allowed) == ("hbm tensor 'x' [4, 6] float32", "sbuf | psum")


def test_an_indirect_destination_is_refused() -> None:
    error = refused("err_indirect_indices_are_not_supported_with_nki_api", sbuf("x")[sbuf("i"), :])
    assert "memset: 'dst' cannot have an indirect index" in str(error)
    assert error.allowed == "static indices; nisa.dma_copy gathers and scatters"


def test_a_destination_that_starts_at_a_number_from_memory() -> None:
    memory = DeviceMemory.of(sbuf={"x": start("float32"), "s": np.full((1, 1), 3, np.int32)})
    moved = sbuf("x").ap([[6, 4], [1, 2]], scalar_offset=sbuf("s"), indirect_dim=1)
    want = start("float32").copy()
    want[:, 3:5] = 0
    np.testing.assert_array_equal(memset(memory, dst=moved, value=0).sbuf["x"], want)


def test_too_many_partitions_are_refused() -> None:
    for dst in (sbuf("five"), sbuf("five")[0:2]):
        error = refused("err_num_partition_exceed_arch_limit", dst, target=TINY)
        assert "memset: 'dst' spans too many partitions" in str(error) and error.allowed == "at most 4 on tiny"
    memset(DeviceMemory.of(sbuf={"five": np.zeros((5, 6), np.int8)}), dst=sbuf("five"), value=0)


def test_a_free_axis_that_walks_partitions_is_refused() -> None:
    error = refused("err_failed_to_infer_tile_from_local_tensor", sbuf("x")[arange(4)[None, :], arange(6)[:, None]])
    assert "memset: 'dst' is not a tile: its first axis must be the partition axis" in str(error)
    assert error.given == "[6, 4] of sbuf tensor 'x' [4, 6] float32, whose partition axis is 1"
    assert error.allowed == "an index on every block axis, such as t[i], so that [P, F...] remains"


@pytest.mark.parametrize("which", [engine.scalar, engine.tensor, engine.sync])
def test_other_engines_are_refused(which: engine) -> None:
    error = refused("memset.engine", sbuf("x"), engine=which)
    assert "memset: the engine cannot run this instruction" in str(error)
    assert (error.given, error.allowed) == (which.name, "vector, gpsimd, unknown")


def test_gpsimd_cannot_reach_psum() -> None:
    error = refused("memset.engine", psum("x"), engine=engine.gpsimd)
    assert "memset: the GpSimd Engine cannot access PSUM" in str(error)
    assert (error.given, error.allowed) == ("gpsimd", "vector, unknown")


def test_a_mask_of_another_shape_is_refused() -> None:
    for mask in (arange(5)[:, None] < 2, arange(4)[None, :] < 2, arange(1)[:, None, None] + arange(6) > 3):
        error = refused("memset.mask", sbuf("x"), mask=mask)
        assert "memset: the mask does not fit 'dst'" in str(error)
        assert error.given == f"mask {list(mask.shape)}, dst [4, 6]"
        assert error.allowed == "a shape that broadcasts to that of dst"


def test_c04_an_index_that_leaves_is_refused() -> None:
    """C4 holds for every instruction."""
    error = refused("err_tensor_access_out_of_bound", sbuf("x")[:, 2:8])
    assert "out-of-bound access of tensor 'x' (memset's dst) on axis 1" in str(error)


@pytest.mark.parametrize("value", ["one", None, [1], np.ones(3), 1j, object])
def test_only_numbers_are_values(value: Any) -> None:
    error = refused("memset.value", sbuf("x"), value)
    assert "memset: the value must be a constant number" in str(error)
    assert error.given.startswith(type(value).__name__) and error.allowed == "a Python or NumPy scalar"


def test_types_that_the_array_cannot_name() -> None:
    memory = DeviceMemory.of(sbuf={"x": start("float32")})
    found = memset(memory, dst=sbuf("x", "tfloat32"), value=1 + 2.0**-20).sbuf["x"]
    assert set(np.asarray(found).reshape(-1).tolist()) == {1.0} and element_type("tfloat32").storage == np.float32

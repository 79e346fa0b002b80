"""`tensor_copy` against the oracle, and its rules."""

from typing import Any

import jax
import numpy as np
import pytest

from jnki import TRN1, TRN2, DeviceMemory, arange, engine, hbm, psum, sbuf, tensor_copy
from jnki.access.ref import Ref
from jnki.errors import RuleError
from tests.harness import bits_of, numpy_pattern
from tests.oracle import fills
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES, FLOATS
from tests.oracle.moves import Operand
from tests.targets import TINY

CASES = 1000
SHAPE = (3, 4)
WHOLE: tuple[Any, ...] = ((), ())
PARTS: tuple[Any, ...] = ((slice(1, 3), slice(None, None, 2)), (slice(0, 2), slice(2, 4)))
SPACES = {"sbuf": sbuf, "psum": psum}


def contents(seed: int, dtype: str) -> np.ndarray:
    values = random_values(seed, dtype, (CASES, *SHAPE))
    return values.astype(np.bool_) if dtype == "bool" else values


def operand(name: str, space: str, dtype: str, key: tuple[Any, ...]) -> tuple[Ref, Operand]:
    ref = SPACES[space](name, dtype)
    return ref[key] if key else ref, Operand(name, dtype, numpy_pattern(SHAPE, key))


def assert_is_the_oracles(spaces: tuple[str, str], types: tuple[str, str], keys: tuple[Any, Any], limit: int) -> None:
    """From `spaces[0]` to `spaces[1]`, where `p + f < limit`; one vmapped call."""
    a, b = contents(0, types[0]), contents(1, types[1])
    src, oracle_src = operand("a", spaces[0], types[0], keys[0])
    dst, oracle_dst = operand("b", spaces[1], types[1], keys[1])
    rows, columns = oracle_dst.pattern.shape

    def run(a: jax.Array, b: jax.Array) -> jax.Array:
        held: dict[str, dict[str, Any]] = {"sbuf": {}, "psum": {}}
        held[spaces[0]]["a"], held[spaces[1]]["b"] = a, b
        mask = arange(rows)[:, None] + arange(columns)[None, :] < limit
        return getattr(tensor_copy(DeviceMemory.of(**held), dst=dst, src=src, mask=mask), spaces[1])["b"]

    found = np.asarray(jax.jit(jax.vmap(run))(a, b))
    on = np.add.outer(np.arange(rows), np.arange(columns)) < limit
    wanted = np.stack(
        [fills.tensor_copy({"a": x, "b": y}, dst=oracle_dst, src=oracle_src, mask=on)["b"] for x, y in zip(a, b)]
    )
    same = bits_of(found) == bits_of(wanted)
    if types[0] != types[1] and types[1] in FLOATS:
        with np.errstate(invalid="ignore"):  # which NaN a cast makes is not stated
            same |= (bits_of(wanted) != bits_of(b)) & np.isnan(found) & np.isnan(wanted)
    assert same.all()


@pytest.mark.parametrize("src_type", DTYPES)
@pytest.mark.parametrize("spaces", [("sbuf", "sbuf"), ("psum", "sbuf"), ("sbuf", "psum"), ("psum", "psum")])
def test_it_is_the_oracles_on_random_batches(src_type: str, spaces: tuple[str, str]) -> None:
    """Equal types bit for bit, all others through float32."""
    dst_type = src_type if spaces[0] == spaces[1] else DTYPES[(DTYPES.index(src_type) + 5) % len(DTYPES)]
    assert_is_the_oracles(spaces, (src_type, dst_type), WHOLE, limit=99)
    assert_is_the_oracles(spaces, (src_type, dst_type), PARTS, limit=2)


def test_the_scalar_engine_of_v2_goes_through_float32() -> None:
    big = np.array([[2**24 + 1, 7]], np.int32)
    memory = DeviceMemory.of(sbuf={"a": big, "b": np.zeros((1, 2), np.int32)})
    for which, target, kept in (
        (engine.scalar, TRN1, 2**24),
        (engine.scalar, TRN2, 2**24 + 1),
        (engine.vector, TRN1, 2**24 + 1),
        (engine.unknown, TRN1, 2**24 + 1),
    ):
        after = tensor_copy(memory, dst=sbuf("b"), src=sbuf("a"), engine=which, target=target)
        assert after.sbuf["b"].tolist() == [[kept, 7]]


def test_equally_many_elements_in_each_partition_are_enough() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    memory = DeviceMemory.of(sbuf={"a": x, "b": np.zeros((2, 12), np.float32)})
    np.testing.assert_array_equal(tensor_copy(memory, dst=sbuf("b"), src=sbuf("a")).sbuf["b"], x.reshape(2, 12))


def test_a_mask_speaks_of_the_destination() -> None:
    x = np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4)
    memory = DeviceMemory.of(sbuf={"a": x, "b": np.zeros((2, 12), np.float32)})
    after = tensor_copy(memory, dst=sbuf("b"), src=sbuf("a"), mask=arange(12)[None, :] < 5)
    np.testing.assert_array_equal(after.sbuf["b"], np.where(np.arange(12) < 5, x.reshape(2, 12), 0))


def test_within_one_tile_all_reads_come_first() -> None:
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    memory = DeviceMemory.of(sbuf={"x": x})
    after = tensor_copy(memory, dst=sbuf("x")[:, 1:6], src=sbuf("x")[:, 0:5])
    np.testing.assert_array_equal(after.sbuf["x"], np.concatenate([x[:, :1], x[:, :5]], axis=1))


# Rules.


def refused(rule: str, dst: Ref, src: Ref, **options: Any) -> RuleError:
    zeros = np.zeros((4, 6), np.float32)
    memory = DeviceMemory.of(
        hbm={"x": zeros},
        sbuf={"x": zeros, "five": np.zeros((5, 6), np.float32), "i": np.zeros((4, 1), np.int32)},
        psum={"x": zeros},
    )
    with pytest.raises(RuleError) as caught:
        tensor_copy(memory, dst=dst, src=src, **options)
    assert caught.value.rule == rule and "test_tensor_copy.py" in str(caught.value)
    return caught.value


def test_hbm_is_refused() -> None:
    for dst, src, operand in ((hbm("x"), sbuf("x"), "dst"), (sbuf("x"), hbm("x"), "src")):
        error = refused("err_unsupported_memory", dst, src)
        assert f"tensor_copy: '{operand}' is in the wrong memory" in str(error)
        allowed = "sbuf | psum" + ("; nl.load brings a tensor from hbm to sbuf" if operand == "src" else "")
        assert (error.given, error.allowed) == ("hbm tensor 'x' [4, 6] float32", allowed)


def test_indirect_operands_are_refused() -> None:
    error = refused("err_indirect_indices_are_not_supported_with_nki_api", sbuf("x"), sbuf("x")[sbuf("i"), :])
    assert "tensor_copy: 'src' cannot have an indirect index" in str(error)


def test_partitions_are_equal() -> None:
    error = refused("err_num_partition_mismatch", sbuf("x"), sbuf("x")[0:2])
    assert "tensor_copy: dst and src span different numbers of partitions" in str(error)
    assert (error.given, error.allowed) == ("dst [4, 6], src [2, 6]", "the same size of axis 0")
    refused("err_num_partition_mismatch", sbuf("x")[0:2, 0:6], sbuf("x")[:, 0:3])


def test_elements_per_partition_are_equal() -> None:
    error = refused("tensor_copy.element_count", sbuf("x"), sbuf("x")[:, 0:3])
    assert "tensor_copy: dst and src have different numbers of elements per partition" in str(error)
    assert (error.given, error.allowed) == ("dst [4, 6], src [4, 3]", "equally many elements per partition")


def test_too_many_partitions_are_refused() -> None:
    error = refused("err_num_partition_exceed_arch_limit", sbuf("five"), sbuf("five"), target=TINY)
    assert "tensor_copy: 'src' spans too many partitions" in str(error)


@pytest.mark.parametrize("which", [engine.tensor, engine.sync])
def test_other_engines_are_refused(which: engine) -> None:
    error = refused("tensor_copy.engine", sbuf("x"), sbuf("x"), engine=which)
    assert "tensor_copy: the engine cannot run this instruction" in str(error)
    assert (error.given, error.allowed) == (which.name, "vector, scalar, gpsimd, unknown")


def test_gpsimd_cannot_reach_psum() -> None:
    for dst, src in ((psum("x"), sbuf("x")), (sbuf("x"), psum("x"))):
        error = refused("tensor_copy.engine", dst, src, engine=engine.gpsimd)
        assert "tensor_copy: the GpSimd Engine cannot access PSUM" in str(error)
        assert (error.given, error.allowed) == ("gpsimd", "vector, scalar, unknown")


def test_a_mask_of_another_shape_is_refused() -> None:
    error = refused("tensor_copy.mask", sbuf("x"), sbuf("x"), mask=arange(3)[:, None] < 2)
    assert "tensor_copy: the mask does not fit 'dst'" in str(error) and error.given == "mask [3, 1], dst [4, 6]"


def test_a_source_that_is_no_tile_is_refused() -> None:
    transposed = sbuf("x")[arange(4)[None, :], arange(4)[:, None]]
    error = refused("err_failed_to_infer_tile_from_local_tensor", sbuf("x")[:, 0:4], transposed)
    assert "tensor_copy: 'src' is not a tile" in str(error)


def test_c04_an_index_that_leaves_is_refused() -> None:
    """C4 holds for every instruction."""
    error = refused("err_tensor_access_out_of_bound", sbuf("x")[:, 0:2], sbuf("x")[:, 5:7])
    assert "out-of-bound access of tensor 'x' (tensor_copy's src) on axis 1" in str(error)

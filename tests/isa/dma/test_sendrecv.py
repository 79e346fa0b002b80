"""`sendrecv` against the oracle, and its rules."""

from typing import Any

import jax
import numpy as np
import pytest

from jnki import TRN1, TRN3, DeviceMemory, hbm, psum, sbuf, sendrecv
from jnki.access.ref import Ref
from jnki.errors import RuleError
from tests.harness import bits_of, numpy_pattern
from tests.oracle import exchanges
from tests.oracle.cases import random_values
from tests.oracle.casts import DTYPES
from tests.oracle.moves import Operand
from tests.targets import TINY

CASES = 300
SHAPE = (3, 8)
OPERANDS = ("dst", "src", "other_dst", "other_src")
# Parts of tiles: (tile, subscript) of each operand.
PLACES = {
    "tiles": (("b", ()), ("a", ()), ("d", ()), ("c", ())),
    "parts of one tile": (
        ("a", (slice(None), slice(4, 8))),
        ("a", (slice(None), slice(0, 4))),
        ("c", (slice(None), slice(0, 4))),
        ("c", (slice(None), slice(4, 8))),
    ),
    "the very same part": (
        ("a", (slice(1, 3), slice(1, 8, 3))),
        ("a", (slice(1, 3), slice(1, 8, 3))),
        ("c", (slice(0, 2), slice(0, 3))),
        ("c", (slice(0, 2), slice(0, 3))),
    ),
    "parts that overlap": (
        ("a", (slice(None), slice(2, 7))),
        ("a", (slice(None), slice(0, 5))),
        ("c", (slice(None), slice(3, 8))),
        ("c", (slice(None), slice(1, 6))),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("places", PLACES)
def test_it_is_the_oracles_bit_for_bit(places: str, dtype: str) -> None:
    held = {name: random_values(seed, dtype, (CASES, *SHAPE)) for seed, name in enumerate("abcd")}
    held = {name: values.astype(np.bool_) if dtype == "bool" else values for name, values in held.items()}
    refs = {o: sbuf(name, dtype)[key] if key else sbuf(name, dtype) for o, (name, key) in zip(OPERANDS, PLACES[places])}
    operands = {o: Operand(name, dtype, numpy_pattern(SHAPE, key)) for o, (name, key) in zip(OPERANDS, PLACES[places])}

    def run(arrays: Any) -> Any:
        return dict(sendrecv(DeviceMemory.of(sbuf=arrays), **refs).sbuf)

    found = jax.jit(jax.vmap(run))(held)
    for case in range(CASES):
        wanted = exchanges.sendrecv({name: values[case] for name, values in held.items()}, **operands)
        for name, array in wanted.items():
            np.testing.assert_array_equal(bits_of(np.asarray(found[name][case])), bits_of(array))


def test_cotangents_go_back_to_where_values_came_from() -> None:
    arrays = {name: np.arange(6, dtype=np.float32).reshape(2, 3) for name in "abcd"}

    def run(arrays: Any) -> Any:
        memory = sendrecv(
            DeviceMemory.of(sbuf=arrays), dst=sbuf("b"), src=sbuf("a"), other_dst=sbuf("d"), other_src=sbuf("c")
        )
        return memory.sbuf["b"].sum() + 2 * memory.sbuf["d"].sum()

    slopes = jax.grad(run)(arrays)
    assert {name: set(np.unique(slope)) for name, slope in slopes.items()} == {"a": {2}, "b": {0}, "c": {1}, "d": {0}}


# Rules.


def refused(rule: str, **options: Any) -> RuleError:
    zeros = np.zeros((4, 6), np.float32)
    memory = DeviceMemory.of(
        hbm={"x": zeros},
        sbuf={
            **dict.fromkeys("abcd", zeros),
            "half": zeros.astype(np.float16),
            "long": np.zeros((4, 257), np.float16),
            "many": np.zeros((5, 6), np.float32),
            "i": np.zeros((4, 1), np.int32),
        },
        psum={"x": zeros},
    )
    sides = {"dst": sbuf("b"), "src": sbuf("a"), "other_dst": sbuf("d"), "other_src": sbuf("c"), **options}
    with pytest.raises(RuleError) as caught:
        sendrecv(memory, **sides)
    assert caught.value.rule == rule and "test_sendrecv.py" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("place", [hbm("x"), psum("x")])
def test_all_are_in_sbuf(operand: str, place: Ref) -> None:
    error = refused("err_unsupported_memory", **{operand: place})
    assert f"sendrecv: '{operand}' is in the wrong memory" in str(error)
    assert error.allowed.startswith("sbuf")


def test_shapes_are_equal() -> None:
    error = refused("sendrecv.shape", dst=sbuf("b")[:, 0:5])
    assert "sendrecv: 'dst' must have the shape and the type of 'src'" in str(error)
    assert (error.given, error.allowed) == (
        "dst [4, 5] float32, src [4, 6] float32",
        "equal shapes and types",
    )
    assert refused("sendrecv.shape", other_src=sbuf("c")[0:2]).given == "other_src [2, 6] float32, src [4, 6] float32"


def test_types_are_equal() -> None:
    assert refused("sendrecv.dtype", dst=sbuf("half")).given == "dst [4, 6] float16, src [4, 6] float32"


def test_indirect_tiles_are_refused() -> None:
    refused("err_indirect_indices_are_not_supported_with_nki_api", src=sbuf("a")[sbuf("i"), :])


def test_too_many_partitions_are_refused() -> None:
    many = dict.fromkeys(OPERANDS, sbuf("many"))
    refused("err_num_partition_exceed_arch_limit", **many, target=TINY)


@pytest.mark.parametrize("dtype, limit", [("float32", 1024), ("bfloat16", 512), ("uint8", 256)])
def test_gpsimd_moves_256_elements_of_a_partition(dtype: str, limit: int) -> None:
    def run(elements: int) -> None:
        arrays = {name: random_values(0, dtype, (2, elements)) for name in "abcd"}
        refs = {operand: sbuf(name) for operand, name in zip(OPERANDS, "abcd")}
        sendrecv(DeviceMemory.of(sbuf=arrays), **refs, gpsimd_dma=True)

    run(256)
    with pytest.raises(RuleError) as caught:
        run(257)
    error = caught.value
    assert error.rule == "sendrecv.gpsimd_size"
    assert "sendrecv: the DMA of the GpSimd Engine does not move so much" in str(error)
    assert error.given == f"{257 * limit // 256} bytes in each partition of 'src', {dtype}"
    assert error.allowed == f"at most {limit} bytes, or dma_engine.dma"


def test_it_is_new_in_v3() -> None:
    error = refused("sendrecv.version", target=TRN1)
    assert (error.given, error.allowed) == ("trn1, NeuronCore-v2", "NeuronCore-v3 or newer")
    tiles = {name: np.zeros((4, 6), np.float32) for name in "abcd"}
    refs = {operand: sbuf(name) for operand, name in zip(OPERANDS, "abcd")}
    sendrecv(DeviceMemory.of(sbuf=tiles), **refs, target=TRN3)

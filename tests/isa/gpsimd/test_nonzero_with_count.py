"""`nonzero_with_count`: places, padding, counts, the partitions that it works on, and rules."""

import jax
import numpy as np
import pytest

import jnki
from jnki import TRN1, TRN3, DeviceMemory, RuleError, psum, sbuf
from tests.isa.computations import assert_only, batch
from tests.oracle.picks import nonzero_with_count

P, T = 33, 7


@pytest.mark.parametrize(("offset", "padding"), [(0, -1), (16, 99), (2**31 - 3, -(2**31))])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_places_padding_and_count(dtype, offset, padding):
    """Rows with none and with nothing but nonzero elements included; all other partitions keep what they had."""

    def make(rng):
        x = rng.integers(-9, 9, (P, T)).astype(dtype) * (rng.random((P, T)) < rng.choice([0, 0.4, 1]))
        return {"x": x.astype(dtype), "y": rng.integers(-99, 99, (P, T + 2)).astype(np.int32)}

    def run(m):
        options = {"index_offset": offset, "padding_val": padding}
        return jnki.nonzero_with_count(m, dst=sbuf("y")[:, 1:], src=sbuf("x"), **options)

    for old, new in batch(make, run, 24):
        expected = nonzero_with_count(old["x"], offset, padding, old["y"][:, 1:])
        np.testing.assert_array_equal(new["y"][:, 1:], expected)
        written = np.zeros((P, T + 2), bool)
        written[::16, 1:] = True
        assert_only(old, new, "y", written)


def test_nan_is_not_zero_and_negative_zero_is():
    x = np.array([[np.nan, -0.0, np.inf, 0]], np.float32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": np.zeros((1, 5), np.int32)})
    memory = jax.jit(lambda m: jnki.nonzero_with_count(m, dst=sbuf("y"), src=sbuf("x")))(memory)
    assert memory.sbuf["y"].tolist() == [[0, 2, -1, -1, 2]]


def test_the_example_of_the_documents():
    x = np.array([[0, 1, 1, 0, 0, 1, 0, 0]], np.int32)
    memory = DeviceMemory.of(sbuf={"x": x, "y": np.zeros((1, 9), np.int32)})
    memory = jnki.nonzero_with_count(memory, dst=sbuf("y"), src=sbuf("x"), index_offset=16)
    assert memory.sbuf["y"].tolist() == [[17, 18, 21, -1, -1, -1, -1, -1, 3]]


def call(**changes):
    memory = DeviceMemory.of(
        sbuf={
            "x": np.zeros((P, T), np.float32),
            "half": np.zeros((P, T), np.float16),
            "deep": np.zeros((P, T, 1), np.int32),
            "few": np.zeros((2, T), np.float32),
            "y": np.zeros((P, T + 1), np.int32),
            "unsigned": np.zeros((P, T + 1), np.uint32),
        },
        psum={"p": np.zeros((P, T), np.float32)},
    )
    return jnki.nonzero_with_count(memory, **{"dst": sbuf("y"), "src": sbuf("x"), **changes})


BROKEN = {
    "target": (
        {"target": TRN1},
        "nonzero_with_count.target: nonzero_with_count: there is no such instruction before NeuronCore-v3\n"
        "  given:   NeuronCore-v2 (trn1)\n  allowed: NeuronCore-v3 and newer",
    ),
    "type": (
        {"src": sbuf("half")},
        "nonzero_with_count.src: nonzero_with_count: 'src' has the wrong element type\n"
        "  given:   float16\n  allowed: float32, int32",
    ),
    "type of dst": ({"dst": sbuf("unsigned")}, "nonzero_with_count.dst: nonzero_with_count: 'dst' has the wrong"),
    "memory": ({"src": psum("p")}, "err_unsupported_memory: nonzero_with_count: 'src' is in the wrong memory"),
    "partitions": ({"src": sbuf("few")}, "err_num_partition_mismatch: nonzero_with_count: dst and src span"),
    "elements": (
        {"dst": sbuf("y")[:, :T]},
        "nonzero_with_count.element_count: nonzero_with_count: dst does not have one element more per partition than "
        "src\n  given:   dst [33, 7], src [33, 7]\n  allowed: [33, 8]",
    ),
    "offset": (
        {"index_offset": 2**31},
        "nonzero_with_count.index_offset: nonzero_with_count: 'index_offset' is no integer of 32 bits\n"
        "  given:   2147483648\n  allowed: -2^31 to 2^31 - 1",
    ),
    "padding": (
        {"padding_val": 0.5},
        "nonzero_with_count.padding_val: nonzero_with_count: 'padding_val' is no integer",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules(name):
    changes, text = BROKEN[name]
    with pytest.raises(RuleError) as caught:
        call(**changes)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("changes", [{}, {"src": sbuf("deep"), "target": TRN3}], ids=["plain", "rank and target"])
def test_twins_that_are_legal(changes):
    call(**changes)

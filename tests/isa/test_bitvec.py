"""Bitvec operators keep bits: every pair of integer types, into every integer type, against Python's own integers."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import DeviceMemory, RuleError, sbuf
from jnki.memory import DeviceMemory as Memory
from tests.examples_of import jitted_as_few

TYPES = [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.uint32]
OPERATORS = {
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
}
PAIRS = list(itertools.product(TYPES, TYPES))


def values(dtype, seed, count=12):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    ends = [info.min, info.max, 0, 1, info.max - 1, info.min + 1]
    return np.array([*ends, *rng.integers(info.min, info.max, count - len(ends), endpoint=True)], dtype)


def bits_as(number, dtype):
    """The integer of `dtype` with the low bits of `number`."""
    info = np.iinfo(dtype)
    number %= 1 << info.bits
    return number - (1 << info.bits) if number > info.max else number


def wider(a, b):
    """The wider type; of two of one width the unsigned one."""
    return max(a, b, key=lambda t: (np.dtype(t).itemsize, np.dtype(t).kind == "u"))


def expected(op, a, b, dtype):
    """In the wider type, then in `dtype`: low bits, or extended as the wider type is."""
    common = wider(a.dtype, b.dtype)
    found = [bits_as(OPERATORS[op](int(x), int(y)), common) for x, y in zip(a, b)]
    return np.array([bits_as(n, dtype) for n in found], dtype)


def combined(op, a, b, dtype):
    memory = DeviceMemory.of(sbuf={"a": a[None], "b": b[None], "y": jnp.zeros((1, len(a)), dtype)})
    return jnki.tensor_tensor(memory, dst=sbuf("y"), data1=sbuf("a"), data2=sbuf("b"), op=op).sbuf["y"][0]


@pytest.mark.parametrize("op", OPERATORS)
def test_two_tiles_of_any_integer_types(op):
    cases = [(values(a, 0), values(b, 1)[::-1], dtype) for (a, b), dtype in itertools.product(PAIRS, TYPES)]
    found = jitted_as_few(lambda arrays: [combined(op, a, b, c[2]) for (a, b), c in zip(arrays, cases)])(
        [(a, b) for a, b, _ in cases]
    )
    for (a, b, dtype), result in zip(cases, found):
        np.testing.assert_array_equal(result, expected(op, a, b, dtype), err_msg=f"{a.dtype} {b.dtype} {dtype}")


def shifted(op, a, b, dtype):
    found = []
    for x, n in zip(a, b):
        count = int(n) if n >= 0 else 99
        x = int(x) % (1 << 8 * a.itemsize)
        moved = 0 if count >= 8 * a.itemsize else (x << count if op == "left_shift" else x >> count)
        found.append(bits_as(bits_as(moved, a.dtype), dtype))
    return np.array(found, dtype)


@pytest.mark.parametrize("op", ["left_shift", "right_shift"])
def test_shifts_count_in_any_integer_type(op):
    cases = []
    for (a, b), dtype in itertools.product(PAIRS, [np.int8, np.uint32]):
        counts = np.array([0, 1, 7, 8, 15, 31, 32, 100, 3, 2, 16, 30], b)
        if np.dtype(b).kind == "i":
            counts[-1] = -1
        cases.append((values(a, 2), counts, dtype))
    found = jitted_as_few(lambda arrays: [combined(op, a, b, c[2]) for (a, b), c in zip(arrays, cases)])(
        [(a, b) for a, b, _ in cases]
    )
    for (a, b, dtype), result in zip(cases, found):
        np.testing.assert_array_equal(result, shifted(op, a, b, dtype), err_msg=f"{a.dtype} {b.dtype} {dtype}")


@pytest.mark.parametrize("dtype", TYPES)
def test_an_immediate_is_bits_of_the_type_of_the_data(dtype):
    a, bits = values(dtype, 3), 8 * np.dtype(dtype).itemsize
    numbers = [0, 1, -1, (1 << bits) - 1, 1 << (bits - 1), -(1 << (bits - 1))]

    def run(a, number):
        memory = DeviceMemory.of(sbuf={"a": a[None], "y": jnp.zeros((1, len(a)), dtype)})
        operands = {"op0": "bitwise_xor", "operand0": number, "op1": "bitwise_and", "operand1": numbers[3] - 2}
        return jnki.tensor_scalar(memory, dst=sbuf("y"), data=sbuf("a"), **operands).sbuf["y"][0]

    found = jitted_as_few(lambda a: [run(a, number) for number in numbers])(a)
    for number, result in zip(numbers, found):
        wanted = [bits_as((int(x) ^ number) & (numbers[3] - 2), dtype) for x in a]
        np.testing.assert_array_equal(result, np.array(wanted, dtype))


@pytest.mark.parametrize(
    ("dtype", "number"), [(np.uint8, 300), (np.int8, -129), (np.int32, 3.7), (np.int32, 3.0), (np.uint16, 1 << 16)]
)
def test_an_immediate_that_does_not_fit_is_refused(dtype, number):
    memory = DeviceMemory.of(sbuf={"a": jnp.zeros((1, 2), dtype)})
    with pytest.raises(RuleError) as caught:
        jnki.tensor_scalar(memory, dst=sbuf("a"), data=sbuf("a"), op0="bitwise_and", operand0=number)
    assert str(caught.value).startswith(
        "tensor_scalar.operand0: tensor_scalar: 'bitwise_and' works on bits, and 'operand0' has none that fit\n"
        f"  given:   operand0={number} beside data of {np.dtype(dtype)}\n"
        f"  allowed: an integer of {8 * np.dtype(dtype).itemsize} bits, or a [P, 1] tile of integers\n"
    )


@pytest.mark.parametrize("op", OPERATORS)
def test_reductions_keep_bits(op):
    def run(a, dtype):
        memory: Memory = DeviceMemory.of(sbuf={"a": a[None], "y": jnp.zeros((1, 1), dtype)})
        return jnki.tensor_reduce(memory, dst=sbuf("y"), op=op, data=sbuf("a")).sbuf["y"][0, 0]

    cases = list(itertools.product(TYPES, TYPES))
    found = jitted_as_few(lambda arrays: [run(a, dtype) for a, (_, dtype) in zip(arrays, cases)])(
        [values(a, 5)[6:] for a, _ in cases]
    )
    for (source, dtype), result in zip(cases, found):
        total, *rest = map(int, values(source, 5)[6:])
        for number in rest:
            total = OPERATORS[op](total, number)
        assert int(result) == bits_as(bits_as(total, source), dtype)


def test_a_bool_is_a_byte_beside_an_integer():
    flags, numbers = np.array([True, False, True, False]), np.array([2, 2, 3, 1], np.uint8)
    for op, wanted in (("bitwise_and", [0, 0, 1, 0]), ("bitwise_or", [3, 2, 3, 1]), ("bitwise_xor", [3, 2, 2, 1])):
        np.testing.assert_array_equal(combined(op, flags, numbers, np.uint8), wanted)
        np.testing.assert_array_equal(combined(op, numbers, flags, np.uint8), wanted)
        np.testing.assert_array_equal(combined(op, numbers, flags, np.bool_), np.array(wanted) != 0)


def test_a_bool_has_nothing_to_shift():
    with pytest.raises(RuleError, match="tensor_tensor.bitvec: tensor_tensor: 'left_shift' needs bits to shift"):
        combined("left_shift", np.array([True]), np.array([1], np.int32), np.int32)

"""The oracles of computation agree with NumPy, and with values worked out by hand."""

import math

import numpy as np
import pytest

from . import scalar_engine, vector_engine
from .activations import DOMAINS, FUNCTIONS, slope

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
Y = np.array([[2.0, 2.0, -3.0], [0.5, 3.0, 2.0]])


@pytest.mark.parametrize("op", vector_engine.ARITHMETIC)
def test_operators_are_those_of_numpy(op):
    a, b = (np.abs(X), Y) if op == "power" else (X, Y)
    np.testing.assert_allclose(vector_engine.apply(op, a, b), getattr(np, op)(a, b).astype(np.float64))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
@pytest.mark.parametrize("op", [op for op in vector_engine.BITS if op != "right_shift"])
def test_bits_are_those_of_numpy(op, dtype):
    a, b = np.array([[5, 100, 77]], dtype), np.array([[1, 3, 2]], dtype)
    assert (vector_engine.apply_to_bits(op, a, b) == getattr(np, op)(a, b)).all()


def test_a_right_shift_brings_in_zeros():
    assert vector_engine.apply_to_bits("right_shift", np.array([-1], np.int8), np.array([1], np.int8)).tolist() == [127]


def test_reductions():
    mask = np.array([[True, False, True], [False, False, False]])
    assert vector_engine.reduce("subtract", X)[0].tolist() == [0.0, -2.5]
    total, ran = vector_engine.reduce("add", X, mask)
    assert total[0] == 4 and math.isnan(total[1]) and ran.tolist() == [True, False]
    assert vector_engine.reduce("logical_and", X[:, :1])[0].tolist() == [1, 1]


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if hasattr(np, n) and n != "copy"])
def test_functions_are_those_of_numpy(name):
    low, high = DOMAINS.get(name, (-2.0, 2.0))
    for x in np.linspace(low, high, 7):
        assert FUNCTIONS[name](float(x)) == pytest.approx(getattr(np, "arctan" if name == "arctan" else name)(x))


def test_functions_worked_out_by_hand():
    assert FUNCTIONS["gelu"](1.0) == pytest.approx(0.8413447460685429)
    assert FUNCTIONS["gelu_dx"](0.0) == pytest.approx(0.5) and FUNCTIONS["silu_dx"](0.0) == pytest.approx(0.5)
    assert FUNCTIONS["erf_dx"](0.0) == pytest.approx(2 / math.sqrt(math.pi))
    assert FUNCTIONS["mish"](1.0) == pytest.approx(0.8650983882673103)
    assert FUNCTIONS["softplus"](0.0) == pytest.approx(math.log(2))
    assert slope("square", 3.0) == pytest.approx(6) and slope("exp", 0.0) == pytest.approx(1)


def test_registers():
    def after(command, reduce_op="add"):
        registers = np.array([10.0, 20.0])
        result = scalar_engine.activation(X, "copy", reduce_op=reduce_op, reduce_cmd=command, registers=registers)
        return result.registers.tolist()

    assert after("idle") == [10, 20] and after("reset") == [0, 0]
    assert after("reduce") == [12, 23.5] and after("reset_reduce") == [2, 3.5]
    assert after("reduce", "maximum") == [10, 20] and after("reset_reduce", "minimum") == [-2, -1]


def test_scale_bias_and_mask():
    mask = np.array([[True, False, True], [False, False, False]])
    result = scalar_engine.activation(X, "square", bias=np.array([1.0, 0.0]), scale=2.0, mask=mask)
    assert result.values[0, 0] == 9 and result.values[0, 2] == 49
    assert np.isnan(result.values[~mask]).all() and result.ran.tolist() == [True, False]

"""Operators that came with NeuronCore-v4: values, derivatives, and that older targets refuse them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
from jnki import TRN1, TRN2, TRN3, DeviceMemory, RuleError, sbuf
from jnki.isa.operators import OPERATORS
from tests.harness import bits_of

X = np.array([[-5.0, 3.0, 1.0, -1.0, 0.0, -0.0, 2.5, -2.5, np.inf]], np.float32)
Y = np.array([[3.0, -5.0, -1.0, 1.0, -0.0, 0.0, 2.0, -3.0, -np.inf]], np.float32)


def meaning(name, x, y):
    """One number of each."""
    match name:
        case "abs_max":
            return x if abs(x) > abs(y) else y
        case "abs_min":
            return x if abs(x) < abs(y) else y
        case "square":
            return x * x
        case "relu":
            return x if x > 0 else x * 0


def memory():
    return DeviceMemory.of(sbuf={"x": X, "y": Y, "z": np.zeros_like(X)})


@pytest.mark.parametrize("name", ["abs_max", "abs_min"])
def test_the_signed_value_with_the_larger_magnitude_and_the_second_of_equal_ones(name):
    after = jnki.tensor_tensor(memory(), dst=sbuf("z"), data1=sbuf("x"), data2=sbuf("y"), op=name, target=TRN3)
    wanted = np.array([[meaning(name, x, y) for x, y in zip(X[0], Y[0])]], np.float32)
    np.testing.assert_array_equal(bits_of(np.asarray(after.sbuf["z"])), bits_of(wanted))


@pytest.mark.parametrize("operand", [0, None])
@pytest.mark.parametrize("name", ["square", "relu"])
def test_of_one_operand(name, operand):
    x = X[:, :-1]
    start = DeviceMemory.of(sbuf={"x": x})
    after = jnki.tensor_scalar(start, dst=sbuf("x"), data=sbuf("x"), op0=name, operand0=operand, target=TRN3)
    np.testing.assert_array_equal(after.sbuf["x"], [[meaning(name, v, 0) for v in x[0]]])


def test_derivatives():
    x, y = jnp.array([-5.0, 1.0]), jnp.array([3.0, -2.0])
    slopes = jax.grad(lambda x, y: OPERATORS["abs_max"].function(x, y).sum(), (0, 1))(x, y)
    assert [s.tolist() for s in slopes] == [[1, 0], [0, 1]]
    slopes = jax.grad(lambda x, y: OPERATORS["abs_min"].function(x, y).sum(), (0, 1))(x, y)
    assert [s.tolist() for s in slopes] == [[0, 1], [1, 0]]
    assert jax.vmap(jax.grad(OPERATORS["square"].function))(x).tolist() == [-10, 2]
    assert jax.vmap(jax.grad(OPERATORS["relu"].function))(x).tolist() == [0, 1]


CALLS = {
    "tensor_tensor.op": lambda op, **o: jnki.tensor_tensor(
        memory(), dst=sbuf("z"), data1=sbuf("x"), data2=sbuf("y"), op=op, **o
    ),
    "tensor_scalar.op1": lambda op, **o: jnki.tensor_scalar(
        memory(), dst=sbuf("z"), data=sbuf("x"), op0="add", operand0=1, op1=op, operand1=2.0, **o
    ),
    "scalar_tensor_tensor.op0": lambda op, **o: jnki.scalar_tensor_tensor(
        memory(), dst=sbuf("z"), data=sbuf("x"), op0=op, operand0=1.0, op1="add", operand1=sbuf("y"), **o
    ),
    "tensor_tensor_scan.op1": lambda op, **o: jnki.tensor_tensor_scan(
        memory(), dst=sbuf("z"), data0=sbuf("x"), data1=sbuf("y"), initial=0.0, op0="add", op1=op, **o
    ),
    "tensor_scalar_reduce.op0": lambda op, **o: jnki.tensor_scalar_reduce(
        memory(), dst=sbuf("z"), data=sbuf("x"), op0=op, operand0=1.0, reduce_op="add", **o
    ),
    "tensor_scalar_cumulative.op0": lambda op, **o: jnki.tensor_scalar_cumulative(
        memory(), dst=sbuf("z"), src=sbuf("x"), op0=op, imm0=1.0, op1="add", **o
    ),
}


@pytest.mark.parametrize("target", [TRN1, TRN2])
@pytest.mark.parametrize("rule", CALLS)
def test_older_targets_refuse_them(rule, target):
    with pytest.raises(RuleError) as caught:
        CALLS[rule]("abs_max", target=target)
    assert str(caught.value).startswith(
        f"{rule}: {rule.split('.')[0]}: there is no operator 'abs_max' before NeuronCore-v4\n"
        f"  given:   NeuronCore-v{target.neuron_core_version} ({target.name})\n  allowed: NeuronCore-v4 and newer"
    )
    CALLS[rule]("abs_max", target=TRN3)
    CALLS[rule]("maximum", target=target)


def test_they_are_no_reductions():
    column = DeviceMemory.of(sbuf={"x": X, "z": np.zeros((1, 1), np.float32)})
    with pytest.raises(RuleError, match=r"tensor_reduce\.op"):
        jnki.tensor_reduce(column, dst=sbuf("z"), op="abs_max", data=sbuf("x"), target=TRN3)

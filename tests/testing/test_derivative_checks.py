"""`check_transforms`, `check_backward`, `check_variants`, `assert_no_fault`: what is wrong in each way is rejected."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jnki
from jnki import testing
from jnki.testing.derivatives import finite_differences, forward_and_reverse
from tests.testing.kernels import double, gather

X = testing.floats((2, 3))
TABLE, ROWS = testing.floats((4, 3)), testing.rows((5, 1), size=4)


def test_a_kernel_is_the_same_under_each_transformation():
    found = testing.check_transforms(gather, TABLE, testing.rows((5, 1), size=4, outside=0.1), cases=2)
    assert found.forms[:3] == ("jit", "vmap", "nested vmap") and found.forms[-1] == "vmap over 'rows'"
    assert found.directions == 2 and found.elements == 30


def test_a_function_that_vmap_changes():
    @jax.custom_batching.custom_vmap
    def twice(x):
        return 2 * x

    @twice.def_vmap
    def wrong(size, batched, x):
        return (2 * x).at[..., 1].add(1), batched[0]

    with pytest.raises(testing.TransformFailure) as caught:
        testing.check_transforms(lambda x: twice(x), X, cases=2, differentiate=False)
    assert "vmap differs from plain calls in case 0: output[0, 1]: expected" in str(caught.value)


def scaled(factor):
    @jax.custom_jvp
    def function(x):
        return x * x

    function.defjvp(lambda x, t: (function(x[0]), factor * 2 * x[0] * t[0]))
    return lambda x: function(x)


def test_a_wrong_derivative():
    testing.check_transforms(scaled(1.0), X, cases=1, ulp=1)
    with pytest.raises(testing.TransformFailure, match="jvp and finite differences disagree in case 0: output 0"):
        testing.check_transforms(scaled(1.2), X, cases=1, ulp=1)


def test_kinks_are_excused():
    x = [jnp.asarray([0.002, 1.0, -0.5], jnp.float32)]
    text, excused, count = finite_differences(lambda x: (jnp.abs(x), None), x, seed=0, step=2.0**-8)
    assert (text, excused, count) == ("", 1, 3)
    with pytest.raises(
        testing.TransformFailure, match="finite differences cannot tell: each of 3 elements is near a kink"
    ):
        tiny = testing.floats((3,), low=-0.001, high=0.001)
        testing.check_transforms(lambda x: jnp.where(x > 0, 5 * x, x), tiny, cases=1)


def test_a_wrong_transpose():
    """A function whose jvp is right and whose vjp is not."""

    def lying(x):
        matrix = 2 * jnp.eye(3)
        return jax.lax.custom_linear_solve(
            lambda v: v, x, lambda _, b: 2 * b, transpose_solve=lambda _, b: (matrix + 0.01) @ b
        )

    x = [jnp.asarray([1.0, 2.0, 3.0], jnp.float32)]
    text = forward_and_reverse(lambda x: (lying(x), None), x, seed=0, rtol=1e-6)
    assert text.startswith("<w, J v> = ") and " along " in text
    assert forward_and_reverse(lambda x: (2 * x, None), x, seed=0, rtol=0.0) == ""


def gather_backward(table, rows, out, w):
    return jnp.zeros_like(table).at[rows[:, 0]].add(w)


def test_a_right_backward_kernel_and_its_whole_jacobian():
    found = testing.check_backward(gather, gather_backward, TABLE, ROWS, cases=2)
    assert found.jacobian and found.ulps[0] <= 4
    plain = lambda t, r: t[r[:, 0]]  # noqa: E731
    testing.check_backward(gather, gather_backward, TABLE, ROWS, reference=plain, cases=2)


@pytest.mark.parametrize(
    "backward",
    [
        lambda t, r, o, w: jnp.zeros_like(t),
        lambda t, r, o, w: 1.001 * gather_backward(t, r, o, w),
        lambda t, r, o, w: jnp.zeros_like(t).at[r[:, 0]].set(w),
        lambda t, r, o, w: gather_backward(t, jnp.roll(r, 1), o, w),
    ],
    ids=["zeros", "scaled", "write instead of add", "index off by one"],
)
def test_wrong_backward_kernels(backward):
    with pytest.raises(testing.BackwardFailure) as caught:
        testing.check_backward(gather, backward, TABLE, ROWS, cases=4)
    text = str(caught.value)
    assert "<lambda> differs from jax.vjp of the forward function (within rtol=1e-05 atol=1e-06)" in text
    assert "  cotangent of 'table': [" in text and "ulps apart" in text


def test_a_small_error_in_a_large_tile_is_seen():
    """An all-zero gradient of 128x512, which a tolerance that grows with the size accepts."""
    tile = testing.floats((128, 512), low=0.5, high=1.0)
    with pytest.raises(testing.BackwardFailure, match="65,536 of 65,536 elements differ"):
        testing.check_backward(lambda x: x * 1e-3, lambda x, y, w: jnp.zeros_like(x), tile, cases=1)


def test_a_backward_check_that_cannot_tell():
    with pytest.raises(testing.VacuousCheck, match=r"cannot tell: a cotangent that is wrong \(scaled by 1.001\)"):
        testing.check_backward(gather, gather_backward, TABLE, ROWS, cases=2, rtol=0.01)
    testing.check_backward(gather, gather_backward, TABLE, ROWS, cases=2, rtol=0.01, accept=("scaled by 1.001",))
    with pytest.raises(TypeError, match="one cotangent each, in their order"):
        testing.check_backward(gather, lambda t, r, o, w: w, TABLE, ROWS, cases=1)
    with pytest.raises(ValueError, match="has no float argument"):
        testing.check_backward(lambda r: r, lambda r, o, w: w, ROWS)


def test_a_reference_with_another_derivative():
    with pytest.raises(testing.BackwardFailure, match="differs from jax.vjp of the reference"):
        testing.check_backward(gather, gather_backward, TABLE, ROWS, reference=lambda t, r: 2 * t[r[:, 0]], cases=1)


def test_variants_of_chex():
    names = testing.check_variants(double, X)
    assert len(names) == 4 and {n.split("with")[-1].split("_")[-1] for n in names} >= {"jit", "device"}

    calls = []

    def unsteady(x):
        calls.append(0)
        return x + len(calls)

    with pytest.raises(testing.TransformFailure, match="differ in case 0: output"):
        testing.check_variants(unsteady, X)


def test_assert_no_fault():
    table = jnp.ones((4, 3))
    good, bad = jnp.zeros((5, 1), jnp.int32), jnp.zeros((5, 1), jnp.int32).at[2].set(7)
    run = jax.vmap(gather.with_fault, (None, 0))
    _, fault = run(table, jnp.stack([good, good, bad]))
    with pytest.raises(AssertionError) as caught:
        testing.assert_no_fault(fault)
    assert "index 21 is out of bounds for axis 0 with size 12" in str(caught.value)
    assert "in batch element 2 (1 faulty in all)" in str(caught.value)
    testing.assert_no_fault(run(table, jnp.stack([good]))[1])

    def checked(rows):
        testing.assert_no_fault(run(table, rows)[1])
        return rows

    error, _ = checkify.checkify(jax.jit(checked))(jnp.stack([good, bad]))
    assert error.get().startswith("a row index is out of bounds in case 1 of the batch: row 2 has index 7")
    chex.chexify(jax.jit(checked), async_check=False)(jnp.stack([good]))
    with pytest.raises(checkify.JaxRuntimeError, match="in case 1 of the batch: row 2 has index 7"):
        chex.chexify(jax.jit(checked), async_check=False)(jnp.stack([good, bad]))

    def alone(rows):
        testing.assert_no_fault(gather.with_fault(table, rows)[1])
        return rows

    error, _ = checkify.checkify(jax.jit(alone))(bad)
    assert error.get().startswith("a row index is out of bounds: row 2 has index 7")
    with pytest.raises(ValueError, match="checkify"):
        jax.jit(alone)(good)


def test_the_convention_is_that_of_with_backward():
    """Outputs come before the cotangents of those that are floats."""

    def forward(x):
        return jnp.exp(x), jnp.argsort(x), x * x

    def backward(x, e, order, square, w, v):
        return w * e + 2 * v * x

    x = testing.floats((3, 4))
    testing.check_backward(forward, backward, x, cases=2)
    found = jax.grad(lambda x: sum(o.sum() for o in jnki.with_backward(forward, backward)(x)[::2]))(jnp.ones(3))
    np.testing.assert_allclose(found, np.full(3, np.e + 2), rtol=1e-6)

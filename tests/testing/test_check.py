"""`check`: wrong kernels of each kind are caught and described, right ones pass, and what cannot fail is refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import testing
from jnki.testing.tolerance import Tolerance, ulps_between
from tests.testing.kernels import double, doubled, gather, gathered, off_where_large

X = testing.floats((2, 3))
TABLE, ROWS = testing.floats((4, 3)), testing.rows((5, 1), size=4, outside=0.05)


def failure(*args, **kwargs):
    with pytest.raises(testing.CheckFailure) as caught:
        testing.check(*args, **kwargs)
    return caught.value


def test_a_right_kernel_passes_and_faults_where_it_must():
    found = testing.check(gather, TABLE, ROWS, against=gathered, cases=300)
    assert found.cases == 300 and 0.1 < found.faulted / 300 < 0.4 and found.ulps_peak == 0


def test_numpy_case_by_case_and_in_one_call():
    reference = testing.numpy_reference(gathered)
    one = testing.check(gather.with_fault, TABLE, ROWS, against=reference, cases=50)
    assert one == testing.check(gather, TABLE, ROWS, against=gathered, cases=50)
    batched = testing.numpy_reference(lambda x: 2 * x)
    assert testing.check(double, X, against=batched, batched=True, cases=30).cases == 30
    assert testing.check(double, X, against=lambda x: 2 * x, batched=True, cases=30).cases == 30


def test_the_report_of_a_wrong_element():
    error = failure(off_where_large, X, against=doubled, cases=200)
    lines = str(error).split("\n")
    count = len(error.cases)
    assert lines[0] == f"off_where_large: {count} of 200 cases are wrong (bit for bit, seed 0, against JAX, vmapped)"
    assert re.match(r"  off_where_large at .*kernels.py:\d+ in off_where_large", lines[1])
    assert lines[2] == "     def off_where_large(x):"
    first = error.failures[0].differences[0]
    assert (first.place, first.count, first.size) == ((0, 1), 1, 6)
    assert first.actual == first.expected + np.float32(1)
    assert f"  case {error.cases[0]}: output[0, 1]: expected {first.expected!s}, got {first.actual!s}, " in str(error)
    assert f"{first.ulps:,} ulps apart; 1 of 6 elements differ" in str(error)
    # What matters is x[1, 2], and that it is above 1.5.
    (x,) = error.shrunk
    expected = np.zeros((2, 3), np.float32)
    expected[1, 2] = 2
    np.testing.assert_array_equal(x, expected)
    assert "    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]], np.float32)" in lines
    assert "  needs x[1, 2]: not wrong with 0.0, 1.0, -1.0, -2.0; wrong with 4.0 too" in lines
    assert lines[-2:] == ["to run this case alone:", f'  testing.replay(off_where_large, "{error.token}")']
    # The line does what it says.
    again = testing.replay(off_where_large, error.token)
    np.testing.assert_array_equal(again.outputs[0, 1], first.actual)
    assert again.arguments[0][1, 2] > 1.5 and str(again).startswith("off_where_large\n    x = np.array(")


def test_chunks_change_no_case():
    error = failure(off_where_large, X, against=doubled, cases=200, shrink=False, memory_bytes=4096)
    other = failure(off_where_large, X, against=doubled, cases=200, shrink=False)
    assert error.cases == other.cases and error.token == other.token


def faults_too_late(table, rows):
    """A gather that takes row `size` for a row in bounds."""
    outputs, fault = gather.with_fault(table, jnp.where(rows == 4, 3, rows))
    return outputs, fault


def test_a_fault_that_is_not_reported():
    error = failure(faults_too_late, TABLE, ROWS, against=gathered, cases=100)
    assert f"case {error.cases[0]}: no fault; 'rows' holds 4, out of bounds for size 4" in str(error)
    assert "without effect: table" in str(error)
    assert (error.shrunk[1] == 4).sum() == 1 and set(np.unique(error.shrunk[1])) == {0, 4}


def test_a_fault_that_nobody_expects():
    error = failure(gather, TABLE, ROWS, against=gathered, faults="never", cases=50, shrink=False)
    assert "of 'src' in dma_copy has row index" in str(error)
    assert "for axis 0 of tensor 'table' with size 4 (kernels.py:" in str(error) and "; none is expected" in str(error)


def test_the_wrong_bound():
    wrong = testing.rows((5, 1), size=3, outside=0.2)
    error = failure(gather, TABLE, wrong, against=None, cases=50, shrink=False)
    assert "with size 4" in str(error) and "out of bounds for size 3" in str(error)


def test_faults_as_a_function():
    def first_bad(table, rows):
        bad = (rows < 0) | (rows > 3)
        return (rows[bad][0], 4) if bad.any() else None

    assert testing.check(gather, TABLE, ROWS, against=gathered, faults=first_bad, cases=50).faulted > 0
    error = failure(gather, TABLE, ROWS, against=gathered, faults=lambda t, r: False, cases=50, shrink=False)
    assert "none is expected" in str(error)
    error = failure(gather, TABLE, ROWS, against=gathered, faults=lambda t, r: 77, cases=5, shrink=False)
    assert "case 0: no fault; row index 77 is expected" in str(error)
    with pytest.raises(TypeError, match="has answered 'maybe'; it answers a boolean"):
        testing.check(gather, TABLE, ROWS, against=gathered, faults=lambda t, r: "maybe", cases=5)
    with pytest.raises(ValueError, match="faults='nonsense' is no expectation"):
        testing.check(gather, TABLE, ROWS, against=gathered, faults="nonsense")


def test_a_reference_that_raises_expects_a_fault():
    def strict(table, rows):
        if (rows < 0).any():
            raise IndexError("a negative row")
        return table[rows[:, 0]]

    domain = testing.integers((5, 1), low=-1, high=3)
    assert testing.check(gather, TABLE, domain, against=strict, cases=40).faulted > 10


def test_a_kernel_as_the_reference():
    assert testing.check(gather, TABLE, ROWS, against=gather, cases=50).faulted > 0
    error = failure(faults_too_late, TABLE, ROWS, against=gather, cases=100, shrink=False)
    assert "no fault; the reference has one of row index 4" in str(error)


def test_tolerances():
    def off(x):
        return jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, jnp.int32) + 3, jnp.float32)

    positive = testing.floats((4,), low=1.0, high=2.0)
    found = testing.check(off, positive, against=testing.numpy_reference(np.array), ulp=3, cases=20, trivial=("input",))
    assert (found.ulps_peak, found.ulps_p99, found.ulps_p50) == (3, 3, 3)
    error = failure(off, positive, against=lambda x: x, ulp=2, cases=20, shrink=False)
    assert "20 of 20 cases are wrong (within 2 ulp," in str(error) and "3 ulps apart; 4 of 4 elements differ" in str(
        error
    )
    testing.check(off, positive, against=lambda x: x, rtol=1e-6, cases=20, trivial=("input",))
    with pytest.raises(ValueError, match="give one of ulp=, rtol= and atol=, or bound="):
        Tolerance(ulp=1, rtol=1.0)


@pytest.mark.parametrize("xp", [np, jnp])
def test_special_values(xp):
    x = xp.asarray(np.array([np.nan, np.inf, -np.inf, 0.0, 1.0], np.float32))
    y = xp.asarray(np.array([np.nan, np.inf, np.inf, -0.0, np.inf], np.float32))
    expected = {0: [1, 1, 0, 0, 0], 2**32 - 1: [1, 1, 0, 1, 0]}
    for ulp, wanted in expected.items():
        assert np.asarray(Tolerance(ulp=ulp).accepts(x, y, xp)).astype(int).tolist() == wanted
    loose = Tolerance(rtol=1e9, atol=1e9)
    assert np.asarray(loose.accepts(x, y, xp)).astype(int).tolist() == [1, 1, 0, 1, 0]
    assert not np.asarray(Tolerance(equal_nan=False).accepts(x, x, xp))[0]
    ordered = xp.asarray(np.array([-np.inf, -1.0, -1e-45, 0.0, 1e-45, 1.0, np.inf], np.float32))
    distance = np.asarray(ulps_between(ordered, xp.zeros_like(ordered), xp))
    assert distance.tolist() == [0x7F800000, 0x3F800000, 1, 0, 1, 0x3F800000, 0x7F800000]


def test_a_bound_from_the_type_and_the_length():
    def half(x):
        return x.astype(jnp.bfloat16).sum(keepdims=True).astype(jnp.bfloat16)

    def wide(x):
        return np.float64(x).sum(keepdims=True)

    domain = testing.floats((64,), "bfloat16", low=1.0, high=2.0)
    testing.check(
        lambda x: x.astype(jnp.float32).sum(keepdims=True).astype(x.dtype), domain, against=wide, bound=64, cases=50
    )
    error = failure(lambda x: half(x) * 1.02, domain, against=wide, bound=64, cases=50, shrink=False)
    assert "within the rounding of sums of 64 terms" in str(error)


def test_a_check_that_cannot_fail():
    with pytest.raises(testing.VacuousCheck) as caught:
        testing.check(lambda x: x * 1e-9, X, against=lambda x: x * 1e-9, atol=1e-3, cases=20)
    assert (
        "the check cannot fail: zeros as the output would be right in each of 20 cases (within rtol=0 atol=0.001)"
        in str(caught.value)
    )
    with pytest.raises(testing.VacuousCheck, match="argument 'x' unchanged as the output would be right"):
        testing.check(lambda x: x, X, against=lambda x: x, cases=20)
    testing.check(lambda x: x, X, against=lambda x: x, cases=20, trivial=("input",))
    always = testing.constant(np.full((5, 1), 9, np.int32))
    with pytest.raises(testing.VacuousCheck, match="not one of 20 cases was compared"):
        testing.check(gather, TABLE, always, against=gathered, faults=lambda t, r: True, cases=20)
    with pytest.raises(testing.VacuousCheck, match="there is nothing to check"):
        testing.check(double, X)


def test_shapes_of_the_reference():
    with pytest.raises(TypeError, match=r"the output of double has shape \[2, 3\], and the reference gives \[3\]"):
        testing.check(double, X, against=lambda x: x[0])
    with pytest.raises(TypeError, match="the output of double is float32, and the reference gives int32"):
        testing.check(double, X, against=lambda x: x.astype(np.int32))


def test_domains_that_are_not_in_the_token():
    domain = lambda key: jax.random.uniform(key, (2, 3), minval=1, maxval=2)  # noqa: E731
    error = failure(off_where_large, domain, against=doubled, cases=20)
    assert str(error).endswith(f'testing.replay(off_where_large, "{error.token}", *domains)')
    again = testing.replay(off_where_large, error.token, domain)
    np.testing.assert_allclose(again.outputs, error.failures[0].differences[0].actual, rtol=10)
    with pytest.raises(ValueError, match="the token belongs to other domains"):
        testing.replay(off_where_large, error.token, X)


def test_a_large_case_shrinks_to_what_matters():
    """One wrong product of 128 x 512: the two elements behind it are left."""

    def wrong(x, y):
        out = x * y
        return jnp.where((x[3, 5] > 0) & (y[90, 11] < 0), out.at[100, 400].add(1), out)

    big = testing.floats((128, 512))
    error = failure(wrong, big, big, against=lambda x, y: x * y, cases=4)
    x, y = error.shrunk
    assert np.argwhere(x).tolist() == [[3, 5]] and np.argwhere(y).tolist() == [[90, 11]]
    assert "x = np.zeros((128, 512), np.float32)\n    x[3, 5] = 1.0\n" in str(error)
    assert "y[90, 11] = -1.0\n" in str(error)

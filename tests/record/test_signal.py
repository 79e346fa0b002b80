"""The signal that a number is needed is honoured, whoever swallows it; and so is an error that a kernel swallows."""

import contextlib

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki

nl = nki.language

X = np.arange(12, dtype=np.float32).reshape(6, 2)


def kernel_with(body, loop=nl.sequential_range):
    """A kernel that stores row `body(i)` of `x` into row `i`."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in loop(6):
            row = body(i)
            nl.store(out[i : i + 1], nl.load(x[row : row + 1]))
        return out

    return kernel


def bare(i):
    try:
        return 3 if i == 2 else 1
    except:  # noqa: E722
        return 5


def base_exception(i):
    try:
        return [3, 1, 2, 0, 0, 4][i]
    except BaseException:
        return 5


def returned_from_finally(i):
    row = 5
    try:
        row = int(f"{i}")
    finally:
        return row  # noqa: B012


def suppressed(i):
    row = 5
    with contextlib.suppress(BaseException):
        row = i & 1
    return row


def replaced(i):
    try:
        return [3, 1, 2, 0, 0, 4][i]
    except BaseException as error:
        raise ValueError("mine") from error


def swallowed_by_a_helper(i):
    class Quiet:
        def __exit__(self, *_):
            return True

        def __enter__(self):
            return self

    row = 4
    with Quiet():
        row = abs(i - 2)
    return row  # noqa: RET504


SWALLOWED = [bare, base_exception, returned_from_finally, suppressed, replaced, swallowed_by_a_helper]


@pytest.mark.parametrize("body", SWALLOWED, ids=lambda b: b.__name__)
def test_a_swallowed_signal_is_honoured(body):
    for loop in (nl.sequential_range, nl.affine_range, nl.static_range):
        np.testing.assert_array_equal(kernel_with(body, loop)(X), X[[int(body(i)) for i in range(6)]])


def test_a_signal_that_is_swallowed_last_is_honoured():
    seen = []

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(x))
        for i in nl.affine_range(6):
            with contextlib.suppress(BaseException):
                seen.append(int(i))
        return out

    kernel(X)
    assert seen == list(range(6))


@pytest.mark.parametrize("loop", [nl.sequential_range, nl.affine_range, nl.static_range])
@pytest.mark.parametrize("swallowed", [RuleError, Exception])
def test_an_error_of_some_iterations_is_swallowed_in_these_alone(loop, swallowed):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.zeros(x.shape, x.dtype))
        for i in loop(6):
            with contextlib.suppress(swallowed):
                nl.store(out[i : i + 1], nl.load(x[i + 2 : i + 3]))
        return out

    expected = np.zeros_like(X)
    expected[:4] = X[2:]
    np.testing.assert_array_equal(kernel(X), expected)

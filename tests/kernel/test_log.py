"""What is logged on the way from a kernel to a result, and the one warning."""

import logging
import re

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki

nl, nisa = nki.language, nki.isa

X = np.zeros((6, 4, 8), np.float32)


def kernel_with(body):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.sequential_range(6):
            nl.store(out[body(i)], nl.load(x[i]))
        return out

    return kernel


def logged(caplog, kernel, *args):
    with caplog.at_level(logging.INFO, "jnki"):
        kernel(*args)
    return [(r.name, r.levelno, re.sub(r"[\d.]+ ms", "? ms", r.getMessage())) for r in caplog.records]


def test_a_recorded_loop(caplog):
    assert logged(caplog, kernel_with(lambda i: i), X) == [
        ("jnki.record", logging.INFO, "kernel kernel: 1 nodes recorded, 1 after re-rolling, 2 instructions"),
        ("jnki.record", logging.INFO, "recording kernel kernel: ? ms"),
        ("jnki.compile", logging.INFO, "compiling kernel kernel: ? ms"),
    ]


def test_a_loop_that_needs_numbers_says_why(caplog):
    table = [3, 1, 0, 2, 5, 4]
    first, second, *_ = logged(caplog, kernel_with(lambda i: table[i] if i > 0 else 3), X)
    assert first[2].startswith("unrolled loop i0 of 6 trips: Python needs its index as a number, at test_log.py:")
    assert second[2] == "kernel kernel: 12 nodes recorded, 12 after re-rolling, 12 instructions"


def test_a_loop_whose_iterations_leave_python_differently_says_how(caplog):
    seen = []

    def body(i):
        seen.append(1)
        return len(seen) - 1

    first, *_ = logged(caplog, kernel_with(body), X)
    assert first[2].startswith("unrolled loop i0 of 6 trips: from one iteration to the next these differ: ")


def test_a_second_call_says_nothing(caplog):
    kernel = kernel_with(lambda i: i)
    kernel(X)
    assert logged(caplog, kernel, X) == []


@pytest.mark.parametrize("many", [30, 5])
def test_a_kernel_that_stays_long_is_a_warning(caplog, monkeypatch, many):
    monkeypatch.setattr("jnki.kernel.log.MANY", many)
    table = [3, 1, 0, 2, 5, 4]
    warnings = [text for _, level, text in logged(caplog, kernel_with(lambda i: table[i]), X) if level > logging.INFO]
    if many == 30:
        assert warnings == []
        return
    (text,) = warnings
    assert re.match(
        r"kernel kernel at .*test_log\.py:\d+ has 12 instructions after its loops were looked for, and takes long to "
        r"compile: unrolled loop i0 of 6 trips: Python needs its index as a number, at test_log\.py:\d+$",
        text,
    )

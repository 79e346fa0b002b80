"""What a kernel does for nothing is told; each twin does the same and uses it."""

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
from jnki import Severity
from jnki import nki as current
from tests.analysis.findings import found

X = np.zeros((128, 64), np.float32)


def unused(function, *arrays):
    return found(nki.jit(function), "unused", *(arrays or (X,)))


@pytest.mark.parametrize("is_used", [False, True])
def test_a_load_that_nothing_uses(is_used):
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        other = nl.load(x)
        nl.store(out, nl.add(tile, other) if is_used else tile)
        return out

    if is_used:
        assert not unused(kernel)
        return
    (finding,) = unused(kernel)
    assert (finding.rule, finding.severity) == ("unused.load", Severity.ADVICE)
    assert finding.message == "'other' is loaded and no output depends on it"
    assert finding.given == "sbuf tensor 'other' [128, 64] float32"
    assert finding.location.text == "other = nl.load(x)"


@pytest.mark.parametrize("is_used", [False, True])
def test_what_only_feeds_what_is_unused_is_unused(is_used):
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        double = nl.add(tile, tile)
        square = nl.multiply(double, double)
        nl.store(out, square if is_used else tile)
        return out

    messages = {f.message for f in unused(kernel)}
    expected = {f"'{name}' is written and no output depends on it" for name in ("double", "square")}
    assert messages == (set() if is_used else expected)


def test_a_parameter_that_nothing_depends_on():
    def kernel(x, y, used):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out, nl.load(y if used else x))
        return out

    (finding,) = found(nki.jit(kernel), "unused", X, X, False)
    assert (finding.rule, finding.message) == ("unused.parameter", "no output depends on parameter 'y'")
    (finding,) = found(nki.jit(kernel), "unused", X, X, True)
    assert finding.message == "no output depends on parameter 'x'"


def test_indices_masks_and_accumulation_are_uses():
    def kernel(x, rows):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        index = nl.load(rows)
        total = nl.zeros((128, 64), dtype=nl.float32, buffer=nl.sbuf)
        for _ in nl.affine_range(2):
            total += nl.load(x[index[nl.arange(128)[:, None], 0], nl.arange(64)[None, :]])
        nl.store(out, total)
        return out

    assert not unused(kernel, X, np.zeros((128, 1), np.int32))


def test_a_print_is_a_use():
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        shown = nl.load(x)
        nl.device_print("shown", shown)
        nl.store(out, nl.load(x))
        return out

    assert not unused(kernel)


def test_a_register_and_a_second_result_are_no_tensors_for_nothing():
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        sums = nl.ndarray((128, 1), dtype=nl.float32, buffer=nl.sbuf)
        nl.store(out, nisa.activation_reduce(np.exp, nl.load(x), reduce_op=np.add, reduce_res=sums))
        return out

    assert not unused(kernel)


@pytest.mark.parametrize(
    ("second", "reads_between", "is_dead"),
    [
        (slice(0, 64), False, True),
        (slice(0, 32), False, False),
        (slice(0, 64), True, False),
    ],
    ids=["all again", "a part again", "read in between"],
)
def test_a_store_that_is_overwritten(second, reads_between, is_dead):
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        tile[...] = nl.load(x)
        between = nl.copy(tile) if reads_between else None
        tile[:, second] = nl.load(x[:, second])
        nl.store(out, nl.add(tile, between) if reads_between else tile)
        return out

    seen = unused(kernel).of("unused.store")
    if not is_dead:
        assert not seen
        return
    (finding,) = seen
    assert finding.message == "what dma_copy writes to 'tile' is overwritten before anything reads it"
    assert finding.location.text == "tile[...] = nl.load(x)"
    assert finding.given.startswith("dma_copy at test_unused.py:")
    assert finding.given.endswith(" writes it again")


def test_a_second_store_that_may_leave_something_kills_nothing():
    def masked(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        tile[...] = nl.load(x)
        row = nl.arange(128)[:, None]
        tile[row, nl.arange(64)[None, :]] = nl.load(x, mask=row < 5)
        nl.store(out, tile)
        return out

    def in_a_loop(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray((128, 64), dtype=x.dtype, buffer=nl.sbuf)
        tile[...] = nl.load(x)
        for _ in nl.sequential_range(3):
            nl.store(out, tile)
            tile[...] = nl.load(x)
        return out

    assert not unused(masked)
    assert not unused(in_a_loop).of("unused.store")


def test_the_current_dialect():
    @current.jit
    def kernel(x, used):
        nl, nisa = current.language, current.isa
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        other = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, x)
        nisa.memset(other, 0.0)
        if used:
            nisa.tensor_tensor(tile, tile, other, nl.add)
        nisa.dma_copy(out, tile)
        return out

    (finding,) = found(kernel, "unused", X, False)
    assert finding.message == "'other' is written and no output depends on it"
    assert not found(kernel, "unused", X, True)

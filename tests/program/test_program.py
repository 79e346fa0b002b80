"""Programs as values: two recordings of one kernel are equal, and whatever changes what it does makes them differ."""

import numpy as np
import pytest

from jnki.neuronxcc import nki
from jnki.program.program import instructions
from jnki.target import TRN1, TRN2, TRN3

nl, nisa = nki.language, nki.isa

X = np.zeros((256, 8), np.float32)


def make(platform_target="trn2"):
    @nki.jit(platform_target=platform_target)
    def kernel(x, scale=1, kind=nl.affine_range, last=None):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        p, f = nl.arange(128)[:, None], nl.arange(8)[None, :]
        for i in kind(2):
            tile = nl.load(x[128 * i + p, f], mask=f < 7 + scale)
            tile[...] = scale if last is None else last
            nl.store(out[128 * i + p, f], tile)
        return out

    return kernel


def test_two_recordings_of_one_kernel_are_equal_and_hash_alike():
    first, second = make().trace(X), make().trace(X)
    assert first is not second
    assert first == second
    assert hash(first) == hash(second)
    assert str(first) == str(second)
    assert len({first, second}) == 1


def test_recording_leaves_nothing_behind():
    kernel = make()
    assert kernel.trace(X) == kernel.trace(X)
    before = make().trace(X)
    make().trace(X, 5)
    with pytest.raises(ZeroDivisionError):
        nki.jit(lambda x: 1 / 0)(X)
    assert make().trace(X) == before


@pytest.mark.parametrize(
    "other",
    [
        lambda: make().trace(X, 2),
        lambda: make().trace(X, 1, nl.sequential_range),
        lambda: make().trace(X, 1, nl.static_range),
        lambda: make().trace(X, 1, nl.affine_range, 3),
        lambda: make().trace(X.astype(np.float16)),
        lambda: make().trace(np.zeros((256, 9), np.float32)),
        lambda: make("trn1").trace(X),
        lambda: make("trn3").trace(X),
        lambda: make()[1].trace(X),
    ],
    ids=["value", "kind", "unrolled", "static", "dtype", "shape", "trn1", "trn3", "grid"],
)
def test_whatever_changes_the_kernel_changes_the_program(other):
    assert other() != make().trace(X)


def test_the_line_takes_no_part():
    @nki.jit
    def one(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out[0:128], nl.load(x[0:128]))
        return out

    @nki.jit
    def two(x):

        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)

        nl.store(out[0:128], nl.load(x[0:128]))
        return out

    first, second = one.trace(X), two.trace(X)
    assert first.body == second.body
    assert [i.location.line for i in instructions(first.body)] != [i.location.line for i in instructions(second.body)]


def test_what_a_program_says_about_itself():
    program = make()[1, 1].trace(X)
    assert (program.name, program.grid, program.target) == ("kernel", (1, 1), TRN2)
    assert (make("trn1").trace(X).target, make("trn3").trace(X).target) == (TRN1, TRN3)
    assert [(p.buffer.name, p.buffer.shape, p.mutable) for p in program.parameters] == [("x", (256, 8), False)]
    assert [b.name for b in program.buffers] == ["out"]
    assert [str(output) for output in program.outputs] == ["out"]
    assert not program.may_fault


def test_only_an_indirect_copy_that_does_not_skip_may_fault():
    def gather(mode):
        @nki.jit
        def kernel(x, rows):
            out = nl.ndarray((4, 8), dtype=x.dtype, buffer=nl.shared_hbm)
            index = nl.load(rows)
            nisa.dma_copy(dst=out, src=x[index, nl.arange(8)[None, :]], oob_mode=mode)
            return out

        return kernel.trace(X, np.zeros((4, 1), np.int32))

    assert gather(nisa.oob_mode.error).may_fault
    assert not gather(nisa.oob_mode.skip).may_fault


def test_names_of_buffers_are_those_of_the_variables_and_unique():
    @nki.jit
    def kernel(x, out_1):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        first = nl.load(x[0:128])
        first = nl.copy(first)
        x_: nl.float32 = nl.copy(first)
        named = nl.ndarray((128, 8), dtype=x.dtype, buffer=nl.sbuf, name="mine")
        named[...] = nl.copy(x_)
        nl.store(out[0:128], nl.copy(named))
        nl.store(out[128:256], nl.load(out_1[0:128]))
        return out

    program = kernel.trace(X, X)
    assert [b.name for b in program.buffers] == ["out", "first", "first.1", "x_", "mine", "tile.1", "tile.2"]
    np.testing.assert_array_equal(kernel(X + 1, X + 2), np.concatenate([X[:128] + 1, X[128:] + 2]))

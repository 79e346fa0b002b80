"""Which operands take the index of a loop on the device between integers in place of the register that holds it."""

import numpy as np
import pytest

from jnki.isa import DmaCopy, Memset, TensorCopy
from jnki.isa.enums import oob_mode
from jnki.lower.known_registers import with_known_registers
from jnki.lower.slabs import accesses_in
from jnki.neuronxcc import nki
from jnki.program import Loop
from tests.record.device_kernels import ap, dynamic_range, emit, hbm, new, store

X = np.arange(48, dtype=np.float32).reshape(6, 8)


def loop_of(body, lower, upper, step=1):
    """The loop `for i in range(lower, upper, step): body(x, t, i)`, and the kernel that it stands in."""

    @nki.jit
    def kernel(x):
        out, t = hbm((6, 8), name="out"), new((6, 8), name="t")
        emit(DmaCopy, dst=t, src=x)
        for i in dynamic_range(lower, upper, step):
            body(x, t, i)
        emit(DmaCopy, dst=out, src=t)
        return out

    (loop,) = (node for node in kernel.trace(X).body if isinstance(node, Loop))
    return loop, kernel


def rows(x, t, i, count=2, **settings):
    emit(DmaCopy, dst=ap(t, [[8, count], [1, 8]]), src=ap(x, [[8, count], [1, 8]], by=i), **settings)


def is_direct(loop):
    return all(a.indirect is None for a in accesses_in(with_known_registers(loop).body))


@pytest.mark.parametrize(("upper", "inside"), [(5, True), (6, False)])
def test_only_where_it_stays_inside(upper, inside):
    loop, kernel = loop_of(rows, 0, upper)
    assert is_direct(loop) == inside
    if inside:
        assert with_known_registers(loop).buffers == ()
        np.testing.assert_array_equal(kernel(X)[:2], X[4:6])
    else:
        with pytest.raises(IndexError):
            kernel(X)


def test_what_is_skipped_is_not_direct():
    loop, kernel = loop_of(lambda x, t, i: rows(x, t, i, oob_mode=oob_mode.skip), -2, 9)
    assert not is_direct(loop)
    np.testing.assert_array_equal(kernel(X)[0], X[5])


def test_steps_and_columns():
    loop, kernel = loop_of(lambda x, t, i: emit(Memset, dst=ap(t, [[8, 6], [1, 2]], by=i, dim=1), value=0.0), 1, 7, 3)
    assert is_direct(loop)
    wanted = X.copy()
    wanted[:, [1, 2, 4, 5]] = 0
    np.testing.assert_array_equal(kernel(X), wanted)


def test_a_register_that_is_read_stays():
    def body(x, t, i):
        k = new((1, 1), "int32", name="k")
        store(k, i)
        column = ap(t, [[8, 6], [1, 1]], by=i, dim=1)
        emit(TensorCopy, dst=column, src=ap(t, [[8, 6], [1, 1]], by=k, dim=1))

    loop, kernel = loop_of(body, 0, 8)
    known = with_known_registers(loop)
    assert [b.name for b in known.buffers] == ["i", "k"]
    assert sum(a.indirect is not None for a in accesses_in(known.body)) == 1
    np.testing.assert_array_equal(kernel(X), X)

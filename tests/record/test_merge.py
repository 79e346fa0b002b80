"""Two recordings as one: the order, and what is not modelled. Kernels on two cores are in tests/nki/test_cores.py."""

import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, hbm, sbuf
from jnki.access.affine import Symbol
from jnki.access.ref import resolve
from jnki.isa import CoreBarrier, Memset, SendRecv
from jnki.program.program import Loop, LoopKind
from jnki.program.segments import segments
from jnki.record.merge import merged

MEMORY = DeviceMemory.of(
    hbm={"shared": np.zeros((2, 2), np.float32)}, sbuf={name: np.zeros((2, 2), np.float32) for name in "abcd"}
)


def access(name):
    return resolve(hbm(name) if name == "shared" else sbuf(name), MEMORY.buffer)


def step(number):
    return Memset(dst=access("a"), value=number)


def barrier():
    return CoreBarrier(data=access("shared"))


def half(dst, src, pipe_id=0):
    return SendRecv(dst=access(dst), src=access(src), pipe_id=pipe_id)


def test_core_0_comes_first_between_two_places_where_they_wait():
    one = (step(0), step(1), barrier(), half("b", "a"), step(2))
    other = (barrier(), step(3), half("d", "c"), step(4), step(5))
    a, b, met, c, exchange, *rest = merged((one, other), TRN2)
    assert [a, b, c] == [step(0), step(1), step(3)] and rest == [step(2), step(4), step(5)]
    assert met == CoreBarrier() and met.operands() == {}
    names = {operand: found.buffer.name for operand, found in exchange.operands().items()}
    assert names == {"dst": "b", "src": "a", "other_dst": "d", "other_src": "c"}


def test_one_recording_stays_as_it_is():
    nodes = (step(0), barrier())
    assert merged((nodes,), TRN2) == nodes
    assert merged((), TRN2) == ()


def test_a_recording_ends_in_a_segment():
    assert [(len(s.nodes), s.wait is None) for s in segments((step(0), barrier(), step(1)))] == [(1, False), (1, True)]
    assert [(len(s.nodes), s.wait) for s in segments(())] == [(0, None)]


@pytest.mark.parametrize("wait", [barrier(), half("b", "a")])
def test_waiting_inside_of_a_loop_is_not_modelled(wait):
    inner = Loop(Symbol("j", 3), LoopKind.SEQUENTIAL, (step(1), wait))
    loop = Loop(Symbol("i", 2), LoopKind.SEQUENTIAL, (step(0), inner))
    with pytest.raises(NotImplementedError, match=f"{wait.name} inside of a loop that is recorded once"):
        merged(((loop,), (loop,)), TRN2)
    without = Loop(Symbol("i", 2), LoopKind.SEQUENTIAL, (step(0),))
    assert merged(((without,), (without, step(1))), TRN2) == (without, without, step(1))

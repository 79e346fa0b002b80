"""Two recordings as one, loops too, and what may run at the same time. Kernels are in tests/nki/test_cores.py."""

from dataclasses import replace

import numpy as np
import pytest

from jnki import TRN2, DeviceMemory, hbm, sbuf
from jnki.access.access import Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.ref import resolve
from jnki.errors import RuleError
from jnki.isa import CoreBarrier, Memset, SendRecv
from jnki.program.program import Loop, LoopKind, instructions
from jnki.program.segments import segments
from jnki.program.stretches import stretches
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


def loop(name, *body, trips=3, buffers=()):
    return Loop(Symbol(name, trips), LoopKind.SEQUENTIAL, body, buffers)


def at(name, base):
    """A row of the shared tensor that a loop's index names."""
    whole = access("shared")
    return replace(whole, offset=base * 2, dims=(Dim(2, 1), Dim(1, 2)))


def row(index, value):
    return Memset(dst=at("shared", Affine.of(index)), value=value)


def test_loops_that_wait_become_one():
    i, j = Symbol("i", 2), Symbol("j", 2)
    one = Loop(i, LoopKind.SEQUENTIAL, (row(i, 0), barrier(), step(1)), (access("a").buffer,))
    other = Loop(j, LoopKind.SEQUENTIAL, (row(j, 2), barrier(), step(3)), (access("b").buffer,))
    *before, both = merged(((step(4), one), (step(5), other)), TRN2)
    assert before == [step(4), step(5)]
    assert both == Loop(
        i,
        LoopKind.SEQUENTIAL,
        (row(i, 0), row(i, 2), CoreBarrier(), step(1), step(3)),
        (access("a").buffer, access("b").buffer),
    )


def test_loops_that_wait_run_equally_often():
    with pytest.raises(RuleError) as caught:
        merged(((loop("i", barrier(), trips=3),), (loop("j", barrier(), trips=4),)), TRN2)
    assert caught.value.rule == "spmd.cores_wait"
    assert caught.value.given == "core 0: a loop of 3; core 1: a loop of 4"
    with pytest.raises(RuleError) as caught:
        merged(((loop("i", barrier()),), (barrier(),)), TRN2)
    assert caught.value.given == "core 0 waits at a loop of 3; core 1 waits at core_barrier"


def test_loops_that_do_not_wait_are_each_cores_own():
    one, other = loop("i", step(0), trips=3), loop("j", step(0), trips=4)
    assert merged(((one,), (other, step(1))), TRN2) == (one, other, step(1))


# What may run at the same time.


def beside(one, other):
    """The pairs of constants that two recordings write in no order, and whether they certainly do."""
    found = {}
    for stretch in stretches(one, other):
        for a in instructions(stretch.one):
            for b in instructions(stretch.other):
                found[a.value, b.value] = found.get((a.value, b.value), False) or stretch.is_exact
    return found


def test_nothing_is_beside_what_a_wait_orders():
    assert beside((step(0), barrier(), step(1)), (step(2), barrier(), step(3))) == {(0, 2): True, (1, 3): True}


def test_the_edges_of_iterations_are_beside_each_other():
    one = (step(0), loop("i", step(1), barrier(), step(2), barrier(), step(3)), step(4))
    other = (step(10), loop("j", step(11), barrier(), step(12), barrier(), step(13)), step(14))
    exact = {(n, n + 10): True for n in range(5)}
    crossing = {(3, 11): False, (1, 13): False, (0, 11): False, (1, 10): False, (3, 14): False, (4, 13): False}
    assert beside(one, other) == exact | crossing


def test_the_edges_of_loops_in_loops():
    def nest(first):
        inner = loop("i", barrier(), step(first), trips=2)
        return (loop("j", inner, step(first + 1), trips=2), step(first + 2))

    found = beside(nest(0), nest(10))
    assert found[0, 10] and found[1, 11] and found[2, 12]
    assert {(0, 11), (1, 10), (0, 12), (2, 10), (1, 12), (2, 11)} <= found.keys()

"""Where two cores use one tensor in HBM and nothing orders them: kernels that race, beside twins that do not."""

import numpy as np
import pytest

import jnki.nki as nki
from jnki.analysis import races

nl, nisa = nki.language, nki.isa

X = np.arange(128 * 8, dtype=np.float32).reshape(128, 8)


def found(function, *arrays):
    return races(nki.jit(function)[2].trace(*(arrays or (X,))))


def shared(x):
    return nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm, name="out")


def filled(x, rows, value):
    tile = nl.ndarray((rows, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
    nisa.memset(tile, value)
    return tile


def halves(overlap):
    """Each core writes its rows, the first one `overlap` rows more."""

    def kernel(x):
        me, out = nl.program_id(0), shared(x)
        start, rows = (0, 64 + overlap) if me == 0 else (64, 64)
        nisa.dma_copy(out[start : start + rows], filled(x, rows, me))
        return out

    return kernel


def test_two_writes_that_overlap():
    (race,) = found(halves(2))
    assert race.is_certain and race.place == (64, 0)
    assert race.first.is_write and race.second.is_write
    line = race.first.instruction.location.short()
    assert str(race) == (f"tensor 'out': the write of core 0 ({line}) and the write of core 1 ({line}) meet at [64, 0]")
    assert found(halves(0)) == ()


def reads_the_others_half(waits):
    def kernel(x):
        me, out, between = nl.program_id(0), shared(x), shared(x)
        mine, theirs = slice(64 * me, 64 * me + 64), slice(64 - 64 * me, 128 - 64 * me)
        nisa.dma_copy(between[mine], filled(x, 64, me))
        if waits:
            nisa.core_barrier(between, (0, 1))
        tile = nl.ndarray((64, x.shape[1]), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, between[theirs])
        nisa.dma_copy(out[theirs], tile)
        return out

    return kernel


def test_a_read_of_what_the_other_core_writes():
    one, other = found(reads_the_others_half(waits=False))
    assert {(r.first.is_write, r.second.is_write) for r in (one, other)} == {(True, False), (False, True)}
    assert {r.place for r in (one, other)} == {(0, 0), (64, 0)}
    assert found(reads_the_others_half(waits=True)) == ()


def writes_in_a_loop(count):
    def kernel(x):
        me, out = nl.program_id(0), shared(x)
        for i in range(count):
            nisa.dma_copy(out[i : i + 1], filled(x, 1, me))
        return out

    return kernel


def test_each_pair_of_lines_is_told_once():
    (race,) = found(writes_in_a_loop(20))
    assert race.place == (0, 0)


def scatters(ordered):
    def kernel(x, rows):
        me = nl.program_id(0)
        out = shared(x)
        index = nl.ndarray((64, 1), dtype=rows.dtype, buffer=nl.sbuf)
        nisa.dma_copy(index, rows[me])
        if ordered and me == 1:
            nisa.core_barrier(out, (0, 1))
        nisa.dma_copy(out.ap([[8, 64], [1, 8]], vector_offset=index, indirect_dim=0), filled(x, 64, me))
        if ordered and me == 0:
            nisa.core_barrier(out, (0, 1))
        return out

    return kernel


def test_an_index_of_run_time_may_meet():
    rows = np.arange(128, dtype=np.int32).reshape(2, 64, 1)
    (race,) = found(scatters(ordered=False), X, rows)
    assert not race.is_certain and race.place is None
    assert "may meet" in str(race)
    assert found(scatters(ordered=True), X, rows) == ()


def test_what_both_cores_read_is_no_race():
    def kernel(x):
        me, out = nl.program_id(0), shared(x)
        tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(tile, x)
        if me == 0:
            nisa.dma_copy(out, tile)
        return out

    assert found(kernel) == ()


def test_what_each_core_has_alone_is_no_race():
    def kernel(x):
        me, out = nl.program_id(0), shared(x)
        own = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.private_hbm)
        nisa.dma_copy(own, x)
        nisa.dma_copy(out[64 * me : 64 * me + 64], own[64 * me : 64 * me + 64])
        return out

    assert found(kernel) == ()


def test_a_constant_is_there_before_either_core():
    def kernel(x):
        me, out = nl.program_id(0), shared(x)
        constant = nl.shared_constant(np.arange(8, dtype=np.float32)[None])
        nisa.dma_copy(out[me : me + 1], constant)
        return out

    assert found(kernel) == ()


@pytest.mark.parametrize("cores", [None, 1])
def test_one_core_has_none(cores):
    kernel = nki.jit(halves(2))
    assert races((kernel if cores is None else kernel[cores]).trace(X)) == ()

"""The SPMD launch grid while a kernel is recorded: one recording for all instances, or one per index that it needs."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import Loop, LoopKind, instructions

nl, nisa = nki.language, nki.isa

X = np.arange(4 * 3 * 2 * 5, dtype=np.float32).reshape(4, 3, 2, 5)


def loops(nodes):
    return [(n.kind, n.symbol.name, n.symbol.trips, loops(n.body)) for n in nodes if isinstance(n, Loop)]


@nki.jit
def reverse(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    i, j = nl.program_id(0), nl.program_id(1)
    nl.store(out[i, j], nl.load(x[3 - i, 2 - j]))
    return out


def test_a_grid_is_one_loop_per_axis_around_one_recording():
    program = reverse[4, 3].trace(X)
    grid = LoopKind.GRID
    assert program.grid == (4, 3)
    assert loops(program.body) == [(grid, "pid0", 4, [(grid, "pid1", 3, [])])]
    assert sum(1 for _ in instructions(program.body)) == 2
    np.testing.assert_array_equal(reverse[4, 3](X), X[::-1, ::-1])


def test_an_axis_of_size_one_has_the_index_0_and_no_loop():
    out = reverse[1, 3](X)
    assert loops(reverse[1, 3].trace(X).body) == [(LoopKind.GRID, "pid0", 3, [])]
    np.testing.assert_array_equal(out[0], X[3, ::-1])
    assert np.isnan(out[1:]).all()


def test_without_a_grid_the_index_is_0_and_there_is_one_instance():
    seen = []

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        seen.append((nl.program_id(0), nl.program_id(3), nl.num_programs(), nl.num_programs((0, 1)), nl.program_ndim()))
        nisa.dma_copy(dst=out, src=x)
        return out

    kernel(X)
    assert seen == [(0, 0, 1, 1, 0)]


def test_sizes_of_the_grid():
    seen = []

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        seen.append((nl.num_programs(), nl.num_programs(axes=0), nl.num_programs((1, 2)), nl.program_ndim()))
        nl.store(out[nl.program_id(0), nl.program_id(1), nl.program_id(2)], 0)
        return out

    kernel[4, 3, 2].trace(X)
    assert seen == [(24, 4, 6, 3)]


def test_an_axis_that_the_grid_does_not_have_is_an_error():
    @nki.jit
    def kernel(x):
        nl.program_id(2)
        return x

    with pytest.raises(RuleError) as caught:
        kernel[4, 3](X)
    assert caught.value.rule == "spmd.axis"
    assert (caught.value.given, caught.value.allowed) == ("2", "0 to 1")


@pytest.mark.parametrize("grid", [0, (4, 0), (-1,)])
def test_a_grid_of_no_instances_is_an_error(grid):
    with pytest.raises(RuleError, match="spmd.grid: kernel 'reverse' cannot be launched"):
        reverse[grid]
    with pytest.raises(TypeError):
        reverse[1.5]


def test_program_ids_stand_in_masks_and_offsets():
    @nki.jit
    def kernel(x):
        out = nl.ndarray((10, 4), dtype=x.dtype, buffer=nl.shared_hbm)
        row, column = 3 * nl.program_id(0) + nl.arange(3)[:, None], nl.arange(4)[None, :]
        tile = nl.load(x[row, column], mask=row < 10)
        nl.store(out[row, column], tile, mask=(row < 10) & (nl.program_id(0) < 3))
        return out

    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    out = kernel[4](x)
    assert loops(kernel[4].trace(x).body) == [(LoopKind.GRID, "pid0", 4, [])]
    np.testing.assert_array_equal(out[:9], x[:9])
    assert np.isnan(out[9]).all()


def test_a_condition_on_a_program_id_unrolls_that_axis_only():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        i, j = nl.program_id(0), nl.program_id(1)
        if j == 1:
            nl.store(out[i, j], 0)
        else:
            nl.store(out[i, j], nl.load(x[i, j]))
        return out

    program = kernel[4, 3].trace(X)
    grid = LoopKind.GRID
    assert loops(program.body) == [(grid, "pid0", 4, [])]
    assert [i.name for i in instructions(program.body)] == ["dma_copy"] * 2 + ["memset", "dma_copy"] + ["dma_copy"] * 2
    assert [b.name for b in program.buffers] == ["out"], "the instances share it"
    expected = X.copy()
    expected[:, 1] = 0
    np.testing.assert_array_equal(kernel[4, 3](X), expected)


def test_a_condition_on_the_outer_axis_keeps_the_inner_loop():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        i, j = nl.program_id(0), nl.program_id(1)
        source = [2, 3, 0, 1][i]
        for k in nl.affine_range(2):
            nl.store(out[i, j, k : k + 1], nl.load(x[source, j, k : k + 1]))
        return out

    grid, affine = LoopKind.GRID, LoopKind.AFFINE
    found = loops(kernel[4, 3].trace(X).body)
    assert [(kind, trips, [(k, t) for k, _, t, _ in inner]) for kind, _, trips, inner in found] == [
        (grid, 3, [(affine, 2)])
    ] * 4
    np.testing.assert_array_equal(kernel[4, 3](X), X[[2, 3, 0, 1]])


def test_private_tensors_belong_to_one_instance():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        mine = nl.ndarray(x.shape[1:], dtype=x.dtype, buffer=nl.private_hbm)
        nisa.dma_copy(dst=mine[0], src=x[i, 0])
        nisa.dma_copy(dst=out[i], src=mine)
        return out

    out = kernel[4](X)
    np.testing.assert_array_equal(out[:, 0], X[:, 0])
    assert np.isnan(out[:, 1:]).all(), "what another instance wrote is not seen"


def test_a_shared_tensor_of_another_line_or_call_is_another_one():
    @nki.jit
    def kernel(x):
        outs = []
        for shape in ((4, 3), (4, 3)):
            outs.append(nl.ndarray(shape, dtype=x.dtype, buffer=nl.shared_hbm))
        last = nl.ndarray((4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        value = 1 if i == 2 else 0
        nl.store(outs[0][i], value)
        nl.store(outs[1][i], value + 1)
        nl.store(last[i], value + 2)
        return outs[0], outs[1], last

    for number, out in enumerate(kernel[4](X)):
        np.testing.assert_array_equal(out[:, 0], np.array([0, 0, 1, 0]) + number)


def test_instances_that_return_different_tensors_are_an_error():
    @nki.jit
    def kernel(x):
        first = nl.ndarray((4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        second = nl.ndarray((4, 3), dtype=x.dtype, buffer=nl.shared_hbm)
        i = nl.program_id(0)
        nl.store(first[i], 0)
        nl.store(second[i], 0)
        return first if i == 0 else second

    with pytest.raises(RuleError) as caught:
        kernel[4](X)
    assert caught.value.rule == "spmd.outputs"
    assert caught.value.given == "first or second"
    assert caught.value.location.text == "def kernel(x):"


@pytest.mark.parametrize("region", ["hbm", "private_hbm"])
def test_returning_a_tensor_of_one_instance_is_an_error(region):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=getattr(nl, region))
        nl.store(out[nl.program_id(0), 0], 0)
        return out

    with pytest.raises(RuleError, match="toplevel.shared_hbm: tensor 'out' belongs to one instance") as caught:
        kernel[4](X)
    assert caught.value.location.text == "def kernel(x):"
    assert np.isnan(kernel(X)[1:]).all(), "without a grid there is one instance"


def test_the_sub_dimensions_of_a_grid_axis_multiply():
    for size in (nl.spmd_dim(nl.nc(2), 2), nl.nc(2) * 2, 2 * nl.nc(2), nl.spmd_dim(2, nl.nc(2)), nl.spmd_dim(4)):
        assert reverse[size, 3].grid == (4, 3)
        np.testing.assert_array_equal(reverse[size, 3](X), X[::-1, ::-1])
    assert reverse[nl.nc(2)].grid == (2,)

"""Loops while a kernel is recorded: which bodies are recorded once, which are unrolled, and what the indices are."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import Loop, LoopKind, instructions
from tests.record.rerolling import not_rerolling

nl, nisa = nki.language, nki.isa

X = np.arange(8 * 4 * 3, dtype=np.float32).reshape(8, 4, 3)


def loops(nodes):
    """All loops of a program: kind, trips, and the loops inside."""
    return [(n.kind, n.symbol.trips, loops(n.body)) for n in nodes if isinstance(n, Loop)]


def copies(program):
    return [i.name for i in instructions(program.body)].count("dma_copy")


def kernel_over(indices):
    """A kernel that copies `x[i]` for the indices that the loop gives."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in indices():
            nl.store(out[i], nl.load(x[7 - i]))
        return out

    return kernel


def expected_over(values):
    out = X.copy()
    for i in values:
        out[i] = X[7 - i]
    return out


@pytest.mark.parametrize("kind, name", [(LoopKind.AFFINE, "affine_range"), (LoopKind.SEQUENTIAL, "sequential_range")])
@pytest.mark.parametrize("arguments", [(8,), (2, 7), (1, 8, 3), (7, 1, -2), (0, 2)])
def test_the_body_of_a_symbolic_loop_is_recorded_once(kind, name, arguments):
    kernel = kernel_over(lambda: getattr(nl, name)(*arguments))
    program = kernel.trace(X)
    assert loops(program.body) == [(kind, len(range(*arguments)), [])]
    assert copies(program) == 1 + 2
    np.testing.assert_array_equal(kernel(X), expected_over(range(*arguments)))


@pytest.mark.parametrize("arguments", [(8,), (2, 7), (1, 8, 3), (7, 1, -2)])
def test_static_range_and_range_are_unrolled(arguments):
    for name in ("static_range", "range"):
        kernel = kernel_over(lambda: (range if name == "range" else nl.static_range)(*arguments))  # noqa: B023
        with not_rerolling():
            program = kernel.trace(X)
        assert loops(program.body) == []
        assert copies(program) == 1 + 2 * len(range(*arguments))
        np.testing.assert_array_equal(kernel(X), expected_over(range(*arguments)))


@pytest.mark.parametrize("name", ["affine_range", "sequential_range", "static_range"])
@pytest.mark.parametrize("arguments", [(0,), (3, 3), (5, 2), (0, 5, -1)])
def test_a_loop_of_no_trips_records_nothing(name, arguments):
    kernel = kernel_over(lambda: getattr(nl, name)(*arguments))
    assert copies(kernel.trace(X)) == 1
    np.testing.assert_array_equal(kernel(X), X)


@pytest.mark.parametrize("name", ["affine_range", "sequential_range", "static_range"])
@pytest.mark.parametrize("arguments", [(1,), (3, 4), (5, 2, -7)])
def test_the_index_of_a_loop_of_one_trip_is_a_number(name, arguments):
    kernel = kernel_over(lambda: getattr(nl, name)(*arguments))
    assert loops(kernel.trace(X).body) == []
    np.testing.assert_array_equal(kernel(X), expected_over(range(*arguments)))


def test_a_loop_whose_body_records_nothing_leaves_no_loop():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for _ in nl.affine_range(4):
            for _ in nl.sequential_range(4):
                pass
        nisa.dma_copy(dst=out, src=x)
        return out

    assert loops(kernel.trace(X).body) == []


def test_a_loop_takes_one_to_three_integers():
    for arguments, message in [((), "got 0 arguments"), ((1, 2, 3, 4), "got 4 arguments")]:
        with pytest.raises(TypeError, match=message):
            kernel_over(lambda: nl.affine_range(*arguments))(X)  # noqa: B023
    with pytest.raises(TypeError):
        kernel_over(lambda: nl.affine_range(2.5))(X)
    with pytest.raises(ValueError, match="arg 3 must not be zero"):
        kernel_over(lambda: nl.affine_range(0, 5, 0))(X)


@pytest.mark.parametrize(
    "iterate",
    [
        lambda r: [i for _, i in enumerate(r)],
        lambda r: [i for i, _ in zip(r, range(99))],
        lambda r: list(r),
        lambda r: [*r],
        lambda r: sorted(r, reverse=True),
        lambda r: [i for i in r if i % 2],
        lambda r: [i + 0 for i in (j for j in r)],
        lambda r: list(map(int, r)),
        lambda r: [next(iter(r))],
    ],
    ids=["enumerate", "zip", "list", "star", "sorted", "comprehension", "generator", "map", "next"],
)
def test_whatever_is_no_for_statement_gets_numbers(iterate):
    kernel = kernel_over(lambda: iterate(nl.affine_range(1, 5)))
    assert loops(kernel.trace(X).body) == []
    np.testing.assert_array_equal(kernel(X), expected_over(iterate(range(1, 5))))


def test_enumerate_around_a_loop_counts_every_iteration():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for count, i in enumerate(nl.affine_range(7, -1, -1)):
            nl.store(out[count], nl.load(x[i]))
        return out

    np.testing.assert_array_equal(kernel(X), X[::-1])


def test_a_generator_around_a_loop_gets_numbers():
    def pairs(n):
        for i in nl.affine_range(n):
            yield i, n - 1 - i

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for count, (i, j) in enumerate(pairs(8)):
            assert count == i
            nl.store(out[i], nl.load(x[j]))
        return out

    np.testing.assert_array_equal(kernel(X), X[::-1])


def test_a_range_can_be_iterated_again():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        halves = nl.affine_range(4)
        for i in halves:
            nl.store(out[i], nl.load(x[i + 4]))
        for i in halves:
            nl.store(out[i + 4], nl.load(x[i]))
        return out

    assert [trips for _, trips, _ in loops(kernel.trace(X).body)] == [4, 4]
    np.testing.assert_array_equal(kernel(X), np.roll(X, 4, axis=0))


def test_the_length_of_a_range_is_its_number_of_trips():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        assert [len(nl.affine_range(2, 9, 3)), len(nl.static_range(4)), len(nl.sequential_range(0))] == [3, 4, 0]
        nisa.dma_copy(dst=out, src=x)
        return out

    kernel(X)


def test_an_index_used_after_its_loop_is_the_last_one():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.sequential_range(2, 8, 2):
            nl.store(out[i], nl.load(x[0]))
        nl.store(out[i + 1], nl.load(x[1]))
        return out

    expected = X.copy()
    expected[[2, 4, 6]], expected[7] = X[0], X[1]
    np.testing.assert_array_equal(kernel(X), expected)


def test_two_loops_have_two_indices():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(4):
            nl.store(out[i], nl.load(x[i + 4]))
        for i in nl.affine_range(4):
            for j in nl.affine_range(2):
                nl.store(out[i + 4, 2 * j : 2 * j + 2], nl.load(x[i, 2 * j : 2 * j + 2]))
        return out

    program = kernel.trace(X)
    names = [n.symbol.name for n in program.body] + [n.symbol.name for n in program.body[1].body if isinstance(n, Loop)]
    assert names == ["i0", "i1", "i2"]
    np.testing.assert_array_equal(kernel(X), np.roll(X, 4, axis=0))


def test_a_loop_index_that_no_number_can_stand_for_is_an_error():
    leaked = None

    @nki.jit
    def first(x):
        nonlocal leaked
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(8):
            leaked = i
            nl.store(out[i], nl.load(x[i]))
        return out

    @nki.jit
    def second(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out[leaked], src=x[0])
        return out

    first(X)
    with pytest.raises(RuleError, match="loop.index: a loop index is used after its loop"):
        second(X)

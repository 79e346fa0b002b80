"""When a kernel needs the value of a loop index, that one loop is unrolled; the others stay as they are."""

import math
import numbers
import types

import numpy as np
import pytest

from jnki.neuronxcc import nki
from jnki.program.program import Loop, instructions
from tests.record.rerolling import not_rerolling

nl, nisa = nki.language, nki.isa

X = np.arange(6 * 4 * 2, dtype=np.float32).reshape(6, 4, 2)


@pytest.fixture(autouse=True)
def _as_recorded():
    """Loops that are found again would stand for those that are asked about here."""
    with not_rerolling():
        yield


def trips(nodes):
    return [(n.symbol.trips, trips(n.body)) for n in nodes if isinstance(n, Loop)]


def kernel_with(body):
    """A kernel that stores `body(i)` into row `i` of its output, which is 0 before."""

    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.static_range(6):
            nl.store(out[i], 0)
        for i in nl.sequential_range(6):
            source = body(i)
            if source is not None:
                nl.store(out[i], nl.load(x[source]))
        return out

    return kernel


def expected_with(body):
    out = np.zeros_like(X)
    for i in range(6):
        source = body(i)
        if source is not None:
            out[i] = X[source]
    return out


TABLE = [5, 3, 1, 0, 2, 4]


def matched(i):
    match i:
        case 0:
            return 2
        case 1 | 2:
            return 1
        case _:
            return 0


def matched_kind(i):
    match i:
        case float() | str():
            return 0
        case int():
            return i


def matched_truth(i):
    match i > 2:
        case True:
            return 2
        case False:
            return 1


@pytest.mark.parametrize(
    "body",
    [
        lambda i: 5 if i == 0 else i - 1,
        lambda i: i if i != 3 else 0,
        lambda i: i if i > 2 else None,
        lambda i: i if not i < 2 else 1,
        lambda i: TABLE[i],
        lambda i: dict(enumerate(TABLE))[i],
        lambda i: sum(range(i)) % 6,
        lambda i: i % 2,
        lambda i: (i * i) % 6,
        lambda i: i // 2 + i % 3,
        lambda i: min(i, 3),
        lambda i: max(2, i) - 2,
        lambda i: int(i) - 0,
        lambda i: int(float(i) / 2),
        lambda i: 5 - int(i / 2),
        lambda i: i if i else 5,
        lambda i: {0: 1}.get(i, 2),
        lambda i: i if i in (1, 4) else 0,
        lambda i: divmod(int(i), 2)[1],
        lambda i: (i + 1) ** 2 % 6,
        lambda i: round(i / 3),
        lambda i: abs(int(i) - 3),
        lambda i: "abcdef".index("abcdef"[i]),
        lambda i: int(f"{i}"),
        lambda i: int(str(i)) + int(f"{i!r}") - int("%d" % i) if i else 5,  # noqa: UP031
        lambda i: len(f"{i:>3}{i:02d}"),
        lambda i: {f"row{k}": k for k in range(6)}[f"row{i}"],
        lambda i: i & 1,
        lambda i: 1 & i,
        lambda i: (i | 1) - 1,
        lambda i: i ^ 1 if i < 4 else 4 ^ i,
        lambda i: i >> 1,
        lambda i: 5 >> i,
        lambda i: (1 << i) % 6,
        lambda i: (i << 1) % 6,
        lambda i: ~i + 6,
        lambda i: 2**i % 6,
        lambda i: pow(i, 2, 5),
        lambda i: abs(i - 3),
        lambda i: divmod(i, 4)[1],
        lambda i: divmod(7, i + 1)[0] % 6,
        lambda i: 7 % (i + 1),
        lambda i: 5 // (i + 1),
        lambda i: (-i) // 2 + 3,
        lambda i: (i - 3) % 4,
        lambda i: math.floor(i / 2),
        lambda i: math.ceil(i / 2),
        lambda i: math.trunc(i / 2),
        lambda i: math.gcd(i, 4),
        lambda i: int(math.sqrt(i)),
        lambda i: int(float(i) * 0.5),
        lambda i: int(i * 0.5),
        lambda i: i if i < float("inf") else 0,
        lambda i: int(i == 2),
        lambda i: (i > 1) + 0,
        lambda i: (i == 1) * 3,
        lambda i: 3 - (i > 2),
        lambda i: -(i > 2) + 1,
        lambda i: (4, 5)[i > 2],
        lambda i: {True: 1, False: 2}[i > 2],
        lambda i: 1 if (i > 2) == True else 2,  # noqa: E712
        lambda i: 1 if (i > 2) == (i > 4) else 2,
        lambda i: 1 if (i > 2) != (i > 4) else 2,
        lambda i: 1 if (i == 1) | (i == 3) else 2,
        lambda i: 1 if (i == 1) ^ (i < 3) else 2,
        lambda i: sum([i == 1, i < 3]),
        lambda i: sorted([3, i])[0],
        lambda i: sum([i, 1]) % 6,
        lambda i: len("x" * i),
        lambda i: len(i * [0]),
        lambda i: sum([1, 2, 0, 1, 0, 1][i : i + 2]),
        lambda i: i.bit_length(),
        lambda i: np.array(TABLE)[i],
        lambda i: int(np.array([TABLE, TABLE])[1, i]),
        lambda i: np.arange(6)[5 - i],
        lambda i: int((np.arange(6) + i)[0]),
        lambda i: int((i * np.arange(6))[1]),
        lambda i: int(np.add(i, 1)) % 6,
        lambda i: int(np.sqrt(i)),
        lambda i: int(np.minimum(i, 3)),
        lambda i: int(np.int64(7) % (i + 1)),
        lambda i: int(np.array(i) - 0),
        lambda i: {0: 3, 1: 2}.get(i, 1),
        lambda i: next(k for k in range(9) if k == i),
        lambda i: [5, 4, 3, 2, 1, 0].index(i),
        lambda i: matched(i),
        lambda i: matched_truth(i),
        lambda i: 1 if (i > 2) is True else 2,
        lambda i: 1 if (i != 2) is not False else 2,
        lambda i: 1 if isinstance(i * 1.0, float) else 2,
        lambda i: 1 if isinstance(1.0 - i, float) else 2,
        lambda i: 1 if isinstance(i % 9.0, float) else 2,
        lambda i: 1 if isinstance(i // 1.0, float) else 2,
        lambda i: 1 if isinstance(i / 1, float) else 2,
        lambda i: 1 if isinstance(i % 2, int) else 2,
        lambda i: 1 if (i / 2).is_integer() else 2,
        lambda i: int((i > np.arange(6)).sum()),
    ],
)
def test_what_needs_a_number_unrolls_the_loop(body):
    kernel = kernel_with(body)
    assert trips(kernel.trace(X).body) == []
    np.testing.assert_array_equal(kernel(X), expected_with(body))


@pytest.mark.parametrize(
    "body",
    [
        lambda i: i,
        lambda i: 5 - i,
        lambda i: i * 1,
        lambda i: 2 * i - i,
        lambda i: i % 6,
        lambda i: (2 * i) // 2,
        lambda i: i if i < 6 else 0,
        lambda i: i if i >= 0 else 0,
        lambda i: 3 if i != -1 else 0,
        lambda i: 0 if i == 6 else i,
        lambda i: np.int64(5) - i,
        lambda i: np.int32(1) * i,
        lambda i: np.array(5) - i,
        lambda i: np.subtract(5, i),
        lambda i: i if isinstance(i, int) else 0,
        lambda i: i if isinstance(i + 1, numbers.Integral) and not isinstance(i, bool | float | str) else 0,
        lambda i: i if isinstance(i < 3, bool) else 0,
        lambda i: i if np.isscalar(i) else 0,
        lambda i: matched_kind(i),
        lambda i: i if i < 6.0 else 0,
    ],
)
def test_what_holds_for_every_iteration_keeps_the_loop(body):
    kernel = kernel_with(body)
    assert trips(kernel.trace(X).body) == [(6, [])]
    np.testing.assert_array_equal(kernel(X), expected_with(body))


def test_break_unrolls_the_loop():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.affine_range(6):
            nl.store(out[i], 0)
            if i == 2:
                break
        else:
            nl.store(out, 1)
        return out

    expected = X.copy()
    expected[:3] = 0
    np.testing.assert_array_equal(kernel(X), expected)


@pytest.mark.parametrize("statement", ["break", "return"])
def test_leaving_a_loop_in_its_first_iteration_runs_one_iteration(statement):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.affine_range(6):
            nl.store(out[i], 0)
            if statement == "return":
                return out
            break
        return out

    expected = X.copy()
    expected[0] = 0
    np.testing.assert_array_equal(kernel(X), expected)


def test_continue_keeps_the_loop_unless_its_condition_needs_a_number():
    def kernel_skipping(condition):
        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            nisa.dma_copy(dst=out, src=x)
            for i in nl.affine_range(6):
                nl.store(out[i], 0)
                if condition(i):
                    continue
                nl.store(out[i], 1)
            return out

        return kernel

    always, some = kernel_skipping(lambda i: True), kernel_skipping(lambda i: i > 3)
    assert trips(always.trace(X).body) == [(6, [])]
    np.testing.assert_array_equal(always(X), np.zeros_like(X))
    assert trips(some.trace(X).body) == []
    np.testing.assert_array_equal(some(X)[:, 0, 0], [1, 1, 1, 1, 0, 0])


def nested(needs):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((6, 4, 2), dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(3):
            for j in nl.affine_range(2):
                for k in nl.affine_range(4):
                    row = 2 * i + j
                    source = 3 - k
                    for index, last in ((i, 2), (j, 1), (k, 3)):
                        if index is {"i": i, "j": j, "k": k}.get(needs) and index == last:
                            source = 0
                    nl.store(out[row, k : k + 1], nl.load(x[row, source : source + 1]))
        return out

    return kernel


@pytest.mark.parametrize(
    "needs, left",
    [
        (None, [(3, [(2, [(4, [])])])]),
        ("i", [(2, [(4, [])])] * 3),
        ("j", [(3, [(4, [])] * 2)]),
        ("k", [(3, [(2, [])])]),
    ],
)
def test_of_nested_loops_only_the_one_is_unrolled(needs, left):
    kernel = nested(needs)
    assert trips(kernel.trace(X).body) == left
    expected = X[:, ::-1].copy()
    if needs == "i":
        expected[4:] = X[4:, :1]
    if needs == "j":
        expected[1::2] = X[1::2, :1]
    if needs == "k":
        expected[:, 3] = X[:, 0]
    np.testing.assert_array_equal(kernel(X), expected)


def test_an_inner_loop_that_depends_on_an_outer_index_unrolls_the_outer_one():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        for i in nl.affine_range(4):
            for j in nl.affine_range(i):
                nl.store(out[i, j : j + 1], 0)
        return out

    expected = X.copy()
    for i in range(4):
        expected[i, :i] = 0
    np.testing.assert_array_equal(kernel(X), expected)
    assert trips(kernel.trace(X).body) == [(2, []), (3, [])]


def test_only_the_last_recording_counts():
    runs = []
    attempts = iter(range(99))  # the list is put back before each attempt, the iterator cannot be

    @nki.jit
    def kernel(x):
        runs.append(next(attempts))
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.affine_range(6):
            for j in nl.affine_range(4):
                nl.store(out[i, j : j + 1], nl.load(x[i, j : j + 1]))
                if i == 5 and j == 3:
                    pass
        return out

    program = kernel.trace(X)
    assert runs == [2]
    assert sum(1 for _ in instructions(program.body)) == 2 * 6 * 4
    assert {b.name for b in program.buffers if b.name == "out" or b.name.startswith("out.")} == {"out"}


def test_an_exception_of_the_kernel_passes_through_its_loops():
    @nki.jit
    def kernel(x):
        for _ in nl.affine_range(2):
            for _ in nl.affine_range(2):
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        kernel(X)


def test_an_exception_that_the_kernel_catches_unrolls_the_loop_it_left():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        try:
            for i in nl.affine_range(6):
                nl.store(out[i], 0)
                if TABLE[i] == 1:
                    raise KeyError
        except KeyError:
            pass
        return out

    expected = X.copy()
    expected[:3] = 0
    np.testing.assert_array_equal(kernel(X), expected)


@pytest.mark.parametrize(
    "computed",
    [
        lambda t, i: nl.add(t, i),
        lambda t, i: t + i,
        lambda t, i: i + t,
        lambda t, i: i * t,
        lambda t, i: t - i * 0.5,
        lambda t, i: nl.maximum(t, i & 1),
        lambda t, i: t * (i > 2),
        lambda t, i: t + np.float32(i),
    ],
)
def test_a_number_beside_a_tile_is_that_of_the_iteration(computed):
    for loop in (nl.sequential_range, nl.affine_range, nl.static_range):

        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            for i in loop(6):  # noqa: B023
                nl.store(out[i], computed(nl.load(x[i]), i))
            return out

        expected = np.stack([computed_by_numpy(computed, X[i], i) for i in range(6)])
        np.testing.assert_array_equal(kernel(X), expected)


def computed_by_numpy(computed, row, i):
    """The same expression with NumPy in place of the language."""
    namespace = {"nl": np, "np": np}
    function = types.FunctionType(computed.__code__, namespace)
    return function(row, i)

"""Python that carries something from one iteration to the next: a loop means what its Python means, each time.

Each body stores into rows of `out` and loads rows of `x`. It runs over each kind of loop as a kernel, and in plain
Python over NumPy arrays, where `put(i, j, c)` is `out[i] = c * x[j]`.
"""

import builtins
import collections
import contextvars
import functools
import itertools
import random
import types

import jax
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.neuronxcc import nki
from jnki.program.program import Loop
from tests.record.rerolling import not_rerolling

nl = nki.language

TRIPS = 4
X = np.arange(1, 33, dtype=np.float32).reshape(16, 2)
COUNT = 0
REGISTRY: list = []
MODULE = types.ModuleType("tests_record_state")
MODULE.count = 0
CONTEXT = contextvars.ContextVar("tests_record_state", default=0)


class Counter:
    steps = 0

    def __init__(self):
        self.value = 0

    def next(self):
        self.value += 1
        return self.value - 1


class Slots:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


class Name(str):
    pass


# Bodies that a recording of one iteration does not express.


def a_flag(loop, put):
    first = True
    for i in loop(TRIPS):
        put(i, 3 if first else i, 1)
        first = False


def a_number(loop, put):
    base = 0
    for i in loop(TRIPS):
        put(i, base, 1)
        base += 2


def a_number_that_shows_late(loop, put):
    n = 0
    for i in loop(TRIPS):
        put(i, 0 if n < 6 else 5, 1)
        n += 2


def a_float(loop, put):
    scale = 1.0
    for i in loop(TRIPS):
        put(i, i, scale)
        scale = scale * 0.5


def a_sign_of_zero(loop, put):
    zero = 0.0
    for i in loop(TRIPS):
        put(i, i, 2.0 if str(zero) == "0.0" else 3.0)
        zero = -zero


def a_sign_of_nan(loop, put):
    v = -float("nan")
    for i in loop(TRIPS):
        put(i, i, v)
        v = float("nan")


def names_that_change_places(loop, put):
    a, b = 1, 2
    for i in loop(TRIPS):
        put(i, a, 1)
        a, b = b, a


def three_names_that_rotate(loop, put):
    a, b, c = 1, 2, 3
    for i in loop(TRIPS):
        put(i, a, 1)
        a, b, c = b, c, a


def lists_that_rotate(loop, put):
    lists = [[], [], []]
    now = 0
    for i in loop(TRIPS):
        lists[now].append(1)
        put(i, len(lists[0]), 1)
        now = (now + 1) % 3


def equal_lists_that_change_places(loop, put):
    a, b = [], []
    for i in loop(TRIPS):
        put(i, 1, 1)
        a, b = b, a
    a.append(7)
    put(0, len(b), 1)


def a_list(loop, put):
    seen = []
    for i in loop(TRIPS):
        put(i, len(seen), 1)
        seen.append(0)


def a_list_of_indices(loop, put):
    seen = []
    for i in loop(TRIPS):
        seen.append(i)
    for k, i in enumerate(seen):
        put(k, i, 1)


def a_dict(loop, put):
    d = {"n": 0}
    for i in loop(TRIPS):
        put(i, d["n"], 1)
        d["n"] += 1


def a_dict_by_index(loop, put):
    d = {}
    for i in loop(TRIPS):
        d[i] = 3 - i
    for i in range(TRIPS):
        put(i, d[i], 1)


def a_default_dict(loop, put):
    d = collections.defaultdict(int)
    for i in loop(TRIPS):
        d["n"] += 2
        put(i, d["n"], 1)


def a_set(loop, put):
    seen = set()
    for i in loop(TRIPS):
        put(i, len(seen), 1)
        seen.add(len(seen))


def a_deque(loop, put):
    d = collections.deque([1, 2, 3])
    for i in loop(TRIPS):
        put(i, d[0], 1)
        d.rotate(1)


def a_tuple_in_a_list(loop, put):
    state = [(0, 1)]
    for i in loop(TRIPS):
        a, b = state[0]
        put(i, a, 1)
        state[0] = (b, a + b)


def an_object(loop, put):
    c = Counter()
    for i in loop(TRIPS):
        put(i, c.next(), 1)


def an_object_with_slots(loop, put):
    s = Slots()
    for i in loop(TRIPS):
        put(i, s.value, 1)
        s.value += 1


def a_namespace(loop, put):
    s = types.SimpleNamespace(n=0)
    for i in loop(TRIPS):
        put(i, s.n, 1)
        s.n += 1


def a_class(loop, put):
    class Local:
        n = 0

    for i in loop(TRIPS):
        put(i, Local.n, 1)
        Local.n += 1


def a_class_attribute(loop, put):
    Counter.steps = 0
    for i in loop(TRIPS):
        put(i, Counter.steps, 1)
        Counter.steps += 1


def a_closure(loop, put):
    n = 0

    def step():
        nonlocal n
        n += 1
        return n - 1

    for i in loop(TRIPS):
        put(i, step(), 1)


def a_closure_of_another_function(loop, put):
    def make():
        n = 0

        def step():
            nonlocal n
            n += 1
            return n

        return step

    step = make()
    for i in loop(TRIPS):
        put(i, step(), 1)


def a_global(loop, put):
    global COUNT
    COUNT = 0
    for i in loop(TRIPS):
        put(i, COUNT, 1)
        COUNT += 1


def _count_up():
    global COUNT
    COUNT += 1
    return COUNT


def a_global_of_a_helper(loop, put):
    global COUNT
    COUNT = 0
    for i in loop(TRIPS):
        put(i, _count_up(), 1)


def a_global_list(loop, put):
    REGISTRY.clear()
    for i in loop(TRIPS):
        put(i, len(REGISTRY), 1)
        REGISTRY.append(None)


def an_attribute_of_a_module(loop, put):
    MODULE.count = 0
    for i in loop(TRIPS):
        put(i, MODULE.count, 1)
        MODULE.count += 1


def a_default_argument(loop, put):
    def step(state=[0]):  # noqa: B006
        state[0] += 1
        return state[0]

    for i in loop(TRIPS):
        put(i, step(), 1)


def an_attribute_of_a_function(loop, put):
    def step():
        step.n += 1
        return step.n

    step.n = 0
    for i in loop(TRIPS):
        put(i, step(), 1)


def a_bound_method(loop, put):
    append = (seen := []).append
    for i in loop(TRIPS):
        put(i, len(seen), 1)
        append(0)


def an_iterator(loop, put):
    it = iter([3, 1, 2, 0])
    for i in loop(TRIPS):
        put(i, next(it), 1)


def an_iterator_that_shows_late(loop, put):
    it = iter([1, 1, 1, 5])
    for i in loop(TRIPS):
        put(i, next(it), 1)


def a_cycle(loop, put):
    it = itertools.cycle([1, 1, 2])
    for i in loop(TRIPS):
        put(i, next(it), 1)


def a_zip(loop, put):
    it = zip([1, 1, 7, 7], itertools.count())
    for i in loop(TRIPS):
        put(i, next(it)[0], 1)


def a_generator(loop, put):
    def numbers():
        yield 1
        yield 1
        yield 4
        yield 2

    it = numbers()
    for i in loop(TRIPS):
        put(i, next(it), 1)


def a_generator_that_iterates(loop, put):
    def numbers():
        for _ in range(2):
            yield from [1, 1, 1, 5]

    it = numbers()
    for i in loop(TRIPS):
        put(i, next(it), 1)


def a_generator_expression(loop, put):
    it = (k for k in (1, 1, 1, 5))
    for i in loop(TRIPS):
        put(i, next(it), 1)


def a_shared_random_number(loop, put):
    random.seed(3)
    for i in loop(TRIPS):
        put(i, random.getrandbits(1), 1)


def a_shared_random_number_of_numpy(loop, put):
    np.random.seed(3)
    for i in loop(TRIPS):
        put(i, int(np.random.randint(2)), 1)


def a_generator_of_random_numbers(loop, put):
    rng = np.random.default_rng(4)
    for i in loop(TRIPS):
        put(i, int(rng.integers(2)), 1)


def a_context_variable(loop, put):
    CONTEXT.set(0)
    for i in loop(TRIPS):
        put(i, CONTEXT.get(), 1)
        CONTEXT.set(CONTEXT.get() + 1)


def what_a_cached_function_sees(loop, put):
    @functools.lru_cache
    def cached(n):
        return n + len(seen)

    seen = []
    for i in loop(TRIPS):
        put(i, cached(len(seen)), 1)
        seen.append(0)


def a_view_of_a_dict(loop, put):
    d = {}
    view, proxy = d.keys(), types.MappingProxyType(d)
    for i in loop(TRIPS):
        put(i, len(view) + len(proxy), 1)
        d[len(d)] = 0


def a_numpy_array(loop, put):
    a = np.zeros(3, np.int64)
    for i in loop(TRIPS):
        put(i, int(a[1]), 1)
        a[1] += 2


def a_numpy_scalar(loop, put):
    n = np.int32(0)
    for i in loop(TRIPS):
        put(i, int(n), 1)
        n = n + np.int32(1)


def a_random_number(loop, put):
    r = random.Random(5)
    for i in loop(TRIPS):
        put(i, r.randrange(4), 1)


def a_string(loop, put):
    s = ""
    for i in loop(TRIPS):
        put(i, len(s), 1)
        s += "x"


def a_string_of_a_class_of_its_own(loop, put):
    s = Name("")
    for i in loop(TRIPS):
        put(i, len(s), 1)
        s = Name(s + "x")


def the_index_before(loop, put):
    before = 9
    for i in loop(TRIPS):
        put(i, before, 1)
        before = i


def a_distance_from_the_index_before(loop, put):
    before = -5
    for i in loop(TRIPS):
        put(i, i - before, 1)
        before = i


def a_function_that_changes(loop, put):
    def one():
        return 1

    def two():
        return 2

    f = one
    for i in loop(TRIPS):
        put(i, f(), 1)
        f = two if f is one else one


def an_exception(loop, put):
    items = [1, 2]
    for i in loop(TRIPS):
        try:
            k = items.pop()
        except IndexError:
            k = 5
        put(i, k, 1)


def an_outer_loop(loop, put):
    n = 0
    for i in loop(2):
        for j in loop(2):
            put(2 * i + j, n, 1)
        n += 3


def an_inner_loop(loop, put):
    for i in loop(2):
        n = 0
        for j in loop(2):
            put(2 * i + j, n, 1)
            n += 3


def an_inner_loop_that_goes_on(loop, put):
    n = 0
    for i in loop(2):
        for j in loop(2):
            put(2 * i + j, n, 1)
            n += 1


def a_flag_of_an_inner_loop(loop, put):
    first = True
    for i in loop(2):
        for j in loop(2):
            put(2 * i + j, 1 if first else 2, 1)
            first = False


def a_flag_between_loops(loop, put):
    first = True
    for i in loop(2):
        for j in loop(2):
            put(2 * i + j, 1 if first else 2, 1)
        first = False


def what_an_inner_loop_leaves_behind(loop, put):
    flag, size = True, 0
    for i in loop(2):
        for _ in loop(2):
            size = 1 if flag else 2
            flag = False
        put(i, size, 1)


def a_helper_with_the_loop(loop, put):
    state = {"n": 0}

    def rows():
        for i in loop(2):
            put(state["n"], i, 1)
            state["n"] += 1

    rows()
    rows()


def recursion(loop, put):
    done = []

    def down(depth):
        for i in loop(2):
            if depth:
                down(depth - 1)
            else:
                put(len(done), i, 1)
                done.append(0)

    down(1)


def a_while_loop(loop, put):
    n = 0
    for i in loop(2):
        k = 0
        while k < 2:
            put(n, k + i, 1)
            k += 1
            n += 1


CARRIES = [
    *(a_flag, a_number, a_number_that_shows_late, a_float, a_sign_of_zero, a_sign_of_nan, names_that_change_places),
    *(three_names_that_rotate, lists_that_rotate, a_list, a_list_of_indices, a_dict, a_dict_by_index),
    *(equal_lists_that_change_places, a_default_dict, a_set, a_deque, a_tuple_in_a_list, an_object),
    *(an_object_with_slots, a_namespace, a_class, a_class_attribute, a_closure, a_closure_of_another_function),
    *(a_global, a_global_of_a_helper, a_global_list, an_attribute_of_a_module, a_default_argument),
    *(an_attribute_of_a_function, a_bound_method, an_iterator, an_iterator_that_shows_late, a_cycle, a_zip),
    *(a_generator, a_generator_that_iterates, a_generator_expression, a_context_variable, what_a_cached_function_sees),
    *(a_shared_random_number, a_shared_random_number_of_numpy, a_generator_of_random_numbers, a_view_of_a_dict),
    *(a_numpy_array, a_numpy_scalar, a_random_number, a_string, a_string_of_a_class_of_its_own),
    *(the_index_before, a_distance_from_the_index_before, a_function_that_changes, an_exception, an_outer_loop),
    *(an_inner_loop, an_inner_loop_that_goes_on, a_flag_of_an_inner_loop, a_flag_between_loops),
    *(what_an_inner_loop_leaves_behind, a_helper_with_the_loop, recursion, a_while_loop),
]


# And bodies that it does: they are recorded once.


def a_name_used_again(loop, put):
    for i in loop(TRIPS):
        k = 3
        put(i, k, 1)
        k = 4


def a_name_of_the_inner_loop_used_outside(loop, put):
    for i in loop(2):
        k = 5
        put(i, k, 1)
        for j in loop(2):
            k = 1
            put(2 + j, k + i, 1)


def a_list_made_anew(loop, put):
    for i in loop(TRIPS):
        rows = [i, 2]
        rows.append(1)
        put(rows[0], rows[2], 1)


def a_constant_object(loop, put):
    c = Counter()
    for i in loop(TRIPS):
        put(i, c.value, 1)


def a_flag_that_stays(loop, put):
    done = False
    for i in loop(TRIPS):
        put(i, 1, 1)
        done = False
    put(0, 1 if done else 2, 1)


def a_function_made_anew(loop, put):
    for i in loop(TRIPS):

        def row():
            return i + 1  # noqa: B023

        put(i, row(), 1)


def an_array_made_anew(loop, put):
    for i in loop(TRIPS):
        table = np.array([2, 1, 0])
        put(i, int(table[0]), 1)


def loops_side_by_side(loop, put):
    for i in loop(TRIPS):
        put(i, i, 1)
    for i in loop(TRIPS):
        put(i, 2 * i, 1)


def a_slice_of_an_inner_index(loop, put):
    for i in loop(2):
        for j in loop(2):
            part = slice(2 * i + j, 2 * i + j + 1)
            put(part.start, 1, 1)


IS_SAME = [
    a_slice_of_an_inner_index,
    *(a_name_used_again, a_name_of_the_inner_loop_used_outside, a_list_made_anew, a_constant_object),
    *(a_flag_that_stays, a_function_made_anew, an_array_made_anew, loops_side_by_side),
]


def in_numpy(body):
    out = np.zeros_like(X)

    def put(i, j, c):
        out[i] = np.float32(c) * X[j]

    body(range, put)
    return out


def as_kernel(body, loop):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        for i in nl.static_range(16):
            nl.store(out[i : i + 1], nl.zeros((1, 2), x.dtype))

        def put(i, j, c):
            nl.store(out[i : i + 1], nl.multiply(nl.load(x[j : j + 1]), float(c)))

        body(loop, put)
        return out

    return kernel


def has_loops(program):
    return any(isinstance(node, Loop) for node in program.body)


@pytest.mark.parametrize("body", CARRIES, ids=lambda b: b.__name__)
def test_what_python_carries_is_what_the_iterations_see(body):
    expected = in_numpy(body)
    for loop in (nl.static_range, nl.sequential_range, nl.affine_range):
        with jax.disable_jit():
            found = as_kernel(body, loop)(X)
            np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), err_msg=loop.__name__)


@pytest.mark.parametrize("body", IS_SAME, ids=lambda b: b.__name__)
def test_a_body_that_is_the_same_each_time_is_recorded_once(body):
    kernel = as_kernel(body, nl.sequential_range)
    assert has_loops(kernel.trace(X))
    with jax.disable_jit():
        np.testing.assert_array_equal(kernel(X), in_numpy(body))


def test_a_tile_of_the_iteration_before_is_out_of_scope_in_every_kind_of_loop():
    for loop in (nl.static_range, nl.sequential_range, nl.affine_range):

        @nki.jit
        def kernel(x):
            out = nl.ndarray((1, 2), dtype=x.dtype, buffer=nl.shared_hbm)
            total = nl.load(x[0:1])
            for i in loop(TRIPS):  # noqa: B023
                total = nl.add(total, nl.load(x[i : i + 1]))
            nl.store(out, total)
            return out

        with pytest.raises(RuleError, match="err_local_variable_used_out_of_scope: tensor 'total"):
            kernel(X)


def test_tiles_that_change_places():
    def kernel(x, loop):
        out = nl.ndarray((1, 2), dtype=x.dtype, buffer=nl.shared_hbm)
        a, b = nl.load(x[1:2]), nl.load(x[2:3])
        for _ in loop(3):
            a, b = b, a
        nl.store(out, a)
        return out

    for loop in (nl.static_range, nl.sequential_range, nl.affine_range):
        np.testing.assert_array_equal(nki.jit(kernel)(X, loop), X[2:3])


def test_what_a_kernel_did_to_python_is_put_back_before_it_is_recorded_anew():
    runs = {"n": 0, "list": [1], "object": Counter()}

    @nki.jit
    def kernel(x):
        out = nl.ndarray((2, 2), dtype=x.dtype, buffer=nl.shared_hbm)
        runs["n"] += 1
        runs["list"].append(2)
        runs["object"].next()
        for i in nl.affine_range(2):
            if i == 1:  # the recording starts over here
                pass
            nl.store(out[i : i + 1], nl.load(x[i + runs["n"] : i + runs["n"] + 1]))
        return out

    np.testing.assert_array_equal(kernel(X), X[1:3])
    assert (runs["n"], runs["list"], runs["object"].value) == (1, [1, 2], 1)


def test_a_state_too_large_to_look_at_is_a_reason_to_unroll():
    table = [[k] for k in range(60_000)]

    def body(loop, put):
        for i in loop(TRIPS):
            put(i, table[3][0], 1)

    with not_rerolling():
        assert not has_loops(as_kernel(body, nl.sequential_range).trace(X))


def test_a_rule_that_only_iterations_break_that_python_does_not_get_to_is_not_broken():
    def body(loop, put):
        near = True
        for i in loop(TRIPS):
            put(i, i + 13 if near else i, 1)  # row 16, of 16, in iteration 3
            near = False

    for loop in (nl.sequential_range, nl.affine_range):
        np.testing.assert_array_equal(as_kernel(body, loop)(X), in_numpy(body))


def test_a_rule_that_an_iteration_breaks_is_told_of_all_of_them():
    def body(loop, put):
        for i in loop(TRIPS):
            put(i, i + 13, 1)

    with pytest.raises(RuleError, match=r"err_tensor_access_out_of_bound.*\n  given:   index range \[13, 16\]"):
        as_kernel(body, nl.affine_range)(X)


def test_a_namespace_that_a_kernel_holds_keeps_python_as_it_is():
    space = {}
    exec("count = [0]\ndef step():\n    count[0] += 1\n    return count[0]", space)

    def body(loop, put):
        space["count"][0] = 0
        for i in loop(TRIPS):
            put(i, space["step"](), 1)
            if i == 2:
                space["more"] = 1

    for loop in (nl.sequential_range, nl.affine_range):
        np.testing.assert_array_equal(as_kernel(body, loop)(X), in_numpy(body))
    assert len(vars(builtins)) > 100

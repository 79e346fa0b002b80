"""Loops on the device as they are recorded: their listing, what they may not be, and registers in Python."""

import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.isa import DmaCopy, Memset, RegisterMove, TensorCopy, TensorTensor
from jnki.neuronxcc import nki
from jnki.program import DeviceLoop, Loop, LoopKind
from jnki.record.recorder import current
from tests.record.device_kernels import alloc, ap, dynamic_range, emit, fori, hbm, load, move, new, store, while_loop

X = np.arange(48, dtype=np.float32).reshape(6, 8)
N = np.array([3], np.int32)


def kernel_of(body):
    """A kernel that copies `x` by way of tile `t`, on which `body(t, c, n)` works; `c` is a register that holds 3."""

    @nki.jit
    def kernel(x, n):
        out = hbm((6, 8), name="out")
        t = new((6, 8), name="t")
        emit(DmaCopy, dst=t, src=x)
        c = alloc(name="c")
        load(c, n[0:1])
        body(t, c, n)
        emit(DmaCopy, dst=out, src=t)
        return out

    return kernel


def refused(body, kind=RuleError):
    with pytest.raises(kind) as caught:
        kernel_of(body).trace(X, N)
    return caught.value


def clear(part):
    emit(Memset, dst=part, value=0.0)


def double(t):
    emit(TensorTensor, dst=t, data1=t, data2=t, op="add")


def row(t, i):
    return ap(t, [[8, 6], [1, 1]], by=i, dim=1)


# What is recorded.


def listing(body):
    lines = str(kernel_of(body).trace(X, N)).splitlines()
    return [line.partition("  # test")[0].partition("  # device")[0].rstrip() for line in lines[8:-2]]


def test_the_listing_of_a_counted_loop():
    def body(t, c, n):
        fori(1, c, lambda i: clear(row(t, i)), 2)

    assert listing(body) == [
        "  for i in range(1, c, 2):  # fori_loop",
        "    i: register int32[1, 1]",
        "    t(0 + 1*at(i): [8,6] [1,1]) = memset(value=0.0)",
    ]


def test_the_listing_of_a_while_loop():
    def body(t, c, n):
        while c:
            double(t)
            load(c, n)

    assert listing(body) == [
        "  while c:  # while_loop",
        "    t = tensor_tensor(data1=t, data2=t, op=add)",
        "    c = register_load(src=n)",
    ]


def test_a_bound_is_listed():
    def body(t, c, n):
        fori(0, c, lambda i: double(t))

    assert "  for i in range(0, c):  # fori_loop, at most 5 times" in str(kernel_of(body).max_trips(5).trace(X, N))


def test_between_integers_it_is_a_loop_like_any_other():
    def body(t, c, n):
        for i in dynamic_range(1, 6, 2):
            clear(row(t, i))
        for i in dynamic_range(3, 3):
            clear(row(t, i))

    nodes = kernel_of(body).trace(X, N).body
    (loop,) = (node for node in nodes if isinstance(node, Loop))
    assert (loop.kind, loop.symbol.trips) == (LoopKind.DEVICE, 3)
    assert not any(isinstance(node, DeviceLoop) for node in nodes)
    found, wanted = kernel_of(body)(X, N), X.copy()
    wanted[:, [1, 3, 5]] = 0
    np.testing.assert_array_equal(found, wanted)


def test_an_index_between_integers_may_leave_its_axis():
    def body(t, c, n):
        for i in dynamic_range(5, 10):
            clear(row(t, i))

    with pytest.raises(IndexError, match="index 8 is out of bounds"):
        kernel_of(body)(X, N)


def test_registers_carry_across_iterations():
    """1, 2, 3, ... by way of two registers, and the index, which is moved out."""

    def body(t, c, n):
        a, b = alloc(0), alloc(1)
        for i in dynamic_range(c):
            clear(row(t, a))
            move(a, b)
            move(b, i)

    found, wanted = kernel_of(body)(X, np.array([5], np.int32)), X.copy()
    wanted[:, [0, 1, 0, 1, 2]] = 0
    np.testing.assert_array_equal(found, wanted)


def test_bounds_are_read_when_the_loop_begins():
    def body(t, c, n):
        for _ in dynamic_range(c):
            move(c, 0)
            double(t)

    np.testing.assert_array_equal(kernel_of(body)(X, N), 8 * X)


@pytest.mark.parametrize(("lower", "upper", "step"), [(0, 2**31 - 1, 2**30), (-(2**31), 2**31 - 1, 2**31 - 1)])
def test_counting_does_not_wrap(lower, upper, step):
    def body(t, c, n):
        first = alloc(lower)
        for _ in dynamic_range(first, upper, step):
            double(t)

    np.testing.assert_array_equal(kernel_of(body)(X, N), X * 2.0 ** len(range(lower, upper, step)))


def test_while_in_a_while_in_a_function_that_is_called_twice():
    def inner(t, c, k):
        while c:
            d = alloc(name="d")
            load(d, k[0:1, 0:1])
            while d:
                double(t)
                move(d, 0)
            move(c, 0)

    def body(t, c, n):
        k = new((1, 1), "int32", name="k")
        emit(Memset, dst=k, value=1)
        inner(t, c, k)
        move(c, 1)
        inner(t, c, k)

    np.testing.assert_array_equal(kernel_of(body)(X, N), 4 * X)


def test_a_condition_in_a_container_is_one():
    class Box:
        pass

    def body(t, c, n):
        box = Box()
        box.c, several = c, [c]
        while box.c:
            move(box.c, 0)
            double(t)
        move(c, 2)
        while several[0]:
            move(several[0], 0)
            double(t)

    np.testing.assert_array_equal(kernel_of(body)(X, N), 4 * X)


def test_what_a_body_makes_it_makes_anew():
    def body(t, c, n):
        for _ in dynamic_range(c):
            u = new((6, 8), name="u")
            emit(TensorCopy, dst=u, src=t)
            emit(TensorTensor, dst=t, data1=u, data2=u, op="add")

    np.testing.assert_array_equal(kernel_of(body)(X, N), 8 * X)


# What is refused.


def test_a_python_variable_that_changes_is_named():
    def body(t, c, n):
        column = 0
        for _ in dynamic_range(c):
            clear(t[:, column : column + 1])
            column = column + 1

    error = refused(body)
    assert error.rule == "device_loop.python_state"
    assert error.given == "after one iteration and after the next, these differ: column"
    assert error.location.text == "for _ in dynamic_range(c):"


def test_a_list_that_grows_is_named():
    def body(t, c, n):
        seen = []

        def add(i):
            seen.append(len(seen))
            double(t)

        fori(0, c, add)

    assert refused(body).given.endswith("differ: body, what functions and globals hold")


def test_in_a_while_and_in_a_loop_inside():
    def by_while(t, c, n):
        count = 0
        while c:
            count += 1
            load(c, n)

    def inside(t, c, n):
        count = 0
        for _ in dynamic_range(c):
            for _ in dynamic_range(2):
                count += 1
                double(t)

    for body in (by_while, inside):
        assert "differ: count" in refused(body).given


def test_python_state_that_an_iteration_leaves_as_it_was():
    def body(t, c, n):
        stack = []
        for _ in dynamic_range(c):
            stack.append(t)
            for number in range(2):
                if number:
                    double(stack.pop())

    np.testing.assert_array_equal(kernel_of(body)(X, N), 8 * X)


def test_a_loop_cannot_be_left():
    def by_break(t, c, n):
        for _ in dynamic_range(c):
            double(t)
            break

    def by_exception(t, c, n):
        try:
            while c:
                load(c, n)
                raise KeyError
        except KeyError:
            pass

    for body in (by_break, by_exception):
        error = refused(body)
        assert error.rule == "device_loop.left_early"
        assert error.allowed == "a body that runs to its end; a while loop ends where its register is 0"


def test_what_is_no_plain_while():
    def by_if(t, c, n):
        if c:
            double(t)

    def by_not(t, c, n):
        while not c:
            load(c, n)

    def by_and(t, c, n):
        while c and t:
            load(c, n)

    def by_call(t, c, n):
        while bool(c):
            load(c, n)

    def with_else(t, c, n):
        while c:
            load(c, n)
        else:
            double(t)

    def with_break(t, c, n):
        while c:
            load(c, n)
            if t is None:
                break

    def with_return(t, c, n):
        while c:
            load(c, n)
            for _ in range(2):
                return

    why = {
        by_if: "no while statement whose condition is a register alone",
        by_not: "no while statement whose condition is a register alone",
        by_and: "no while statement whose condition is a register alone",
        by_call: "this is no while statement",
        with_else: "its while statement has an else",
        with_break: "its while statement has a break",
        with_return: "its while statement has a return",
    }
    for body, text in why.items():
        error = str(refused(body, TypeError))
        assert text in error
        assert error.startswith("register 'c' has no value while its kernel is recorded")


def test_a_break_of_a_loop_inside_is_none_of_a_while():
    def body(t, c, n):
        while c:
            move(c, 0)
            for number in range(3):
                if number == 1:
                    break
                double(t)

    np.testing.assert_array_equal(kernel_of(body)(X, N), 2 * X)


def test_a_while_that_nothing_ends():
    error = refused(lambda t, c, n: endless(t, c))
    assert error.rule == "while_loop.condition"
    assert error.given == "register 'c' is not written"


def endless(t, c):
    while c:
        double(t)


def test_a_while_keeps_its_register():
    def body(t, c, n):
        other = alloc(0)
        while c:
            move(c, 0)
            c = other

    error = refused(body)
    assert error.rule in ("while_loop.condition", "device_loop.python_state")


@pytest.mark.parametrize(
    "use",
    [int, float, range, lambda c: c == 0, lambda c: c != 0, lambda c: c < 3, lambda c: [1, 2][c], lambda c: c + 1],
)
def test_python_cannot_compute_with_a_register(use):
    error = refused(lambda t, c, n: use(c), TypeError)
    assert "register 'c' has no value while its kernel is recorded" in str(error)


def test_a_register_is_not_none():
    def body(t, c, n):
        assert c is not None
        assert not (c == None)  # noqa: E711, SIM201
        assert c != None  # noqa: E711
        assert c == c

    kernel_of(body).trace(X, N)


def test_an_index_is_frozen():
    def moved(t, c, n):
        for i in dynamic_range(c):
            move(i, 0)

    def loaded(t, c, n):
        fori(0, 3, lambda i: load(i, n))

    for body in (moved, loaded):
        error = refused(body)
        assert (error.rule, error.given) == ("register.frozen", "a write to register 'i'")


def test_a_register_dies_with_its_loop():
    def index(t, c, n):
        for i in dynamic_range(c):
            clear(row(t, i))
        clear(row(t, i))

    def made(t, c, n):
        for _ in dynamic_range(c):
            r = alloc(0)
        move(r, 1)

    for body in (index, made):
        assert refused(body).rule == "err_local_variable_used_out_of_scope"


def test_a_tensor_dies_with_its_loop():
    def body(t, c, n):
        for _ in dynamic_range(c):
            u = new((6, 8), name="u")
            clear(u)
        emit(TensorCopy, dst=t, src=u)

    assert refused(body).rule == "err_local_variable_used_out_of_scope"


def test_a_register_is_written_before_it_is_read():
    def bound(t, c, n):
        fori(0, alloc(name="r"), lambda i: double(t))

    def offset(t, c, n):
        clear(row(t, alloc(name="r")))

    def stored(t, c, n):
        store(new((1, 1), "int32"), alloc(name="r"))

    for body in (bound, offset, stored):
        error = refused(body)
        assert (error.rule, error.given) == ("register.unwritten", "register 'r', allocated without a value")


def test_what_bodies_return():
    assert refused(lambda t, c, n: fori(0, c, lambda i: 3)).rule == "fori_loop.body"
    assert "must return the register" in str(refused(lambda t, c, n: while_loop(c, lambda r: None), TypeError))
    assert "init must be a register" in str(refused(lambda t, c, n: while_loop(3, lambda r: r), TypeError))
    assert refused(lambda t, c, n: while_loop(c, lambda r: r)).rule == "while_loop.condition"


def test_a_while_loop_may_go_on_with_another_register():
    def body(t, c, n):
        other = alloc(0)

        def again(r):
            double(t)
            return other

        while_loop(c, again)

    np.testing.assert_array_equal(kernel_of(body)(X, N), 2 * X)


@pytest.mark.parametrize("step", [0, -1, 2**31, True, "register", 1.5])
def test_steps_are_known_and_positive(step):
    error = refused(lambda t, c, n: fori(0, c, lambda i: double(t), c if step == "register" else step))
    assert (error.rule, error.allowed) == ("fori_loop.step", "a positive integer")


def test_bounds_are_integers_or_registers():
    assert "lower must be an integer or a register" in str(refused(lambda t, c, n: fori(0.5, c, double), TypeError))
    error = refused(lambda t, c, n: fori(0, 2**31, double))
    assert (error.rule, error.given) == ("loop.int32_index", "upper=2147483648")


def test_not_in_a_block_whose_order_is_fixed():
    def body(t, c, n):
        recorder = current("no_reorder")
        recorder.no_reorder += 1
        fori(0, c, lambda i: double(t))

    assert refused(body).rule == "device_loop.no_reorder"


def test_what_a_register_is_allocated_with():
    def body(t, c, n):
        a, b = alloc(n[0:1]), alloc(7)
        store(new((1, 1), "int32", name="k"), a)
        move(b, a)

    moves = [node.src for node in kernel_of(body).trace(X, N).body if isinstance(node, RegisterMove)]
    assert 7 in moves
    assert "must be a register or an integer" in str(refused(lambda t, c, n: alloc(1.5), TypeError))
    assert "must be a register, from nisa.register_alloc" in str(refused(lambda t, c, n: load(3, n), TypeError))

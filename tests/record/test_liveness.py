"""Which variables a loop may read before it writes them."""

import dis

import pytest

from jnki.record.liveness import live_variables


def heads(function):
    return [i.offset for i in dis.get_instructions(function) if i.opname == "FOR_ITER"]


def live(function, which=0, within=True):
    inside, after = live_variables(function.__code__, heads(function)[which])
    return inside if within else after


def simple(xs, f, g):
    before = 1
    for x in xs:
        made = f(x)
        g(made, before)
    return before


def carried(xs, f):
    state = 0
    for x in xs:
        state = f(state, x)
        only_after = x
    return only_after


def on_one_path(xs, f):
    for x in xs:
        if x:
            maybe = f(x)
        f(maybe)


def nested(xs, f):
    for x in xs:
        t = f(x)
        for y in xs:
            t = f(y)
            f(t)


def caught(xs, f):
    for x in xs:
        try:
            t = f(x)
        except ValueError:
            f(t)


def shared(xs):
    total = 0

    def add(x):
        nonlocal total
        total += x

    for x in xs:
        add(x)
    return total


def by_name(xs):
    for x in xs:
        hidden = x
        print(locals())
    return hidden


def unpacked(xs, f):
    a, b = 1, 2
    for a, (b, c) in xs:
        f(a, b, c)
    return a, b


@pytest.mark.parametrize(
    ("function", "which", "inside", "outside"),
    [
        (simple, 0, {"f", "g", "before"}, {"made", "x", "xs"}),
        (carried, 0, {"f", "state"}, {"only_after", "x"}),
        (on_one_path, 0, {"f", "maybe"}, {"x"}),
        (nested, 0, {"f", "xs"}, {"t", "y", "x"}),
        (nested, 1, {"f"}, {"t", "y"}),
        (caught, 0, {"f", "t"}, {"x"}),
        (shared, 0, {"total", "add"}, {"x"}),
        (unpacked, 0, {"f"}, {"a", "b", "c"}),
    ],
)
def test_what_an_iteration_may_read_first(function, which, inside, outside):
    found = live(function, which)
    assert inside <= found
    assert not outside & found


def test_what_code_behind_the_loop_may_read():
    assert "only_after" in live(carried, within=False)
    assert "before" in live(simple, within=False)
    assert {"a", "b"} <= live(unpacked, within=False)
    assert "made" not in live(simple, within=False)


def test_who_asks_for_variables_by_name_may_read_all_of_them():
    assert {"x", "hidden", "xs"} <= live(by_name)


def test_an_offset_that_is_no_loop_says_nothing():
    assert live_variables(simple.__code__, 0)[0] == frozenset(simple.__code__.co_varnames)

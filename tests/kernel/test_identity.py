"""Two calls share what was recorded only where Python cannot tell their static arguments apart."""

import copy
import dataclasses
import decimal
import enum
import functools
import math
import operator
from typing import NamedTuple

import jax
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jnki.kernel.arguments import flatten
from jnki.kernel.identity import MAX_PARTS, identity_key


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: object
    other: object = None


@functools.partial(jax.tree_util.register_dataclass, data_fields=["value"], meta_fields=["other"])
@dataclasses.dataclass(frozen=True)
class Registered:
    value: object
    other: object = None


class Pair(NamedTuple):
    value: object
    other: object = None


class Number(enum.IntEnum):
    one = 1


class MyFloat(float):
    pass


@dataclasses.dataclass
class Liar:
    """Equal to everything, with one hash."""

    value: object

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class Mutable:
    """Compares by identity, as classes do that say nothing."""

    def __init__(self, value):
        self.value = value


NUMBERS = [
    *(
        kind(v)
        for v in (0, 1)
        for kind in (bool, int, float, complex, MyFloat, np.float32, np.float64, np.int32, np.bool_)
    ),
    *(kind(v) for v in (0, 1) for kind in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3, np.float16)),
    *(kind(-0.0) for kind in (float, np.float32, np.float64, ml_dtypes.bfloat16, MyFloat)),
    complex(0.0, -0.0),
    *(kind(nan) for nan in (math.nan, -math.nan) for kind in (float, np.float32, ml_dtypes.bfloat16)),
    np.uint32(0x7FC00001).view(np.float32),
    Number.one,
    decimal.Decimal("1"),
    decimal.Decimal("1.0"),
    "1",
    b"1",
    None,
    ...,
    np.float32,
    jax.numpy.float32,
    np.dtype("float32"),
    operator.add,
    np.add,
]


def structures(leaves):
    """Values with a description: two are the same argument where their descriptions are equal."""

    def grow(inner):
        few = st.lists(inner, max_size=2)
        return st.one_of(
            *(
                few.map(lambda parts, kind=kind: (kind([v for v, _ in parts]), (kind, *(d for _, d in parts))))
                for kind in (tuple, list)
            ),
            few.map(lambda parts: ({f"k{i}": v for i, (v, _) in enumerate(parts)}, (dict, *(d for _, d in parts)))),
            few.map(
                lambda parts: (
                    {f"k{-i}": v for i, (v, _) in enumerate(parts)},
                    (dict, *((i and "back", d) for i, (_, d) in enumerate(parts)))
                    if len(parts) > 1
                    else (dict, *(d for _, d in parts)),
                )
            ),
            *(
                inner.map(lambda part, kind=kind: (kind(part[0]), (kind, part[1])))
                for kind in (Frozen, Pair, Liar, Registered)
            ),
            inner.map(lambda part: (functools.partial(max, part[0]), ("partial", part[1]))),
        )

    return st.recursive(leaves, grow, max_leaves=4)


LEAVES = st.integers(0, len(NUMBERS) - 1).map(lambda i: (NUMBERS[i], i))


@settings(max_examples=300, deadline=None)
@given(structures(LEAVES), structures(LEAVES))
def test_keys_are_equal_where_arguments_are_indistinguishable(first, second):
    for key in (lambda value: identity_key((value, "in a tuple")), identity_key, _call_key):
        try:
            keys = [key(first[0]), key(second[0])]
        except TypeError as error:
            assert "must be hashable" in str(error)
            continue
        assert (keys[0] == keys[1]) == (first[1] == second[1])
        assert keys[0] == key(copy.copy(first[0]))
        hash(keys[0])


def _call_key(value):
    return flatten({"argument": value}).key


def test_every_pair_of_numbers_is_apart_everywhere():
    for wrap in (
        lambda v: v,
        lambda v: (v,),
        lambda v: {"k": v},
        Frozen,
        Pair,
        Liar,
        Registered,
        lambda v: Registered(0, v),
    ):
        keys = {identity_key(wrap(v)) for v in NUMBERS}
        assert len(keys) == len(NUMBERS)
        assert len({_call_key(wrap(v)) for v in NUMBERS}) == len(NUMBERS)
    sets = {identity_key(frozenset([v])) for v in NUMBERS}
    assert len(sets) == len(NUMBERS)


def test_the_order_of_a_dict_is_part_of_the_key():
    first, second = {"b": 1, "a": 2}, {"a": 2, "b": 1}
    assert _call_key(first) != _call_key(second)
    assert _call_key(first) == _call_key(dict(first))
    assert list(flatten({"d": first}).rebuild([])["d"]) == ["b", "a"]
    assert _call_key({1: 0}) != _call_key({True: 0})


def test_an_object_that_compares_by_identity_is_another_argument_once_it_has_changed():
    thing = Mutable([1, {"a": 2}])
    before = identity_key(thing)
    assert before == identity_key(thing)
    assert before != identity_key(Mutable([1, {"a": 2}]))
    thing.value[1]["a"] = 3
    assert before != identity_key(thing)
    thing.me = thing
    assert identity_key(thing) == identity_key(thing)


def test_arrays_inside_an_object_count_by_their_contents():
    thing = Mutable(np.zeros(4))
    before = identity_key(thing)
    thing.value[2] = -0.0
    assert before != identity_key(thing)
    thing.value[2] = 0.0
    assert before == identity_key(thing)


def test_too_large_and_too_deep_are_refused_by_name():
    with pytest.raises(TypeError, match="static argument 'c' of kernel 'k': it holds more than 10000 values"):
        flatten({"c": Mutable([(i,) for i in range(MAX_PARTS)])}, "k")
    deep = ()
    for _ in range(100_000):
        deep = (deep,)
    with pytest.raises(TypeError, match="it nests too deeply"):
        identity_key(Frozen(deep))


def test_an_unhashable_field_is_named():
    with pytest.raises(TypeError, match="static argument 'c.other' .*, got list"):
        flatten({"c": Frozen(1, [2])})

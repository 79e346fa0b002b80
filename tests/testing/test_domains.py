"""Domains: what is drawn, and that a case is a pure function of its seed and number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import testing
from jnki.testing.arguments import Arguments, domains_of
from jnki.testing.hostile import hostile_bits
from jnki.testing.literals import literal
from jnki.testing.randomness import seed_words
from jnki.testing.token import Token, parsed

CASES = 500


def drawn(*domains, cases=CASES, seed=0, first=0):
    """Arrays with a case axis in front."""
    numbers = np.arange(first, first + cases, dtype=np.uint32)
    draw = jax.jit(jax.vmap(Arguments(domains).draw, (None, 0)))
    return [np.asarray(a) for a in draw(seed_words(seed), numbers)]


ALL = (
    testing.floats((3, 4), hostile=0.1),
    testing.floats((5,), "bfloat16", low=-3.0, high=5.0),
    testing.integers((4,), "int8", low=-3, high=9),
    testing.bits((3,), "float16"),
    testing.booleans((6,)),
    testing.rows((7, 1), size=5, outside=0.2),
    testing.choice([0.5, 2.0], shape=(3,)),
    testing.constant(np.arange(3, dtype=np.int32)),
    testing.like(jax.ShapeDtypeStruct((2,), jnp.uint16)),
)


def test_a_case_is_the_same_alone_in_any_batch_and_after_others():
    whole, tail = drawn(*ALL), drawn(*ALL, cases=3, first=400)
    alone = Arguments(ALL).alone(0, 401)
    for batch, part, one in zip(whole, tail, alone):
        assert batch[400:403].tobytes() == part.tobytes()
        assert batch[401].tobytes() == one.tobytes()
    other = drawn(*ALL, seed=1)
    assert all((a.tobytes() != b.tobytes()) or n == 7 for n, (a, b) in enumerate(zip(whole, other)))


def test_arguments_of_one_kind_differ():
    one, other = drawn(testing.bits((4,), "uint32"), testing.bits((4,), "uint32"))
    assert (one != other).all() and len(np.unique(one)) == one.size


def test_words_look_uniform():
    (words,) = drawn(testing.bits((64,), "uint32"), cases=2000)
    ones = np.unpackbits(words.reshape(-1).view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.002
    each = [((words >> np.uint32(b)) & 1).mean() for b in range(32)]
    assert max(abs(m - 0.5) for m in each) < 0.006
    assert abs(np.corrcoef(words[:-1].reshape(-1).astype(float), words[1:].reshape(-1).astype(float))[0, 1]) < 0.01


def test_floats_stay_inside_of_their_bounds_and_reach_them():
    (x,) = drawn(testing.floats((50,), "float8_e4m3", low=-1.0, high=2.0))
    values = x.astype(np.float32)
    assert values.min() == -1 and values.max() == 2
    (x,) = drawn(testing.floats((50,), low=1000.0, high=1001.0))
    assert x.min() >= 1000 and x.max() <= 1001 and len(np.unique(x)) > 1000


def test_hostile_values_come_at_the_stated_rate():
    (plain,) = drawn(testing.floats((40,)))
    assert np.isfinite(plain).all() and (plain < 0).any() and (plain > 0).any()
    (x,) = drawn(testing.floats((40,), hostile=0.25))
    found = np.isin(x.view(np.uint32), hostile_bits(np.dtype("float32")))
    assert 0.23 < found.mean() < 0.27
    kinds = [np.isnan(x), np.isposinf(x), np.isneginf(x), (x == 0) & np.signbit(x)]
    kinds += [(x.view(np.uint32) == 1), x == np.finfo(np.float32).max, x == 2.5]
    kinds += [x.view(np.uint32) == 0x3F808000 + d for d in (-1, 0, 1)]  # next to a tie of rounding to bfloat16
    assert all(kind.any() for kind in kinds)
    (x,) = drawn(testing.integers((40,), "int16", low=-5, high=300, hostile=0.5))
    assert x.min() == -5 and x.max() == 300 and (x == 300).mean() > 0.05


def test_every_pattern_of_a_narrow_type_is_drawn():
    (x,) = drawn(testing.bits((20,), "float8_e5m2"))
    assert len(np.unique(x.view(np.uint8))) == 256


def test_rows_are_anywhere_equal_sorted_or_permuted():
    (rows,) = drawn(testing.rows((16, 1), size=16))
    rows = rows[..., 0]
    assert rows.min() == 0 and rows.max() == 15
    equal = (rows == rows[:, :1]).all(1)
    rising = (np.diff(rows, axis=1) >= 0).all(1) & ~equal
    permuted = (np.sort(rows, axis=1) == np.arange(16)).all(1)
    assert all(0.1 < share.mean() < 0.35 for share in (equal, rising, permuted))
    (outside,) = drawn(testing.rows((16, 1), size=16, outside=0.25))
    bad = (outside < 0) | (outside >= 16)
    assert 0.22 < bad.mean() < 0.28
    assert set(np.unique(outside[bad])) == {-1, 16, -(2**31), 2**31 - 1}
    (large,) = drawn(testing.rows((4, 1), size=2**23 - 1), cases=50)
    assert large.min() >= 0 and large.max() < 2**23


def test_trees_functions_and_static_arguments():
    domains = ({"a": testing.booleans(2), "b": (testing.constant(3), lambda key: jax.random.normal(key, (2,)))},)
    arguments = Arguments(domains, ("params",))
    assert arguments.names == ["params['a']", "params['b'][1]"]
    (params,) = arguments.assembled(arguments.alone(0, 5))
    assert params["b"][0] == 3 and params["b"][1].shape == (2,) and params["a"].dtype == np.bool_
    assert not np.array_equal(arguments.alone(0, 5)[1], arguments.alone(0, 6)[1])


def test_a_token_gives_the_domains_back():
    text, whole = Arguments(ALL).token()
    assert whole
    again = Arguments(domains_of(Token(0, 0, text)))
    assert [a.tobytes() for a in again.alone(3, 7)] == [a.tobytes() for a in Arguments(ALL).alone(3, 7)]
    assert again.token()[0] == text
    nested = ({"a": testing.booleans(2), "b": [testing.constant(3), (testing.bits(1),)]},)
    text, _ = Arguments(nested).token()
    assert Arguments(domains_of(parsed(f"1:2:{text}"))).assembled(["x", "y"]) == ({"a": "x", "b": [3, ("y",)]},)
    text, whole = Arguments((lambda key: jnp.zeros(1),)).token()
    assert not whole
    with pytest.raises(ValueError, match="give the domains again"):
        domains_of(Token(0, 0, text))
    with pytest.raises(ValueError, match="'hello' is no token of a case; one reads seed:case:domains"):
        parsed("hello")
    with pytest.raises(ValueError, match="the domains in token 0:1:zzz cannot be read"):
        domains_of(parsed("0:1:zzz"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: testing.floats(3, "int32"), "floats() draws floats, not int32"),
        (lambda: testing.floats(3, low=1.0), "give both 'low' and 'high', or neither"),
        (lambda: testing.floats(3, low=2.0, high=1.0), "'low' is 2.0, above 'high', 1.0"),
        (lambda: testing.floats(3, "bfloat16", low=1000.1, high=1000.9), "no number of 8 binary digits lies between"),
        (lambda: testing.floats(3, hostile=5), "'hostile' is a share of the elements, from 0 to 1, not 5"),
        (lambda: testing.integers(3, "uint8", high=256), "256 is no uint8: it goes from 0 to 255"),
        (lambda: testing.rows(3, size=0), "rows() takes a size from 1 to"),
        (lambda: testing.rows(3, size=3, dtype="int8"), "row indices are int32 or uint32, not int8"),
        (lambda: Arguments((np.ones(3),)), "is no domain; a domain is made by testing.floats"),
    ],
)
def test_what_is_no_domain_is_refused(make, text):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert text in str(caught.value)


def test_literals_give_the_array_back():
    rng = np.random.default_rng(0)
    sparse = np.full((20, 30), -0.0, np.float32)
    sparse[3, 5], sparse[7, 1] = np.inf, 0.1
    for array in (
        rng.standard_normal((2, 3)).astype(np.float32),
        sparse,
        np.array([True, False]),
        np.array([[np.nan, -np.inf, 1e-45]], np.float32),
        jnp.asarray([0.1, 3.0], jnp.bfloat16),
        np.zeros((0, 3), np.int8),
        np.full((9, 9), 7, np.uint8),
    ):
        space = {"np": np, "jnp": jnp}
        exec(literal("x", array), space)
        found = np.asarray(space["x"])
        assert found.dtype == array.dtype and found.tobytes() == np.asarray(array).tobytes()
    assert literal("x", rng.standard_normal((30, 30))) == "# x: float64[30, 30], 899 of 900 elements are not alike"

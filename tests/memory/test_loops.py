"""The values of the loop indices around an instruction."""

import jax.numpy as jnp
import pytest

from jnki.access.affine import Affine, Symbol
from jnki.memory import NO_LOOPS
from jnki.memory.loops import MAX_LOOP_DEPTH

OUTER, INNER = Symbol("i", 4), Symbol("j", 5)


def test_each_symbol_has_its_value() -> None:
    at = NO_LOOPS.inside(OUTER, 2).inside(INNER, jnp.int32(3))
    assert at(OUTER) == 2 and int(at(INNER)) == 3
    assert int((Affine.of(OUTER) * 10 + Affine.of(INNER)).evaluate(at)) == 23
    assert NO_LOOPS.values == ()


def test_the_iteration_is_a_vector_of_fixed_length() -> None:
    at = NO_LOOPS.inside(OUTER, 2).inside(INNER, jnp.int32(3))
    assert at.iteration().tolist() == [2, 3] + [0] * (MAX_LOOP_DEPTH - 2)
    assert at.iteration().dtype == jnp.int32 and NO_LOOPS.iteration().tolist() == [0] * MAX_LOOP_DEPTH


def test_an_index_outside_of_its_loop() -> None:
    with pytest.raises(KeyError, match="loop index j is used outside of its loop"):
        NO_LOOPS.inside(OUTER, 2)(INNER)


def test_loops_nest_only_so_deep() -> None:
    at = NO_LOOPS
    for depth in range(MAX_LOOP_DEPTH):
        at = at.inside(Symbol(f"i{depth}", 2), 1)
    with pytest.raises(NotImplementedError, match="more than 8 nested loops"):
        at.inside(OUTER, 1)

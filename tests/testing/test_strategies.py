"""Strategies of hypothesis: the kernels that they draw are right, and a wrong one is shrunk."""

import dataclasses

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jnki import testing
from jnki.testing import strategies
from tests.examples_of import examples_of

few = settings(
    max_examples=4, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)  # fmt: skip


@few
@given(strategies.kernels())
def test_drawn_kernels_are_right(drawn):
    reference = testing.numpy_reference(drawn.reference)
    testing.check(
        drawn.kernel, *drawn.domains, against=reference, faults=drawn.faults, cases=20, trivial=("input", "zero")
    )


def test_both_kinds_are_drawn_and_patterns_stay_inside():
    names = [repr(d) for d in examples_of(strategies.kernels(), 40)]
    assert any(n.startswith("copy of") for n in names) and any(n.startswith("gather of") for n in names)
    sized = st.tuples(st.integers(1, 50), strategies.shapes()).flatmap(
        lambda s: st.tuples(st.just(s[0]), strategies.patterns(s[0], s[1]))
    )
    for size, (start, pairs) in examples_of(sized, 100):
        assert 0 <= start <= start + sum(step * (count - 1) for step, count in pairs) < size


def test_a_wrong_kernel_is_caught():
    drawn = next(d for d in examples_of(strategies.gathers(), 20) if "x1" not in repr(d))
    wrong = dataclasses.replace(drawn, reference=lambda t, r: drawn.reference(t, r) + 1)
    with pytest.raises(testing.CheckFailure, match="cases are wrong"):
        testing.check(wrong.kernel, *wrong.domains, against=wrong.reference, cases=10, shrink=False)

"""Kernels written anew at each step are the same object, so that JAX finds what it has compiled."""

import jax
import numpy as np
import pytest
from jax import monitoring

from jnki.neuronxcc import nki

nl = nki.language

X = np.ones((4, 8), np.float32)


@nki.jit
def doubled(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x) * 2)
    return out


@nki.jit
def halves(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    rows = nl.ds(nl.program_id(0) * 2, 2)
    nl.store(out[rows, :], nl.load(x[rows, :]) * 2)
    return out


@pytest.fixture
def traces():
    """How often JAX has traced since the test began."""
    seen = []

    def note(name, duration, **_):
        if name == "/jax/core/compile/jaxpr_trace_duration":
            seen.append(name)

    monitoring.register_event_duration_secs_listener(note)
    yield seen
    monitoring.unregister_event_duration_listener(note)


@pytest.mark.parametrize(
    "made",
    [
        lambda: doubled,
        lambda: halves[2],
        lambda: halves[2, 1],
        lambda: doubled.with_fault,
        lambda: halves[2].with_fault,
        lambda: doubled.on_fault("callback"),
        lambda: halves.on_target("trn1")[2].with_fault,
    ],
)
def test_jit_of_the_same_kernel_again_traces_nothing(made, traces):
    assert made() is made()
    jax.block_until_ready(jax.jit(made())(X))
    assert traces or made() is doubled
    traces.clear()
    for _ in range(3):
        jax.block_until_ready(jax.jit(made())(X))
    assert traces == []


def test_other_settings_are_other_kernels():
    kernels = [doubled, doubled[1], doubled[2], doubled.on_fault("poison"), doubled.on_target("trn1")]
    assert len(set(map(id, kernels))) == len({id(k.with_fault) for k in kernels}) == len(kernels)
    assert doubled[2].with_fault.kernel is doubled[2]
    assert repr(doubled[2].with_fault) == "<<kernel doubled[2]>.with_fault>"
    assert doubled.on_target("trn1").target.name == "trn1"
    assert doubled[2].on_target("trn2")[3].grid == (3,)


def test_a_kernel_as_static_argument_is_told_apart_by_its_settings():
    recorded = []

    @nki.jit
    def outer(x, inner):
        recorded.append(inner)
        return inner(x)

    for inner in (doubled, doubled, doubled.on_target("trn2"), doubled):
        doubled(np.ones((len(recorded) + 1, 3), np.float32))  # what the kernel has cached is not its identity
        outer(X, inner)
    assert recorded == [doubled, doubled.on_target("trn2")]

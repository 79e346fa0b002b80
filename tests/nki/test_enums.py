"""Enumerations: members, and their documented values, which public kernels of earlier versions have."""

import numpy as np
import pytest

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.errors import RuleError
from jnki.nki.isa import enums
from jnki.nki.isa.enums import core_member, member

KINDS = (enums.engine, enums.reduce_cmd, enums.dge_mode, enums.oob_mode, enums.matmul_perf_mode, enums.dma_engine)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@each_kind
def test_members_stand_for_themselves(kind):
    assert [member(one, kind, "f", "a") for one in kind] == list(kind)


@each_kind
def test_documented_values_stand_for_their_members_with_a_warning(kind):
    for one in kind:
        with pytest.warns(DeprecationWarning, match=f"f: a={one.value!r} is taken for nisa.{kind.__name__}.{one.name}"):
            assert member(one.value, kind, "f", "a") is one


@each_kind
@pytest.mark.parametrize("value", [99, "unknown", True, 1.0, None, nisa.nc_version.gen2], ids=repr)
def test_nothing_else_does(kind, value):
    with pytest.raises(RuleError, match=r"f\.enum_only") as info:
        member(value, kind, "f", "a")
    assert info.value.rule == "f.enum_only"
    assert f"must be a member of nisa.{kind.__name__}" in str(info.value)


def test_what_the_core_does_not_have_is_refused():
    with pytest.raises(RuleError, match=r"f\.engine: f: 'engine' cannot be engine\.dma"):
        core_member(enums.engine.dma, enums.engine, "f", "engine")


def test_values_in_calls_mean_what_their_members_mean():
    @nki.jit
    def kernel(x, values):
        of = (lambda kind, name: kind[name].value) if values else (lambda kind, name: kind[name])
        tile, total = nl.ndarray(x.shape, x.dtype), nl.ndarray((x.shape[0], 1), nl.float32)
        nisa.dma_copy(tile, x, dge_mode=of(nisa.dge_mode, "hwdge"), engine=of(nisa.engine, "sync"))
        nisa.activation(
            tile,
            nl.copy,
            tile,
            reduce_op=nl.add,
            reduce_res=total,
            reduce_cmd=of(nisa.reduce_cmd, "reset_reduce"),
        )
        nisa.tensor_copy(tile, tile, engine=of(nisa.engine, "vector"))
        out, sums = (nl.ndarray(t.shape, t.dtype, buffer=nl.shared_hbm) for t in (tile, total))
        nisa.dma_copy(out, tile, oob_mode=of(nisa.oob_mode, "error"), dge_mode=of(nisa.dge_mode, "none"))
        nisa.dma_copy(sums, total)
        return out, sums

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    with pytest.warns(DeprecationWarning):
        by_value = kernel(x, True)
    for got, expected in zip(by_value, kernel(x, False)):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(by_value[1], x.sum(1, keepdims=True))


def test_instructions_are_ordered_in_a_chain():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        first = nisa.dma_copy(out, x)
        second = nisa.dma_copy(out, x)
        assert second.depends_on(first).depends_on(first) is second
        with pytest.raises(TypeError, match="depends_on takes instructions"):
            second.depends_on(out)
        return out

    x = np.ones((2, 2), np.float32)
    np.testing.assert_array_equal(kernel(x), x)

"""`nki.jit`, `nki.simulate`, launches, targets, parameters that a kernel writes, and what a call is made of."""

import dataclasses
import enum
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki
import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from jnki.nki.errors import NkiValidationError
from tests.nki.pairs import loaded, stored


@nki.jit
def doubled(x):
    t = loaded(x)
    nisa.tensor_scalar(t, t, nl.multiply, 2.0)
    return stored(t)


X = np.arange(32, dtype=np.float32).reshape(4, 8)


def test_numpy_in_numpy_out_and_jax_in_jax_out():
    out = doubled(X)
    assert isinstance(out, np.ndarray)
    np.testing.assert_array_equal(out, 2 * X)
    assert isinstance(doubled(jnp.asarray(X)), jax.Array)


def test_it_is_a_function_of_jax():
    batch = jnp.stack([X, X + 1])
    np.testing.assert_array_equal(jax.jit(jax.vmap(doubled))(batch), 2 * batch)
    np.testing.assert_array_equal(jax.grad(lambda x: doubled(x).sum())(jnp.asarray(X)), np.full_like(X, 2))


@pytest.mark.parametrize("make", [nki.jit(), nki.jit, lambda f: nki.jit(fn=f)])
def test_ways_to_make_a_kernel(make):
    np.testing.assert_array_equal(make(doubled.function)(X), 2 * X)


def test_options_of_jit():
    with pytest.warns(DeprecationWarning, match="mode is deprecated and has no meaning"):
        nki.jit(doubled.function, mode="trace")
    with pytest.warns(UserWarning, match="debug_kernel: no effect"):
        nki.jit(doubled.function, debug_kernel=True)
    with pytest.raises(TypeError, match="set NEURON_PLATFORM_TARGET_OVERRIDE"):
        nki.jit(doubled.function, platform_target="trn2")
    with pytest.raises(TypeError, match="unexpected keyword argument 'grid'"):
        nki.jit(doubled.function, grid=2)


@pytest.mark.parametrize("name", ["benchmark", "baremetal", "profile", "simulate_kernel"])
def test_what_is_gone_can_be_imported_and_says_so_when_it_is_called(name):
    with pytest.raises(RuntimeError, match=f"nki.{name} is not available in this dialect"):
        getattr(nki, name)(doubled)


def test_simulate_takes_kernels_and_functions():
    np.testing.assert_array_equal(nki.simulate(doubled)(X), 2 * X)
    np.testing.assert_array_equal(nki.simulate(doubled.function)(X), 2 * X)
    np.testing.assert_array_equal(nki.simulate(doubled[1])(X), 2 * X)


# Parameters that a kernel writes.


@nki.jit
def updates(cache, x):
    t = loaded(x)
    nisa.dma_copy(dst=cache[0:4], src=t)
    return stored(t)


@nki.jit
def returns_cache(cache, x):
    nisa.dma_copy(dst=cache[0:4], src=loaded(x))
    return cache


@nki.jit
def returns_nothing(cache, x):
    nisa.dma_copy(dst=cache[0:4], src=loaded(x))


def cache_after():
    after = np.zeros((6, 8), np.float32)
    after[:4] = X
    return after


@pytest.mark.parametrize("kernel", [updates, returns_cache, returns_nothing])
def test_simulate_overwrites_the_numpy_arrays_that_a_kernel_writes(kernel):
    cache = np.zeros((6, 8), np.float32)
    out = nki.simulate(kernel)(cache, X)
    np.testing.assert_array_equal(cache, cache_after())
    np.testing.assert_array_equal(out, X if kernel is updates else cache_after())


def test_a_call_overwrites_what_it_would_lose_and_nothing_else():
    cache = np.zeros((6, 8), np.float32)
    np.testing.assert_array_equal(returns_cache(cache, X), cache_after())
    assert not cache.any()
    np.testing.assert_array_equal(updates(cache, X), X)
    np.testing.assert_array_equal(cache, cache_after())


def test_with_jax_arrays_a_kernel_returns_what_it_writes():
    cache = jnp.zeros((6, 8))
    np.testing.assert_array_equal(returns_nothing(cache, X), cache_after())
    np.testing.assert_array_equal(jax.jit(returns_cache)(cache, X), cache_after())
    with pytest.raises(AssertionError, match="writes its parameter 'cache' and does not return it") as error:
        updates(cache, X)
    assert error.value.rule == "kernel.parameter_not_returned"


def test_an_array_that_cannot_be_written_is_an_error():
    cache = np.zeros((6, 8), np.float32)
    cache.flags.writeable = False
    with pytest.raises(ValueError, match="writes its parameter 'cache', and the array is read-only"):
        nki.simulate(returns_cache)(cache, X)


def test_the_environment_variable_simulates(monkeypatch):
    monkeypatch.setenv("NKI_SIMULATOR", "1")
    cache = np.zeros((6, 8), np.float32)
    returns_cache(cache, X)
    np.testing.assert_array_equal(cache, cache_after())


# Launches.


@nki.jit
def which_core(x):
    t = nl.full((4, 8), float(10 * nl.num_programs() + nl.program_ndim()), dtype=nl.float32)
    out = nl.ndarray((2, 4, 8), dtype=nl.float32, buffer=nl.shared_hbm)
    nisa.dma_copy(out[0], t)
    nisa.dma_copy(out[1], t)
    nisa.memset(t, float(nl.program_id(0)))
    nisa.dma_copy(out[nl.program_id(0)], t)
    return out


def test_launches():
    np.testing.assert_array_equal(which_core(X)[:, 0, 0], [0, 10])
    np.testing.assert_array_equal(which_core[1](X)[:, 0, 0], [0, 11])


@pytest.mark.parametrize("lnc", [0, 3, 8, (2,), (1, 1), True, "2", 2.0])
def test_a_launch_is_on_one_or_two_cores(lnc):
    with pytest.raises(NkiValidationError, match="NKI only supports LNC 1 or 2, but got"):
        doubled[lnc]


def test_trn1_has_no_two_cores():
    with jnki.use_target("trn1"), pytest.raises(NkiValidationError, match="trn1 does not join 2 cores"):
        doubled[2]


# Targets.


@pytest.mark.parametrize(
    ("variables", "version"),
    [
        ({}, 4),
        ({"JNKI_TARGET": "trn2"}, 3),
        ({"JNKI_TARGET": "trn2", "NEURON_PLATFORM_TARGET_OVERRIDE": "gen2"}, 2),
        ({"NEURON_PLATFORM_TARGET_OVERRIDE": "trn3"}, 4),
    ],
)
def test_the_default_target(monkeypatch, variables, version):
    monkeypatch.delenv("JNKI_TARGET", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert nisa.get_nc_version() == version
    assert doubled.target.neuron_core_version == version
    with jnki.use_target("trn2"):
        assert nisa.get_nc_version() is nisa.nc_version.gen3
    assert nisa.nc_version.gen4 > nisa.nc_version.gen2
    assert nisa.get_nc_sub_version() == 0


def test_an_unknown_target_is_an_error(monkeypatch):
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn9")
    with pytest.raises(ValueError, match="NEURON_PLATFORM_TARGET_OVERRIDE: 'trn9' is not a target"):
        doubled(X)


# Arguments and results.


class Kind(enum.Enum):
    PLAIN = 0
    DOUBLE = 1


@dataclasses.dataclass
class Options(nl.NKIObject):
    kind: Kind
    factor: float = 1.0


@nki.jit
def configured(x, options=None, op=nl.add, dtype=None, tensors=()):
    t = loaded(x, dtype)
    if options is not None and options.kind is Kind.DOUBLE:
        nisa.tensor_scalar(t, t, op, options.factor)
    for other in tensors:
        nisa.tensor_tensor(t, t, loaded(other), nl.add)
    return stored(t)


def test_static_arguments_are_told_apart_by_what_they_hold():
    np.testing.assert_array_equal(configured(X, Options(Kind.DOUBLE, 3.0), nl.multiply), 3 * X)
    np.testing.assert_array_equal(configured(X, Options(Kind.DOUBLE, 4.0), nl.multiply), 4 * X)
    np.testing.assert_array_equal(configured(X, Options(Kind.DOUBLE, 4.0)), X + 4)
    np.testing.assert_array_equal(configured(X, Options(Kind.PLAIN, 4.0)), X)
    np.testing.assert_array_equal(configured(X, tensors=[X, X]), 3 * X)
    assert configured(X, dtype=nl.float16).dtype == np.float16
    options = Options(Kind.DOUBLE, 1.0)
    configured(X, options)
    options.factor = 2.0
    np.testing.assert_array_equal(configured(X, options), X + 2)


def test_kernels_call_functions_and_kernels():
    @nki.jit
    def twice(x):
        return doubled(doubled(x))

    np.testing.assert_array_equal(twice(X), 4 * X)


def test_pickling_finds_a_kernel_by_its_name():
    again = pickle.loads(pickle.dumps(doubled))
    np.testing.assert_array_equal(again(X), 2 * X)
    assert doubled[1] is doubled[1]
    assert nki.simulate(doubled) is nki.simulate(doubled)


def returning(make):
    @nki.jit
    def kernel(x):
        return make(x)

    return kernel


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (loaded, "toplevel.hbm_only"),
        (lambda x: nl.ndarray((4, 8), nl.float32, buffer=nl.hbm), "toplevel.shared_hbm"),
        (lambda x: 3, "toplevel.hbm_only"),
        (lambda x: nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm), "err_tensor_output_not_written_to"),
    ],
)
def test_what_a_kernel_may_return(make, text):
    with pytest.raises(AssertionError, match=text):
        returning(make)(X)


def test_memories_of_tensors():
    seen = {}

    @nki.jit
    def kernel(x):
        t = loaded(x)
        for name, tensor in (
            ("x", x),
            ("t", t),
            ("psum", nl.ndarray((4, 8), nl.float32, buffer=nl.psum)),
            ("hbm", nl.ndarray((4, 8), nl.float32, buffer=nl.hbm)),
            ("shared", nl.ndarray((4, 8), nl.float32, buffer=nl.shared_hbm)),
        ):
            seen[name] = tensor.buffer
        return stored(t)

    kernel(X)
    assert seen == {
        "x": nl.hbm,
        "t": nl.sbuf,
        "psum": nl.psum,
        "hbm": nl.private_hbm,
        "shared": nl.shared_hbm,
    }
    assert [nl.is_hbm(seen[n]) for n in seen] == [True, False, False, True, True]
    assert [nl.is_on_chip(seen[n]) for n in seen] == [False, True, True, False, False]
    assert nl.is_sbuf(nl.sbuf) and nl.is_psum(nl.psum) and not nl.is_psum(nl.sbuf)


def test_types_are_their_names():
    assert nl.float32 == "float32"
    assert str(nl.bool_) == "bool"
    assert {nl.bfloat16: 1}["bfloat16"] == 1
    assert repr(nl.float32) == "nl.float32"
    assert loaded_dtype(jnp.bfloat16) == nl.bfloat16
    assert loaded_dtype(np.float16) == nl.float16
    with pytest.raises(TypeError, match="float64 is not an element type of NKI"):
        loaded_dtype(np.float64)


def loaded_dtype(dtype):
    found = []

    @nki.jit
    def kernel(x):
        t = nl.ndarray(x.shape, dtype=dtype)
        found.append(t.dtype)
        nisa.dma_copy(t, x)
        return stored(t)

    kernel(X)
    return found[0]


def test_schedules_name_instructions():
    @nki.jit
    def kernel(x):
        t = nl.ndarray(x.shape, dtype=x.dtype)
        first = nisa.dma_copy(t, x, name="load")
        second = nisa.tensor_scalar(t, t, nl.add, 1.0, name="add")
        second.depends_on(first)
        with nl.no_reorder():
            return stored(t)

    np.testing.assert_array_equal(kernel.with_schedule([("add", "load"), ("add", ["load"])])(X), X + 1)
    with pytest.raises(NkiValidationError, match="names instructions that it does not have") as error:
        kernel.with_schedule([("add", ["loads"])])(X)
    assert (error.value.given, error.value.allowed) == ("loads", "add, load")


def test_an_accumulation_overwrites_what_nothing_has_written():
    @nki.jit
    def kernel(x):
        t = loaded(x)
        outs = []
        for accumulate in (None, True, False):
            total = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.psum)
            nisa.nc_matmul(total[:, 0:4], t, t[:, 0:4])
            nisa.nc_matmul(total[:, 4:8], t, t[:, 4:8])
            nisa.nc_matmul(total, t, t, accumulate=accumulate)
            tile = nl.copy(total)
            outs.append(stored(tile))
        return tuple(outs)

    product = X.T @ X
    for found, times in zip(kernel(X), (2, 2, 1)):
        np.testing.assert_allclose(found, times * product, rtol=1e-6)


def test_an_error_is_an_assertion_of_this_dialect_alone():
    @nki.jit
    def kernel(x):
        nisa.dma_copy(nl.ndarray((4, 4), dtype=x.dtype), x)
        return x

    with pytest.raises(NkiValidationError) as error:
        kernel(X)
    assert isinstance(error.value, jnki.RuleError)
    assert isinstance(error.value, AssertionError)
    assert "dma_copy requires src and dst to have the same number of elements, got src=32, dst=16" in str(error.value)
    assert type(jnki.RuleError("rule", "text")) is jnki.RuleError

"""When a kernel is recorded anew, and when not."""

import jax
import jax.numpy as jnp
import numpy as np

from jnki.default_target import use_target
from jnki.neuronxcc import nki
from jnki.target import TRN1, TRN2, TRN3

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


@nki.jit
def copy(x):
    """Copies."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out


def counting():
    recorded = []

    @nki.jit
    def kernel(x, value=1):
        recorded.append((x.shape, str(x.dtype), value))
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out[nl.program_id(0)], value)
        return out

    return kernel, recorded


def test_equal_calls_are_recorded_once():
    kernel, recorded = counting()
    for x in (X, X + 1, jnp.asarray(X), X[::-1], np.asfortranarray(X)):
        kernel(x)
        kernel(x, 1)
        kernel(x=x)
        kernel(x, value=1)
        kernel.trace(x)
        kernel.with_fault(x)
        jax.jit(kernel)(x)
    kernel.lower(X).compile()
    kernel.lower(jax.ShapeDtypeStruct((4, 3), np.float32))
    assert len(recorded) == 1


def test_different_calls_are_recorded_apart():
    kernel, recorded = counting()
    kernel(X)
    for count, call in enumerate(
        [
            lambda: kernel(X[:2]),
            lambda: kernel(X.astype(np.float16)),
            lambda: kernel(X, 2),
            lambda: kernel(X, 1.0),
            lambda: kernel[2](X),
            lambda: kernel[2, 1](X),
        ],
        2,
    ):
        call()
        call()
        assert len(recorded) == count, f"call {count}"
    kernel(X)
    assert len(recorded) == 7


def test_the_default_target_is_part_of_the_call():
    seen = []

    @nki.jit
    def kernel(x):
        seen.append(nisa.get_nc_version())
        return x

    for name in ("trn1", "trn2", "trn3", "trn1", "trn2"):
        with use_target(name):
            kernel(X)
            assert kernel.trace(X).target.name == name
    assert [int(v) for v in seen] == [2, 3, 4]
    assert nki.jit(kernel, platform_target="trn1").target is TRN1


def test_a_kernel_has_its_own_target_or_the_default_one():
    assert nki.jit(copy.function, platform_target="trn3").target is TRN3
    assert copy.target is TRN2
    with use_target("trn1"):
        assert copy.target is TRN1


def test_grids_and_policies_share_what_was_recorded():
    kernel, recorded = counting()
    kernel[2](X)
    kernel[2].on_fault("callback")(X)
    kernel.on_fault("poison")[2](X)
    assert len(recorded) == 1

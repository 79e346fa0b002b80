"""With JAX's checks for NaN the kernel and the line are named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jnki.neuronxcc.nki as nki

nl, nisa = nki.language, nki.isa


@nki.jit
def logarithms(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    for i in nl.sequential_range(3):
        tile = nl.load(x[i])
        nl.store(out[i], nl.log(tile))
    return out


@nki.jit
def half_written(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out[0], nl.load(x[0]))
    return out


X = np.ones((3, 4, 8), np.float32)
BAD = X.copy()
BAD[1, 2, 3] = -1


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_the_first_instruction_is_named(array):
    with jax.debug_nans(True):
        logarithms(array(X))
        with pytest.raises(FloatingPointError) as caught:
            logarithms(array(BAD))
    (note,) = (n for n in caught.value.__notes__ if n.startswith("in kernel"))
    first, second, third = note.splitlines()
    assert first == ("in kernel 'logarithms': the first NaN or infinity is written by activation, in iteration i0=1")
    assert second.startswith("at ") and "test_nonfinite.py:" in second
    assert third.strip() == "nl.store(out[i], nl.log(tile))"


def test_an_output_that_nothing_was_written_to():
    with jax.debug_nans(True), pytest.raises(FloatingPointError) as caught:
        half_written(X)
    (note,) = (n for n in caught.value.__notes__ if n.startswith("in kernel"))
    assert note == (
        "in kernel 'half_written': no instruction wrote a NaN or an infinity; an output has elements that nothing was "
        "written to"
    )


def test_without_the_check_nothing_is_said():
    assert np.isnan(logarithms(BAD)).sum() == 1

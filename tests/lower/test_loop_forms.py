"""Every form of a loop gives the same memory and the same gradients: all at once, one by one, unrolled, in NumPy."""

import warnings

import jax
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from tests.lower.draw_kernels import copy_kernels, tiled_kernels
from tests.lower.run_kernels import as_nki, as_numpy

# Shrinking takes minutes, for every kernel that it tries is compiled: add Phase.shrink to look for a smaller one.
PHASES = (Phase.explicit, Phase.generate)


def examples(count):
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )


def inputs_for(spec, seed):
    """Small integers, which every element type and every order of addition keeps exact."""
    rng = np.random.default_rng(seed)
    dtype = jax.numpy.dtype(spec.dtype)
    source, before = (rng.integers(-8, 9, shape).astype(dtype) for shape in (spec.source, spec.output))
    rows = max(spec.source[0], spec.output[0])
    return source, rng.integers(-1, rows + 1, (spec.indices, 1)).astype(np.int32), before


def forms(spec, arrays):
    """The lowered kernel with its loops in every form."""
    program, unrolled = as_nki(spec).trace(*arrays), as_nki(spec, "static").trace(*arrays)
    return {
        "batch": lower_program(program, Form.BATCH),
        "scan": lower_program(program, Form.SCAN),
        "chosen": lower_program(program),
        "unrolled": lower_program(unrolled),
    }


def in_numpy(spec, *arrays):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its casts of NaN
        return as_numpy(spec, *arrays)


def compiled(function, *arguments):
    """The function, compiled fast rather than to be fast: it runs once."""
    return jax.jit(function).lower(*arguments).compile({"xla_llvm_disable_expensive_passes": True})


def check_values_and_faults(spec, seed):
    arrays = inputs_for(spec, seed)
    expected, faulted = in_numpy(spec, *arrays)
    found = {}
    for form, function in forms(spec, arrays).items():
        (output,), fault = compiled(function, *arrays)(*arrays)
        assert output.dtype == expected.dtype
        np.testing.assert_array_equal(np.float64(output), np.float64(expected), err_msg=form)
        assert bool(fault.occurred) == faulted, form
        found[form] = [(d.site.location, d.row, d.index, d.flat_index) for d in fault.details()]
        assert found[form] == found["batch"], form


def check_gradients(spec, seed):
    """A copy kernel is affine: what NumPy gives for a step of the inputs is what the derivative must give."""
    source, indices, before = inputs_for(spec, seed)
    rngs = [np.random.default_rng(seed + k) for k in range(3)]
    steps = [rng.integers(-4, 5, a.shape).astype(a.dtype) for rng, a in zip(rngs, (source, before))]
    here, _ = in_numpy(spec, source, indices, before)
    there, _ = in_numpy(spec, source + steps[0], indices, before + steps[1])
    weight = rngs[2].integers(-4, 5, here.shape).astype(here.dtype)
    known = ~(np.isnan(here) | np.isnan(there))
    weight[~known] = 0
    expected = float(np.sum(weight[known] * (there - here)[known]))
    reference = None
    for form, function in forms(spec, (source, indices, before)).items():

        def pulled(source, before, weight, function=function):
            return jax.vjp(lambda x, y: function(x, indices, y)[0][0], source, before)[1](weight)

        gradients = compiled(pulled, source, before, weight)(source, before, weight)
        assert sum(float(np.sum(g * s)) for g, s in zip(gradients, steps)) == expected, form
        reference = reference or gradients
        for gradient, first in zip(gradients, reference):
            np.testing.assert_array_equal(gradient, first, err_msg=form)


@examples(10)
@given(spec=copy_kernels(), seed=st.integers(0, 999))
def test_values_and_faults_of_tangled_kernels(spec, seed):
    check_values_and_faults(spec, seed)


@examples(8)
@given(spec=tiled_kernels(), seed=st.integers(0, 999))
def test_values_and_faults_of_tiled_kernels(spec, seed):
    check_values_and_faults(spec, seed)


@examples(6)
@given(spec=copy_kernels(dtypes=("float32",)), seed=st.integers(0, 999))
def test_gradients_of_tangled_kernels(spec, seed):
    check_gradients(spec, seed)


@examples(5)
@given(spec=tiled_kernels(dtypes=("float32",)), seed=st.integers(0, 999))
def test_gradients_of_tiled_kernels(spec, seed):
    check_gradients(spec, seed)


AXES = [(0, None, None), (None, 0, None), (None, None, 0), (0, 0, 0)]


def check_batches(spec, seed):
    """`vmap` over each argument, and over all, is the kernel case by case."""
    arrays, others = inputs_for(spec, seed), inputs_for(spec, seed + 1)
    run = lower_program(as_nki(spec).trace(*arrays))

    def batched(*cases):
        return [jax.vmap(run, axes)(*(c if a == 0 else c[0] for c, a in zip(cases, axes)))[0][0] for axes in AXES]

    cases = [np.stack(pair) for pair in zip(arrays, others)]
    for axes, found in zip(AXES, compiled(batched, *cases)(*cases)):
        for number in range(2):
            expected, _ = in_numpy(spec, *(c[number if a == 0 else 0] for c, a in zip(cases, axes)))
            np.testing.assert_array_equal(np.float64(found[number]), np.float64(expected), err_msg=str(axes))


@examples(3)
@given(copy_kernels(), st.integers(0, 1000))
def test_batches_over_every_argument(spec, seed):
    check_batches(spec, seed)

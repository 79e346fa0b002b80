"""Every form of a loop gives the same memory and the same gradients: all at once, one by one, unrolled, in NumPy."""

import warnings
from functools import partial

import jax
import numpy as np
from hypothesis import strategies as st

from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from tests.examples_of import examples_of
from tests.lower.draw_kernels import copy_kernels, tiled_kernels
from tests.lower.run_kernels import as_nki, as_numpy

FORMS = {"batch", "scan", "chosen", "unrolled"}


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


def all_compiled(functions, arguments):
    """What each function gives for its own arguments, all of them compiled together."""

    def run(arguments):
        return [function(*of_it) for function, of_it in zip(functions, arguments, strict=True)]

    return compiled(run, arguments)(arguments)


def check_values_and_faults(kernels):
    arrays = [inputs_for(spec, seed) for spec, seed in kernels]
    lowered = [forms(spec, of_it) for (spec, _), of_it in zip(kernels, arrays)]
    every = all_compiled([partial(run_all, functions) for functions in lowered], arrays)
    for (spec, seed), of_it, results in zip(kernels, arrays, every, strict=True):
        expected, faulted = in_numpy(spec, *of_it)
        found = {}
        for form, ((output,), fault) in results.items():
            where = f"{form}, seed {seed}, {spec}"
            assert output.dtype == expected.dtype
            np.testing.assert_array_equal(np.float64(output), np.float64(expected), err_msg=where)
            assert bool(fault.occurred) == faulted, where
            found[form] = [(d.site.location, d.row, d.index, d.flat_index) for d in fault.details()]
            assert found[form] == found["batch"], where
        assert set(found) == FORMS


def run_all(functions, *arguments):
    return {form: function(*arguments) for form, function in functions.items()}


def check_gradients(kernels):
    """A copy kernel is affine: what NumPy gives for a step of the inputs is what the derivative must give."""
    functions, arguments, wanted = [], [], []
    for spec, seed in kernels:
        source, indices, before = inputs_for(spec, seed)
        rngs = [np.random.default_rng(seed + k) for k in range(3)]
        steps = [rng.integers(-4, 5, a.shape).astype(a.dtype) for rng, a in zip(rngs, (source, before))]
        here, _ = in_numpy(spec, source, indices, before)
        there, _ = in_numpy(spec, source + steps[0], indices, before + steps[1])
        weight = rngs[2].integers(-4, 5, here.shape).astype(here.dtype)
        known = ~(np.isnan(here) | np.isnan(there))
        weight[~known] = 0
        wanted.append((steps, float(np.sum(weight[known] * (there - here)[known]))))
        functions.append(partial(pull_all, forms(spec, (source, indices, before)), indices))
        arguments.append((source, before, weight))
    for (spec, seed), (steps, expected), results in zip(
        kernels, wanted, all_compiled(functions, arguments), strict=True
    ):
        assert set(results) == FORMS
        for form, gradients in results.items():
            where = f"{form}, seed {seed}, {spec}"
            assert sum(float(np.sum(g * s)) for g, s in zip(gradients, steps)) == expected, where
            for gradient, first in zip(gradients, results["batch"]):
                np.testing.assert_array_equal(gradient, first, err_msg=where)


def pull_all(functions, indices, source, before, weight):
    def pulled(function):
        return jax.vjp(lambda x, y: function(x, indices, y)[0][0], source, before)[1](weight)

    return {form: pulled(function) for form, function in functions.items()}


def drawn(kernels, count):
    return examples_of(st.tuples(kernels, st.integers(0, 999)), count)


def test_values_and_faults_of_tangled_kernels():
    check_values_and_faults(drawn(copy_kernels(), 10))


def test_values_and_faults_of_tiled_kernels():
    check_values_and_faults(drawn(tiled_kernels(), 8))


def test_values_and_faults_of_kernels_that_are_compiled_alone():
    for kernel in (*drawn(copy_kernels(), 1), *drawn(tiled_kernels(), 1)):
        check_values_and_faults([kernel])


def test_gradients_of_tangled_kernels():
    check_gradients(drawn(copy_kernels(dtypes=("float32",)), 6))


def test_gradients_of_tiled_kernels():
    check_gradients(drawn(tiled_kernels(dtypes=("float32",)), 5))


AXES = [(0, None, None), (None, 0, None), (None, None, 0), (0, 0, 0)]


def batched(run, *cases):
    return [jax.vmap(run, axes)(*(c if a == 0 else c[0] for c, a in zip(cases, axes)))[0][0] for axes in AXES]


def test_batches_over_every_argument():
    """`vmap` over each argument, and over all, is the kernel case by case."""
    kernels = drawn(copy_kernels(), 4)
    cases = [
        [np.stack(pair) for pair in zip(inputs_for(spec, seed), inputs_for(spec, seed + 1))] for spec, seed in kernels
    ]
    runs = [lower_program(as_nki(spec).trace(*(c[0] for c in of_it))) for (spec, _), of_it in zip(kernels, cases)]
    every = all_compiled([partial(batched, run) for run in runs], cases)
    for (spec, seed), of_it, results in zip(kernels, cases, every, strict=True):
        for axes, found in zip(AXES, results):
            for number in range(2):
                expected, _ = in_numpy(spec, *(c[number if a == 0 else 0] for c, a in zip(of_it, axes)))
                where = f"{axes}, seed {seed}, {spec}"
                np.testing.assert_array_equal(np.float64(found[number]), np.float64(expected), err_msg=where)

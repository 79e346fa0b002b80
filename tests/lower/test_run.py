"""What running a program costs in general: it does not grow with trip counts, and threads do not meet."""

import threading

import jax
import numpy as np
import pytest

from jnki.lower.lowering import lower_program
from jnki.lower.plan import Form
from jnki.neuronxcc import nki
from jnki.record.recorder import is_recording

nl, nisa = nki.language, nki.isa


def tiled(trips, carries):
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        total = nl.zeros((2, 3), dtype=x.dtype, buffer=nl.sbuf)
        p, f = nl.arange(2)[:, None], nl.arange(3)[None, :]
        for i in nl.sequential_range(trips):
            row = 2 * i + p
            tile = nl.load(x[row, f], mask=row < 2 * trips - 1)
            if carries:
                total += tile
            nl.store(out[row, f], total if carries else tile, mask=row < 2 * trips - 1)
        return out

    return kernel, np.ones((2 * trips - 1, 3), np.float32)


@pytest.mark.parametrize("carries", [False, True])
def test_the_size_of_a_lowered_loop_does_not_depend_on_its_trips(carries):
    sizes = []
    for trips in (5, 50, 500):
        kernel, x = tiled(trips, carries)
        forward = jax.make_jaxpr(kernel)(x)
        backward = jax.make_jaxpr(jax.grad(lambda x, k=kernel: k(x).sum()))(x)
        sizes.append((str(forward).count(" = "), str(backward).count(" = ")))
    assert sizes[0] == sizes[1] == sizes[2]


def test_loops_can_be_nested_eight_deep_and_no_deeper():
    def nested(depth):
        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)

            def level(left, row):
                if left == 0:
                    nl.store(out[row], nl.load(x[row]))
                    return
                for i in nl.affine_range(2):
                    level(left - 1, row + i * 2 ** (left - 1))

            level(depth, 0)
            return out

        return kernel

    x = np.arange(256, dtype=np.float32).reshape(256, 1)
    np.testing.assert_array_equal(nested(8)(x), x)
    with pytest.raises(NotImplementedError, match="more than 8 nested loops"):
        nested(9)(np.zeros((512, 1), np.float32))


def test_kernels_are_recorded_in_threads_side_by_side():
    barrier, found = threading.Barrier(4), {}

    def run(number):
        @nki.jit
        def kernel(x):
            out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
            barrier.wait(timeout=60)
            for i in nl.affine_range(3):
                nl.store(out[i], nl.load(x[i]) * number)
            barrier.wait(timeout=60)
            return out

        found[number] = kernel(np.ones((3, 2), np.float32))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert {n: float(a.sum()) for n, a in found.items()} == {n: 6.0 * n for n in range(4)}
    assert not is_recording()


def test_no_tracer_is_kept():
    kernel, x = tiled(4, True)
    with jax.checking_leaks():
        jax.jit(kernel)(x)
        jax.vmap(kernel)(np.stack([x, x]))
        jax.grad(lambda x: kernel(x).sum())(x)
    np.testing.assert_array_equal(kernel(x)[-1], [4, 4, 4])


def test_outputs_and_empty_tensors():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        return out

    for shape in ((0,), (0, 4), (3, 0)):
        assert kernel(np.zeros(shape, np.float32)).shape == shape


def test_every_form_of_a_program_can_be_asked_for():
    kernel, x = tiled(6, False)
    program = kernel.trace(x)
    texts = {form: str(jax.make_jaxpr(lower_program(program, form))(x)) for form in (Form.BATCH, Form.SCAN)}
    assert "scan[" in texts[Form.SCAN]
    assert "scan[" not in texts[Form.BATCH]

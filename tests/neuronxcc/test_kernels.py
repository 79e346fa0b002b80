"""`nki.jit` and its relatives: which options they take, and that all of them run the kernel."""

import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jnki.errors import RuleError
from jnki.kernel.kernel import Kernel
from jnki.neuronxcc import nki
from jnki.neuronxcc.nki.typing import tensor
from jnki.target import INF2, TRN1, TRN2, TRN3

nl, nisa = nki.language, nki.isa

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def copy(x, times=1):
    """Copies."""
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x) * times)
    return out


@pytest.mark.parametrize(
    "make",
    [
        lambda: nki.jit(copy),
        lambda: nki.jit()(copy),
        lambda: nki.jit(mode="simulation")(copy),
        lambda: nki.jit(copy, "baremetal"),
        lambda: nki.jit(nki.jit(copy), mode="jax", platform_target="trn1"),
        lambda: nki.jit(copy, show_compiler_tb=True, debug_kernel=True),
        lambda: nki.baremetal(copy),
        lambda: nki.baremetal()(copy),
        lambda: nki.benchmark(copy),
        lambda: nki.benchmark()(copy),
    ],
)
def test_every_decorator_makes_a_kernel_that_runs(make):
    kernel = make()
    np.testing.assert_array_equal(kernel(X), X)
    np.testing.assert_array_equal(kernel(X, times=3), 3 * X)


@pytest.mark.parametrize("mode", ["auto", "jax", "torchxla", "baremetal", "benchmark", "simulation"])
def test_modes_do_not_change_what_a_kernel_means(mode):
    np.testing.assert_array_equal(nki.jit(copy, mode=mode)(X), X)


def test_an_unknown_mode_is_an_error():
    with pytest.raises(ValueError, match="nki.jit: mode is 'fast', allowed are auto, jax, torchxla, baremetal, bench"):
        nki.jit(copy, mode="fast")
    with pytest.raises(ValueError, match="mode is 'fast'"):
        nki.jit(mode="fast")


@pytest.mark.parametrize("name, target", [("trn1", TRN1), ("inf2", INF2), ("trn2", TRN2), ("TRN3", TRN3)])
def test_the_platform_target(name, target):
    for make in (nki.jit, nki.baremetal):
        assert make(copy, platform_target=name).target == target
    assert nki.benchmark(copy, platform_target=name).kernel.target == target
    with pytest.raises(ValueError, match="'trn9' is not a target"):
        nki.jit(copy, platform_target="trn9")


FILES = {"save_neff_name": "file.neff", "save_trace_name": "p.ntff", "additional_compile_opt": "-O1"}
OPTIONS = {
    "jit": {**FILES, "artifacts_dir": "/tmp/a", "warmup": 5, "iters": 10},
    "baremetal": {**FILES, "artifacts_dir": "/tmp/a"},
    "benchmark": {**FILES, "artifacts_dir": "/tmp/a", "warmup": 5, "iters": 10},
    "profile": {**FILES, "overwrite": True, "profile_nth": 2},
}


@pytest.mark.parametrize("make", OPTIONS)
def test_options_that_change_no_value_warn_and_the_kernel_runs(make):
    options, needed = OPTIONS[make], {"working_directory": "/tmp/profile"} if make == "profile" else {}
    with pytest.warns(UserWarning) as caught:
        kernel = getattr(nki, make)(copy, **options, **needed)
    names = ", ".join(sorted(options))
    assert str(caught[0].message) == (
        f"nki.{make}: {names}: no effect, there is no compiler and no hardware; the kernel runs"
    )
    assert len(caught) == (2 if make == "profile" else 1)
    np.testing.assert_array_equal(kernel(X), X)


@pytest.mark.parametrize(
    ("make", "takes"),
    [
        (
            "jit",
            "additional_compile_opt, artifacts_dir, enable_out_of_bound_check, iters, platform_target, save_neff_name, "
            "save_trace_name, warmup",
        ),
        (
            "benchmark",
            "additional_compile_opt, artifacts_dir, iters, platform_target, save_neff_name, save_trace_name, warmup",
        ),
        ("profile", "additional_compile_opt, overwrite, platform_target, profile_nth, save_neff_name, save_trace_name"),
        ("baremetal", "additional_compile_opt, artifacts_dir, platform_target, save_neff_name, save_trace_name"),
    ],
)
def test_an_option_that_there_is_none_of_is_an_error(make, takes):
    with pytest.raises(TypeError) as error:
        getattr(nki, make)(copy, zzz=1, **({"working_directory": "/tmp/a"} if make == "profile" else {}))
    assert str(error.value).startswith(f"nki.{make}() got an unexpected keyword argument 'zzz'; it takes {takes}")


def test_options_of_jit_for_the_vendors_compiler():
    def writes(x, out):
        nl.store(out, nl.add(nl.load(x), 1.0))

    kernel = nki.jit(writes, experimental_flags="enable-mutable-parameter", kernel_return=False)
    np.testing.assert_array_equal(kernel(X, np.zeros_like(X)), X + 1)
    with pytest.raises(RuleError, match="err_cannot_update_immutable_parameter"):
        nki.jit(writes, kernel_return=True)(X, np.zeros_like(X))
    with pytest.raises(TypeError, match="kernel_return is True or False, got 0"):
        nki.jit(writes, kernel_return=0)
    with pytest.warns(UserWarning, match="enable_out_of_bound_check: no effect"):
        nki.jit(copy, enable_out_of_bound_check=False)


def test_a_benchmark_runs_the_kernel_and_has_no_latency():
    kernel = nki.benchmark(copy)
    np.testing.assert_array_equal(kernel[1](X), X)
    with pytest.raises(NotImplementedError, match="benchmark_result is measured on hardware"):
        _ = kernel.benchmark_result
    for wrong in (-1, 2.5, "ten"):
        with pytest.raises(ValueError, match="nki.benchmark: iters must be a count"):
            nki.benchmark(iters=wrong)(copy)


def test_a_benchmark_takes_annotations_for_arrays_of_zeros():
    found = nki.benchmark(copy)(tensor[[4, 3], nl.bfloat16])
    np.testing.assert_array_equal(found, np.zeros((4, 3), jnp.bfloat16), strict=True)


def test_a_profile_runs_the_kernel_and_warns_that_it_writes_nothing():
    with pytest.warns(UserWarning, match="nki.profile: no profile is written to /tmp/profile: it takes hardware"):
        kernel = nki.profile(working_directory="/tmp/profile")(copy)
    np.testing.assert_array_equal(kernel(X), X)
    for folder in (None, "relative/path"):
        with pytest.raises(ValueError, match="working_directory must be an absolute path"):
            nki.profile(copy, working_directory=folder)


@pytest.mark.parametrize("kernel", [copy, nki.jit(copy), nki.jit(copy, mode="simulation")])
def test_simulate_kernel_takes_kernels_and_functions(kernel):
    for x in (X, jnp.asarray(X)):
        found = nki.simulate_kernel(kernel, x, times=2)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, 2 * X)


def test_simulate_kernel_takes_a_grid_and_keeps_the_structure():
    @nki.jit
    def kernel(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        pid = nl.program_id(0)
        nl.store(out[nl.ds(2 * pid, 2)], nl.load(x[nl.ds(2 - 2 * pid, 2)]))
        return {"out": out, "x": (x,)}

    found = nki.simulate_kernel(kernel[2], X)
    np.testing.assert_array_equal(found["out"], X[[2, 3, 0, 1]])
    np.testing.assert_array_equal(found["x"][0], X)


def test_a_kernel_made_from_a_kernel_has_a_cache_of_its_own():
    first = nki.jit(copy)
    second = nki.jit(first, platform_target="trn1")
    assert isinstance(second, Kernel)
    assert second.function is first.function
    assert (first.target, second.target) == (TRN2, TRN1)


def test_annotations_in_the_body_are_checked():
    @nki.jit
    def kernel(x):
        tile: tensor[4, 4] = nl.load(x)
        return tile

    with pytest.raises(RuleError, match="err_annotation_shape_mismatch"):
        kernel(X)


def test_a_kernel_named_like_a_test_is_not_collected_as_one(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import numpy as np\n"
        "from jnki.neuronxcc import nki\n"
        "@nki.jit\n"
        "def test_kernel(x):\n"
        "    return x\n"
        "def test_run():\n"
        "    assert test_kernel(np.zeros((2, 2), np.float32)).shape == (2, 2)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, env=None)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout

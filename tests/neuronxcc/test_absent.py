"""Names outside of the documents that public kernels import: what means something runs, the rest raises when used."""

import importlib

import numpy as np
import pytest

import jnki.neuronxcc.nki as nki
import jnki.neuronxcc.nki.isa as nisa
import jnki.neuronxcc.nki.language as nl
import jnki.neuronxcc.nki.typing as nt
from jnki import serve
from jnki.neuronxcc.absent import REASONS, Absent, AbsentError, reason

X = np.ones((4, 8), np.float32)


@pytest.fixture(autouse=True)
def served():
    with serve.serve():
        yield


@pytest.mark.parametrize(
    "text",
    [
        "from neuronxcc.nki.kernels.attention import flash_fwd as name",
        "from neuronxcc.nki.kernels import flash_fwd as name",
        "from neuronxcc.nki._private_kernels.mlp import mlp_isa_kernel as name",
        "from neuronxcc.nki._pre_prod_kernels.blockwise_mm import SkipMode as name",
        "from neuronxcc.nki._private.private_api import do_while as name",
        "from neuronxcc.nki._private.test import mx_util as name",
        "from neuronxcc.nki.compiler.backends.neuron.tensors import KernelHBMTensor as name",
        "from neuronxcc.nki.nccl.collectives import collective_permute_implicit as name",
        "from neuronxcc.starfish.penguin.targets.nki.private_api import vnc as name",
        "from neuronxcc.starfish.support.dtype import as_native_type as name",
        "import neuronxcc.nki.nccl as nccl; name = nccl.all_gather",
        "import neuronxcc.nki.kernels.attention; name = neuronxcc.nki.kernels.attention.flash_fwd",
    ],
)
def test_an_import_works_and_a_use_says_what_is_missing(text):
    namespace = {}
    exec(text, namespace)
    name = namespace["name"]
    module = repr(name).split(": ")[0].lstrip("<")
    assert module.startswith("neuronxcc.") and any(f"<{module}: {why}>" == repr(name) for why in REASONS.values())
    with pytest.raises(NotImplementedError) as caught:
        name(X)
    assert str(caught.value).startswith(f"{module}: ")
    assert f"test_absent.py:{caught.traceback[0].lineno + 1}" in str(caught.value)


def test_a_module_that_is_no_part_of_the_vendors_is_missing():
    for name in ("neuronxcc.nki.languages", "neuronxcc.nki.isa.nothing", "neuronxcc.bluebird"):
        with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
            importlib.import_module(name)
    assert reason("nki.kernels.attention") == REASONS["nki.kernels"]
    assert reason("nki.kernelsets") is None


FILE = """
from typing import Optional, Union
from neuronxcc.nki._pre_prod_kernels.blockwise_mm import SkipMode, Kinds
from neuronxcc.nki.compiler.backends.neuron.tensors import KernelHBMTensor

Either = Union[KernelHBMTensor, int]
NOTHING = SkipMode(False, skip_weight=False)
TABLE = {Kinds.SILU: 1, NOTHING: 2}

def helper(x: KernelHBMTensor | None, mode=NOTHING, kind=Kinds.SILU) -> Optional[KernelHBMTensor]:
    return mode

def called(value):
    return SkipMode(value)
"""


def test_a_file_may_use_them_while_it_is_imported():
    namespace = {}
    exec(compile(FILE, "kernels_of_a_user.py", "exec"), namespace)
    mode = namespace["helper"](None)
    assert isinstance(mode, Absent) and "SkipMode(...)" in repr(mode)
    for use in (
        lambda: bool(mode.skip_token),
        lambda: mode == 3,
        lambda: mode + 1,
        lambda: 1 + mode,
        lambda: list(mode),
        lambda: np.asarray(mode),
        lambda: isinstance(3, mode),
        lambda: mode.__enter__(),
        lambda: range(mode),
        lambda: float(mode),
        lambda: exec("class Derived(mode): pass", {"mode": mode}),
        lambda: mode.shape,
        lambda: namespace["called"](True),
    ):
        with pytest.raises(AbsentError):
            use()
    assert not hasattr(mode, "shape") and not hasattr(mode, "__array_interface__")


def test_a_kernel_runs_that_does_not_use_them():
    namespace = {}
    exec("from neuronxcc.nki._private_kernels.mlp import mlp_kernel\nMODE = mlp_kernel.Mode(3)", namespace)

    @nki.jit
    def kernel(x, mode=namespace["MODE"], use=False):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        nl.store(out, namespace["mlp_kernel"](x) if use else nl.load(x))
        return out

    np.testing.assert_array_equal(kernel(X), X)
    with pytest.raises(NotImplementedError, match=r"neuronxcc.nki._private_kernels.mlp.mlp_kernel: a kernel library"):
        kernel(X, use=True)


# What means something.


def test_names_where_the_vendor_has_them():
    constants = importlib.import_module("neuronxcc.nki.isa.constants")
    assert constants.oob_mode is nisa.oob_mode and constants.engine is nisa.engine
    assert importlib.import_module("neuronxcc.nki.isa.neuron_isa").dma_copy is nisa.dma_copy
    with pytest.raises(AttributeError, match="no name of the legacy dialect"):
        importlib.import_module("neuronxcc.nki.isa.neuron_isa").dma_copies  # noqa: B018
    iterators = importlib.import_module("neuronxcc.nki.language.iterators")
    assert iterators.affine_range is nl.affine_range
    dtype = importlib.import_module("neuronxcc.starfish.support.dtype")
    assert dtype.bfloat16 is nl.bfloat16
    sizeinbytes = importlib.import_module("neuronxcc.nki.language.constants").sizeinbytes
    assert [sizeinbytes(t) for t in (nl.bfloat16, np.float32, "int8")] == [2, 4, 1]


def test_allclose():
    allclose = importlib.import_module("neuronxcc.starfish.support.util").allclose
    a = np.array([1, 2, np.nan], np.float32)
    assert not allclose(a, a)
    assert allclose(a[:2].astype(nl.bfloat16), [1.001, 2.0], rtol=1e-2)
    assert not allclose(a[:2], [1.1, 2.0], rtol=1e-2)


def test_allclose_says_by_how_much(capsys):
    allclose = importlib.import_module("neuronxcc.starfish.support.util").allclose
    allclose(np.array([1.0, 2.0]), np.array([1.0, 2.5]), verbose=1)
    assert capsys.readouterr().out == "allclose: 1 of 2 elements differ, by up to 0.5\n"


def barrier(x):
    core_barrier = importlib.import_module("neuronxcc.nki._private.private_api").core_barrier
    out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
    core_barrier(out, (0,))
    nl.store(out[nl.ds(2 * nl.program_id(0), 2)], nl.load(x[nl.ds(2 * nl.program_id(0), 2)]))
    return out


def test_a_barrier_of_one_core():
    kernel = nki.jit(barrier)
    assert kernel(X).shape == kernel[1](X).shape == (4, 8)
    with pytest.raises(NotImplementedError, match=r"core_barrier in a launch grid \[2\]"):
        kernel[2](X)


def test_a_barrier_of_instances():
    with pytest.raises(NotImplementedError, match="sync_program"):
        importlib.import_module("neuronxcc.nki.language.iterators").sync_program(0)


def test_a_scalar_is_a_number():
    @nki.jit
    def kernel(x, number):
        out = nl.ndarray(x.shape, x.dtype, buffer=nl.shared_hbm)
        tile = nl.load(x)
        for _ in range(nt.scalar(tile if number is None else number)):
            tile = nl.add(tile, 1.0)
        nl.store(out, tile)
        return out

    np.testing.assert_array_equal(kernel(X, 3), X + 3)
    with pytest.raises(NotImplementedError, match=r"nt.scalar of tensor 'tile' \[4, 8\] float32 in sbuf"):
        kernel(X, None)

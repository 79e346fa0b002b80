"""The names and signatures of the legacy dialect's data movement, against those that its documentation gives."""

import enum
import inspect

import numpy as np
import pytest

from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

# The documented parameters. The documentation ends most of them with **kwargs, without saying what could be in there;
# jnki takes none, so that no argument is accepted and ignored.
LANGUAGE = {
    "affine_range": "*args, directives=None, precise_schedule=False",
    "arange": "*args",
    "broadcast_to": "src, *, shape",
    "copy": "src, *, mask=None, dtype=None",
    "device_print": "prefix, x, *, mask=None",
    "ds": "start, size",
    "empty_like": "a, dtype=None, *, buffer=None, name=''",
    "expand_dims": "data, axis",
    "full": "shape, fill_value, dtype, *, buffer=None, name='', lazy_initialization=False",
    "load": "src, *, mask=None, dtype=None, mode=error",
    "ndarray": "shape, dtype, *, buffer=None, name='', lazy_initialization=False",
    "num_programs": "axes=None",
    "ones": "shape, dtype, *, buffer=None, name='', lazy_initialization=False",
    "program_id": "axis",
    "program_ndim": "",
    "sequential_range": "*args, directives=None, precise_schedule=False",
    "static_range": "*args",
    "store": "dst, value, *, mask=None, mode=error",
    "zeros": "shape, dtype, *, buffer=None, name='', lazy_initialization=False",
    "zeros_like": "a, dtype=None, *, buffer=None, name=''",
}
ISA = {
    "dma_copy": "*, dst, src, mask=None, dst_rmw_op=None, oob_mode=error, dge_mode=unknown",
    "get_nc_version": "",
    "iota": "expr, dtype, *, mask=None",
    "memset": "shape, value, dtype, *, mask=None, engine=unknown",
    "tensor_copy": "src, *, mask=None, dtype=None, engine=unknown",
}
KERNELS = {
    "baremetal": "kernel=None, **kwargs",
    "benchmark": "kernel=None, **kwargs",
    "jit": "func=None, mode='auto', **kwargs",
    "profile": "func=None, **kwargs",
    "simulate_kernel": "kernel, *args, **kwargs",
}
TENSOR = {
    "assert_shape": "self, shape",
    "astype": "self, dtype",
    "broadcast_to": "self, shape, *more",
    "expand_dims": "self, axis",
    "reshape": "self, shape, *more",
    "view": "self, dtype",
}


def parameters(function):
    """The parameters of a function as they would be written, without annotations."""
    words, starred = [], False
    for p in inspect.signature(function).parameters.values():
        match p.kind:
            case p.VAR_POSITIONAL:
                words.append(f"*{p.name}")
                starred = True
            case p.VAR_KEYWORD:
                words.append(f"**{p.name}")
            case _:
                if p.kind is p.KEYWORD_ONLY and not starred:
                    words.append("*")
                    starred = True
                default = p.default.name if isinstance(p.default, enum.Enum) else repr(p.default)
                words.append(p.name if p.default is p.empty else f"{p.name}={default}")
    return ", ".join(words)


@pytest.mark.parametrize(
    "owner, name, documented",
    [
        (owner, name, text)
        for owner, table in ((nl, LANGUAGE), (nisa, ISA), (nki, KERNELS), (nki.tensor, TENSOR))
        for name, text in table.items()
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_signatures(owner, name, documented):
    assert parameters(getattr(owner, name)) == documented


def test_every_name_is_listed():
    for module, table in ((nl, LANGUAGE), (nisa, ISA), (nki, KERNELS)):
        assert set(table) <= set(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


def test_memories_and_index_objects():
    for name in ("hbm", "private_hbm", "shared_hbm", "sbuf", "psum"):
        assert str(getattr(nl, name)) == name
    assert nl.par_dim(128) == 128
    assert repr(nl.par_dim(128)) == "par_dim(128)"
    assert isinstance(nl.mgrid[0:2, 0:3], tuple)


def test_element_types_are_those_of_numpy_and_ml_dtypes():
    names = ["int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "float32"]
    assert all(getattr(nl, name) is getattr(np, name) for name in names)
    assert nl.bool_ is np.bool_
    for name, size_bytes in (("bfloat16", 2), ("float8_e4m3", 1), ("float8_e5m2", 1)):
        assert np.dtype(getattr(nl, name)).itemsize == size_bytes
        assert np.dtype(getattr(nl, name)).name == name
    assert nl.tfloat32 == np.dtype("V4")


@pytest.mark.parametrize(
    "enumeration, members",
    [
        ("oob_mode", {"error": 0, "skip": 1}),
        ("dge_mode", {"none": 0, "swdge": 1, "hwdge": 2, "unknown": 3}),
        ("engine", {"unknown": 0, "tensor": 1, "scalar": 2, "gpsimd": 3, "vector": 5, "sync": 6}),
    ],
)
def test_enumerations_have_the_documented_values(enumeration, members):
    assert {m.name: m.value for m in getattr(nisa, enumeration)} == members


def test_versions_and_engines():
    assert nisa.nc_version.gen2 == 2 < nisa.nc_version.gen3 == 3
    for name in ("tensor", "vector", "scalar", "gpsimd", "unknown"):
        assert getattr(nisa, f"{name}_engine") is nisa.engine[name]


@pytest.mark.parametrize("call", [lambda: nl.load(None, maks=None), lambda: nl.ndarray((1, 1), nl.int8, bufer=nl.sbuf)])
def test_an_argument_that_does_not_exist_is_an_error(call):
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        call()

"""What the names of the legacy dialect are that are no functions: memories, indices, element types, enumerations."""

import numpy as np
import pytest

from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa


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

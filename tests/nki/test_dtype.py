"""`import nki.dtype`: the element types under the name that public tests of kernels import."""

import jnki.nki as nki
import jnki.nki.dtype as nt
import jnki.nki.language as nl
from jnki.nki.language.dtypes import DType


def test_every_element_type_is_that_of_the_language():
    of_the_language = {name: value for name, value in vars(nl).items() if isinstance(value, DType)}
    assert {name: getattr(nt, name) for name in nt.__all__} == of_the_language
    assert all(getattr(nt, name) is value for name, value in of_the_language.items())


def test_it_annotates():
    def kernel(kind: nki.dtype = nl.bfloat16) -> nki.dtype:
        return kind

    assert kernel() == "bfloat16"

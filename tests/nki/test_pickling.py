"""What a configuration may hold is pickled and copied as itself: functions by name, types and memories by identity."""

import copy
import pickle
import types

import pytest

import jnki.neuronxcc.nki.isa
import jnki.neuronxcc.nki.language
import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl
from tests.nki.kernels import tensor

FUNCTIONS = (types.FunctionType, type)
MODULES = (nki, nl, nisa, jnki.neuronxcc.nki.language, jnki.neuronxcc.nki.isa)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_function_and_class_is_found_by_its_name(module):
    found = {name: getattr(module, name) for name in module.__all__ if isinstance(getattr(module, name), FUNCTIONS)}
    assert found
    assert [name for name, each in found.items() if pickle.loads(pickle.dumps(each)) is not each] == []


@pytest.mark.parametrize("same", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_names_of_types_memories_engines_and_operators_stay_themselves(same):
    kinds = (nl.DType, nl.MemoryRegion, type(nisa.engine.vector), type(nl.average))
    found = [value for module in (nl, nisa) for value in vars(module).values() if isinstance(value, kinds)]
    assert len(found) > 20
    assert [value for value in found if same(value) is not value] == []


@pytest.mark.parametrize("name", ["baremetal", "benchmark", "profile", "simulate_kernel"])
def test_so_is_what_is_not_available(name):
    assert pickle.loads(pickle.dumps(getattr(nki, name))) is getattr(nki, name)


def test_a_tensor_is_no_sequence():
    with pytest.raises(TypeError, match="not iterable"):
        list(tensor((2, 3)))
    with pytest.raises(TypeError):
        _, _ = tensor((2, 3))

"""What goes wrong at a call names the kernel, and the argument as the user wrote it."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

from jnki.neuronxcc import nki

nl = nki.language
X = np.ones((4, 4), np.float32)
WIDE = X.astype(np.float64)


@nki.jit
def scaled(x, factor, options=None):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, nl.load(x) * factor)
    return out


@dataclasses.dataclass(frozen=True)
class Options:
    table: Any
    other: int = 1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Weights:
    up: Any
    down: Any


def refused(error, *args, **kwargs):
    with pytest.raises(error) as caught:
        scaled(*args, **kwargs)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((X,), {}, "kernel scaled() is called without 'factor'; it takes x, factor, options"),
        ((X, 1, 2, 3), {}, "kernel scaled() takes 3 positional arguments but 4 were given"),
        ((X, 1), {"f": 2}, "kernel scaled() got an unexpected keyword argument 'f'; it takes x, factor, options"),
        ((X, 1), {"x": X}, "kernel scaled() got multiple values for one argument; it takes x, factor, options"),
    ],
)
def test_arguments_that_do_not_fit_the_kernel(args, kwargs, text):
    found = refused(TypeError, *args, **kwargs)
    assert found[0] == text
    assert found[1].startswith("  at ")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"w": WIDE}, "options['w']"),
        ({"a": [X, (WIDE,)]}, "options['a'][1][0]"),
        (Weights(X, WIDE), "options.down"),
        ([{"b": Weights(WIDE, X)}], "options[0]['b'].up"),
    ],
)
def test_an_array_inside_of_an_argument(options, name):
    assert refused(TypeError, X, 1, options)[0] == (
        f"argument '{name}' of kernel 'scaled': dtype('float64') is not an element type of NKI"
    )


@pytest.mark.parametrize(
    ("options", "name", "kind"),
    [
        (Options([1, 2]), "options.table", "list"),
        (Options(Options({1})), "options.table.table", "set"),
        ({"a": {1, 2}}, "options['a']", "set"),
        (Options(X), "options.table", "ndarray; pass the array as an argument of its own"),
    ],
)
def test_the_part_of_a_static_argument_that_is_not_hashable(options, name, kind):
    assert refused(TypeError, X, 1, options) == [
        f"static argument '{name}' of kernel 'scaled' must be hashable or an array, got {kind}"
    ]


@pytest.mark.parametrize(("value", "kind"), [([[1.0, 2.0]], "list"), (3.0, "float"), ((1, 2), "tuple")])
def test_a_list_or_a_number_for_an_array(value, kind):
    assert refused(TypeError, value, 1)[:4] == [
        f"argument 'x' of kernel 'scaled' is used as a tensor (.shape), and is a {kind}",
        "  allowed: an array, such as np.array(x)",
        f"  at {__file__}:{scaled.function.__code__.co_firstlineno + 2} in scaled",
        "     out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)",
    ]


def test_other_attributes_that_are_missing_stay_what_they_are():
    @nki.jit
    def kernel(x, options):
        nl.load(x).nothing_of_this_name if options is None else options.nothing_of_this_name
        return x

    for options in (None, 3, Options(1)):
        with pytest.raises(AttributeError, match="nothing_of_this_name"):
            kernel(X, options)


def test_a_list_that_is_loaded():
    @nki.jit
    def kernel(x, values):
        nl.load(values)
        return x

    with pytest.raises(ValueError, match=r"(?s)'src' of 'nl\.load'.*a list is an argument of the kernel as np\.ar"):
        kernel(X, [1.0, 2.0])


def test_a_torch_tensor_says_how_to_pass_it():
    kind = type("Tensor", (), {"__module__": "torch", "detach": lambda self: self})
    (text,) = refused(TypeError, kind(), 1.0)
    assert text.startswith("argument 'x' of kernel 'scaled' is a torch tensor, and jnki takes NumPy and JAX arrays")
    assert "x.detach().cpu().numpy()" in text

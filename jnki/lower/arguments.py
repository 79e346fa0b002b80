"""The arguments of a kernel call: which are arrays, and what a call is cached under."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.dtypes import ElementType, element_type
from jnki.program.tensor_annotation import TensorAnnotation

_ARRAYS = (np.ndarray, jax.Array, jax.ShapeDtypeStruct, TensorAnnotation)


@dataclass(frozen=True)
class ArraySpec:
    """Shape and type of an array argument: all that a recording sees of it."""

    shape: tuple[int, ...]
    dtype: ElementType


@dataclass(frozen=True)
class Arguments:
    """Bound arguments, flattened: arrays apart from everything static.

    Attributes:
        names: a name per array, from its parameter.
        arrays: the arrays, in order.
        key: what the call is cached under: structure, array shapes and types, static values.
        rebuild: makes the arguments by parameter name again, from one object per array.
    """

    names: tuple[str, ...]
    arrays: tuple[Any, ...]
    key: Any
    rebuild: Callable[[list[Any]], dict[str, Any]]


def is_array(value: Any) -> bool:
    """Whether an argument becomes an HBM tensor; anything else is static."""
    return isinstance(value, _ARRAYS)


def spec_of(array: Any) -> ArraySpec:
    """Shape and element type of an array argument.

    Raises:
        TypeError: NKI has no such element type.
    """
    return ArraySpec(tuple(array.shape), element_type(array.dtype))


def quick_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A cache key made without binding: cheap, and different wherever the bound arguments could differ.

    Raises:
        TypeError: a static argument is not hashable, or a container holds arrays (these take the slow road).
    """
    parts: list[Any] = []
    for value in args:
        if isinstance(value, (np.ndarray, jax.Array)):
            parts.append((value.shape, value.dtype))
        else:
            parts.append((type(value), value))
    if kwargs:
        for name, value in kwargs.items():
            parts.append(name)
            parts.append((value.shape, value.dtype) if is_array(value) else (type(value), value))
    key = tuple(parts)
    hash(key)
    return key


def flatten(bound: dict[str, Any]) -> Arguments:
    """The arguments by parameter name, taken apart.

    Raises:
        TypeError: a static argument is not hashable.
    """
    # A tuple in the order of the parameters: a dictionary would be flattened in the order of their names.
    parameters = tuple(bound)
    leaves, structure = jax.tree_util.tree_flatten_with_path(tuple(bound.values()), is_leaf=is_array)
    names: list[str] = []
    arrays: list[Any] = []
    statics: list[Any] = []
    for path, leaf in leaves:
        if is_array(leaf):
            names.append(_name(parameters, path))
            arrays.append(leaf)
            statics.append(None)
        else:
            try:
                hash(leaf)
            except TypeError:
                raise TypeError(
                    f"static argument '{_name(parameters, path)}' of a kernel must be hashable or an array, "
                    f"got {type(leaf).__name__}"
                ) from None
            statics.append((type(leaf), leaf))
    positions = [is_array(leaf) for _, leaf in leaves]

    def rebuild(tensors: list[Any]) -> dict[str, Any]:
        supply = iter(tensors)
        values = [next(supply) if array else s[1] for array, s in zip(positions, statics)]
        return dict(zip(parameters, jax.tree_util.tree_unflatten(structure, values)))

    key = (parameters, structure, tuple(statics), tuple(spec_of(a) for a in arrays))
    return Arguments(tuple(names), tuple(arrays), key, rebuild)


def _name(parameters: tuple[str, ...], path: Any) -> str:
    first, *rest = path
    return "_".join([parameters[first.idx], *(str(getattr(k, "key", getattr(k, "idx", k))) for k in rest)])

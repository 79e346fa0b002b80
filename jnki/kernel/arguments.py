"""The arguments of a kernel call: which are arrays, and what a call is cached under."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jnki.dtypes import ElementType, element_type
from jnki.record.tensor_annotation import TensorAnnotation

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
        names: a name per array, from its parameter; no two are equal.
        parameters: the parameter that each array belongs to.
        arrays: the arrays, in order.
        specs: their shapes and types.
        key: what the call is cached under: structure, array shapes and types, static values.
        rebuild: makes the arguments by parameter name again, from one object per array.
    """

    names: tuple[str, ...]
    parameters: tuple[str, ...]
    arrays: tuple[Any, ...]
    specs: tuple[ArraySpec, ...]
    key: Any
    rebuild: Callable[[list[Any]], dict[str, Any]]


def is_array(value: Any) -> bool:
    """Whether an argument becomes an HBM tensor; anything else is static."""
    return isinstance(value, _ARRAYS)


def spec_of(array: Any, name: str, kernel: str = "a kernel") -> ArraySpec:
    """Shape and element type of the array argument `name`, as the user writes it, of `kernel`.

    Raises:
        TypeError: NKI has no such element type.
    """
    try:
        return ArraySpec(tuple(array.shape), element_type(array.dtype))
    except TypeError as error:
        wide = {"float64": "float32", "int64": "int32", "uint64": "uint32"}.get(str(array.dtype))
        hint = f"\n  such as {name}.astype(np.{wide})" if wide is not None else ""
        raise TypeError(f"argument '{name}' of {kernel}: {error}{hint}") from None


def quick_key(args: tuple[Any, ...]) -> Any:
    """A cache key for positional arguments that are arrays and simple values; None where there are others.

    It is made without binding: cheap, and different wherever the bound arguments could differ.
    """
    parts: list[Any] = []
    for value in args:
        if isinstance(value, (np.ndarray, jax.Array)):
            parts.append((value.shape, value.dtype))
        elif value is None or type(value) in (int, float, str, bool):
            parts.append(_static_key(value))
        else:
            return None
    return tuple(parts)


def _static_key(value: Any) -> Any:
    """What tells static arguments apart: 1, 1.0 and True are equal, and so are 0.0 and -0.0."""
    return type(value), value, repr(value) if isinstance(value, (float, np.floating)) else None


def flatten(bound: dict[str, Any], kernel: str = "a kernel") -> Arguments:
    """The arguments by parameter name, taken apart.

    Args:
        kernel: what messages call the kernel.

    Raises:
        TypeError: a static argument is not hashable.
    """
    # A tuple in the order of the parameters: a dictionary would be flattened in the order of their names.
    parameters = tuple(bound)
    leaves, structure = jax.tree_util.tree_flatten_with_path(tuple(bound.values()), is_leaf=is_array)
    names: list[str] = []
    spoken: list[str] = []
    owners: list[str] = []
    arrays: list[Any] = []
    statics: list[Any] = []
    for path, leaf in leaves:
        if is_array(leaf):
            names.append(_unique(_name(parameters, path), names))
            spoken.append(_spoken(parameters, path))
            owners.append(parameters[path[0].idx])
            arrays.append(leaf)
            statics.append(None)
        else:
            try:
                hash(leaf)
            except TypeError:
                where, value = _unhashable(_spoken(parameters, path), leaf)
                raise TypeError(
                    f"static argument '{where}' of {kernel} must be hashable or an array, got {type(value).__name__}"
                    + ("; pass the array as an argument of its own" if is_array(value) else "")
                ) from None
            statics.append(leaf)
    positions = [is_array(leaf) for _, leaf in leaves]

    def rebuild(tensors: list[Any]) -> dict[str, Any]:
        supply = iter(tensors)
        values = [next(supply) if array else s for array, s in zip(positions, statics)]
        return dict(zip(parameters, jax.tree_util.tree_unflatten(structure, values)))

    specs = tuple(spec_of(a, name, kernel) for a, name in zip(arrays, spoken))
    key = (parameters, structure, tuple(map(_static_key, statics)), specs)
    return Arguments(tuple(names), tuple(owners), tuple(arrays), specs, key, rebuild)


def _name(parameters: tuple[str, ...], path: Any) -> str:
    first, *rest = path
    return "_".join([parameters[first.idx], *(str(getattr(k, "key", getattr(k, "idx", k))) for k in rest)])


def _spoken(parameters: tuple[str, ...], path: Any) -> str:
    """The argument as the user writes it: `weights['up'][0]`, `config.scale`."""
    first, *rest = path
    return parameters[first.idx] + jax.tree_util.keystr(tuple(rest))


def _unhashable(name: str, value: Any) -> tuple[str, Any]:
    """The part of a static argument that is not hashable: a field of a dataclass, where it is one."""
    for field in dataclasses.fields(value) if dataclasses.is_dataclass(value) else ():
        part = getattr(value, field.name)
        try:
            hash(part)
        except TypeError:
            return _unhashable(f"{name}.{field.name}", part)
    return name, value


def _unique(name: str, taken: list[str]) -> str:
    """`name`, changed where another argument has it: `a[0]` and a parameter `a_0` would both be `a_0`."""
    while name in taken:
        name += "_"
    return name

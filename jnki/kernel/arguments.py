"""The arguments of a kernel call: which are arrays, and what a call is cached under."""

import collections
import dataclasses
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jnki.dtypes import ALL, ElementType, element_type
from jnki.kernel.identity import Same, identity_key, number_key
from jnki.record.tensor_annotation import TensorAnnotation

_ARRAYS = (np.ndarray, jax.Array, jax.ShapeDtypeStruct, TensorAnnotation)

Build = Callable[[Iterator[Any]], Any]


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


def spec_of(array: Any, name: str, kernel: str = "", types: tuple[ElementType, ...] = ALL) -> ArraySpec:
    """Shape and element type, one of `types`, of the array argument `name`.

    Raises:
        TypeError: NKI has no such element type, or no such tensor: one without axes, one with masked elements.
    """
    whose = f"argument '{name}' of {_named(kernel)}"
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{whose} is a masked array, and a kernel sees no mask: pass its data, or fill it")
    if isinstance(array, (np.ndarray, jax.Array, jax.ShapeDtypeStruct)) and not array.shape:
        raise TypeError(_without_axes(array, whose, name))
    try:
        return ArraySpec(tuple(array.shape), element_type(array.dtype, types))
    except TypeError as error:
        wide = {"float64": "float32", "int64": "int32", "uint64": "uint32"}.get(str(array.dtype))
        hint = f"\n  such as {name}.astype(np.{wide})" if wide is not None else ""
        raise TypeError(f"{whose}: {error}{hint}") from None


def _without_axes(array: Any, whose: str, name: str) -> str:
    traced = "a number that jax traces" if isinstance(array, jax.core.Tracer) else "a 0-d array"
    return (
        f"{whose} is {traced}, of shape [] and type {array.dtype}; a number is static in a kernel: its value is part "
        f"of what is recorded, and a tensor has axes\n"
        f"  for a static number: pass a Python or NumPy scalar, such as float({name}); under jax.jit, bind it outside "
        f"with functools.partial or static_argnums\n"
        f"  for a number that may be traced: pass an array of shape [1, 1], such as jnp.reshape({name}, (1, 1)), and "
        f"nl.load it in the kernel"
    )


def _named(kernel: str) -> str:
    return f"kernel '{kernel}'" if kernel else "a kernel"


def quick_key(args: tuple[Any, ...]) -> Any:
    """A cache key for positional arguments that are arrays and simple values; None where there are others.

    It is made without binding: cheap, and different wherever the bound arguments could differ.
    """
    parts: list[Any] = []
    for value in args:
        if type(value) is np.ndarray or isinstance(value, jax.Array):
            parts.append((value.shape, value.dtype))
        else:
            key = number_key(value)
            if key is None:
                return None
            parts.append(key)
    return tuple(parts)


def flatten(bound: dict[str, Any], kernel: str = "", types: tuple[ElementType, ...] = ALL) -> Arguments:
    """The arguments by parameter name, taken apart.

    Containers are taken apart as `jax.tree` does, except that a dict keeps the order in which its keys were given; and
    so is an object whose class says `__taken_apart__`, into its attributes.

    Args:
        kernel: its name, for messages.
        types: the element types that an array may have.

    Raises:
        TypeError: a static argument is not hashable or too large, or an array is none that NKI has.
    """
    walk = _Walk(kernel, types)
    keys: list[Hashable] = []
    builds: list[Build] = []
    owners: list[str] = []
    for parameter, value in bound.items():
        key, build = walk.take(value, parameter, parameter)
        keys.append(key)
        builds.append(build)
        owners += [parameter] * (len(walk.arrays) - len(owners))

    def rebuild(tensors: list[Any]) -> dict[str, Any]:
        supply = iter(tensors)
        return {parameter: build(supply) for parameter, build in zip(bound, builds)}

    specs = tuple(walk.specs)
    key = (tuple(bound), tuple(keys), specs)
    return Arguments(tuple(walk.names), tuple(owners), tuple(walk.arrays), specs, key, rebuild)


@dataclass
class _Walk:
    """Takes containers apart: collects the arrays, and gives for each value its key and a way to build it again."""

    kernel: str
    types: tuple[ElementType, ...]
    names: list[str] = field(default_factory=list)
    arrays: list[Any] = field(default_factory=list)
    specs: list[ArraySpec] = field(default_factory=list)

    def take(self, value: Any, name: str, spoken: str) -> tuple[Hashable, Build]:
        """The key of `value`, and what builds it again.

        Args:
            name: what a tensor is called, if it becomes one.
            spoken: the argument as the user writes it: `weights['up'][0]`, `config.scale`.
        """
        kind: Any = type(value)
        if is_array(value):
            self.specs.append(spec_of(value, spoken, self.kernel, self.types))
            self.names.append(_unique(name, self.names))
            self.arrays.append(value)
            return "array", next
        if kind.__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
            raise TypeError(
                f"argument '{spoken}' of {_named(self.kernel)} is a torch tensor, and jnki takes NumPy and JAX arrays: "
                f"pass {spoken}.detach().cpu().numpy(), or jax.dlpack.from_dlpack({spoken})"
            )
        if kind in (dict, collections.OrderedDict, collections.defaultdict):
            return self._take_dict(value, name, spoken)
        if kind in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            labels = getattr(value, "_fields", range(len(value)))
            make = (lambda parts: kind(*parts)) if hasattr(value, "_fields") else kind
            fields = [f".{label}" if isinstance(label, str) else f"[{label}]" for label in labels]
            return self._take_parts(list(zip(labels, fields, value)), name, spoken, kind, make)
        if value is not None:
            structure: Any
            children, structure = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda part: part is not value)
            if not jax.tree_util.treedef_is_leaf(structure):
                parts = [(_label(path), jax.tree_util.keystr(path), child) for path, child in children]
                key = self._static(structure.node_data(), spoken)
                return self._take_parts(parts, name, spoken, key, structure.unflatten)
            if getattr(kind, "__taken_apart__", False):
                return self._take_object(value, name, spoken)
        key = self._static(value, spoken)
        return key, lambda supply: value

    def _take_object(self, value: Any, name: str, spoken: str) -> tuple[Hashable, Build]:
        """An object whose state is its attributes, and that wants to be a container of them."""
        labels = list(vars(value))

        def make(built: list[Any]) -> Any:
            # As a copy: a kernel may change it, and the caller's stays as it is.
            made = object.__new__(type(value))
            vars(made).update(zip(labels, built, strict=True))
            return made

        key = (Same(type(value)), tuple(labels))
        return self._take_parts([(label, f".{label}", vars(value)[label]) for label in labels], name, spoken, key, make)

    def _take_dict(self, value: Any, name: str, spoken: str) -> tuple[Hashable, Build]:
        kind, labels = type(value), list(value)
        factory = (value.default_factory,) if kind is collections.defaultdict else ()
        key = (kind, self._static((labels, factory), spoken, hashable=False))
        parts = [(label, f"[{label!r}]", child) for label, child in value.items()]
        return self._take_parts(parts, name, spoken, key, lambda built: kind(*factory, zip(labels, built, strict=True)))

    def _take_parts(
        self,
        parts: list[tuple[Any, str, Any]],
        name: str,
        spoken: str,
        kind: Hashable,
        make: Callable[[list[Any]], Any],
    ) -> tuple[Hashable, Build]:
        taken = [self.take(child, f"{name}_{label}", spoken + written) for label, written, child in parts]
        builds = [build for _, build in taken]
        return (kind, *(key for key, _ in taken)), lambda supply: make([build(supply) for build in builds])

    def _static(self, value: Any, spoken: str, hashable: bool = True) -> Hashable:
        try:
            if hashable:
                hash(value)
        except TypeError:
            where, part = _unhashable(spoken, value)
            raise TypeError(
                f"static argument '{where}' of {_named(self.kernel)} must be hashable or an array, "
                f"got {type(part).__name__}" + ("; pass the array as an argument of its own" if is_array(part) else "")
            ) from None
        try:
            return identity_key(value)
        except TypeError as error:
            whose = f"static argument '{spoken}' of {_named(self.kernel)}"
            raise TypeError(f"{whose}: {error}; pass what the kernel needs of it") from None


def _unhashable(spoken: str, value: Any) -> tuple[str, Any]:
    """The part of a static argument that is not hashable: a field of a dataclass, where it is one."""
    is_hashable_kind = dataclasses.is_dataclass(value) and type(value).__hash__ is not None
    for each in dataclasses.fields(value) if is_hashable_kind else ():
        part = getattr(value, each.name)
        try:
            hash(part)
        except TypeError:
            return _unhashable(f"{spoken}.{each.name}", part)
    return spoken, value


def _label(path: Any) -> Any:
    """What a one-step path of `jax.tree_util` is called: a key, an index or an attribute."""
    step = path[0]
    return next((getattr(step, kind) for kind in ("key", "idx", "name") if hasattr(step, kind)), step)


def _unique(name: str, taken: list[str]) -> str:
    """`name`, changed where another argument has it: `a[0]` and a parameter `a_0` would both be `a_0`."""
    while name in taken:
        name += "_"
    return name

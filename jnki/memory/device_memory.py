"""`DeviceMemory`: the arrays of a NeuronCore as one immutable pytree."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.buffer import Buffer, Space
from jnki.dtypes import EVERY, ElementType, element_type, unwritten
from jnki.errors import RuleError
from jnki.memory.fault import Fault
from jnki.memory.reinterpret import put_back, reinterpret

_SPACES = (Space.HBM, Space.SBUF, Space.PSUM, Space.REGISTER)


@jax.tree_util.register_pytree_with_keys_class
class DeviceMemory:
    """Name-to-array mappings, one per memory, and one fault record. Every update returns a new one.

    It is all of a computation that JAX traces; everything else about an instruction is static.

    Attributes:
        hbm, sbuf, psum, registers: read-only mappings from buffer names to arrays.
        fault: the first fault of all instructions so far.
    """

    __slots__ = ("_arrays", "fault")

    def __init__(self, arrays: Mapping[tuple[Space, str], Any], fault: Fault):
        self._arrays = arrays
        self.fault = fault

    @staticmethod
    def of(
        hbm: Mapping[str, Any] | None = None,
        sbuf: Mapping[str, Any] | None = None,
        psum: Mapping[str, Any] | None = None,
        registers: Mapping[str, Any] | None = None,
    ) -> "DeviceMemory":
        """Memory that holds these arrays, and no fault.

        Args:
            hbm, sbuf, psum: arrays by name. On chip, axis 0 is the partition axis.
            registers: integers by name, each held as int32 `[1, 1]`.

        Raises:
            TypeError: an array has an element type that NKI does not have.
            RuleError: an array on chip has no axis.
        """
        arrays = {}
        for space, named in zip(_SPACES, (hbm, sbuf, psum, None)):
            for name, array in (named or {}).items():
                element_type(getattr(array, "dtype", None) if hasattr(array, "dtype") else type(array), EVERY)
                arrays[space, name] = jnp.asarray(array)
                if space.on_chip and not arrays[space, name].ndim:
                    raise RuleError(
                        "memory.rank",
                        f"a tile in {space} needs a partition axis",
                        given=f"tensor '{name}' of shape []",
                        allowed="[P, F...]",
                    )
        for name, value in (registers or {}).items():
            arrays[Space.REGISTER, name] = jnp.asarray(value, jnp.int32).reshape(1, 1)
        return DeviceMemory(arrays, Fault())

    @property
    def hbm(self) -> Mapping[str, jax.Array]:
        return self._in(Space.HBM)

    @property
    def sbuf(self) -> Mapping[str, jax.Array]:
        return self._in(Space.SBUF)

    @property
    def psum(self) -> Mapping[str, jax.Array]:
        return self._in(Space.PSUM)

    @property
    def registers(self) -> Mapping[str, jax.Array]:
        return self._in(Space.REGISTER)

    @property
    def arrays(self) -> Mapping[tuple[Space, str], Any]:
        """All arrays, by space and name."""
        return MappingProxyType(dict(self._arrays))

    def array(self, space: Space, name: str) -> Any:
        """The array of this name as memory holds it.

        Raises:
            KeyError: nothing was written there.
        """
        return self._arrays[space, name]

    def _in(self, space: Space) -> Mapping[str, jax.Array]:
        return MappingProxyType({name: a for (s, name), a in self._arrays.items() if s is space})

    def buffer(self, space: Space, name: str, dtype: ElementType | None = None) -> Buffer:
        """The static description of a buffer that is in memory.

        Raises:
            RuleError: there is no such buffer.
        """
        array = self._arrays.get((space, name))
        if array is None:
            names = ", ".join(n for s, n in self._arrays if s is space) or "none"
            raise RuleError("memory.name", f"{space} holds no tensor '{name}'", given=name, allowed=names)
        if dtype is not None and array.dtype not in (dtype.storage, dtype.numpy):
            raise RuleError(
                "memory.dtype",
                f"tensor '{name}' in {space} does not hold elements of {dtype}",
                given=f"an array of {array.dtype}",
                allowed=f"an array of {dtype.storage}",
            )
        return Buffer(name, space, tuple(array.shape), dtype or element_type(array.dtype, EVERY))

    def __contains__(self, buffer: Buffer) -> bool:
        return (buffer.space, buffer.name) in self._arrays

    def get(self, buffer: Buffer) -> jax.Array:
        """The array of `buffer`, in its shape and storage type; never written means NaN, or the integer pattern."""
        array = self._arrays.get((buffer.space, buffer.name))
        if array is None:
            return jnp.full(buffer.shape, unwritten(buffer.dtype), buffer.dtype.storage)
        return reinterpret(array, buffer.shape, buffer.dtype.storage)

    def set(self, buffer: Buffer, array: jax.Array, written: jax.Array | None = None) -> "DeviceMemory":
        """This memory with `array` as the contents of `buffer`.

        Args:
            written: integers of the shape of `array`, zero where it is as it was: where the buffer is a view of floats
                as another type, these floats keep their derivative.
        """
        key = (buffer.space, buffer.name)
        old = self._arrays.get(key)
        if old is not None and written is not None and self.views_floats(buffer):
            array = put_back(old, array, written)
        elif old is not None:
            array = reinterpret(array, old.shape, old.dtype)
        return DeviceMemory({**self._arrays, key: array}, self.fault)

    def views_floats(self, buffer: Buffer) -> bool:
        """Whether memory holds floats, which have a derivative, that `buffer` has under another type."""
        old = self._arrays.get((buffer.space, buffer.name))
        return old is not None and jnp.issubdtype(old.dtype, jnp.floating) and old.dtype != buffer.dtype.storage

    def float_types(self) -> Mapping[str, Any]:
        """The storage types of the buffers, by name, that are held as floats."""
        return {name: a.dtype for (_, name), a in self._arrays.items() if jnp.issubdtype(a.dtype, jnp.floating)}

    def as_held(self, buffer: Buffer) -> jax.Array:
        """The array of `buffer` in the shape and type that memory holds it in: no view of it, if it was written."""
        array = self._arrays.get((buffer.space, buffer.name))
        return self.get(buffer) if array is None else array

    def without(self, buffers: Collection[Buffer]) -> "DeviceMemory":
        gone = {(b.space, b.name) for b in buffers}
        return DeviceMemory({k: a for k, a in self._arrays.items() if k not in gone}, self.fault)

    def replacing(self, arrays: Mapping[Buffer, jax.Array]) -> "DeviceMemory":
        """This memory with the arrays of these buffers as they are given, whatever shape they had before."""
        new = {(b.space, b.name): a for b, a in arrays.items()}
        return DeviceMemory({**self._arrays, **new}, self.fault)

    def with_fault(self, fault: Fault) -> "DeviceMemory":
        return DeviceMemory(self._arrays, fault)

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], Any]:
        keys = sorted(self._arrays, key=lambda key: (key[0].value, key[1]))
        named = [(jax.tree_util.DictKey(f"{s}.{n}"), self._arrays[s, n]) for s, n in keys]
        return [*named, (jax.tree_util.GetAttrKey("fault"), self.fault)], tuple(keys)

    @classmethod
    def tree_unflatten(cls, keys: Any, children: Any) -> "DeviceMemory":
        *arrays, fault = children
        return cls(dict(zip(keys, arrays)), fault)

    def __repr__(self) -> str:
        lines = [f"  {s} {n}: {getattr(a, 'shape', a)} {getattr(a, 'dtype', '')}" for (s, n), a in self._arrays.items()]
        return "DeviceMemory(\n" + "\n".join(lines) + "\n)"

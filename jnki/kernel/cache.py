"""What a kernel has recorded: bounded, and forgotten with JAX's own caches."""

import contextlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import jax

MAX_ENTRIES = 512
"""Calls that one kernel remembers; the one that was used least recently is forgotten first."""

V = TypeVar("V")


class Cache(Generic[V]):
    """A mapping that keeps its `MAX_ENTRIES` most recently used entries, and is empty after `jax.clear_caches()`.

    Any thread may use it.
    """

    def __init__(self, size: int = MAX_ENTRIES) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()
        _CACHES.add(self)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        value = self._entries.get(key)
        if value is not None:
            with contextlib.suppress(KeyError):  # another thread has just dropped it
                self._entries.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        _watch.arm()
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries = OrderedDict()


_CACHES: "weakref.WeakSet[Cache[Any]]" = weakref.WeakSet()


class _Token:
    """An object that nobody but JAX's caches keeps alive."""


@jax.tree_util.register_pytree_node_class
class _Holder:
    """A result without arrays; what a traced function returns as structure, JAX keeps beside the trace."""

    def __init__(self, token: _Token):
        self.token = token

    def tree_flatten(self) -> tuple[tuple[()], _Token]:
        return (), self.token

    @classmethod
    def tree_unflatten(cls, token: _Token, children: Any) -> "_Holder":
        return cls(token)


class _Watch:
    """Empties every cache when JAX forgets what it has traced: `jax.clear_caches()` tells nobody, but it lets go."""

    def __init__(self) -> None:
        self._traced: Any = None
        self._token: weakref.ref[_Token] | None = None

    def arm(self) -> None:
        if self._token is None or self._token() is None:
            self._traced = jax.jit(lambda: _Holder(_Token()))
            self._token = weakref.ref(jax.eval_shape(self._traced).token, _forget)


def _forget(_: Any) -> None:
    for cache in list(_CACHES):
        cache.clear()


_watch = _Watch()

"""The arguments of a case: drawn from a seed and a number, and from nothing else."""

import base64
import functools
import json
import zlib
from typing import Any

import jax
import numpy as np

from jnki.testing.domains import Choice, Constant, Domain, Function, Numbers, Rows, unpacked
from jnki.testing.randomness import Source, seed_words
from jnki.testing.token import Token


class Arguments:
    """Domains of all arguments, flat.

    Attributes:
        domains: those of the array leaves, in order; static ones are not among them.
        names: how a message writes each leaf.
    """

    def __init__(self, domains: tuple[Any, ...], names: tuple[str, ...] = ()):
        paths, self._structure = jax.tree_util.tree_flatten_with_path(domains, is_leaf=_is_leaf)
        self._leaves = [_as_domain(leaf) for _, leaf in paths]
        self.domains = [leaf for leaf in self._leaves if not _is_static(leaf)]
        self.names = [_name(path, names) for (path, _), leaf in zip(paths, self._leaves) if not _is_static(leaf)]

    def draw(self, seed: Any, number: Any) -> list[jax.Array]:
        """The arrays of case `number`; `seed` is two words."""
        return [d.draw(Source(seed, number, place)) for place, d in enumerate(self.domains)]

    def assembled(self, arrays: Any) -> tuple[Any, ...]:
        """The arguments as the kernel takes them."""
        supply = iter(arrays)
        leaves = [
            leaf.value if isinstance(leaf, Constant) and leaf.is_static else next(supply) for leaf in self._leaves
        ]
        return jax.tree.unflatten(self._structure, leaves)

    def shapes(self) -> list[jax.ShapeDtypeStruct]:
        return jax.eval_shape(self.draw, seed_words(0), np.uint32(0))

    def alone(self, seed: int, number: int) -> list[np.ndarray]:
        """The arrays of one case, on the host."""
        return [np.asarray(array[0]) for array in self._drawn(seed_words(seed), np.array([number], np.uint32))]

    @functools.cached_property
    def _drawn(self) -> Any:
        return jax.jit(jax.vmap(self.draw, (None, 0)))

    def token(self) -> tuple[str, bool]:
        """The domains as text, and whether the text alone gives them back."""
        specs = [leaf.spec() for leaf in self._leaves]
        whole = not any(_has_gap(spec) for spec in specs)
        shape = _structure_spec(self._structure)
        text = json.dumps([shape, specs] if whole else [shape, specs, len(specs)], separators=(",", ":"))
        return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("="), whole


def domains_of(token: Token) -> tuple[Any, ...]:
    """The domains that a token spells out.

    Raises:
        ValueError: the text is damaged, or the domains are not in it.
    """
    try:
        padded = token.domains + "=" * (-len(token.domains) % 4)
        shape, specs, *gap = json.loads(zlib.decompress(base64.urlsafe_b64decode(padded)))
    except (ValueError, zlib.error) as error:
        raise ValueError(f"the domains in token {token} cannot be read: {error}") from None
    if gap:
        raise ValueError(
            "a function, a large constant or a large choice is not in the text of a token: give the domains again, "
            "testing.replay(kernel, token, *domains)"
        )
    leaves = iter([_domain_of(spec) for spec in specs])
    return _rebuilt(shape, leaves)


def _domain_of(spec: Any) -> Domain:
    match spec:
        case ["n", shape, dtype, low, high, hostile, any_bits]:
            return Numbers(tuple(shape), np.dtype(dtype), low, high, hostile, bool(any_bits))
        case ["r", shape, size, outside, dtype]:
            return Rows(tuple(shape), size, outside, np.dtype(dtype))
        case ["c", values, shape]:
            return Choice(unpacked(values), None if shape is None else tuple(shape))
        case ["k", value]:
            return Constant(unpacked(value))
        case ["s", value]:
            return Constant(value)
    raise ValueError(f"{spec!r} is no domain")


def _has_gap(spec: Any) -> bool:
    return spec is None or (spec[0] in "ck" and spec[1] is None)


def _structure_spec(structure: Any) -> Any:
    """Containers as JSON: a leaf is 0, a tuple or list a list that starts with its kind, a dict an object."""
    marked = jax.tree.unflatten(structure, [0] * structure.num_leaves)

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(k): walk(v) for k, v in value.items()}
        return 0 if value == 0 else ["t" if isinstance(value, tuple) else "l", *map(walk, value)]

    return walk(marked)


def _rebuilt(shape: Any, leaves: Any) -> Any:
    if isinstance(shape, dict):
        return {k: _rebuilt(v, leaves) for k, v in shape.items()}
    if shape == 0:
        return next(leaves)
    parts = [_rebuilt(part, leaves) for part in shape[1:]]
    return tuple(parts) if shape[0] == "t" else parts


def _is_leaf(value: Any) -> bool:
    return isinstance(value, Domain) or not isinstance(value, (tuple, list, dict))


def _is_static(domain: Domain) -> bool:
    return isinstance(domain, Constant) and domain.is_static


def _as_domain(value: Any) -> Domain:
    if isinstance(value, Domain):
        return value
    if callable(value):
        return Function(value, getattr(value, "__name__", type(value).__name__))
    raise TypeError(
        f"{value!r:.80} is no domain; a domain is made by testing.floats, integers, bits, booleans, rows, choice, "
        "like, or constant (an array, or a static argument), or is a function of a jax.random key, or a tuple, list or "
        "dict of them"
    )


def _name(path: Any, names: tuple[str, ...]) -> str:
    first = path[0].idx
    return (names[first] if first < len(names) else f"argument{first}") + jax.tree_util.keystr(path[1:])

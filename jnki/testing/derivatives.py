"""Derivatives compared with each other, element by element: jvp, vjp, and differences of values.

Directions and cotangents are small integers, so that a derivative that only moves elements is compared exactly.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.testing.hostile import is_float

NOISE = 64
"""How many float32 roundings of the largest value an element of a finite difference may be off by."""


def float_places(arrays: list[Any]) -> list[int]:
    return [n for n, a in enumerate(arrays) if is_float(a.dtype)]


def smooth_part(call: Callable[..., Any], arrays: list[Any]) -> Callable[..., list[Any]]:
    """A function from the float arguments alone to the float outputs alone."""
    places = float_places(arrays)

    def function(*floats: Any) -> list[Any]:
        whole = list(arrays)
        for place, value in zip(places, floats):
            whole[place] = value
        return [o for o in jax.tree.leaves(call(*whole)[0]) if is_float(o.dtype)]

    return function


def small_integers(seed: int, shapes: list[Any]) -> list[Any]:
    """Directions: -2, -1, 1 or 2 in each element, exact in every float type."""
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.choice([-2.0, -1.0, 1.0, 2.0], s.shape).astype(s.dtype)) for s in shapes]


def inner(one: list[Any], other: list[Any]) -> tuple[float, float]:
    """The sum of products in float64, and that of their absolute values."""
    with np.errstate(all="ignore"):
        terms = [np.asarray(a, np.float64).ravel() * np.asarray(b, np.float64).ravel() for a, b in zip(one, other)]
        return float(sum(t.sum() for t in terms)), float(sum(np.abs(t).sum() for t in terms))


def forward_and_reverse(call: Callable[..., Any], arrays: list[Any], *, seed: int, rtol: float) -> str:
    """What is wrong with `<w, J v> = <J^T w, v>`, along a dense direction and single elements; empty for nothing."""
    places = float_places(arrays)
    function, floats = smooth_part(call, arrays), [arrays[p] for p in places]
    if not floats or not jax.eval_shape(function, *floats):
        return ""
    cotangent = small_integers(seed, jax.eval_shape(function, *floats))
    gradients = jax.jit(lambda f, w: jax.vjp(function, *f)[1](w))(floats, cotangent)
    push = jax.jit(lambda f, v: jax.jvp(function, tuple(f), tuple(v))[1])
    dense = small_integers(seed + 1, floats)
    for direction in (dense, *_single_elements(floats, seed)):
        left, left_size = inner(cotangent, push(floats, direction))
        right, right_size = inner(list(gradients), direction)
        if not np.isclose(left, right, rtol=0, atol=rtol * max(left_size, right_size, 1e-30), equal_nan=True):
            return f"<w, J v> = {left:.9g} and <J^T w, v> = {right:.9g} along {_described(direction)}"
    return ""


def _single_elements(floats: list[Any], seed: int) -> list[list[Any]]:
    rng, found = np.random.default_rng(seed), []
    for leaf, array in enumerate(floats):
        if array.size:
            one = np.zeros(array.size, np.float32)
            one[rng.integers(array.size)] = 1
            zeros = [jnp.zeros_like(a) for a in floats]
            zeros[leaf] = jnp.asarray(one.reshape(array.shape), array.dtype)
            found.append(zeros)
    return found


def _described(direction: list[Any]) -> str:
    for leaf, array in enumerate(direction):
        places = np.argwhere(np.asarray(array, np.float32))
        if len(places) == 1 and sum(int(np.count_nonzero(np.asarray(d, np.float32))) for d in direction) == 1:
            return f"element [{', '.join(map(str, places[0]))}] of float argument {leaf}"
    return "a dense direction"


def finite_differences(call: Callable[..., Any], arrays: list[Any], *, seed: int, step: float) -> tuple[str, int, int]:
    """What is wrong with jvp beside central differences, how many elements are excused, and how many there are.

    An element is excused where differences with the whole and with half the step disagree, or those to the left and
    to the right: a kink is near.
    """
    places = float_places(arrays)
    function, floats = smooth_part(call, arrays), [arrays[p] for p in places]
    if not floats or not jax.eval_shape(function, *floats):
        return "", 0, 0
    direction = small_integers(seed + 2, floats)

    @jax.jit
    def along(floats: list[Any]) -> Any:
        def at(t: float) -> list[Any]:
            moved = [
                (f.astype(jnp.float32) + t * d.astype(jnp.float32)).astype(f.dtype) for f, d in zip(floats, direction)
            ]
            return function(*moved)

        values, tangents = jax.jvp(function, tuple(floats), tuple(direction))
        return values, tangents, [at(t) for t in (-step, -step / 2, step / 2, step)]

    values, tangents, (lower, low, high, higher) = jax.device_get(along(floats))
    excused = count = 0
    for output, (value, tangent) in enumerate(zip(values, tangents)):
        with np.errstate(all="ignore"):
            wide = [np.asarray(a[output], np.float64) for a in (lower, low, high, higher)]
            whole, half = (wide[3] - wide[0]) / (2 * step), (wide[2] - wide[1]) / step
            unit = float(jnp.finfo(value.dtype).eps)
            noise = NOISE * unit * np.maximum(1, np.max([np.abs(w) for w in wide], axis=0)) / step
            slope = np.asarray(tangent, np.float64)
            middle = np.asarray(value, np.float64)
            left, right = (middle - wide[0]) / step, (wide[3] - middle) / step
            near = np.abs(whole - half) <= noise + 0.01 * np.abs(half)
            near &= np.abs(left - right) <= 2 * noise + 0.1 * np.maximum(np.abs(left), np.abs(right))
            usable = near & np.isfinite(half) & np.isfinite(slope)
            wrong = usable & (np.abs(slope - half) > noise + 0.02 * np.abs(half))
        count, excused = count + wrong.size, excused + int((~usable).sum())
        if wrong.any():
            place = tuple(int(n) for n in np.argwhere(wrong)[0])
            return (
                (
                    f"output {output}[{', '.join(map(str, place))}]: jvp {slope[place]:.7g}, differences "
                    f"{half[place]:.7g} (within {noise[place]:.2g}); {int(wrong.sum())} of {wrong.size} elements differ"
                ),
                excused,
                count,
            )
    return "", excused, count

"""A kernel whose gradient is another kernel: `with_backward(forward, backward)`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def with_backward(forward: Callable[P, R], backward: Callable[..., Any]) -> Callable[P, R]:
    """`forward`, whose derivative in reverse mode is what `backward` computes.

        attention = with_backward(flash_forward, lambda q, k, v, o, do: flash_backward(q, k, v, o, do))

    It works under `jit`, `vmap`, `grad`, `checkpoint` and in `scan`, as any `jax.custom_vjp`; forward mode (`jvp`,
    `jacfwd`) is an error of JAX. `jnki.testing.check_backward` says whether the two belong together.

    Args:
        forward: a kernel or any JAX function; arguments that are not arrays are static.
        backward: a kernel or any JAX function, called with the arguments of `forward` in the order of its
            parameters, then its outputs, then the cotangent of each output of floats. It returns one gradient for each
            array of floats among the arguments, in order, with its shape and type, or None for zero: a tuple, or
            where there is one such array the gradient itself.

    Raises (when a gradient is taken):
        TypeError: `backward` returns another number of gradients, or one of another shape or type.
    """
    signature = inspect.signature(forward)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        leaves, structure = jax.tree.flatten((bound.args, bound.kwargs))
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, (np.ndarray, jax.Array))]

        def rebuilt(arrays: list[Any]) -> Any:
            found = dict(zip(places, arrays))
            return jax.tree.unflatten(structure, [found.get(i, leaf) for i, leaf in enumerate(leaves)])

        def primal(arrays: list[Any]) -> Any:
            args, kwargs = rebuilt(arrays)
            return forward(*args, **kwargs)

        def kept(arrays: list[Any]) -> Any:
            outputs = primal(arrays)
            return outputs, (arrays, outputs)

        def gradients(kept: Any, cotangents: Any) -> tuple[list[Any]]:
            arrays, outputs = kept
            args, kwargs = rebuilt(arrays)
            given = [c for o, c in zip(_leaves(outputs), _leaves(cotangents)) if _is_float(o)]
            found = backward(*args, *kwargs.values(), *_parts(outputs), *given)
            return (_checked(arrays, found, backward),)

        differentiable = jax.custom_vjp(primal)
        differentiable.defvjp(kept, gradients)
        return differentiable([leaves[i] for i in places])

    return functools.wraps(forward, updated=())(call)


def _parts(outputs: Any) -> tuple[Any, ...]:
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def _leaves(outputs: Any) -> list[Any]:
    return jax.tree.leaves(outputs)


def _is_float(array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.inexact))


def _checked(arrays: list[Any], found: Any, backward: Callable[..., Any]) -> list[Any]:
    """One cotangent per array; None, JAX's zero, for integers."""
    name = f"with_backward: {getattr(backward, '__name__', repr(backward))}"
    floats = [array for array in arrays if _is_float(array)]
    gradients = list(found) if isinstance(found, (tuple, list)) else [found]
    if len(gradients) != len(floats):
        raise TypeError(
            f"{name} returns {len(gradients)} gradients, and the forward function has {len(floats)} arguments that are "
            f"arrays of floats: {', '.join(map(_described, floats))}"
        )
    for number, (array, gradient) in enumerate(zip(floats, gradients)):
        if gradient is not None and (gradient.shape != array.shape or gradient.dtype != array.dtype):
            raise TypeError(
                f"{name} returns as gradient {number} {_described(gradient)}\n  allowed: {_described(array)}, as the "
                f"argument, or None for zero"
            )
    rest = iter(gradients)
    return [next(rest) if _is_float(array) else None for array in arrays]


def _described(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}"

"""Recording softmax and RMS norm as the instructions that they are made of."""

from collections.abc import Sequence
from typing import Any

from jnki.access.mask import as_mask
from jnki.dtypes import ElementType, element_type, float32
from jnki.isa.constants import as_number
from jnki.tiles.compute import binary, reduction
from jnki.tiles.elementwise import activation
from jnki.tiles.tensor import Tensor, as_tensor
from jnki.tiles.vector import tensor_scalar

Axes = int | Sequence[int]


def softmax(x: Any, axis: Axes, *, dtype: Any = None, compute_dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with `exp(x - max(x)) / sum(exp(x - max(x)))` along free axes."""
    inner, outer, given = _types(x, dtype, compute_dtype, "softmax")
    predicate = as_mask(mask)
    highest = reduction("maximum", x, axis, dtype=inner, mask=predicate, keepdims=True)
    shifted = binary("subtract", x, highest, dtype=inner, mask=predicate)
    powers = activation("exp", shifted, dtype=inner, mask=predicate)
    total = reduction("add", powers, axis, dtype=inner, mask=predicate, keepdims=True)
    return binary("divide", powers, total, dtype=given, result=outer, mask=predicate)


def rms_norm(
    x: Any,
    w: Any,
    axis: Axes,
    n: int,
    epsilon: float,
    *,
    dtype: Any = None,
    compute_dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new tile with `x / sqrt(sum(x * x) / n + epsilon) * w` along free axes."""
    inner, outer, given = _types(x, dtype, compute_dtype, "rms_norm")
    predicate = as_mask(mask)
    squares = activation("square", x, dtype=inner, mask=predicate)
    total = reduction("add", squares, axis, dtype=inner, mask=predicate, keepdims=True)
    share, epsilon = 1 / as_number("rms_norm", n), as_number("rms_norm", epsilon)
    mean_square = tensor_scalar(total, "multiply", share, False, "add", epsilon, False, dtype=inner)
    scaled = binary("multiply", x, activation("rsqrt", mean_square, dtype=inner), dtype=inner, mask=predicate)
    return binary("multiply", scaled, w, dtype=given, result=outer, mask=predicate)


def _types(x: Any, dtype: Any, compute_dtype: Any, function: str) -> tuple[ElementType, ElementType, Any]:
    """The type of the tiles in between, the type of the result, and that which the caller asked for, if any."""
    given = dtype if dtype is not None else compute_dtype
    inner = compute_dtype if compute_dtype is not None else dtype
    outer = as_tensor(x, function, "x").access.dtype if given is None else element_type(given)
    return float32 if inner is None else element_type(inner), outer, given

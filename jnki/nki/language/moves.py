"""Moving tiles: `nl.load`, `nl.store`, `nl.copy`, and what makes a tile out of another one's elements."""

from collections.abc import Sequence
from typing import Any

from jnki.access import strided
from jnki.dialects.naming import named
from jnki.errors import RuleError
from jnki.nki.language.dtypes import wished_type
from jnki.tiles import elementwise, gathering, matrix, moves, normalization
from jnki.tiles.tensor import as_tensor


def load(src: Any, dtype: Any = None) -> Any:
    """A new SBUF tile with the elements of an HBM tensor `[P, F...]`, of its type unless `dtype` says."""
    return moves.load(src, dtype=wished_type(dtype))


def store(dst: Any, value: Any) -> None:
    """Writes an SBUF tile to an HBM tensor of its shape.

    Raises:
        RuleError: `err_unsupported_memory`, for a tile in PSUM.
    """
    tile = as_tensor(value, "store", "value").access
    if tile.buffer.space.value != "sbuf":
        raise RuleError(
            "err_unsupported_memory",
            f"store: value must be in ['sbuf'], got {tile.buffer.space}",
            given=str(tile.buffer),
            allowed="sbuf; nl.copy brings a tile from psum to sbuf",
        )
    moves.store(dst, value)


def load_transpose2d(src: Any, dtype: Any = None) -> Any:
    """A new SBUF tile `[F, P]` with the elements of an HBM tensor `[P, F]`."""
    return moves.load_transpose2d(src, dtype=wished_type(dtype))


@named("copy")
def copy(x: Any, dtype: Any = None) -> Any:
    """A new SBUF tile with the elements of a tile in SBUF or PSUM."""
    return moves.copy(x, dtype=wished_type(dtype))


def transpose(x: Any, dtype: Any = None) -> Any:
    """A new tile `[F, P]` with the elements of a two-dimensional tile."""
    return matrix.transpose(x, dtype=wished_type(dtype))


def matmul(x: Any, y: Any, transpose_x: bool = False) -> Any:
    """A new float32 tile in PSUM with `x @ y`, or with `x.T @ y` where `x` is transposed already.

    Args:
        x: `[M, K]` in SBUF, both at most 128; `[K, M]` with `transpose_x`.
        y: `[K, N]` in SBUF.
    """
    return matrix.matmul(x, y, transpose_x=transpose_x)


def gather_flattened(data: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    """A new tile of the shape of `indices`: each partition picks elements of `data`, its free axes taken as one.

    Args:
        data: `[P, F...]`.
        indices: `[P, I...]` of uint32.
        axis: 0, the partition axis, along which the two tiles stand beside each other.
        dtype: element type of the result; that of `data` by default.

    Raises:
        NotImplementedError: another axis.
    """
    if axis != 0:
        raise NotImplementedError(f"jnki does not model nl.gather_flattened along axis {axis} yet")
    return gathering.gather_flattened(data, indices, dtype=wished_type(dtype))


def broadcast_to(x: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    """A tile of `shape` in which axes of size 1 of `x` repeat; both have as many axes."""
    tensor = as_tensor(x, "broadcast_to", "x")
    if len(tuple(shape)) != tensor.ndim:
        raise RuleError(
            "tensor.broadcast_to",
            "broadcast_to keeps the number of axes",
            given=f"{list(tensor.shape)} to {list(shape)}",
            allowed=f"{tensor.ndim} sizes",
        )
    tile = moves.broadcast_to(tensor, shape=tuple(shape))
    return tile if dtype is None else copy(tile, dtype)


def expand_dims(x: Any, axis: int) -> Any:
    """A view of a tile with a new axis of size 1."""
    tensor = as_tensor(x, "expand_dims", "x")
    access = tensor.access
    return tensor._viewed(strided.expand_dim(access, strided.dimension(access, axis, "expand_dims", extra=1)))


def where(condition: Any, x: Any, y: Any, dtype: Any = None) -> Any:
    """Elements of `x` where `condition` is not zero, else of `y`."""
    return elementwise.select(condition, x, y, dtype=wished_type(dtype))


def softmax(x: Any, axis: int | Sequence[int] = -1, dtype: Any = None) -> Any:
    """`exp(x - max(x)) / sum(exp(x - max(x)))` along free axes."""
    return normalization.softmax(x, axis, dtype=wished_type(dtype))


def rms_norm(
    x: Any,
    w: Any,
    axis: int | Sequence[int],
    n: int,
    epsilon: float = 1e-6,
    dtype: Any = None,
    compute_dtype: Any = None,
) -> Any:
    """`x / sqrt(sum(x * x) / n + epsilon) * w` along free axes.

    Args:
        x: a tile `[P, F...]`.
        w: a tile that broadcasts to `x`.
        axis: one or more free axes.
        n: how many values the sum stands for.
        epsilon: what keeps the root away from zero.
        dtype: element type of the result; that of `x` by default.
        compute_dtype: element type of the tiles in between.
    """
    return normalization.rms_norm(
        x, w, axis, n, epsilon, dtype=wished_type(dtype), compute_dtype=wished_type(compute_dtype)
    )

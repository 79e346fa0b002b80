"""Hand-written JAX for each pattern: several forms, because the fastest one is not always the obvious one.

All take (dst, src[, indices]) and return the new destination. Forms named "as bits" move narrow floats as integers,
which is what one has to do to keep XLA's CPU compiler from taking the whole destination through float32.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Form = Callable[..., Any]
Forms = dict[str, Form]


AS_BITS = "as bits"


def _and_as_bits(forms: Forms) -> Forms:
    """Each form, and the same on the bits of 16-bit elements."""

    def as_bits(form: Form) -> Form:
        def function(dst: jax.Array, src: jax.Array, *rest: Any) -> Any:
            out = form(*(lax.bitcast_convert_type(a, jnp.int16) for a in (dst, src)), *rest)
            if isinstance(out, tuple):
                return (lax.bitcast_convert_type(out[0], dst.dtype), *out[1:])
            return lax.bitcast_convert_type(out, dst.dtype)

        return function

    return {**forms, **{f"{name}, {AS_BITS}": as_bits(form) for name, form in forms.items()}}


def whole() -> Forms:
    return {"src": lambda dst, src: src}


def slice_read(box: tuple[slice, ...]) -> Forms:
    starts = tuple(s.start for s in box)
    sizes = tuple(s.stop - s.start for s in box)
    return {
        "x[box]": lambda dst, src: src[box],
        "lax.slice": lambda dst, src: lax.slice(src, starts, tuple(s.stop for s in box)),
        "dynamic_slice": lambda dst, src: lax.dynamic_slice(src, starts, sizes),
    }


def slice_write(box: tuple[slice, ...]) -> Forms:
    starts = tuple(s.start for s in box)

    def padded(dst: jax.Array, src: jax.Array) -> jax.Array:
        pads = [(s.start, n - s.stop, 0) for s, n in zip(box, dst.shape)]
        inside = [
            (lax.iota(jnp.int32, n) >= s.start) & (lax.iota(jnp.int32, n) < s.stop) for s, n in zip(box, dst.shape)
        ]
        return jnp.where(inside[0][:, None] & inside[1], lax.pad(src, jnp.zeros((), src.dtype), pads), dst)

    return _and_as_bits(
        {
            ".at[box].set": lambda dst, src: dst.at[box].set(src),
            "dynamic_update_slice": lambda dst, src: lax.dynamic_update_slice(dst, src, starts),
            "pad and where": padded,
        }
    )


def strided_read(at: tuple[slice, ...]) -> Forms:
    steps = tuple(s.step or 1 for s in at)

    def split(dst: jax.Array, src: jax.Array) -> jax.Array:
        rows, columns = dst.shape
        return src.reshape(rows, steps[0], columns, steps[1])[:, 0, :, 0]

    return _and_as_bits(
        {
            "x[::2]": lambda dst, src: src[at],
            "lax.slice": lambda dst, src: lax.slice(src, (0, 0), src.shape, steps),
            "reshape and index": split,
        }
    )


def strided_write(at: tuple[slice, ...]) -> Forms:
    steps = tuple(s.step or 1 for s in at)
    axis = steps.index(2)

    def walked(dst: jax.Array) -> jax.Array:
        return lax.broadcasted_iota(jnp.int32, dst.shape, axis) % 2 == 0

    def padded(dst: jax.Array, src: jax.Array) -> jax.Array:
        pads = [(0, step - 1, step - 1) for step in steps]
        return jnp.where(walked(dst), lax.pad(src, jnp.zeros((), src.dtype), pads), dst)

    def repeated(dst: jax.Array, src: jax.Array) -> jax.Array:
        return jnp.where(walked(dst), jnp.repeat(src, 2, axis=axis), dst)

    def stacked(dst: jax.Array, src: jax.Array) -> jax.Array:
        odd = dst[:, 1::2] if axis else dst[1::2]
        return jnp.stack([src, odd], axis=axis + 1).reshape(dst.shape)

    def split(dst: jax.Array, src: jax.Array) -> jax.Array:
        shape = (*src.shape[: axis + 1], 2, *src.shape[axis + 1 :])
        first = lax.broadcasted_iota(jnp.int32, shape, axis + 1) == 0
        return jnp.where(first, jnp.expand_dims(src, axis + 1), dst.reshape(shape)).reshape(dst.shape)

    def updated(dst: jax.Array, src: jax.Array) -> jax.Array:
        shape = (*src.shape[: axis + 1], 2, *src.shape[axis + 1 :])
        part = jnp.expand_dims(src, axis + 1)
        return lax.dynamic_update_slice(dst.reshape(shape), part, (0, 0, 0)).reshape(dst.shape)

    return _and_as_bits(
        {
            ".at[::2].set": lambda dst, src: dst.at[at].set(src),
            "interior pad and where": padded,
            "repeat and where": repeated,
            "stack": stacked,
            "reshape and where": split,
            "reshape and update": updated,
        }
    )


def transposed() -> Forms:
    return _and_as_bits({"x.T": lambda dst, src: src.T, "copied x.T": lambda dst, src: jnp.array(src.T)})


def ragged(edge: tuple[int, int]) -> Forms:
    rows, columns = edge

    def where(dst: jax.Array, src: jax.Array) -> jax.Array:
        inside = lax.broadcasted_iota(jnp.int32, dst.shape, 0) < rows
        inside &= lax.broadcasted_iota(jnp.int32, dst.shape, 1) < columns
        return jnp.where(inside, src, dst)

    return _and_as_bits(
        {
            ".at[box].set": lambda dst, src: dst.at[:rows, :columns].set(src[:rows, :columns]),
            "dynamic_update_slice": lambda dst, src: lax.dynamic_update_slice(dst, src[:rows, :columns], (0, 0)),
            "where on iotas": where,
        }
    )


def diagonal() -> Forms:
    def where(dst: jax.Array, src: jax.Array) -> jax.Array:
        p, f = (lax.broadcasted_iota(jnp.int32, dst.shape, axis) for axis in (0, 1))
        return jnp.where(p >= f, src, dst)

    def outer(dst: jax.Array, src: jax.Array) -> jax.Array:
        return jnp.where(jnp.arange(dst.shape[0])[:, None] >= jnp.arange(dst.shape[1]), src, dst)

    def tril(dst: jax.Array, src: jax.Array) -> jax.Array:
        return jnp.where(jnp.tri(*dst.shape, dtype=bool), src, dst)

    return _and_as_bits({"where on iotas": where, "where on arange": outer, "where on tri": tril})


def _in_bounds(indices: jax.Array, rows: int) -> jax.Array:
    return (indices >= 0) & (indices < rows)


def _first_bad(valid: jax.Array) -> jax.Array:
    place = lax.iota(jnp.int32, valid.shape[0])
    return jnp.min(jnp.where(valid, valid.shape[0], place))


def gather_skip(rows: int) -> Forms:
    def clip(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        i = indices[:, 0]
        found = src.at[i].get(mode="clip", wrap_negative_indices=False)
        return jnp.where(_in_bounds(i, rows)[:, None], found, dst)

    def take(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        i = indices[:, 0]
        return jnp.where(_in_bounds(i, rows)[:, None], jnp.take(src, i, axis=0, mode="clip"), dst)

    return _and_as_bits({"clip and where": clip, "take and where": take})


def _with_first_bad(forms: Forms, rows: int) -> Forms:
    """The same, and the first row whose index is out of bounds: without it a fault could not be reported."""

    def checked(form: Form) -> Form:
        def function(dst: jax.Array, src: jax.Array, indices: jax.Array) -> Any:
            return form(dst, src, indices), _first_bad(_in_bounds(indices[:, 0], rows))

        return function

    return {name: checked(form) for name, form in forms.items()}


def gather_error(rows: int) -> Forms:
    return _with_first_bad(gather_skip(rows), rows)


def scatter_skip(rows: int) -> Forms:
    def drop(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        return dst.at[indices[:, 0]].set(src, mode="drop", wrap_negative_indices=False)

    def winner(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        order = lax.iota(jnp.int32, indices.shape[0])
        last = jnp.full((rows,), -1, jnp.int32)
        last = last.at[indices[:, 0]].max(order, mode="drop", wrap_negative_indices=False)
        found = src.at[last].get(mode="clip", wrap_negative_indices=False)
        return jnp.where((last >= 0)[:, None], found, dst)

    return _and_as_bits({".at[i].set": drop, "winner, gather and where": winner})


def scatter_error(rows: int) -> Forms:
    return _with_first_bad(scatter_skip(rows), rows)


def scatter_add(rows: int) -> Forms:
    """In float32, row after row, and rounded once: repeated rows must not lose what they add.

    A sum of the rows that is then added to the table is no alternative: it rounds in another order.
    """

    def drop(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        wide = dst.astype(jnp.float32).at[indices[:, 0]]
        return wide.add(src.astype(jnp.float32), mode="drop", wrap_negative_indices=False).astype(dst.dtype)

    def gathered(dst: jax.Array, src: jax.Array, indices: jax.Array) -> jax.Array:
        i = indices[:, 0]
        first = jnp.full((rows,), i.shape[0], jnp.int32).at[i]
        first = first.min(lax.iota(jnp.int32, i.shape[0]), mode="drop", wrap_negative_indices=False)
        slot = first.at[i].get(mode="fill", fill_value=i.shape[0], wrap_negative_indices=False)
        before = dst.at[i].get(mode="clip", wrap_negative_indices=False).astype(jnp.float32)
        total = before.at[slot].add(src.astype(jnp.float32), mode="drop").astype(dst.dtype)
        return jnp.where((first < i.shape[0])[:, None], total.at[first].get(mode="clip"), dst)

    return _with_first_bad({".at[i].add": drop, "gather, add, choose": gathered}, rows)

"""Random pairs of accesses in a loop body, and by enumeration of all iterations and elements where they meet."""

import itertools
import random
from dataclasses import replace

import numpy as np

from jnki.access.access import Access, Bound, Dim, Indirect
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.access.mask import Comparison, Mask, Test
from jnki.analysis.verdict import Use
from jnki.dtypes import element_type
from jnki.isa.vector.tensor_copy import TensorCopy

FLOAT32, INT16 = element_type("float32"), element_type("int16")
LOOP, OUTER = Symbol("i0", 4), Symbol("i1", 3)


def affine(draw, symbols, reach):
    terms = [(s, draw.randint(-reach, reach)) for s in symbols if draw.random() < 0.6]
    return Affine(draw.randint(0, 2 * reach), tuple((s, c) for s, c in terms if c))


def random_mask(draw, shape, symbols):
    def comparison():
        steps = tuple(draw.choice((0, 1, 1, -1, 2)) if draw.random() < 0.6 else 0 for _ in shape)
        tests = (Test.NOT_NEGATIVE,) * 6 + (Test.ZERO, Test.NOT_ZERO)
        base = affine(draw, symbols, 2) + draw.randint(-4, 2)
        return Comparison(base, steps, tuple(n if s else 1 for n, s in zip(shape, steps)), draw.choice(tests))

    return Mask(tuple(comparison() for _ in range(draw.randint(1, 2))))


def random_use(draw, buffer, symbols, kind, is_write):
    """A use by axes ("axes"), by steps of the flat buffer ("flat"), or with an index per row ("indirect")."""
    rank = draw.randint(1, 3)
    shape = tuple(draw.randint(1, 4) for _ in range(rank))
    mask = random_mask(draw, shape, symbols) if draw.random() < 0.4 else None
    if kind == "axes":
        starts = [affine(draw, symbols, 2) for _ in buffer.shape]
        steps = [tuple(draw.choice((0, 0, 1, 1, 2, -1)) for _ in shape) for _ in buffer.shape]
        offset, unchecked = Affine(), []
        for axis, (start, along) in enumerate(zip(starts, steps)):
            offset = offset + start * buffer.strides[axis]
            unchecked.append(Bound(start, along, axis, buffer.shape[axis]))
        dims = tuple(
            Dim(sum(along[d] * stride for along, stride in zip(steps, buffer.strides)), n) for d, n in enumerate(shape)
        )
        access = Access(buffer, offset, dims, None, tuple(unchecked))
    else:
        step = draw.choice((1, 1, 2, 3, 4, 6, 8))
        dims = tuple(Dim(draw.choice((step, 1, 2, 4, 12)), n) for n in shape)
        coefficients = [(s, draw.choice((0, 1, 2, 4, 8, 12, -4, -1))) for s in symbols]
        access = Access(buffer, Affine(draw.randint(0, 20), tuple((s, c) for s, c in coefficients if c)), dims)
        if kind == "indirect":
            index = Access.whole(Buffer("rows", Space.SBUF, (shape[0], 1), element_type("int32")))
            access = replace(access, indirect=Indirect(index, buffer.strides[0], 0, buffer.shape[0]))
    other = Access.whole(Buffer("tile", Space.SBUF, shape, buffer.dtype))
    dst, src = (access, other) if is_write else (other, access)
    return Use(TensorCopy(dst=dst, src=src, mask=mask), access, is_write, False)


def enabled_addresses(use, values):
    """The byte addresses that a use touches, or may touch, for these loop indices; None where one leaves its bounds."""
    access, mask = use.access, use.instruction.mask
    grids = np.indices(access.shape)
    enabled = np.ones(access.shape, bool)
    for c in mask.comparisons if mask is not None else ():
        value = c.base.evaluate(values.get) + sum(s * g for s, g in zip(c.steps, grids))
        enabled &= np.broadcast_to(c.passes(value), access.shape)
    for bound in access.unchecked:
        index = np.asarray(bound.base.evaluate(values.get) + sum(s * g for s, g in zip(bound.steps, grids)))
        if ((index < 0) | (index >= bound.size))[enabled].any():
            return None
    address = access.offset.evaluate(values.get) + sum(dim.step * g for dim, g in zip(access.dims, grids))
    address = address[enabled]
    if access.indirect is not None:  # any row of the tensor
        address = np.add.outer(access.indirect.step * np.arange(access.indirect.size), address).ravel()
    elif ((address < 0) | (address >= access.buffer.size)).any():
        return None
    width = access.dtype.size_bytes
    return {int(a) * width + b for a in address for b in range(width)}


def environments(use, fixed):
    inner = [s for s in use.instruction.symbols if s not in fixed]
    for numbers in itertools.product(*(range(s.trips) for s in inner)):
        yield {**fixed, **dict(zip(inner, numbers))}


def first_meeting(first, second):
    """(i, k, byte address) of the first meeting, "never", or None where an access leaves its bounds."""
    found = []
    touched: list[dict] = [{}, {}]
    for outer in range(OUTER.trips):
        for side, use in enumerate((first, second)):
            for i in range(LOOP.trips):
                here = [enabled_addresses(use, v) for v in environments(use, {LOOP: i, OUTER: outer})]
                if None in here:
                    return None
                touched[side][i] = set().union(*here)
        for i, k in itertools.permutations(range(LOOP.trips), 2):
            if common := touched[0][i] & touched[1][k]:
                found.append((i, k, min(common)))
    return min(found) if found else "never"


def random_pair(seed, kind):
    """Two uses of one buffer, each with a loop of its own inside the loop."""
    draw = random.Random(seed)
    shape = draw.choice(((7,), (40,), (6, 5), (3, 8), (3, 4, 5), (2, 12, 4)))
    buffer = Buffer("t", Space.SBUF, shape, FLOAT32)
    seen = [buffer, buffer]
    if kind == "types":
        seen[1] = Buffer("t", Space.SBUF, (*shape[:-1], 2 * shape[-1]), INT16)
    form = {"types": "flat", "mixed": "axes"}.get(kind, kind)
    uses = []
    for side in (0, 1):
        symbols = [LOOP] + [OUTER] * draw.randint(0, 1) + [Symbol(f"i{2 + side}", 2)] * draw.randint(0, 1)
        here = "flat" if kind == "mixed" and side else form
        uses.append(random_use(draw, seen[side], symbols, here, is_write=draw.random() < 0.7))
    if draw.random() < 0.2 and kind != "types":
        uses[1] = uses[0]
    return uses

"""Hypothesis strategies for random copy kernels: tangled ones, and the tiled ones that people write."""

from hypothesis import strategies as st

from tests.lower.copy_kernels import Affine, CopyKernel, Fill, Gather, Keep, Load, Move, Repeat, Scatter, Store, Window

OUTSIDE = ("a", "b")


class _Drawing:
    def __init__(self, draw, dtype, tile, source, output, indices):
        self.draw = draw
        self.adds = dtype != "int32"  # sums of unwritten integers say more about adding than about moving
        self.tile = tile
        self.source = source
        self.output = output
        self.indices = indices
        self.names = 0

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def affine(self, loops, size, extent):
        """An expression, most often one that walks a tensor of `size` in steps of `extent`."""
        factors = []
        for loop in loops:
            factor = self.draw(st.sampled_from([0, 0, 1, extent, extent, 2 * extent]))
            if factor:
                factors.append((loop.name, factor))
        low = -1 if self.draw(st.integers(0, 9)) == 0 else 0
        return Affine(self.draw(st.integers(low, max(low, size - extent))), tuple(factors))

    def window(self, loops, shape):
        row, column = self.affine(loops, shape[0], self.tile[0]), self.affine(loops, shape[1], self.tile[1])
        masked = not (
            inside(row, loops, self.tile[0], shape[0]) and inside(column, loops, self.tile[1], shape[1])
        ) or self.draw(st.booleans())
        return Window(row, column, masked)

    def column(self, loops, size):
        affine = self.affine(loops, size, self.tile[1])
        return affine if inside(affine, loops, self.tile[1], size) else Affine(0)

    def places(self, loops):
        affine = self.affine(loops, self.indices, self.tile[0])
        return affine if inside(affine, loops, self.tile[0], self.indices) else Affine(0)

    def block(self, loops, tiles, depth):
        body, tiles = [], list(tiles)
        for _ in range(self.draw(st.integers(1, 4))):
            kinds = ["load", "move", "fill", "gather", "store", "keep", "scatter"]
            if depth:
                kinds += ["loop"] * 4
            match self.draw(st.sampled_from(kinds)):
                case "loop":
                    repeat = Repeat(
                        self.name("i"),
                        self.draw(st.integers(0, 1)),
                        self.draw(st.sampled_from([0, 1, 2, 2, 3, 3, 4])),
                        self.draw(st.sampled_from([1, 1, 1, 2])),
                        (),
                    )
                    inner = self.block((*loops, repeat), tiles, depth - 1)
                    body.append(Repeat(repeat.name, repeat.start, repeat.trips, repeat.step, tuple(inner)))
                case "load":
                    body.append(Load(self.name("t"), self.window(loops, self.source)))
                    tiles.append(body[-1].tile)
                    if self.draw(st.booleans()):
                        body.append(self.use(loops, body[-1].tile))
                case "gather":
                    column = self.column(loops, self.source[1])
                    body.append(Gather(self.name("g"), self.places(loops), column))
                    tiles.append(body[-1].tile)
                    body.append(self.use(loops, body[-1].tile))
                case "move":
                    add = self.adds and self.draw(st.booleans())
                    body.append(Move(self.window(loops, self.source), self.window(loops, self.output), add))
                case "fill":
                    body.append(Fill(self.draw(st.sampled_from(OUTSIDE)), self.draw(st.integers(-3, 3))))
                case "keep":
                    body.append(self.keep(self.draw(st.sampled_from(tiles))))
                case "store":
                    body.append(Store(self.draw(st.sampled_from(tiles)), self.window(loops, self.output)))
                case "scatter":
                    tile = self.draw(st.sampled_from(tiles))
                    column = self.column(loops, self.output[1])
                    body.append(Scatter(tile, self.places(loops), column, self.adds and self.draw(st.booleans())))
        return body

    def use(self, loops, tile):
        if self.draw(st.booleans()):
            return self.keep(tile)
        return Store(tile, self.window(loops, self.output))

    def keep(self, tile):
        kept = self.draw(st.sampled_from([name for name in OUTSIDE if name != tile]))
        return Keep(kept, tile, self.adds and self.draw(st.booleans()))


def inside(affine, loops, extent, size):
    values = {loop.name: loop.values for loop in loops}
    if any(not v for v in values.values()):
        return True
    low = affine.constant + sum(f * values[n][0] for n, f in affine.factors)
    high = affine.constant + sum(f * values[n][-1] for n, f in affine.factors)
    return low >= 0 and high + extent <= size


class _Tiling(_Drawing):
    """Windows that walk both tensors tile by tile, or by pairs of tiles, with masks where the last ones stick out."""

    def __init__(self, draw, dtype, tile, source, output, indices, paces):
        super().__init__(draw, dtype, tile, source, output, indices)
        self.paces = paces

    def window(self, loops, shape):
        expressions = []
        for axis in range(2):
            extent, pace = self.tile[axis], self.paces[axis]
            walkers = loops[axis::2]
            start = extent * self.draw(st.integers(0, pace - 1))
            factors = ((walkers[0].name, pace * extent),) if walkers else ()
            expressions.append(Affine(start, factors))
        row, column = expressions
        fits = inside(row, loops, self.tile[0], shape[0]) and inside(column, loops, self.tile[1], shape[1])
        return Window(row, column, not fits)

    def loops_of(self, axis):
        size = self.tile[axis] * self.paces[axis]
        return Repeat(self.name("i"), 0, -(-self.source[axis] // size), 1, ())

    def nest(self):
        first = self.loops_of(0)
        if self.draw(st.booleans()):
            body = self.block((first,), OUTSIDE, depth=0)
        else:
            second = self.loops_of(1)
            inner = self.block((first, second), OUTSIDE, depth=0)
            body = [Repeat(second.name, 0, second.trips, 1, tuple(inner))]
            if self.draw(st.booleans()):
                body = [*self.block((first,), OUTSIDE, depth=0), *body]
        return [Repeat(first.name, 0, first.trips, 1, tuple(body))]


@st.composite
def tiled_kernels(draw, dtypes=("float32", "bfloat16", "int32", "float16")):
    """Copy kernels that tile both tensors in one or two nested loops."""
    dtype, tile = draw(st.sampled_from(dtypes)), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    paces = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    shape = []
    for extent, pace in zip(tile, paces):
        missing = draw(st.sampled_from([0, 0, 0, 1])) * draw(st.integers(0, extent - 1))
        shape.append(max(extent, extent * pace * draw(st.integers(1, 4)) - missing))
    more = draw(st.sampled_from([0, 0, tile[0], 1]))
    output = (shape[0] + more, shape[1])
    drawing = _Tiling(draw, dtype, tile, tuple(shape), output, 3 * tile[0], paces)
    body = drawing.nest()
    if draw(st.booleans()):
        body += [*drawing.block((), OUTSIDE, depth=0), *drawing.nest()]
    return CopyKernel(tile, tuple(shape), output, 3 * tile[0], dtype, tuple(body))


@st.composite
def copy_kernels(draw, dtypes=("float32", "bfloat16", "int32", "float16")):
    """Copy kernels with up to three nested loops and any windows."""
    dtype, tile = draw(st.sampled_from(dtypes)), draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    shapes = st.tuples(st.integers(tile[0], 4 * tile[0]), st.integers(tile[1], 4 * tile[1]))
    source, output = draw(shapes), draw(shapes)
    indices = draw(st.integers(tile[0], 3 * tile[0]))
    drawing = _Drawing(draw, dtype, tile, source, output, indices)
    body = drawing.block((), OUTSIDE, depth=3)
    body.append(Store(draw(st.sampled_from(OUTSIDE)), drawing.window((), output)))
    return CopyKernel(tile, source, output, indices, dtype, tuple(body))

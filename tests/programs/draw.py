"""Random kernels as Python source: loops in loops, Python state that iterations carry, conditions, views, masks, types.

A program is a function of `k`, which moves and computes tiles (`tests/programs/meanings.py` has it in NumPy and in the
legacy dialect, `current.py` in the current one), and of `loop`, which makes ranges. All tiles are `[4, 8]`; tensors
have 64 rows of 8. Values stay small whole numbers, so that every order of additions gives the same bits.
"""

import random

ROWS, TALL, WIDE = 64, 4, 8

STATE = (
    "first = True",
    "n = 0",
    "a, b = 1, 2",
    "seen = []",
    "table = {0: 3}",
    "box = k.Box()",
    "numbers = iter([3, 1, 2, 0] * 400)",
    "m = k.counter()",
)
CHANGES = (
    "first = False",
    "n += 2",
    "n = n + 1 if n < 5 else 0",
    "a, b = b, a",
    "seen.append({index})",
    "seen.append(len(seen))",
    "table[{index}] = n",
    "table[len(table)] = {index}",
    "box.value += 1",
    "a = next(numbers)",
    "n = m()",
    "first = not first",
    "b = int(f'{{{index}}}')",
)
NUMBERS = (
    "n",
    "a",
    "b",
    "len(seen)",
    "len(table)",
    "box.value",
    "3 if first else 1",
    "{index}",
    "{index} + 1",
    "2 * {index}",
    "{index} & 1",
    "{index} % 2",
    "{index} // 2",
    "abs({index} - 1)",
    "5 - {index}",
    "{index} + n",
    "({index} > 0) + 1",
    "[4, 2, 0, 1, 3, 5][{index}]",
    "k.lookup[{index}]",
)
CONDITIONS = (
    "first",
    "{index} == 1",
    "{index} > 0",
    "n % 2 == 0",
    "a == 1",
    "len(seen) > 2",
    "{index} in table",
    "({index} == 0) | (n > 3)",
    "box.value < 3",
)
UNARY = (
    "k.negative({0})",
    "k.swapped({0})",
    "k.row_sums({0})",
    "k.as_bfloat16({0})",
    "k.as_int({0})",
    "k.reshaped({0})",
)
BINARY = (
    "k.add({0}, {1})",
    "k.subtract({0}, {1})",
    "k.maximum({0}, {1})",
    "k.where({0}, {1})",
    "k.partly({0}, {1}, {2})",
)


def program(seed: int) -> str:
    """The source of `def program(k, loop)`."""
    return _Program(random.Random(seed)).source()


class _Program:
    def __init__(self, rng: random.Random):
        self.rng = rng
        self.lines: list[str] = []
        self.tiles = 0
        self.loops = 0
        self.stores = 0

    def source(self) -> str:
        body = [*STATE, "t = k.zeros()"]
        self.block(body, ["t"], ["0"], 0)
        body.append("k.store(60, t)")
        return "def program(k, loop):\n" + "\n".join("    " + line for line in body) + "\n"

    def block(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        """Statements, in which these tiles and loop indices can be used."""
        tiles = list(tiles)
        for _ in range(self.rng.randint(3, 5)):
            kinds = ["make", "make", "store", "change", "put", "if"]
            if depth < 2 and self.loops < 4:
                kinds += ["loop"] * (3 - depth)
            getattr(self, self.rng.choice(kinds))(lines, tiles, indices, depth)

    def pick(self, texts: tuple[str, ...], indices: list[str]) -> str:
        return self.rng.choice(texts).replace("{index}", self.rng.choice(indices)).replace("{{", "{").replace("}}", "}")

    def value(self, tiles: list[str], indices: list[str]) -> str:
        match self.rng.randint(0, 4):
            case 0:
                return f"k.load({self.pick(NUMBERS, indices)})"
            case 1:
                return f"k.gathered({self.pick(NUMBERS, indices)})"
            case 2:
                return self.rng.choice(UNARY).format(self.rng.choice(tiles))
            case _:
                names = self.rng.choice(tiles), self.rng.choice(tiles), self.rng.randint(0, 10)
                return self.rng.choice(BINARY).format(*names)

    def make(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        self.tiles += 1
        lines.append(f"t{self.tiles} = {self.value(tiles, indices)}")
        tiles.append(f"t{self.tiles}")

    def put(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        lines.append(f"k.put({self.rng.choice(tiles)}, {self.value(tiles, indices)})")

    def store(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        self.stores += 1
        how = self.rng.choice(("store", "store", "scattered", "added"))
        lines.append(f"k.{how}({self.pick(NUMBERS, indices)}, {self.rng.choice(tiles)})")

    def change(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        lines.append(self.pick(CHANGES, indices))

    def loop(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        self.loops += 1
        index = f"i{self.loops}"
        lines.append(f"for {index} in {self.rng.choice(('loop', 'loop', 'loop', 'range'))}({self.rng.randint(2, 4)}):")
        inner: list[str] = []
        self.block(inner, tiles, [*(i for i in indices if i != "0"), index], depth + 1)
        lines += ["    " + line for line in inner]

    # An `if` takes no loops and makes no tiles that live on.
    def _if(self, lines: list[str], tiles: list[str], indices: list[str], depth: int) -> None:
        lines.append(f"if {self.pick(CONDITIONS, indices)}:")
        for number in range(self.rng.randint(1, 2)):
            inner: list[str] = []
            self.rng.choice((self.put, self.store, self.change))(inner, tiles, indices, depth)
            lines += ["    " + line for line in inner]
            if number == 0 and self.rng.random() < 0.4:
                lines.append("else:")
        if lines[-1] == "else:":
            lines.append("    n += 1")

    def __getattr__(self, name: str):
        if name == "if":
            return self._if
        raise AttributeError(name)

"""Random programs that write parts of tiles and read parts of them, as kernels and as booleans in plain NumPy."""

import random
from dataclasses import dataclass

import numpy as np

from jnki.neuronxcc import nki

nl, nisa = nki.language, nki.isa

TALL, WIDE, TILES = 8, 12, 3
KINDS = (
    "memset",
    "load",
    "masked",
    "gather",
    "add",
    "add",
    "largest",
    "masked_largest",
    "scatter",
    "store",
    "predicated",
)


@dataclass(frozen=True)
class Step:
    """One statement; a place is (first partition, partitions, first element, elements), and a loop moves it."""

    kind: str
    to: int
    first: int
    second: int
    place: tuple[int, int, int, int]
    pace: int
    limit: int


@dataclass(frozen=True)
class Loop:
    trips: int
    body: tuple


def draw(seed: int) -> tuple:
    rng = random.Random(seed)

    def step(trips: int) -> Step:
        height, width = rng.randint(1, TALL), rng.randint(1, 4)
        pace = rng.choice((0, 1, 2)) if trips else 0
        place = (rng.randint(0, TALL - height), height, rng.randint(0, WIDE - width - pace * max(trips - 1, 0)), width)
        numbers = rng.sample(range(TILES), 3)
        return Step(rng.choice(KINDS), *numbers, place, pace, rng.randint(1, TALL + WIDE))

    def block(depth: int, trips: int) -> tuple:
        found = []
        for _ in range(rng.randint(3, 6)):
            if depth == 0 and rng.random() < 0.3:
                inside = rng.randint(2, 3)
                found.append(Loop(inside, block(1, inside)))
            else:
                found.append(step(trips))
        return tuple(found)

    return block(0, 0)


def kernel_of(program: tuple, loop):
    @nki.jit
    def kernel(x, rows):
        out = nl.ndarray((TALL, WIDE), dtype=x.dtype, buffer=nl.shared_hbm)
        nl.store(out[0:1, 0:1], nl.load(x[0:1, 0:1]))
        index = nl.load(rows)
        when = nl.load(x, dtype=nl.uint8)
        tiles = [nl.ndarray((TALL, WIDE), dtype=x.dtype, buffer=nl.sbuf, name=f"t{k}") for k in range(TILES)]
        i_p, i_f = nl.arange(TALL)[:, None], nl.arange(WIDE)[None, :]

        def run(step: Step, i):
            top, height, left, width = step.place
            part = slice(top, top + height), nl.ds(left + step.pace * i, width)
            to, first, second = tiles[step.to], tiles[step.first], tiles[step.second]
            inside = i_p + i_f < step.limit + step.pace * i
            match step.kind:
                case "memset":
                    to[part] = 1.0
                case "load":
                    to[part] = nl.load(x[part])
                case "masked":
                    to[i_p, i_f] = nl.load(x[i_p, i_f], mask=inside)
                case "gather":
                    nisa.dma_copy(dst=to, src=x[index[i_p, 0], i_f], oob_mode=nisa.oob_mode.skip)
                case "add":
                    to[part] = nl.add(first[part], second[part])
                case "largest":
                    to[part[0], 0:1] = nl.max(first[part], axis=1, keepdims=True)
                case "masked_largest":
                    to[:, 0:1] = nisa.tensor_reduce(np.max, first[i_p, i_f], axis=(1,), keepdims=True, mask=inside)
                case "scatter":
                    nisa.dma_copy(dst=out[index[i_p, 0], i_f], src=first, oob_mode=nisa.oob_mode.skip)
                case "store":
                    nl.store(out[part], first[part])
                case "predicated":
                    nisa.tensor_copy_predicated(dst=to, src=first, predicate=when)

        def block(nodes, i):
            for node in nodes:
                if isinstance(node, Loop):
                    for k in loop(node.trips):
                        block(node.body, k)
                else:
                    run(node, i)

        block(program, 0)
        return out

    return kernel


def expected(program: tuple, x: np.ndarray, rows: np.ndarray) -> tuple[dict[str, int], int]:
    """How many elements of each tensor are read that were never written, those of `out` at the end; and how many rows
    are written twice by one scatter.
    """
    written = {f"t{k}": np.zeros((TALL, WIDE), bool) for k in range(TILES)}
    out = np.zeros((TALL, WIDE), bool)
    out[0, 0] = True
    counts = {**dict.fromkeys(written, 0), "out": 0}
    valid = [0 <= int(r) < TALL for r in rows[:, 0]]
    repeats = 0

    def read(name, where):
        counts[name] += int((where & ~written[name]).sum())

    def run(step: Step, i: int):
        nonlocal repeats
        top, height, left, width = step.place
        part = np.zeros((TALL, WIDE), bool)
        part[top : top + height, left + step.pace * i : left + step.pace * i + width] = True
        to, first, second = f"t{step.to}", f"t{step.first}", f"t{step.second}"
        inside = np.add.outer(np.arange(TALL), np.arange(WIDE)) < step.limit + step.pace * i
        everything = np.ones((TALL, WIDE), bool)
        match step.kind:
            case "memset" | "load":
                written[to] |= part
            case "masked":
                written[to] |= inside
            case "gather":
                written[to][np.array(valid)] = True
            case "add":
                read(first, part)
                read(second, part)
                written[to] |= part
            case "largest":
                read(first, part)
                written[to][top : top + height, 0] = True
            case "masked_largest":
                read(first, inside)
                written[to][inside.any(axis=1), 0] = True
            case "scatter":
                repeats += sum(valid) - len({int(rows[p, 0]) for p in range(TALL) if valid[p]})
                for p in range(TALL):
                    if valid[p]:
                        counts[first] += int((~written[first][p]).sum())
                        out[int(rows[p, 0])] = True
            case "store":
                read(first, part)
                out[part] = True
            case "predicated":
                read(first, everything)
                written[to] |= x != 0

    def block(nodes, i):
        for node in nodes:
            if isinstance(node, Loop):
                for k in range(node.trips):
                    block(node.body, k)
            else:
                run(node, i)

    block(program, 0)
    counts["out"] = int((~out).sum())
    return counts, repeats

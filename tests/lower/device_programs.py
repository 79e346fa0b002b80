"""Random programs with loops on the device, as trees: recorded as kernels, and interpreted in NumPy.

    ("for", index, lower, upper, step, body)    ("while", condition, slot, body)    and single instructions

A number in a program is an int or the name of a register. A tile `t[2, 8]`, four counters `k[4]`, a tensor `y[6, 8]`
and registers carry what there is; `x[6, 8]` and `n[3]` are given. Offsets may leave their axes: the instruction does
nothing then, and the first one is the fault, which also ends every `while`.
"""

import random

import numpy as np

from jnki.isa import DmaCopy, Memset, RegisterLoad, RegisterStore, TensorCopy, TensorScalar, TensorTensor
from jnki.neuronxcc import nki
from tests.record.device_kernels import alloc, ap, emit, fori, hbm, move, new, while_loop

ROWS, WIDE, TALL, SLOTS = 6, 8, 2, 4
OPERATORS = {"add": np.add, "subtract": np.subtract, "maximum": np.maximum}


# Drawing.


def draw(seed, linear=False, faults=True):
    """A program; without `faults`, its offsets stay on their axes."""
    rng = random.Random(seed)
    program = [("move", f"r{i}", rng.randrange(3)) for i in range(2)]
    loop = _loop(rng, rng.choice(["for", "while"]), 0, ["r0", "r1"], [], linear, faults)
    return [*program, loop, *_block(rng, rng.randrange(1, 4), 0, ["r0", "r1"], linear, faults)]


def _block(rng, length, depth, registers, linear, faults):
    return [_statement(rng, depth, registers, linear, faults) for _ in range(length)]


def _statement(rng, depth, registers, linear, faults):
    kinds = ["alu", "alu", "copy", "half", "read", "write", "write", "move", "load", "store", "count", "for", "while"]
    kind = rng.choice(kinds)
    index = [r for r in registers if r.startswith("i")]
    place, other = (rng.choice([*registers, *index, *index, rng.randrange(3)]) for _ in range(2))
    if not faults:
        place, other = (rng.choice(index) if index and rng.random() < 0.7 else rng.randrange(3) for _ in range(2))
    match kind:
        case "alu":
            return ("alu", rng.choice(["add", "subtract"] if linear else list(OPERATORS)), place, other)
        case "copy" | "half" | "read" | "write":
            return (kind, place, rng.randrange(2))
        case "move":
            return ("move", rng.choice(["r0", "r1"]), rng.choice([*registers, 0, 1, 2, 3, 5, 6, -1]))
        case "load":
            return ("load", rng.choice(["r0", "r1"]), rng.randrange(2))
        case "store":
            return ("store", rng.randrange(2), rng.choice(registers))
        case "count":
            return ("count", rng.randrange(2), rng.choice([-1, 1, 2]))
        case _ if depth == 2:
            return ("count", rng.randrange(2), 1)
        case _:
            return _loop(rng, kind, depth, registers, index, linear, faults)


def _loop(rng, kind, depth, registers, index, linear, faults):
    match kind:
        case "for":
            name, step = f"i{depth}", rng.choice([1, 1, 2])
            lower = rng.choice([0, 0, 1, *(index if rng.random() < 0.5 else [])])
            upper = rng.choice(["n0", "n1", "n2", 3] if not faults else ["n0", "n1", "n2", 3, *registers])
            body = _block(rng, rng.randrange(1, 4), depth + 1, [*registers, name], linear, faults)
            return ("for", name, lower, upper, step, body)
        case _:
            body = _block(rng, rng.randrange(1, 4), depth + 1, registers, linear, faults)
            return ("while", f"c{depth}", rng.choice(["n0", "n1", 2]), 2 + depth, body)


# Recording.


def as_kernel(program):
    """The program as a kernel of `x[6, 8]` and `n[3]`, which gives `y[6, 8]`."""

    @nki.jit
    def device_program(x, n):
        y = hbm((ROWS, WIDE), name="y")
        t, k, one, at = new((TALL, WIDE), name="t"), new((1, SLOTS), "int32", name="k"), None, {}
        rows = new((ROWS, WIDE), name="rows")
        emit(DmaCopy, dst=rows, src=x)
        emit(DmaCopy, dst=y, src=rows)
        emit(DmaCopy, dst=t, src=ap(x, [[WIDE, TALL], [1, WIDE]]))
        emit(Memset, dst=k, value=0)
        one = new((1, 1), "int32", name="one")
        for i in range(3):
            at[f"n{i}"] = alloc(name=f"n{i}")
            emit(RegisterLoad, dst=at[f"n{i}"].destination, src=n[i : i + 1].access)
        _Recording(x, y, t, k, one, at).block(program)
        emit(DmaCopy, dst=ap(y, [[WIDE, TALL], [1, WIDE]], 4 * WIDE), src=t)
        return y

    return device_program


class _Recording:
    def __init__(self, x, y, t, k, one, at):
        self.x, self.y, self.t, self.k, self.one, self.at = x, y, t, k, one, dict(at)

    def number(self, value):
        return self.at[value] if isinstance(value, str) else value

    def part(self, place):
        """Four columns of `t`."""
        pattern = [[WIDE, TALL], [1, 4]]
        place = self.number(place)
        return ap(self.t, pattern, place) if isinstance(place, int) else ap(self.t, pattern, by=place, dim=1)

    def row(self, tensor, place):
        pattern = [[WIDE, 1], [1, WIDE]]
        place = self.number(place)
        return ap(tensor, pattern, WIDE * place) if isinstance(place, int) else ap(tensor, pattern, by=place)

    def slot(self, number):
        return ap(self.k, [[SLOTS, 1], [1, 1]], number)

    def block(self, program):
        for statement in program:
            self.statement(*statement)

    def statement(self, kind, *args):
        match kind, args:
            case "alu", (op, place, other):
                emit(TensorTensor, dst=self.part(place), data1=self.part(place), data2=self.part(other), op=op)
            case "copy", (place, _):
                emit(TensorCopy, dst=ap(self.t, [[WIDE, TALL], [1, 4]]), src=self.part(place))
            case "half", (place, _):
                emit(
                    TensorScalar,
                    dst=self.part(place),
                    data=self.part(place),
                    op0="multiply",
                    operand0=0.5,
                    reverse0=False,
                    op1=None,
                    operand1=None,
                    reverse1=False,
                )
            case "read", (place, row):
                emit(DmaCopy, dst=ap(self.t, [[WIDE, 1], [1, WIDE]], row * WIDE), src=self.row(self.x, place))
            case "write", (place, row):
                emit(DmaCopy, dst=self.row(self.y, place), src=ap(self.t, [[WIDE, 1], [1, WIDE]], row * WIDE))
            case "move", (register, value):
                if register not in self.at:
                    self.at[register] = alloc(name=register)
                move(self.at[register], self.number(value))
            case "load", (register, slot):
                emit(RegisterLoad, dst=self.at[register].destination, src=self.slot(slot))
            case "store", (slot, register):
                emit(RegisterStore, dst=self.slot(slot), src=self.at[register].access)
            case "count", (slot, number):
                emit(Memset, dst=self.one, value=number)
                emit(TensorTensor, dst=self.slot(slot), data1=self.slot(slot), data2=self.one, op="add")
            case "for", (name, lower, upper, step, body):

                def run(index):
                    _Recording(self.x, self.y, self.t, self.k, self.one, {**self.at, name: index}).block(body)

                fori(self.number(lower), self.number(upper), run, step)
            case "while", (name, start, slot, body):
                condition = alloc(self.number(start) if isinstance(start, int) else None, name=name)
                if isinstance(start, str):
                    move(condition, self.number(start))
                emit(RegisterStore, dst=self.slot(slot), src=condition.access)

                def again(register):
                    _Recording(self.x, self.y, self.t, self.k, self.one, self.at).block(body)
                    self.statement("count", slot, -1)
                    emit(RegisterLoad, dst=register.destination, src=self.slot(slot))
                    return register

                while_loop(condition, again)


# Interpreting.


class Interpreter:
    """The program on NumPy arrays, an iteration at a time.

    Attributes:
        fault: the index of the first offset that left its axis, or None.
        trips: the largest number of iterations of any loop.
    """

    def __init__(self, x, n):
        self.x, self.y, self.t = x, x.copy(), x[:TALL].copy()
        self.k = np.zeros(SLOTS, np.int64)
        self.at = {f"n{i}": int(v) for i, v in enumerate(n)}
        self.fault, self.trips = None, 0

    def run(self, program):
        self.block(program)
        self.y[4 : 4 + TALL] = self.t
        return self.y

    def number(self, value):
        return self.at[value] if isinstance(value, str) else value

    def inside(self, size, *places):
        for place in map(self.number, places):
            if not 0 <= place < size:
                self.fault = place if self.fault is None else self.fault
                return False
        return True

    def part(self, place):
        place = self.number(place)
        return slice(place, place + 4)

    def block(self, program):
        for statement in program:
            self.statement(*statement)

    def statement(self, kind, *args):
        t = self.t
        match kind, args:
            case "alu", (op, place, other):
                if self.inside(WIDE - 3, place, place, other):
                    t[:, self.part(place)] = OPERATORS[op](t[:, self.part(place)], t[:, self.part(other)])
            case "copy", (place, _):
                if self.inside(WIDE - 3, place):
                    t[:, :4] = t[:, self.part(place)].copy()
            case "half", (place, _):
                if self.inside(WIDE - 3, place):
                    t[:, self.part(place)] *= np.float32(0.5)
            case "read", (place, row):
                if self.inside(ROWS, place):
                    t[row] = self.x[self.number(place)]
            case "write", (place, row):
                if self.inside(ROWS, place):
                    self.y[self.number(place)] = t[row]
            case "move", (register, value):
                self.at[register] = self.number(value)
            case "load", (register, slot):
                self.at[register] = int(self.k[slot])
            case "store", (slot, register):
                self.k[slot] = self.at[register]
            case "count", (slot, number):
                self.k[slot] += number
            case "for", (name, lower, upper, step, body):
                values = range(self.number(lower), self.number(upper), step)
                self.trips = max(self.trips, len(values))
                for value in values:
                    self.at[name] = value
                    self.block(body)
            case "while", (_, start, slot, body):
                self.k[slot] = self.number(start)
                turns = 0
                while self.k[slot] and self.fault is None:
                    turns += 1
                    self.block(body)
                    self.k[slot] -= 1
                self.trips = max(self.trips, turns)

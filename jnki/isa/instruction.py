"""What every instruction is: frozen operands, rules, and a meaning."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.bounds import check_bounds
from jnki.access.index import IndexValue
from jnki.access.mask import Mask
from jnki.errors import RuleError
from jnki.isa.constants import exact
from jnki.isa.dynamic_operands import run_with_offsets
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import Location
from jnki.target import Target

SharedDims = Literal["all", "partition", "none"]


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction with its operands as accesses: *gather operands, compute, scatter the result*.

    A subclass is a frozen dataclass. Its fields of type `Access` are operands: those named in `writes` are written,
    all others read. Loops are lowered by rewriting these fields, so an operand must not hide anywhere else.

    Attributes:
        mask: where false, nothing is read, checked or written.
        location: the user's line; it takes no part in equality, so that equal programs are equal wherever they stand.
        unrolled: the iterations of unrolled loops in which it was recorded, as a fault's `Site` has them.
    """

    name: ClassVar[str]
    writes: ClassVar[tuple[str, ...]] = ("dst",)
    # Written operands with one element per partition: what all enabled elements of the partition give together.
    row_results: ClassVar[tuple[str, ...]] = ()
    # Operands that are registers of an engine: no tensor, and ordered by the author of the kernel.
    registers: ClassVar[tuple[str, ...]] = ()
    # Whether it reads and writes indirect operands itself; all others are run on direct ones.
    is_addressing: ClassVar[bool] = False
    # Whether order of execution is visible outside of memory (printing).
    has_side_effect: ClassVar[bool] = False
    # Whether its operands may be scales or packed elements, which are no numbers.
    takes_opaque: ClassVar[bool] = False
    # Which dims all operands share, so that a mask that leaves a box makes the instruction smaller: every dim (element
    # i of the result depends on element i of each operand), only the partition, or none.
    shared_dims: ClassVar[SharedDims] = "none"

    mask: Mask | None = None
    location: Location | None = field(default=None, compare=False, repr=False)
    unrolled: tuple[tuple[int, str, int | Affine], ...] = field(default=(), compare=False, repr=False)

    def __init_subclass__(cls) -> None:
        # A dataclass would compare constants by value, and 0.0 is not -0.0. It keeps what a class brings.
        cls.__eq__ = Instruction._equals  # type: ignore[method-assign,assignment]
        cls.__hash__ = Instruction._hash  # type: ignore[method-assign,assignment]
        if "execute" in vars(cls) and not cls.is_addressing:
            cls.execute = _at_offsets(cls.execute)  # type: ignore[method-assign]

    def _compared(self) -> tuple[Any, ...]:
        values = (getattr(self, f.name) for f in dataclasses.fields(self) if f.compare)
        return tuple(exact(v) if isinstance(v, (bool, int, float)) else v for v in values)

    def _equals(self, other: object) -> bool:
        """Whether both are the same instruction on the same operands, constants bit for bit."""
        if self is other:
            return True
        return type(self) is type(other) and self._compared() == other._compared()

    def _hash(self) -> int:
        return hash((type(self), self._compared()))

    def operands(self) -> dict[str, Access]:
        """All operands by name, index tiles aside."""
        found: dict[str, Access] | None = self.__dict__.get("_operands")
        if found is None:
            # Asked for several times while an instruction is recorded: a tenth of the time that recording takes.
            found = {name: value for name, value in vars(self).items() if isinstance(value, Access)}
            self.__dict__["_operands"] = found
        return found

    def reads(self) -> tuple[Access, ...]:
        """What is read: source operands and every index tile. What `writes` overwrites only in part is not here."""
        found: list[Access] = []
        for name, access in self.operands().items():
            overwritten = name in self.writes and not self.reads_destination
            found.extend(access.accesses()[1:] if overwritten else access.accesses())
        return tuple(found)

    def written(self) -> tuple[Access, ...]:
        return tuple(access for name, access in self.operands().items() if name in self.writes)

    @property
    def reads_destination(self) -> bool:
        """Whether the old value of the destination enters the new one (a read-modify-write)."""
        return False

    @property
    def is_accumulation(self) -> bool:
        """Whether it folds something associative into its destination: iterations may share one, in any order."""
        return self.reads_destination

    @property
    def keeps_some(self) -> bool:
        """Whether it leaves elements of its destination as they were that no mask takes from it."""
        return self.reads_destination and not self.is_accumulation

    @property
    def sums_partitions(self) -> bool:
        """Whether all it does is to add, to its destination, a sum over the partitions of its operands."""
        return False

    def from_nothing(self) -> Self:
        """The same instruction where it adds to nothing, of one that `sums_partitions`: it overwrites."""
        raise NotImplementedError(f"{self.name} that adds to nothing")

    @property
    def result_mask(self) -> Mask | None:
        """Which elements of `dst` are written, as a mask over `dst`."""
        return self.mask

    @property
    def may_fault(self) -> bool:
        return self.has_offset

    @property
    def has_offset(self) -> bool:
        """Whether an operand starts where a number says that is known at run time."""
        return any(access.indirect is not None for access in self.operands().values())

    @property
    def crosses_devices(self) -> bool:
        """Whether devices of a mesh run it together: all of them as often, and in the same order."""
        return False

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """All loop indices that any part of the instruction depends on."""
        found: dict[Symbol, None] = {}
        for value in vars(self).values():
            if isinstance(value, (Access, Mask)):
                for symbol in value.symbols:
                    found[symbol] = None
            elif isinstance(value, IndexValue):
                found.update(dict.fromkeys(value.base.symbols))
        for _, _, number in self.unrolled:
            if isinstance(number, Affine):
                found.update(dict.fromkeys(number.symbols))
        return tuple(found)

    def map_accesses(self, change: Callable[[Access], Access]) -> Self:
        """The same instruction with each operand, index tiles included, replaced by what `change` makes of it."""

        def deep(access: Access) -> Access:
            if access.indirect is not None:
                inner = dataclasses.replace(access.indirect, index=deep(access.indirect.index))
                access = dataclasses.replace(access, indirect=inner)
            return change(access)

        changes: dict[str, Any] = {name: deep(a) for name, a in self.operands().items()}
        return dataclasses.replace(self, **changes)

    def redirected(self, dst: Access) -> Self:
        """The same instruction with another destination, which takes its type from there."""
        changes: dict[str, Any] = {"dst": dst}
        return dataclasses.replace(self, **changes)

    def only_dst(self) -> "Instruction":
        """An instruction with the same `dst`, for running a second time: it writes nothing else."""
        return self

    def without_registers(self) -> "Instruction":
        """The same instruction where nothing reads the registers that it writes."""
        return self

    def substitute(self, symbol: Symbol, value: Affine) -> Self:
        """The same instruction with a loop index replaced; a mask that this decides is dropped."""
        changes: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            match getattr(self, f.name):
                case Access() | IndexValue() as operand:
                    changes[f.name] = operand.substitute(symbol, value)
                case Mask() as mask:
                    changes[f.name] = mask.substitute(symbol, value).simplified()
        if self.unrolled:
            told = ((d, name, Affine.of(number).substitute(symbol, value)) for d, name, number in self.unrolled)
            changes["unrolled"] = tuple((d, name, n if n.terms else n.constant) for d, name, n in told)
        return dataclasses.replace(self, **changes)

    def check(self, target: Target) -> None:
        """Every documented rule of the instruction holds on `target`.

        Raises:
            RuleError: naming the rule, what was given and what is allowed.
        """
        for name, access in self.operands().items():
            if access.unchecked or access.indirect is not None:
                check_bounds(access, self.mask, f"{self.name}'s {name}", self.masked_shape())

    def masked_shape(self) -> tuple[int, ...] | None:
        """The shape that the mask speaks of: that of the first operand that it fits, the written ones first."""
        if self.mask is None:
            return None
        shapes = [a.shape for a in (*self.written(), *self.operands().values())]
        return next((shape for shape in shapes if self.mask.fits(shape)), None)

    @abstractmethod
    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        """Memory after the instruction."""

    def error(self, rule: str, message: str, *, given: str = "", allowed: str = "") -> RuleError:
        return RuleError(rule, f"{self.name}: {message}", given=given, allowed=allowed, at=self.location)

    def remarks(self, target: Target) -> tuple[str, ...]:
        """What a listing says at the end of the line, besides where the instruction was written."""
        return ()

    def listing(self) -> str:
        """The instruction in one line of the program's listing."""
        parts = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.name == "mask" or not f.repr or value is None or value == f.default:
                continue
            if f.name not in self.writes:
                parts.append(f"{f.name}={getattr(value, 'name', value) if not isinstance(value, Access) else value}")
        target = ", ".join(str(access) for access in self.written())
        text = f"{target} = {self.name}({', '.join(parts)})" if target else f"{self.name}({', '.join(parts)})"
        return text + (f" if {self.mask}" if self.mask is not None else "")


def _at_offsets(execute: Callable[..., DeviceMemory]) -> Callable[..., DeviceMemory]:
    """`execute`, which knows direct operands, for instructions with scalar offsets too."""

    @functools.wraps(execute)
    def run(self: Any, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        return run_with_offsets(self, execute, memory, at) if self.has_offset else execute(self, memory, at)

    return run

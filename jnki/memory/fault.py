"""Run-time faults as data (clauses C9 to C11).

Only numbers travel through a computation: which site, which row, which index, in which iteration. What is static
about a site (tensor, axis, the user's line) is interned (`jnki.memory.sites`), so that a fault record has the same
structure before and after every instruction and can be carried through `lax.scan`.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.memory.fault_error import FaultError
from jnki.memory.loops import MAX_LOOP_DEPTH
from jnki.memory.sites import NO_SITE, Site, intern, known_site


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fault:
    """The first fault of a computation, or none. Under `vmap` each field has a batch axis: one record per case.

    A pickled record takes the sites that it names along.

    Attributes:
        site: int32, interned number of the operand at fault; `NO_SITE` where there is no fault.
        row: int32, position of the first bad row in row-major order.
        index: int32, the bits of the bad row index.
        iteration: int32 `[..., MAX_LOOP_DEPTH]`, the indices of the enclosing loops, outermost first.
    """

    site: jax.Array = field(default_factory=lambda: jnp.full((), NO_SITE, jnp.int32))
    row: jax.Array = field(default_factory=lambda: jnp.zeros((), jnp.int32))
    index: jax.Array = field(default_factory=lambda: jnp.zeros((), jnp.int32))
    iteration: jax.Array = field(default_factory=lambda: jnp.zeros((MAX_LOOP_DEPTH,), jnp.int32))

    @property
    def occurred(self) -> jax.Array:
        """Boolean, one per case: whether there is a fault."""
        return self.site != NO_SITE

    def __bool__(self) -> bool:
        raise TypeError(
            "a Fault is a record, which is there whether or not anything is wrong, and has no truth value: "
            "use fault.occurred (one boolean per case), or fault.raise_if_any()"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        fields = tuple(np.asarray(x) for x in (self.site, self.row, self.index, self.iteration))
        numbers = {int(number) for number in np.unique(fields[0])} - {NO_SITE}
        return _received, (tuple((number, known_site(number)) for number in sorted(numbers)), fields)

    def __copy__(self) -> "Fault":
        return Fault(self.site, self.row, self.index, self.iteration)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Fault":
        return jax.tree.map(lambda x: copy.deepcopy(x, memo), self)

    def or_else(self, later: "Fault") -> "Fault":
        """This fault where there is one, else `later`."""
        return jax.tree.map(lambda a, b: jnp.where(self.occurred, a, b), self, later)

    def first(self) -> "Fault":
        """The first of a stack of faults: axis 0 of every field is time."""
        position = jnp.argmax(self.occurred, axis=0)
        return jax.tree.map(lambda x: jnp.take(x, position, axis=0), self)

    def details(self) -> "list[FaultDetails]":
        """What happened in each case that faulted, as plain numbers and names (needs concrete values).

        Raises:
            LookupError: the record came, as bare arrays, from another process, and this one knows no such site.
        """
        found = []
        site, row, index = np.asarray(self.site), np.asarray(self.row), np.asarray(self.index)
        iteration = np.asarray(self.iteration)
        for case in np.ndindex(site.shape):
            if site[case] != NO_SITE:
                loops = tuple(int(v) for v in iteration[case])
                found.append(FaultDetails(known_site(int(site[case])), int(row[case]), int(index[case]), loops, case))
        return found

    def raise_if_any(self) -> None:
        """Returns where nothing is wrong.

        Raises:
            FaultError: the first fault (of the first faulty case of a batch), with the tensor, row index, axis,
                axis size, user's line and batch element as notes and as attributes.
        """
        faults = self.details()
        if faults:
            raise faults[0].error(faulty_cases=len(faults), batched=bool(np.ndim(self.site)))


@dataclass(frozen=True)
class FaultDetails:
    """One fault in plain Python: exact integers of any size."""

    site: Site
    row: int
    raw_index: int
    iteration: tuple[int, ...]
    case: tuple[int, ...]

    @property
    def index(self) -> int:
        """The row index as the index tile holds it."""
        return self.raw_index if self.site.signed else self.raw_index % (1 << 32)

    @property
    def flat_index(self) -> int:
        """F of clause C11: the element offset at which the row would start. Never wraps."""
        values = dict(zip(self.site.loops, self.iteration))
        start = self.site.offset.evaluate(values.__getitem__)
        return int(start + self.index * self.site.index_step + self.row * self.site.row_step)

    def error(self, faulty_cases: int = 1, batched: bool = False) -> FaultError:
        site = self.site
        text = f"index {self.flat_index} is out of bounds for axis 0 with size {site.size}"
        note = (
            f"{site.instruction}: row {self.row} of '{site.operand}' has row index {self.index}, out of bounds for "
            f"axis {site.axis} of tensor '{site.tensor}' with size {site.axis_size}"
        )
        if site.is_bound:
            text = f"a {site.instruction} runs more than {site.axis_size} times"
            note = f"{site.instruction}: {site.axis_size} is the bound that kernel.max_trips states for all its loops"
        error = FaultError(
            text,
            instruction=site.instruction,
            tensor=site.tensor,
            axis=site.axis,
            axis_size=site.axis_size,
            row=self.row,
            row_index=self.index,
            batch_element=self.case if batched else None,
            location=site.location,
        )
        error.add_note(note)
        if site.location is not None:
            error.add_note(f"at {site.location.describe()}")
        if iterations := site.iterations(self.iteration):
            error.add_note("in iteration " + ", ".join(f"{name}={value}" for name, value in iterations))
        if batched:
            case = self.case[0] if len(self.case) == 1 else self.case
            error.add_note(f"in batch element {case} ({faulty_cases} faulty in all)")
        return error


def _received(sites: tuple[tuple[int, Site], ...], fields: tuple[np.ndarray[Any, Any], ...]) -> Fault:
    """The record that another process sent, with the numbers that its sites have here."""
    here = dict[int, int]((number, intern(site)) for number, site in sites)
    numbers = np.array([here.get(int(n), NO_SITE) for n in fields[0].reshape(-1)], np.int32).reshape(fields[0].shape)
    return Fault(*(jnp.asarray(x) for x in (numbers, *fields[1:])))

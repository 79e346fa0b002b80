"""The static part of faults, and the numbers that stand for it in arrays."""

import hashlib
import threading
from dataclasses import dataclass

import numpy as np

from jnki.access.affine import Affine, Symbol
from jnki.source import Location

NO_SITE = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Site:
    """The static part of a fault: an operand of one instruction that is indexed at run time.

    Attributes:
        instruction, operand, tensor: names, for the note.
        axis, axis_size: the indexed axis.
        size: N, the element count of the tensor.
        offset: static start of the access, in elements.
        index_step, row_step: what one index, and one row of the pattern, adds to the start.
        signed: whether the index tile is int32 (else uint32).
        loops: the symbols of the enclosing loops, outermost first.
        unrolled: the iterations of unrolled loops around the instruction, outermost first: inside of how many of the
            source's `loops`, name, and number, which may depend on the indices of loops that were found in it.
        location: the user's line.
        is_bound: whether it is no index that is too large, but the number of a loop's iterations.
        is_between_cores: whether it is that two cores disagree about how often a loop runs; row and index are what they
            say.
    """

    instruction: str
    operand: str
    tensor: str
    axis: int
    axis_size: int
    size: int
    offset: Affine
    index_step: int
    row_step: int
    signed: bool
    loops: tuple[Symbol, ...] = ()
    unrolled: tuple[tuple[int, str, int | Affine], ...] = ()
    location: Location | None = None
    is_bound: bool = False
    is_between_cores: bool = False

    def iterations(self, recorded: tuple[int, ...]) -> list[tuple[str, int]]:
        """The iteration of each loop around the instruction, outermost first, given those of `loops`."""
        return iterations_of(self.loops, self.unrolled, recorded)


def iterations_of(
    loops: tuple[Symbol, ...], unrolled: tuple[tuple[int, str, int | Affine], ...], recorded: tuple[int, ...]
) -> list[tuple[str, int]]:
    """The iteration of each loop of the source, outermost first, given those of the recorded `loops`.

    Args:
        loops, unrolled: as a `Site` has them.
        recorded: a number for each of `loops`.
    """
    values = dict(zip(loops, recorded))
    written = [(symbol.name, value) for symbol, value in values.items() if not symbol.found]
    found: list[tuple[str, int]] = []
    for depth in range(len(written) + 1):
        here = (u for u in unrolled if u[0] == depth)
        found += [(name, Affine.of(number).evaluate(values.__getitem__)) for _, name, number in here]
        found += written[depth : depth + 1]
    return found


class _Interned:
    """Sites by number. A number is made from what the site says, so that every process counts alike."""

    def __init__(self) -> None:
        self._numbers: dict[Site, int] = {}
        self._sites: dict[int, Site] = {}
        self._lock = threading.Lock()

    def number_of(self, site: Site) -> int:
        with self._lock:
            attempt = 0
            while site not in self._numbers:
                number = _digest(site, attempt)
                attempt += 1
                if number not in self._sites:
                    self._sites[number], self._numbers[site] = site, number
            return self._numbers[site]

    def get(self, number: int) -> Site | None:
        return self._sites.get(number)


def _digest(site: Site, attempt: int) -> int:
    content = hashlib.sha256(f"{attempt} {site!r}".encode()).digest()
    return int.from_bytes(content[:8], "little") % NO_SITE


_SITES = _Interned()


def intern(site: Site) -> int:
    """The number of `site`, from 0 up to `NO_SITE`: equal sites have equal numbers."""
    return _SITES.number_of(site)


def known_site(number: int) -> Site:
    """The site that has this number.

    Raises:
        LookupError: this process has recorded no such site.
    """
    site = _SITES.get(number)
    if site is None:
        raise LookupError(
            f"a fault occurred at site {number}, which no kernel of this process has recorded: the bare arrays of a "
            "fault record do not say what their numbers stand for; send the Fault itself (pickled, it takes its sites "
            "along), or call details() in the process that ran the kernel"
        )
    return site

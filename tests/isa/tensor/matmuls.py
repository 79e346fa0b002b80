"""Matmuls on batches of random memories, said twice and independently: as references for jnki, and as offsets and steps
for the oracle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki import DeviceMemory, psum, sbuf
from jnki.isa.tensor.nc_matmul import nc_matmul
from jnki.memory import Fault
from tests.harness import bits_of, grid, numpy_pattern
from tests.oracle import tensor_engine as oracle
from tests.oracle.casts import STORAGE
from tests.oracle.moves import Operand

CASES = 40


@dataclass(frozen=True)
class Part:
    """A buffer and the part of it that is an operand."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    key: tuple[Any, ...] = ()

    @property
    def reference(self) -> Any:
        whole = (psum if self.name == "acc" else sbuf)(self.name, "tfloat32" if self.dtype == "tfloat32" else None)
        return whole[self.key] if self.key else whole

    @property
    def operand(self) -> Operand:
        return Operand(self.name, self.dtype, numpy_pattern(self.shape, self.key))

    @property
    def tile(self) -> tuple[int, ...]:
        return self.operand.pattern.shape


@dataclass(frozen=True)
class Matmul:
    """The static part of a batch.

    Attributes:
        name: what the test report calls it.
        acc, a, b: destination, stationary and moving operand.
        options: of `nc_matmul`.
        rows, columns, depth: predicates on positions along the free axis of `a`, the free axes of `b`, and the
            partitions; or None.
    """

    name: str
    acc: Part
    a: Part
    b: Part
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: Any = None
    columns: Any = None
    depth: Any = None

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.acc, self.a, self.b

    def run(self, memory: DeviceMemory) -> DeviceMemory:
        """The matmul as jnki does it."""
        masks: dict[str, Any] = {}
        p, f = grid(self.a.tile)[0], grid(self.a.tile)[-1]
        if self.rows is not None:
            masks["stationary_mask"] = self.rows(f)
        if self.columns is not None:
            masks["moving_mask"] = self.columns(*grid(self.b.tile)[1:])
        if self.depth is not None:
            masks["mask"] = self.depth(p)
        references = {"dst": self.acc.reference, "stationary": self.a.reference, "moving": self.b.reference}
        return nc_matmul(memory, **references, **masks, **self.options)

    def expected(self, memory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The matmul as the oracle does it."""
        m, *n = self.acc.tile
        mask = np.ones(self.acc.tile, bool)
        if self.rows is not None:
            mask &= self.rows(np.arange(m)).reshape(-1, *(1 for _ in n))
        if self.columns is not None:
            mask &= self.columns(*np.meshgrid(*map(np.arange, n), indexing="ij"))[None]
        contributes = None if self.depth is None else self.depth(np.arange(self.a.tile[0]))
        if contributes is not None and not contributes.any():
            mask[:] = False  # without anything to add the instruction does not run
        return oracle.nc_matmul(
            memory,
            dst=self.acc.operand,
            stationary=self.a.operand,
            moving=self.b.operand,
            contracted=2 if "perf_mode" in self.options else 1,
            accumulate=self.options.get("accumulate", False),
            mask=mask,
            contributes=contributes,
        )


def whole_numbers(matmul: Matmul, cases: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random small whole numbers in every buffer: all products and sums of them are exact in float32."""
    rng = np.random.default_rng([seed, *matmul.name.encode()])
    drawn = {p.name: rng.integers(-8, 9, (cases, *p.shape)) for p in matmul.parts}
    return {p.name: drawn[p.name].astype(STORAGE[p.dtype]) for p in matmul.parts}


def memory_of(arrays: Mapping[str, np.ndarray], batched: bool = True) -> DeviceMemory:
    """A memory with these arrays, `acc` in PSUM; its fault record has a batch axis where they have."""
    held = {name: array for name, array in arrays.items() if name != "acc"}
    memory = DeviceMemory.of(sbuf=held, psum={"acc": arrays["acc"]})
    cases = len(arrays["acc"])
    return (
        memory.with_fault(jax.tree.map(lambda x: jnp.broadcast_to(x, (cases, *x.shape)), Fault()))
        if batched
        else memory
    )


def assert_matches_oracle(matmul: Matmul, cases: int = CASES) -> None:
    """All cases in one vmapped call: every bit of memory is the oracle's, but for the sign of a sum that is zero."""
    start = whole_numbers(matmul, cases)
    after = jax.jit(jax.vmap(matmul.run))(memory_of(start))
    assert not after.fault.occurred.any()
    found = {**after.sbuf, **after.psum}
    for case in range(cases):
        for name, want in matmul.expected({n: a[case] for n, a in start.items()}).items():
            got = np.asarray(found[name][case])
            same = (bits_of(got) == bits_of(want)) | ((got == 0) & (want == 0) & (name == "acc"))
            assert same.all(), f"{matmul.name}, case {case}, {name}:\n{got}\nthe oracle has\n{want}"

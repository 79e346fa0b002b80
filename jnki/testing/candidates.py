"""Judging many variants of one case in one compiled call, whose batch always has the same size."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnki.testing.batches import Batches, Everything, Verdicts
from jnki.testing.report import Failure

LARGEST_BATCH = 256
SMALLEST_BATCH = 8

Arrays = list[np.ndarray]


class Judge:
    """Whether variants of a case fail in the way in which the case fails.

    Attributes:
        calls: how many calls were made.
        tried: how many variants they judged.
    """

    def __init__(self, batches: Batches, failure: Failure):
        most = max(SMALLEST_BATCH, batches.memory_bytes // batches.bytes_per_case)
        self.size = min(LARGEST_BATCH, 2 ** (int(most).bit_length() - 1))
        self._batches = batches
        self._by_fault = bool(failure.fault)
        self.calls = self.tried = 0

    def fails(self, variants: Sequence[Arrays]) -> np.ndarray:
        """Per variant, whether it is inside of its domains and fails alike."""
        found: list[np.ndarray] = []
        for start in range(0, len(variants), self.size):
            found.append(self._fails(variants[start : start + self.size]))
        return np.concatenate(found) if found else np.zeros(0, np.bool_)

    def _fails(self, variants: Sequence[Arrays]) -> np.ndarray:
        count = len(variants)
        padded = [*variants, *[variants[-1]] * (self.size - count)]
        stacked = [np.stack(leaf) for leaf in zip(*padded)]
        inside, verdicts = self._verdicts(stacked)
        self.calls, self.tried = self.calls + 1, self.tried + count
        wrong = (
            ~verdicts.fault_right
            if self._by_fault
            else verdicts.fault_right & verdicts.compared & ~verdicts.values_right
        )
        return (inside & wrong)[:count]

    def _verdicts(self, stacked: Arrays) -> tuple[np.ndarray, Verdicts]:
        batches = self._batches
        if batches.on_host:
            inside, result = jax.device_get(self._ran(stacked))
            return inside, batches._in_numpy(Everything(*result))
        inside, known = jax.device_get(self._judged(stacked))
        return inside, batches._verdicts(known)

    @functools.cached_property
    def _judged(self) -> Callable[..., Any]:
        return jax.jit(lambda arrays: (self._inside(arrays), self._batches.judge(arrays)))

    @functools.cached_property
    def _ran(self) -> Callable[..., Any]:
        return jax.jit(lambda arrays: (self._inside(arrays), self._batches._ran(arrays)))

    def _inside(self, arrays: Any) -> Any:
        domains = self._batches.arguments.domains
        return jax.vmap(lambda case: jnp.all(jnp.stack([d.contains(a) for d, a in zip(domains, case)])))(arrays)

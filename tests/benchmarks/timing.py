"""Timing alternatives against each other: interleaved, in one process, as ratios."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

# A sample shorter than this is mostly clock and scheduler.
SAMPLE_S = 0.02


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: samples of each alternative; medians are over them.
        sample_s: at least this long per sample.
    """

    rounds: int = 11
    sample_s: float = SAMPLE_S


QUICK = Effort(rounds=1, sample_s=0.0)


def sampled(alternatives: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, list[float]]:
    """Seconds per call of each alternative, one sample per round, in turn: A B C, then C B A, and so on.

    What an alternative returns is waited for.
    """
    repeats = {}
    for name, call in alternatives.items():
        jax.block_until_ready(call())
        once = min(_seconds(call, 1), _seconds(call, 1)) if effort.sample_s else 1.0
        repeats[name] = max(1, round(effort.sample_s / max(once, 1e-7)))
    names = list(alternatives)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for number in range(effort.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            samples[name].append(_seconds(alternatives[name], repeats[name]))
    return samples


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(call())
    return (time.perf_counter() - start) / repeats


def ratio(samples: Mapping[str, list[float]], of: str, to: str) -> float:
    """The median over rounds of the time of `of` divided by the time of `to` in the same round."""
    return statistics.median(a / b for a, b in zip(samples[of], samples[to]))


def median_ms(samples: Mapping[str, list[float]], name: str) -> float:
    return statistics.median(samples[name]) * 1e3


def fastest(samples: Mapping[str, list[float]], names: list[str]) -> str:
    """The alternative with the least median."""
    return min(names, key=lambda name: statistics.median(samples[name]))

"""Each benchmark runs on something tiny and prints its tables; nothing here looks at a time."""

import jax.numpy as jnp
import pytest

from tests.benchmarks import calls, cases, checks, dialects, imports, kernels, loops, moves
from tests.benchmarks.timing import QUICK, fastest, ratio


def rows(text: str) -> int:
    """How many rows the printed tables have, headings aside."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return len(lines) - 2 * sum("---" in line for line in lines)


@pytest.mark.parametrize("only", ["slice", "every 2nd column, write", "masked", "gather", "scatter"])
def test_moves_agree_with_what_is_written_by_hand(capsys: pytest.CaptureFixture[str], only: str) -> None:
    moves.run(QUICK, (moves.TINY,), only, (jnp.float32,))
    assert rows(capsys.readouterr().out) >= 2


def test_cases(capsys: pytest.CaptureFixture[str]) -> None:
    cases.run(QUICK, cases.Cases(count=4, bad_every=2))
    assert rows(capsys.readouterr().out) == 7


def test_checks(capsys: pytest.CaptureFixture[str]) -> None:
    checks.run(QUICK, cases=8, shrinking=False)
    assert rows(capsys.readouterr().out) == 2


def test_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    dialects.run(QUICK, small=True)
    assert rows(capsys.readouterr().out) == 4


def test_loops(capsys: pytest.CaptureFixture[str]) -> None:
    loops.run(QUICK, trips=(2,), compile_trips=(2, 3))
    assert rows(capsys.readouterr().out) == 9 + 6


def test_calls(capsys: pytest.CaptureFixture[str]) -> None:
    calls.run(QUICK)
    assert rows(capsys.readouterr().out) == 6


def test_imports(capsys: pytest.CaptureFixture[str]) -> None:
    imports.run(QUICK, ("json", "string"))
    assert rows(capsys.readouterr().out) == 2


def test_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    kernels.run(QUICK, small=True)
    assert rows(capsys.readouterr().out) == 6


def test_ratios_are_of_samples_of_one_round() -> None:
    samples = {"a": [2.0, 30.0, 6.0], "b": [1.0, 10.0, 4.0]}
    assert ratio(samples, "a", "b") == 2.0
    assert fastest(samples, ["a", "b"]) == "b"

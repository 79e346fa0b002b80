"""Which rules the tests break: the code that breaks each, and what is said. A pytest plugin that keeps them.

Used by `docs/generate_rules.py`, which makes docs/rules/ of what is found.
"""

import functools
import inspect
import pathlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from jnki import errors
from jnki.analysis.finding import Finding
from jnki.errors import RuleError
from tests.errors.shown import call_below, code_at

ROOT = pathlib.Path(__file__).parents[2]
_TESTS = f"{ROOT / 'tests'}/"
_SPEAKS_OF_RULES = re.compile(r"raises|flagged|refus|[rR]ule|\.check\(|wrong|[fF]inding|unused\(|found\(|\.of\(\"")


@dataclass(frozen=True, order=True)
class Broken:
    """One rule that one test breaks.

    Attributes:
        rule: its name.
        text: what is said, without the place.
        test: the test, as pytest names it, without parameters.
        code: what breaks it.
    """

    rule: str
    text: str
    test: str
    code: str


class Collector:
    """A plugin: runs the tests that speak of rules, and keeps every rule that they break at a line of a test."""

    def __init__(self) -> None:
        self.found: set[Broken] = set()
        self._test = ""
        self._undo: list[Callable[[], None]] = []

    def pytest_sessionstart(self) -> None:
        # Not by a new `__init__`, which would be the innermost frame outside of jnki: the user's line.
        self._hear(errors, "_keep", lambda error: error)
        self._hear(Finding, "__init__", lambda finding, *_: finding)

    def pytest_sessionfinish(self) -> None:
        while self._undo:
            self._undo.pop()()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        # What hypothesis draws is not the same in each run, and what looks at the pages comes after them.
        fixed = [i for i in items if not hasattr(i.function, "hypothesis") and i.path.stem != "test_rule_pages"]
        items[:] = [item for item in fixed if _SPEAKS_OF_RULES.search(inspect.getsource(item.function))]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        self._test = item.nodeid.split("[")[0]
        return (yield)

    def _hear(self, owner: Any, name: str, subject: Callable[..., Any]) -> None:
        """From now on, what a function has been called for is kept after each call."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def heard(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            self._keep(subject(*args))

        setattr(owner, name, heard)
        self._undo.append(lambda: setattr(owner, name, original))

    def _keep(self, made: Any) -> None:
        place = getattr(made, "location", None)
        if isinstance(made, (RuleError, Finding)) and place is not None and place.file.startswith(_TESTS):
            text = re.sub(r" at 0x\w+|(?<=\.py):\d+", "", re.sub(r"\n  at .*", "", str(made), flags=re.DOTALL))
            frames = frames_from(place.file, place.line) if isinstance(made, RuleError) else []
            column = column_of(frames[0]) if frames else None
            code = call_below(frames) or code_at(pathlib.Path(place.file), place.line, column)
            self.found.add(Broken(made.rule, text, self._test, code))


def frames_from(file: str, line: int) -> list[FrameType]:
    """The frames on the stack from that at a line inwards; none where the line is not being run."""
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        frames.append(frame)
        if (frame.f_code.co_filename, frame.f_lineno) == (file, line):
            return frames[::-1]
        frame = frame.f_back
    return []


def column_of(frame: FrameType) -> int | None:
    """The column at which a frame's line is being run."""
    return list(frame.f_code.co_positions())[frame.f_lasti // 2][2]

"""Writes the table at the end of docs/isa/dma/dma_copy.md: which file cites which clause.

Run with: python docs/generate_clauses.py

A file cites clause 9 by `C9`, or by a range such as `C8 to C10`, in a comment, a docstring or a message; a test also by
its name, as in `test_c09_a_negative_index`.
"""

import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "isa" / "dma" / "dma_copy.md"
BEGIN, END = "<!-- clauses: begin -->\n", "<!-- clauses: end -->\n"

_DEFINITION = re.compile(r"^- \*\*C(\d+)\*\*", re.MULTILINE)
_CITATION = re.compile(r"\bC(\d{1,2})(?: to C(\d{1,2}))?\b")
_TEST_NAME = re.compile(r"\bdef test_(\w+)")
_NUMBER_IN_NAME = re.compile(r"(?:^|_)c(\d{1,2})(?=_|$)")


def cited(text: str) -> Iterator[int]:
    """The clauses that comments, docstrings and messages cite."""
    for first, last in _CITATION.findall(text):
        yield from range(int(first), int(last or first) + 1)


def tested(text: str) -> Iterator[int]:
    """The clauses that a test module cites, names of its tests included."""
    yield from cited(text)
    for name in _TEST_NAME.findall(text):
        yield from map(int, _NUMBER_IN_NAME.findall(name))


def table(page: str) -> str:
    """The table for the clauses that `page` defines, from the files as they are now."""
    code = {path: set(cited(path.read_text())) for path in sorted((ROOT / "jnki").rglob("*.py"))}
    # What tests the oracle tests no line of jnki.
    modules = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if p.parent.name != "oracle"]
    tests = {path: set(tested(path.read_text())) for path in modules}
    lines = ["| clause | code | tests |\n", "| --- | --- | --- |\n"]
    for number in map(int, _DEFINITION.findall(page)):
        lines.append(f"| C{number} | {_links(code, number)} | {_links(tests, number)} |\n")
    return "".join(lines)


def _links(files: dict[pathlib.Path, set[int]], number: int) -> str:
    names = [path.relative_to(ROOT).as_posix() for path, found in files.items() if number in found]
    return ", ".join(f"[{name.split('/', 1)[1]}](../../../{name})" for name in names) or "none"


def updated(page: str) -> str:
    """`page` with the table made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table(page) + END + after


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text()))

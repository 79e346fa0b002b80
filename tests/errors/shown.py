"""How an example of a broken rule is shown: the kernel around a line, or a call without a kernel as it was made."""

import ast
import enum
import functools
import inspect
import pathlib
import re
import textwrap
from types import FrameType
from typing import Any

import numpy as np

import jnki
from jnki.access.index import Index, IndexValue
from jnki.access.mask import Mask
from jnki.access.ref import Pattern, Ref, Slice
from jnki.memory import DeviceMemory
from jnki.target import Target

_LONGEST_LINES = 24
_LONGEST_CALL = 88
_COMPOUND = (ast.ClassDef, ast.FunctionDef, ast.With, ast.For, ast.If, ast.While, ast.Try, ast.Match)
_PACKAGE = str(pathlib.Path(jnki.__file__).parent)


@functools.cache
def code_at(path: pathlib.Path, line: int, column: int | None) -> str:
    """What the lambda at a place of a file does, else the function around it, else the statement; with a mark."""
    text = path.read_text()
    around = [n for n in ast.walk(_parsed(text)) if _lines(n) and _first_line(n) <= line <= n.end_lineno]
    lambdas = [n for n in around if isinstance(n, ast.Lambda) and (column is None or _covers(n, line, column))]
    if len(lambdas) == 1 or (lambdas and column is not None):
        return ast.unparse(lambdas[-1].body)
    short = [n for n in around if isinstance(n, ast.FunctionDef) and _lines(n) <= _LONGEST_LINES]
    statements = [n for n in around if isinstance(n, ast.stmt) and not isinstance(n, _COMPOUND)]
    shown = [*around[-1:], *statements, *short][-1:]
    if not shown or not isinstance(shown[0], ast.stmt):
        return ""
    first = _first_line(shown[0])
    lines = [re.sub(r"  # (flagged|here)$", "", each) for each in text.splitlines()[first - 1 : shown[0].end_lineno]]
    if len(lines) > 1:
        lines[line - first] += "  # here"
    return textwrap.dedent("\n".join(lines))


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _first_line(node: Any) -> int:
    """The first line of a node, with its decorators but those of pytest."""
    decorators = [d for d in getattr(node, "decorator_list", []) if "pytest" not in ast.unparse(d)]
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _lines(node: Any) -> int:
    """How many lines of its file a node takes; 0 for one that has no place."""
    return node.end_lineno - node.lineno + 1 if hasattr(node, "end_lineno") else 0


def _covers(node: Any, line: int, column: int) -> bool:
    return (node.lineno, node.col_offset) <= (line, column) < (node.end_lineno, node.end_col_offset)


def call_below(frames: list[FrameType]) -> str:
    """The call of a function of `jnki` that takes a memory, among frames from the user's inwards; empty without one."""
    for frame in frames:
        name = frame.f_code.co_name
        if not frame.f_code.co_filename.startswith(_PACKAGE) or not inspect.isfunction(getattr(jnki, name, None)):
            continue
        function = inspect.unwrap(getattr(jnki, name))
        given = inspect.getargvalues(frame).locals
        if function.__code__ is frame.f_code and isinstance(given.get("memory"), DeviceMemory):
            defaults = {p.name: p.default for p in inspect.signature(function).parameters.values()}
            told = [f"{k}={spelled(given[k])}" for k, d in defaults.items() if k != "memory" and given[k] is not d]
            call = _written(f"jnki.{name}", ["memory", *told])
            return f"{memory_of(given['memory'], call)}\n{call}"
    return ""


def memory_of(memory: DeviceMemory, call: str) -> str:
    """How a memory is made with the arrays that a call names; what is in them does not matter to a rule."""
    spaces: dict[str, list[str]] = {}
    for (space, name), array in memory.arrays.items():
        if f'{space}("{name}"' not in call:
            continue
        shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
        spaces.setdefault(str(space), []).append(f'"{name}": zeros(({shape}), "{array.dtype}")')
    return _written(
        "memory = DeviceMemory.of", [f"{space}={{{', '.join(arrays)}}}" for space, arrays in spaces.items()]
    )


def _written(function: str, arguments: list[str]) -> str:
    """A call on one line, or with a line for each argument."""
    line = f"{function}({', '.join(arguments)})"
    return (
        line if len(line) <= _LONGEST_CALL else "\n    ".join([f"{function}(", *(f"{a}," for a in arguments)]) + "\n)"
    )


def spelled(value: Any) -> str:
    """A value as a user would write it, or in words."""
    match value:
        case Ref():
            kind = f', "{value.dtype}"' if value.dtype is not None else ""
            return f'{value.space}("{value.name}"{kind}){"".join(map(_step, value.path))}'
        case tuple() | list():
            return f"[{', '.join(map(spelled, value))}]"
        case Target():
            return value.name.upper()
        case enum.Enum():
            return f"{type(value).__name__}.{value.name}"
        case str():
            return f'"{value}"'
        case Mask() | Index():
            return f"<{value!r}>"
        case IndexValue():
            return f"<index {list(value.shape)}>"
        case np.ufunc():
            return f"np.{value.__name__}"
        case np.ndarray():
            return f"np.{value!r}"
    # The number in an address is another one in each run.
    return re.sub(r" at 0x\w+", "", repr(value))


def _step(step: Any) -> str:
    if isinstance(step, Pattern):
        more = f", offset={step.offset}" if step.offset else ""
        offsets = {"scalar_offset": step.scalar_offset, "vector_offset": step.vector_offset}
        more += "".join(f", {name}={spelled(value)}" for name, value in offsets.items() if value is not None)
        return f".ap({[list(pair) for pair in step.pattern]}{more})"
    return f"[{', '.join(map(_key, step))}]"


def _key(key: Any) -> str:
    if isinstance(key, Slice):
        start, stop, step = ("" if n is None else spelled(n) for n in (key.start, key.stop, key.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return spelled(key)

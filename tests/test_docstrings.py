"""Docstrings document parameters that there are: `Args:` of every function of jnki, `a, b: ...` for two of them."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted((ROOT / "jnki").rglob("*.py"))


def documented(docstring):
    """The names that stand in front of a colon below `Args:`."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    lines = re.findall(r"^    (\S[^\n]*)", section[1], re.MULTILINE) if section else []
    return [name.strip().lstrip("*") for line in lines for name in line.split(":")[0].split(",")]


def parameters(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in every if argument is not None}


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_documented_parameters_exist(module):
    wrong = [
        (function.name, name)
        for function in ast.walk(ast.parse(module.read_text()))
        if isinstance(function, ast.FunctionDef)
        for name in documented(ast.get_docstring(function) or "")
        if name not in parameters(function)
    ]
    assert wrong == []


def test_there_are_documented_parameters():
    texts = (path.read_text() for path in MODULES)
    functions = (node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    assert sum(len(documented(ast.get_docstring(function) or "")) for function in functions) > 1000


def test_what_is_documented():
    assert documented("Adds.\n\nArgs:\n    a, b: numbers,\n        of any type: all.\n    *more: others.\n") == [
        "a",
        "b",
        "more",
    ]

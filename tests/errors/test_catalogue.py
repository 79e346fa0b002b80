"""Every rule of the legacy dialect is raised somewhere, holds in another way, or is listed as not checked yet."""

import ast
import re
from pathlib import Path

import pytest

import jnki
from tests.errors.catalogue import CONSTRAINTS, IS_WHAT_HAPPENS, NAMED, NOT_YET, UNDER_ANOTHER_NAME

TABLES = (UNDER_ANOTHER_NAME, IS_WHAT_HAPPENS, NOT_YET)


def texts(tree):
    """The string constants of a module that are no docstrings, as patterns; what an f-string fills in is `\\w+`."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text) if id(node) not in docstrings:
                yield re.escape(text)
            case ast.JoinedStr(values=values):
                yield "".join(re.escape(v.value) if isinstance(v, ast.Constant) else r"\w+" for v in values)


@pytest.fixture(scope="module")
def raised():
    folder = Path(jnki.__file__).parent
    return {text for path in folder.rglob("*.py") for text in texts(ast.parse(path.read_text()))}


@pytest.mark.parametrize("rule", NAMED + CONSTRAINTS)
def test_a_rule_is_in_one_place(raised, rule):
    is_raised = re.escape(rule) in raised
    listed = [table for table in TABLES if rule in table]
    assert len(listed) + is_raised == 1, f"raised: {is_raised}, listed in {len(listed)} tables"


def test_the_tables_hold_nothing_else(raised):
    known = {*NAMED, *CONSTRAINTS}
    assert all(rule in known for table in TABLES for rule in table)
    assert all(re.escape(other) in raised for other in UNDER_ANOTHER_NAME.values())


def test_every_named_error_that_is_raised_is_in_a_test(raised):
    tests = Path(__file__).parents[1]
    text = "".join(path.read_text() for path in tests.rglob("test_*.py"))
    assert [rule for rule in NAMED if re.escape(rule) in raised and rule not in text] == []

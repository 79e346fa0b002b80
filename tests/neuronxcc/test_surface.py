"""Every documented name of the legacy dialect is there with its parameters, or says that it is not modelled."""

import functools
import inspect
import re
from pathlib import Path

import pytest

from jnki.neuronxcc import nki
from jnki.neuronxcc.nki import not_yet
from tests.neuronxcc import surface
from tests.surfaces import documented, parameters

TABLE = surface.table()
THERE = [name for name in TABLE if name.found() is not None]
MISSING = {"nki": not_yet.TOP, "nki.language": not_yet.LANGUAGE, "nki.isa": not_yet.ISA}


@pytest.mark.parametrize("name", [n for n in THERE if n.parameters is not None], ids=lambda name: name.spelled)
def test_parameters(name):
    """In the documented order, with the documented defaults; what jnki takes besides is listed."""
    found, expected = parameters(name.found()), documented(name.parameters)
    if name.path in surface.ADDED:
        # After `*args` there are keywords only, and no mark says so.
        marked = any(word.startswith("*") for word in expected)
        expected += ["*"] * (not marked) + surface.ADDED[name.path].split(", ")
    assert found == expected


def test_every_name_is_there_or_says_that_it_is_not():
    absent = {name.path for name in TABLE} - {name.path for name in THERE}
    missing = {f"{module}.{name}" for module, names in MISSING.items() for name in names}
    without = {path for path in absent if not any(path.startswith(f"{other}.") for other in missing)}
    assert without == missing - {"nki.compiler"}


def test_what_is_not_possible_raises_where_it_is_used():
    for path in surface.NOT_POSSIBLE:
        *modules, name = path.split(".")
        owner = functools.reduce(getattr, modules[1:], nki)
        with pytest.raises(NotImplementedError, match=name):
            getattr(owner, name)


@pytest.mark.parametrize("name", [n for n in THERE if n.members and n.module != "nki.typing"], ids=lambda n: n.spelled)
def test_members(name):
    for member in name.members.split("; "):
        word, value, given = re.fullmatch(r"(\w+)(?: = (\d+)|\((.*)\))", member).groups()
        found = getattr(name.found(), word)
        if value is not None:
            assert found.value == int(value)
        elif inspect.isfunction(found):
            expected = documented(given)
            assert parameters(found)[: len(expected)] == expected


def test_the_page_is_what_the_table_and_jnki_say():
    path = Path(__file__).parents[2] / "docs" / "surface.md"
    assert path.read_text() == surface.page(), "python -m tests.neuronxcc.surface > docs/surface.md"

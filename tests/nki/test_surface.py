"""Every documented name of the current dialect is there with its parameters, or says that it is not modelled."""

import inspect
import re
from pathlib import Path

import pytest

from jnki.nki import isa, language, not_yet
from tests.nki import surface
from tests.surfaces import documented, parameters

TABLE = surface.table()
THERE = [name for name in TABLE if name.found() is not None]
MISSING = {"nki": not_yet.TOP, "nki.language": not_yet.LANGUAGE, "nki.isa": not_yet.ISA}


@pytest.mark.parametrize("name", [n for n in THERE if n.parameters is not None], ids=lambda name: name.spelled)
def test_parameters(name):
    """In the documented order, with the documented defaults."""
    found, expected = parameters(name.found()), documented(name.parameters)
    if "on_false_value=..." in expected:
        expected[expected.index("on_false_value=...")] = "on_false_value=fp32.min"
    assert found == expected


def test_every_name_is_there_or_says_that_it_is_not():
    public = {name.path for name in TABLE if not name.name.startswith("_") and name.module != "nki.collectives"}
    absent = public - {name.path for name in THERE}
    missing = {f"{module}.{name}" for module, names in MISSING.items() for name in names}
    assert absent == missing


@pytest.mark.parametrize(
    ("module", "name"), [(m, n) for m in ("isa", "language") for n in sorted(getattr(not_yet, m.upper()))]
)
def test_what_is_not_modelled_says_so(module, name):
    with pytest.raises(NotImplementedError, match=rf"jnki does not model nki\.{module}\.{name} yet"):
        getattr({"isa": isa, "language": language}[module], name)


@pytest.mark.parametrize("name", sorted(not_yet.GONE_FROM_LANGUAGE))
def test_what_is_gone_says_what_stands_for_it(name):
    with pytest.raises(AttributeError, match=re.escape(not_yet.GONE_FROM_LANGUAGE[name])):
        getattr(language, name)


@pytest.mark.parametrize("name", [n for n in THERE if n.members], ids=lambda n: n.spelled)
def test_members(name):
    for member in name.members.split("; "):
        word, value, given = re.fullmatch(r"(\w+)(?: = ('?\w+'?)|\((.*)\))?", member).groups()
        found = getattr(name.found(), word)
        if value is not None:
            assert repr(found.value) == value
        elif given is not None and inspect.isfunction(found) and word != "__init__":
            assert parameters(found) == documented(given)


def test_the_page_is_what_the_table_and_jnki_say():
    path = Path(__file__).parents[2] / "docs" / "surface_current.md"
    assert path.read_text() == surface.page(), "python -m tests.nki.surface > docs/surface_current.md"

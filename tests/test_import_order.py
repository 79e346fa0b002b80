"""Imports run downward only: reads them with `ast`, those inside of functions too."""

import ast
import pathlib
import re
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "jnki"

# From the ground up. Rooms on one line may not import each other.
ORDER = (
    ("source", "rounding", "target"),
    ("errors", "default_target"),
    ("dtypes", "dialects"),
    ("access",),
    ("memory",),
    ("isa",),
    ("program",),
    ("analysis", "lower", "record"),
    ("tiles", "stepping", "watch", "costs"),
    ("view",),
    ("kernel",),
    ("neuronxcc", "nki", "testing"),
    ("serve", "on_path", "user_traceback", "asked", "info"),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))


def imported(path):
    """The dotted names that a module imports, and the line of each; `from a import b` gives `a.b`."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from ((alias.name, node.lineno) for alias in node.names)
            case ast.ImportFrom(module=module, level=level):
                above = package[: len(package) - level + 1] if level else ()
                start = ".".join([*above, *([module] if module else [])])
                yield from ((f"{start}.{alias.name}", node.lineno) for alias in node.names)


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def breaches(path):
    room = room_of(path)
    for name, line in imported(path):
        first, *rest = name.split(".")
        if first == "jnki" and rest[0] != room and LEVEL.get(rest[0], len(ORDER)) >= LEVEL[room]:
            yield f"{path.name}:{line}: {room} imports {name}"


def test_every_room_has_its_place():
    assert {room_of(path) for path in MODULES} <= LEVEL.keys()


@each_module
def test_imports_run_downward(path):
    assert list(breaches(path)) == []


def test_a_breach_is_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "jnki")
    module = tmp_path / "jnki" / "access" / "affine.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from jnki.errors import RuleError\n"
        "from jnki.access.mask import Mask\n"
        "def late():\n    import jnki.isa.dma.dma_copy\n"
        "from ..lower import kernel\n"
        "from jnki import hbm\n"  # the index of the package is above every room
    )
    assert list(breaches(module)) == [
        "affine.py:5: access imports jnki.lower.kernel",
        "affine.py:6: access imports jnki.hbm",
        "affine.py:4: access imports jnki.isa.dma.dma_copy",
    ]


@each_module
def test_only_public_names_are_imported(path):
    private = [f"{path.name}:{line}: {name}" for name, line in imported(path) if re.search(r"\._[a-z]", name)]
    assert private == []
    assert not re.search(r"\bjax\._src\b", path.read_text())


def test_dependencies_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    used = {name.split(".")[0] for path in MODULES if room_of(path) != "testing" for name, _ in imported(path)}
    assert used - sys.stdlib_module_names - {"jnki"} <= declared

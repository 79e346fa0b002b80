"""The surface of a dialect: every documented name, and the parameters of each function, from its `surface.txt`.

In such a table a function is `name(parameters)`, a class or an enumeration `name: members`, and anything else its name.
Annotations are left out, and so is a `**kwargs` of which the documentation does not say what could be in there.
"""

import enum
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPELLED = {"nki.language": "nl", "nki.isa": "nisa"}


@dataclass(frozen=True)
class Name:
    """A documented name.

    Attributes:
        package: what jnki serves the dialect with, such as `jnki.nki`.
        module, name: `nki.isa`, `activation`.
        parameters: of a function, else None.
        members: of a class or an enumeration, else None.
    """

    package: str
    module: str
    name: str
    parameters: str | None = None
    members: str | None = None

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def spelled(self) -> str:
        """As kernels spell it: `nl.add`."""
        return f"{SPELLED.get(self.module, self.module)}.{self.name}"

    def found(self) -> object | None:
        """What jnki has under that name, or None."""
        owner: object | None = importlib.import_module(self.package)
        for part in self.path.split(".")[1:]:
            owner = getattr(owner, part, None)
        return owner


def table(path: Path, package: str) -> list[Name]:
    """The names in a table, in its order."""
    found, module = [], ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif named := re.fullmatch(r"(\w+)\((.*)\)", line):
            found.append(Name(package, module, named[1], parameters=named[2]))
        else:
            name, _, members = line.partition(": ")
            found.append(Name(package, module, name, members=members or None))
    return found


def page(head: str, names: list[Name], not_possible: Mapping[str, str]) -> str:
    """A page of documentation: each name, and how far jnki has it."""
    documents = Path(__file__).parents[1] / "docs"
    deviations = (documents / "deviations.md").read_text()
    pages = {path.stem: path.relative_to(documents) for path in (documents / "isa").rglob("*.md")}
    lines = []
    for name in names:
        if name.path in not_possible:
            status = f"not possible: {not_possible[name.path]}"
        elif name.found() is None:
            status = "not yet"
        else:
            has_choices = re.search(rf"\b{re.escape(name.spelled)}\b", deviations)
            status = "implemented, choices" if has_choices else "implemented"
            if name.module == "nki.isa" and name.name in pages:
                status += f": [{name.name}]({pages[name.name]})"
        text = name.parameters or name.members
        lines.append(f"| `{name.spelled}` | {f'`{text}`' if text else ''} | {status} |")
    return head + "\n".join(lines) + "\n"


def written(default: object) -> str:
    """A default as the documentation writes it."""
    match default:
        case enum.Enum():
            return default.name
        case float() if default == np.finfo(np.float32).min:
            return "fp32.min"
        case str() if type(default) is not str:
            return str(default)
        case _ if getattr(default, "__module__", None) == "numpy":
            return f"np.{default.__name__}"
        case type():
            return default.__name__
        case _ if inspect.isfunction(default):
            return default.__name__
        case _:
            return repr(default)


def parameters(function: object) -> list[str]:
    """The parameters of a function, one string each, without annotations; `*` where keywords begin."""
    words, starred = [], False
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(mark + p.name + ("" if p.default is p.empty else f"={written(p.default)}"))
    return words


def documented(text: str) -> list[str]:
    """The documented parameters, in the same form: defaults of enumerations by the name of the member alone."""
    text = re.sub(r"=(?:engine|oob_mode|dge_mode|reduce_cmd|matmul_perf_mode|dma_engine)\.", "=", text)
    return [word for word in re.split(r", (?![^(]*\))", text) if word]

"""The surface of the legacy dialect: every documented name, and the parameters of each function, from `surface.txt`.

In that table a function is `name(parameters)`, a class or an enumeration `name: members`, and anything else its name.
The documentation ends most signatures with `**kwargs`, without saying what could be in there; these are left out, since
jnki accepts no argument that it would ignore.

`test_surface` holds jnki to the table, and `python -m tests.neuronxcc.surface` prints the page `docs/surface.md`.
"""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Name:
    """A documented name.

    Attributes:
        module, name: `nki.isa`, `activation`.
        parameters: of a function, else None.
        members: of a class or an enumeration, else None.
    """

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
        owner: object | None = importlib.import_module("jnki.neuronxcc.nki")
        for part in self.path.split(".")[1:]:
            owner = getattr(owner, part, None)
        return owner


# What jnki takes besides: keywords that public kernels pass, and Python's ways of spelling a shape.
ADDED = {
    "nki.isa.dma_transpose": "dge_mode=unknown",
    "nki.language.load": "mode=error",
    "nki.language.store": "mode=error",
    **{f"nki.language.{name}": "lazy_initialization=False" for name in ("ndarray", "zeros", "ones", "full")},
    "nki.language.affine_range": "directives=None, precise_schedule=False",
    "nki.language.sequential_range": "directives=None, precise_schedule=False",
    "nki.isa.nc_matmul": "perf_mode=None",
}

# What no simulator has, and why.
NOT_POSSIBLE = {
    "nki.isa.builtin_custom_op": "it runs a library of the vendor's on the device",
    "nki.FrameworkKernel": "it binds a kernel to a framework on the device; here a kernel is a function of JAX",
}

SPELLED = {"nki.language": "nl", "nki.isa": "nisa"}
HEAD = """# The surface of the legacy dialect

Every documented name, printed by `python -m tests.neuronxcc.surface`. *Choices*, where documents are silent, are in
[deviations.md](deviations.md).

| name | parameters or members | status |
| --- | --- | --- |
"""


def table() -> list[Name]:
    """The names in `surface.txt`, in its order."""
    found, module = [], ""
    for line in Path(__file__).with_name("surface.txt").read_text().splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif named := re.fullmatch(r"(\w+)\((.*)\)", line):
            found.append(Name(module, named[1], parameters=named[2]))
        else:
            name, _, members = line.partition(": ")
            found.append(Name(module, name, members=members or None))
    return found


def page() -> str:
    """The text of `docs/surface.md`."""
    documents = Path(__file__).parents[2] / "docs"
    deviations = (documents / "deviations.md").read_text()
    pages = {path.stem: path.relative_to(documents) for path in (documents / "isa").rglob("*.md")}
    lines = []
    for name in table():
        if name.path in NOT_POSSIBLE:
            status = f"not possible: {NOT_POSSIBLE[name.path]}"
        elif name.found() is None:
            status = "not yet"
        else:
            has_choices = re.search(rf"\b{re.escape(name.spelled)}\b", deviations)
            status = "implemented, choices" if has_choices else "implemented"
            if name.module == "nki.isa" and name.name in pages:
                status += f": [{name.name}]({pages[name.name]})"
        text = name.parameters or name.members
        lines.append(f"| `{name.spelled}` | {f'`{text}`' if text else ''} | {status} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")

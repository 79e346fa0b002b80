"""The page: a model of the program put into a template."""

import html
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jnki.program.program import Program
from jnki.view.model import model

_HEIGHT_PX = 720


@dataclass(frozen=True)
class View:
    """One page of HTML about a kernel; in a notebook it shows itself.

    Attributes:
        html: the page, which needs no other file and no network.
    """

    html: str

    def save(self, path: str | Path) -> Path:
        """Writes the page to a file, and says where."""
        target = Path(path)
        target.write_text(self.html, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        frame = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{frame}" style="width: 100%; height: {_HEIGHT_PX}px; border: 0"></iframe>'

    def __repr__(self) -> str:
        return f"<View: a page of {len(self.html):,} characters; .save(path) writes it>"


def view(program: Program) -> View:
    """The page of a program."""
    template = resources.files("jnki.view").joinpath("page.html").read_text(encoding="utf-8")
    data = json.dumps(model(program), separators=(",", ":"))
    # Inside a script element only its end tag, and a comment, would end the data.
    data = data.replace("<", "\\u003c")
    title = html.escape(f"{program.name} on {program.target.name}")
    return View(template.replace("{{title}}", title).replace("{{data}}", data))

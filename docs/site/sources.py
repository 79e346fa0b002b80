"""A hook of the site: what a page links to outside of docs/ becomes a page, so that the site needs no network.

A link such as `../jnki/dtypes.py` leads to a file on GitHub, and to the page of that file in the site. A folder leads
to a list of its files. A link that is named as a file, `[faults.md](faults.md)`, has the page's title in the site.
"""

import pathlib
import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

DOCS = pathlib.Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
FOLDER = "source"
_LINK = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]+)(#[^)\s]*)?(?=\))")
_NAMED_BY_FILE = re.compile(r"\[[\w/]+\.md\]\(([\w/.]+\.md)([^)]*)\)")
_LANGUAGES = {".py": "python", ".yml": "yaml"}


def outside(page: str, target: str) -> str | None:
    """The path in the repository to which a page of docs/ links, where that is outside of docs/ and exists."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return path if not path.startswith("docs/") and (ROOT / path).exists() else None


def shown(path: str) -> str:
    """Where the page of a file of the repository stands in the site."""
    return f"{FOLDER}/{path.rstrip('/')}.md"


def text_of(path: str) -> str:
    """The page of a file or a folder of the repository."""
    place = ROOT / path
    if place.is_dir():
        names = sorted(each.name for each in place.iterdir() if each.suffix in _LANGUAGES)
        return f"# `{path}`\n\n" + "".join(f"- `{name}`\n" for name in names)
    language = _LANGUAGES.get(place.suffix, "text")
    head = f"---\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n"
    return f'{head}``````{language} linenums="1"\n{place.read_text()}\n``````\n'


def title_of(page: str) -> str:
    """The heading of a page of docs/."""
    return (DOCS / page).read_text().split("\n", 1)[0].removeprefix("# ")


def on_files(files: Files, config: Any) -> Files:
    """A page for each file that is linked to, beside the pages of docs/; and what the theme is given."""
    linked = {
        path
        for page in files.documentation_pages()
        for target, _ in _LINK.findall(page.content_string)
        if (path := outside(page.src_uri, target))
    }
    for path in sorted(linked):
        files.append(File.generated(config, shown(path), content=text_of(path), inclusion=InclusionLevel.NOT_IN_NAV))
    for name in ("iframe-worker.js", "site.css"):
        files.append(File.generated(config, f"assets/{name}", content=(DOCS / "site" / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with its links out of docs/ turned to the pages made for them, and links named as pages are."""
    here = page.file.src_uri
    if here.startswith(FOLDER + "/"):
        return markdown

    def turned(link: re.Match[str]) -> str:
        path = outside(here, link[1])
        return link[0] if path is None else posixpath.relpath(shown(path), posixpath.dirname(here) or ".")

    def renamed(link: re.Match[str]) -> str:
        page = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[1]))
        return f"[{title_of(page)}]({link[1]}{link[2]})" if (DOCS / page).exists() else link[0]

    return _LINK.sub(turned, _NAMED_BY_FILE.sub(renamed, markdown))

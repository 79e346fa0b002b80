"""A hook of the site: beside some examples of the gallery, the page that `kernel.view` makes of their first kernel."""

import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).resolve().parents[2]
GALLERY = "gallery.md"
SHOWN = ("softmax", "strided_access", "tiled_matmul")  # few: each takes seconds to run


def view_of(example: str) -> str:
    """The page of the first kernel that an example calls."""
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder, "view.html")
        command = [sys.executable, "-m", "jnki", "--view", str(page), f"examples/{example}.py"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return page.read_text().replace(f"{ROOT}/", "")


def on_files(files: Files, config: Any) -> Files:
    """Those pages among the files of the site."""
    for example in SHOWN:
        files.append(File.generated(config, f"views/{example}.html", content=view_of(example)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The gallery with a link to each of them."""
    if page.file.src_uri != GALLERY:
        return markdown
    for example in SHOWN:
        link = f"[Its first kernel as pictures](views/{example}.html)"
        markdown = markdown.replace(f"\n## {example}\n", f"\n## {example}\n\n{link}\n")
    return markdown

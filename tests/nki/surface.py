"""The surface of the current dialect, from `surface.txt` (see `tests.surfaces`).

`test_surface` holds jnki to the table, and `python -m tests.nki.surface` prints the page `docs/surface_current.md`.
"""

from pathlib import Path

from tests import surfaces
from tests.surfaces import Name

NOT_POSSIBLE: dict[str, str] = {}
HEAD = """# The surface of the current dialect

Every documented name of `nki`, printed by `python -m tests.nki.surface`. *Choices*, where documents are silent, are in
[deviations.md](deviations.md).

| name | parameters or members | status |
| --- | --- | --- |
"""


def table() -> list[Name]:
    """The names in `surface.txt`, in its order."""
    return surfaces.table(Path(__file__).with_name("surface.txt"), "jnki.nki")


def page() -> str:
    """The text of `docs/surface_current.md`."""
    return surfaces.page(HEAD, table(), NOT_POSSIBLE)


if __name__ == "__main__":
    print(page(), end="")

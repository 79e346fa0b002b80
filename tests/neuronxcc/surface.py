"""The surface of the legacy dialect, from `surface.txt` (see `tests.surfaces`).

The documentation ends most signatures with `**kwargs`, without saying what could be in there; these are left out, since
jnki accepts no argument that it would ignore.

`test_surface` holds jnki to the table, and `python -m tests.neuronxcc.surface` prints the page `docs/surface.md`.
"""

from pathlib import Path

from tests import surfaces
from tests.surfaces import Name

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

HEAD = """# The surface of the legacy dialect

Every documented name, printed by `python -m tests.neuronxcc.surface`. *Choices*, where documents are silent, are in
[deviations.md](deviations.md).

| name | parameters or members | status |
| --- | --- | --- |
"""


def table() -> list[Name]:
    """The names in `surface.txt`, in its order."""
    return surfaces.table(Path(__file__).with_name("surface.txt"), "jnki.neuronxcc.nki")


def page() -> str:
    """The text of `docs/surface.md`."""
    return surfaces.page(HEAD, table(), NOT_POSSIBLE)


if __name__ == "__main__":
    print(page(), end="")

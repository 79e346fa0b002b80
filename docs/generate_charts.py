"""Draws docs/pictures/performance_*.svg from the tables of docs/performance.md: ratios as bars beside a line at 1.

Run with: python docs/generate_charts.py
"""

import html
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parent
PAGE = DOCS / "performance.md"
# Of each picture: the table's heading, the column that names a row, and those that are drawn.
CHARTS = {
    "performance_kernels": ("Kernels, float32", ("kernel",), ("jnki / JAX", "gradient / JAX", "gradient memory / JAX")),
    "performance_batches": ("Batches under vmap, float32", ("kernel",), ("jnki / JAX",)),
    "performance_moves": ("dma_copy, 8192x4096, alone", ("pattern", "type"), ("ratio to hand-written",)),
}
_COLORS = ("#3f51b5", "#f57c00", "#78909c")
_LABELS, _WIDTH, _BAR, _GAP, _TOP = 260, 460, 12, 10, 44  # pixels


def table(text: str, heading: str) -> list[dict[str, str]]:
    """The rows of the first table behind a heading that starts so."""
    _, found, rest = text.partition(f"### {heading}")
    if not found:
        raise LookupError(f"performance.md has no table '{heading}'")
    lines = re.search(r"(?m)(?:^\|.*\n)+", rest)
    head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in lines[0].splitlines(True))
    return [dict(zip(head, row)) for row in rows]


def chart(rows: list[dict[str, str]], names: tuple[str, ...], columns: tuple[str, ...]) -> str:
    """Bars for these columns of each row."""
    most = max(float(row[column]) for row in rows for column in columns)
    scale = _WIDTH / most
    step = len(columns) * _BAR + _GAP
    height = _TOP + len(rows) * step + 8
    parts = [f'<rect width="{_LABELS + _WIDTH + 60}" height="{height}" fill="white"/>']
    if len(columns) > 1:
        for k, (column, color) in enumerate(zip(columns, _COLORS)):
            x = _LABELS + k * 150
            parts.append(f'<rect x="{x}" y="6" width="10" height="10" fill="{color}"/>')
            parts.append(_text(x + 14, 15, column))
    else:
        parts.append(_text(_LABELS, 15, columns[0]))
    for n, row in enumerate(rows):
        top = _TOP + n * step
        label = ", ".join(row[name] for name in names)
        parts.append(_text(_LABELS - 8, top + len(columns) * _BAR / 2 + 4, label, "end"))
        for k, column in enumerate(columns):
            value, y = float(row[column]), top + k * _BAR
            width = f"{value * scale:.1f}"
            parts.append(f'<rect x="{_LABELS}" y="{y}" width="{width}" height="{_BAR - 2}" fill="{_COLORS[k]}"/>')
            parts.append(_text(_LABELS + value * scale + 4, y + 9, row[column], size=10))
    one = f"{_LABELS + scale:.1f}"
    parts.append(f'<line x1="{one}" y1="{_TOP - 8}" x2="{one}" y2="{height}" stroke="#000" stroke-dasharray="3 3"/>')
    parts.append(_text(_LABELS + scale, _TOP - 12, "1", "middle"))
    size = f'width="{_LABELS + _WIDTH + 60}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{html.escape(words)}</text>'


def pictures(text: str) -> dict[pathlib.Path, str]:
    """The charts of a page, by the file that each belongs in."""
    return {
        DOCS / "pictures" / f"{name}.svg": chart(table(text, heading), names, columns)
        for name, (heading, names, columns) in CHARTS.items()
    }


if __name__ == "__main__":
    for path, text in pictures(PAGE.read_text()).items():
        path.write_text(text)
